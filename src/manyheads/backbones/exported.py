"""A backbone's inference program on disk: made once by Keras in a child, checked at each use."""

from __future__ import annotations

import importlib.metadata
import json
import logging
import shutil
import threading
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from manyheads.backbones import keras_process
from manyheads.backbones.registry import BackboneSpec
from manyheads.backbones.weights import Weights
from manyheads.locks import alone
from manyheads.places import cache_dir, disk_errors, make_folder, write_text
from manyheads.settings import digest

_log = logging.getLogger(__name__)
_EXPORT = "manyheads.backbones.keras_builds:export"
_FILES = ("backbone.xml", "backbone.bin")
_SEAL = "seal.json"
_FORMAT = 2  # of these folders; raise it when `keras_builds.export` makes another program


# Measured: more images at a time gain less than a tenth; fewer keep large images in memory.
_BATCH = 16
_PIXELS = 16 * 224 * 224


@dataclass(frozen=True)
class Program:
    """OpenVINO's `path` (.xml, its .bin beside it) and the number of `features` it yields.

    It takes `uint8 [batch_size(size), size, size, 3]`.
    """

    path: Path
    features: int


def program(
    spec: BackboneSpec, weights: Weights, size: int, stop: threading.Event | None = None
) -> Program:
    """The program for images of `size` pixels, from the cache or made now; `uint8` NHWC in.

    Raises `DiskError` if the cache cannot be written, and what `keras_process.call` raises.
    """
    recipe = {
        "backbone": spec.name,
        "weights": weights.digest,
        "size": size,
        "batch": batch_size(size),
        "layout": spec.data_format,
    }
    arguments = {
        "backbone": spec.name,
        "weights": str(weights.path),
        "digest": weights.digest,
        "size": size,
    }
    return made(recipe, _EXPORT, arguments, stop)


def batch_size(size: int) -> int:
    """Images in a batch: 16, fewer for large images, so that memory stays bounded."""
    return max(1, min(_BATCH, _PIXELS // size**2))


def made(
    recipe: dict[str, Any],
    function: str,
    arguments: dict[str, Any],
    stop: threading.Event | None = None,
) -> Program:
    """The program of `recipe`, from the cache or made now by `function` in a Keras child.

    The function gets `arguments` and the `target` (.xml) to write, and answers with `features`.
    """
    versions = {name: importlib.metadata.version(name) for name in ("keras", "openvino")}
    recipe = {**recipe, "format": _FORMAT, **versions}
    folder = make_folder(cache_dir() / "compiled") / digest(recipe)[:32]
    found = _sealed(folder)
    if found is None:
        with alone(folder.with_suffix(".lock"), "preparing the backbone", stop):
            found = _sealed(folder) or _make(recipe, function, arguments, folder, stop)
    return found


def _make(
    recipe: dict[str, Any],
    function: str,
    arguments: dict[str, Any],
    folder: Path,
    stop: threading.Event | None,
) -> Program:
    _log.info("building the inference program of %s", recipe["backbone"])
    # The lock is held, so what stands here is left over from a process that was killed.
    building = folder.with_name(f".{folder.name}")
    with disk_errors(building):
        for old in (building, folder):
            if old.exists():
                shutil.rmtree(old)
        building.mkdir()
    try:
        target = str(building / _FILES[0])
        answer = keras_process.call(function, {**arguments, "target": target}, stop=stop)
        sums = {name: _checksum(building / name) for name in _FILES}
        seal = {"recipe": recipe, "crc32": sums, "features": answer["features"]}
        write_text(building / _SEAL, json.dumps(seal, indent=2))
        with disk_errors(folder):
            building.replace(folder)
    finally:
        shutil.rmtree(building, ignore_errors=True)
    return Program(folder / _FILES[0], answer["features"])


def _sealed(folder: Path) -> Program | None:
    """The program in `folder` if it is there, whole and unchanged."""
    if not folder.exists():
        return None
    try:
        seal = json.loads((folder / _SEAL).read_text(encoding="utf-8"))
        if all(_checksum(folder / name) == seal["crc32"][name] for name in _FILES):
            return Program(folder / _FILES[0], int(seal["features"]))
    except (OSError, ValueError, KeyError, TypeError):
        pass
    _log.warning("the inference program in %s is damaged; it is made again", folder)
    return None


def _checksum(path: Path) -> int:
    total = 0
    with path.open("rb") as file:
        while block := file.read(1 << 22):
            total = zlib.crc32(block, total)
    return total
