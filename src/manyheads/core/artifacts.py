"""What Keras makes in a child process, kept in the cache: made once, checked at each use."""

from __future__ import annotations

import importlib.metadata
import json
import logging
import os
import shutil
import zlib
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from manyheads.core import keras_process
from manyheads.core.job import SILENT, Job
from manyheads.core.locks import alone
from manyheads.core.places import cache_dir, disk_errors, scratch_dir, write_text
from manyheads.core.settings import digest
from manyheads.errors import DiskError

_log = logging.getLogger(__name__)
_SEAL = "seal.json"
_FORMAT = 3  # of these folders; raise it when a function makes something else of equal arguments


@dataclass(frozen=True)
class Artifact:
    """A folder of files that a function made, and its answer."""

    folder: Path
    answer: dict[str, Any]


def made(
    area: str,
    recipe: dict[str, Any],
    function: Callable[..., dict[str, Any]],
    arguments: dict[str, Any],
    file: str,
    *,
    keep: int | None = None,
    lasting: bool = False,
    what: str = "preparing the backbone",
    job: Job = SILENT,
) -> Artifact:
    """The artifact of `recipe` in an `area` of the cache, from there or made now by `function`.

    The function is called in a Keras child with `arguments` and the `target` to write, a path
    that ends with `file`. With `keep`, only so many artifacts stay in the area, those used last.
    Other versions of Keras and OpenVINO make another artifact, unless it is a `lasting` one.
    Where the cache cannot be written, it is made in a temporary folder. `what` says what is being
    done. Raises `DiskError` if that
    cannot be written either, and what `keras_process.call` raises.
    """

    def make(folder: Path) -> dict[str, Any]:
        _log.info("%s makes %s of %s", function.__qualname__, file, recipe)
        target = str(folder / file)
        return keras_process.call(function, {**arguments, "target": target}, what=what, job=job)

    whole = recipe if lasting else _whole(recipe)
    artifact = existing(area, recipe, lasting=lasting)
    if artifact is None:
        folder = scratch_dir(area) / _name(whole)
        with alone(folder.with_suffix(".lock"), what, job):
            artifact = existing(area, recipe, lasting=lasting) or _sealed(folder, whole, make)
    with suppress(OSError):  # then it only looks older than it is
        os.utime(artifact.folder / _SEAL)
    if keep is not None:
        _remove_oldest(artifact.folder.parent, keep)
    return artifact


def existing(area: str, recipe: dict[str, Any], *, lasting: bool = False) -> Artifact | None:
    """The artifact of `recipe` if it is in the cache, whole and unchanged."""
    name = _name(recipe if lasting else _whole(recipe))
    areas = [cache_dir() / area]
    with suppress(DiskError):  # which making it then shows
        areas.append(scratch_dir(area))
    for folder in dict.fromkeys(place / name for place in areas):
        if (found := _whole_artifact(folder)) is not None:
            return found
    return None


def receive(area: str, name: str, files: Mapping[str, bytes]) -> None:
    """Put the artifact `name`, which another machine has made, into the cache, unless it is there.

    Raises `DiskError` if it cannot be written.
    """
    folder = scratch_dir(area) / name
    with alone(folder.with_suffix(".lock"), "receiving what was prepared"):
        if _whole_artifact(folder) is not None:
            return
        building = folder.with_name(f".{folder.name}")
        with disk_errors(building):
            for old in (building, folder):
                shutil.rmtree(old, ignore_errors=True)
            building.mkdir()
            for file, data in files.items():
                (building / file).write_bytes(data)
            building.replace(folder)


def place(area: str, recipe: dict[str, Any]) -> Path:
    """The folder in the cache for the lasting artifact of `recipe`, made yet or not."""
    return cache_dir() / area / _name(recipe)


def _whole_artifact(folder: Path) -> Artifact | None:
    if not folder.exists():
        return None
    try:
        seal = json.loads((folder / _SEAL).read_text(encoding="utf-8"))
        if all(_checksum(folder / name) == crc for name, crc in seal["crc32"].items()):
            return Artifact(folder, dict(seal["answer"]))
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        pass
    _log.warning("what is kept in %s is damaged; it is made again", folder)
    return None


def _sealed(
    folder: Path, recipe: dict[str, Any], make: Callable[[Path], dict[str, Any]]
) -> Artifact:
    # The lock is held, so what stands here is left over from a process that was killed.
    building = folder.with_name(f".{folder.name}")
    with disk_errors(building):
        for old in (building, folder):
            if old.exists():
                shutil.rmtree(old)
        building.mkdir()
    try:
        answer = make(building)
        sums = {path.name: _checksum(path) for path in sorted(building.iterdir())}
        seal = {"recipe": recipe, "crc32": sums, "answer": answer}
        write_text(building / _SEAL, json.dumps(seal, indent=2))
        with disk_errors(folder):
            building.replace(folder)
    finally:
        shutil.rmtree(building, ignore_errors=True)
    return Artifact(folder, answer)


def _remove_oldest(area: Path, keep: int) -> None:
    def used(seal: Path) -> int:
        try:
            return seal.stat().st_mtime_ns
        except OSError:  # another process has just removed it
            return 0

    seals = sorted(area.glob(f"[!.]*/{_SEAL}"), key=used, reverse=True)
    for seal in seals[keep:]:
        shutil.rmtree(seal.parent, ignore_errors=True)


def _name(recipe: dict[str, Any]) -> str:
    return digest(recipe)[:32]


def _whole(recipe: dict[str, Any]) -> dict[str, Any]:
    versions = {name: importlib.metadata.version(name) for name in ("keras", "openvino")}
    return {**recipe, "format": _FORMAT, **versions}


def _checksum(path: Path) -> int:
    total = 0
    with path.open("rb") as file:
        while block := file.read(1 << 24):
            total = zlib.crc32(block, total)
    return total
