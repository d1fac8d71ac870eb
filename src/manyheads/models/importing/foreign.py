"""A model file of others, taken apart; called in a child process, which the file may end.

What comes out is plain: a few facts, and the arrays of the head in safetensors.
"""

from __future__ import annotations

import json
import shutil
import zipfile
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from manyheads.errors import ModelError
from manyheads.modelfiles import arrays, keras_archive, keras_files, untrusted
from manyheads.modelfiles.keras_files import Arrays
from manyheads.modelfiles.keras_parts import check_config
from manyheads.models.importing.head_configs import (
    LOG_ODDS,
    LOGITS,
    SIGMOID,
    HeadConfig,
    read_config,
)
from manyheads.models.importing.head_folding import folded
from manyheads.models.importing.layer_graph import Lookup, Step, layer_words
from manyheads.models.pixel_maps import FUNCTIONS

_UNREADABLE = (
    OSError, ValueError, LookupError, TypeError, AttributeError, MemoryError, RecursionError,
)  # fmt: skip
_PLAIN = "float32"
# Operations that are read by their names and numbers, and never run.
_READ = ("TFOpLambda", "SlicingOpLambda")


def take_head(file: str, target: str) -> dict[str, Any]:
    """Write the arrays of a model's head to `target`; answers with what the file tells of it.

    The arrays are those of `Parameters`, in their order. Raises `ModelError` for a head of
    another kind, and for a file that is no model.
    """
    path = Path(file)
    untrusted.bound(path)
    try:
        with keras_files.opened(path) as (config, group):
            if config is None:
                head, dense = None, _last_dense(group)
                rest = _numbers(None, group, set())
            else:
                check_config(plain_config(config, reading=True), path)
                lookup = partial(keras_files.layer_arrays, config, group)
                head = read_config(config, lookup)
                dense = folded(head, lookup)
                rest = _numbers(config, group, set(head.inactive))
                rest -= _head_numbers(head, lookup)
    except _UNREADABLE as error:
        raise refusal(path, reason_of(error)) from error
    problem = _problem(dense)
    if problem:
        raise refusal(path, problem)
    if head is None:
        rest -= sum(array.size for layer in dense for array in layer)
        head = HeadConfig(None, (), LOGITS, 0.0, None)
        described = False
    else:
        described = True
    if head.output in (SIGMOID, LOG_ODDS):
        dense[-1] = _of_two(*dense[-1])
    arrays.save(Path(target), _parameters(dense), {})
    return {
        "size": head.size,
        "droprate": head.droprate,
        "output": head.output,
        "backbone": head.backbone,
        "numbers": rest,
        "folded": len([step for step in head.layers if isinstance(step, Step)]) > len(dense),
        "described": described,
        "pixels": None if head.pixels is None else [head.pixels.words],
        "entered": None if head.entered is None else [head.entered.words],
        "pooling": [_pooling(layer) for layer in head.pooling],
        "normalised": head.normalised,
    }


def plain_config(config: dict[str, Any], *, reading: bool = False) -> dict[str, Any]:
    """A configuration without what predicting takes no notice of: how to train, and half precision.

    For `reading` also without operations of Keras 2 that are known by their names.
    """
    kept = {key: value for key, value in config.items() if key not in _TRAINING}
    return _plain(kept, reading)


def plain_copy(file: Path, target: Path) -> Path:
    """Write `file` (.keras or .h5) with its `plain_config` to `target`; what is in it is checked.

    Raises `ModelError` if it is no model.
    """
    import h5py

    try:
        with keras_files.opened(file) as (config, _):
            if config is None:
                raise ValueError("weights without a model")
            text = json.dumps(plain_config(config))
        if target.suffix == ".keras":
            place = keras_archive.members(file)[keras_archive.WEIGHTS]
            with zipfile.ZipFile(target, "w") as archive, file.open("rb") as source:
                archive.writestr(keras_archive.METADATA, "{}")
                archive.writestr(keras_archive.CONFIG, text)
                source.seek(place.start)
                with archive.open(keras_archive.WEIGHTS, "w", force_zip64=True) as out:
                    left = place.size
                    while left > 0 and (block := source.read(min(left, _BLOCK))):
                        out.write(block)
                        left -= len(block)
        else:
            shutil.copyfile(file, target)
            with h5py.File(target, "r+") as group:
                group.attrs["model_config"] = text
    except _UNREADABLE as error:
        raise refusal(file, reason_of(error)) from error
    return target


_BLOCK = 1 << 24
_TRAINING = ("compile_config", "training_config")


def _plain(entry: Any, reading: bool) -> Any:
    if isinstance(entry, list):
        kept = [each for each in entry if not (reading and _is_read(each))]
        return [_plain(each, reading) for each in kept]
    if not isinstance(entry, dict):
        return entry
    found = {key: _plain(value, reading) for key, value in entry.items()}
    inner = found.get("config")
    kept = entry.get("class_name") in (None, *_TENSORS)
    if isinstance(inner, dict) and "dtype" in inner and not kept:
        inner["dtype"] = _PLAIN
    return found


_TENSORS = ("__keras_tensor__", "__tensor__", "Cast")


def _is_read(entry: Any) -> bool:
    if not isinstance(entry, dict) or entry.get("class_name") not in _READ:
        return False
    return str(entry.get("config", {}).get("function")) in FUNCTIONS


def _pooling(layer: dict[str, Any]) -> dict[str, Any]:
    config = layer["config"]
    kept = {key: config.get(key) for key in ("pool_size", "strides", "padding")}
    return {"class": layer["class_name"], "name": layer_words(layer), **kept}


def _numbers(config: dict[str, Any] | None, group: Any, besides: set[str]) -> int:
    """How many numbers a file holds, but for the layers `besides`; 0 if it does not list them."""
    networks = keras_files.found(config, group)
    if not networks:
        return 0
    return sum(
        array.size for name, kept in networks[0].layers if name not in besides for array in kept
    )


def _head_numbers(head: HeadConfig, lookup: Lookup) -> int:
    steps = [step for step in head.layers if isinstance(step, Step)]
    steps = [step for step in steps if step.layer["class_name"] != "Rescaling"]
    return sum(array.size for step in steps for array in lookup(step.path))


def stored_head(file: str, target: str) -> dict[str, Any]:
    """Write the arrays of the head in a `.keras` file of ours to `target`, as `Parameters`."""
    path = Path(file)
    untrusted.bound(path)
    try:
        with keras_files.opened(path) as (_, group):
            dense = _newer(group)
    except _UNREADABLE as error:
        raise no_head(path, reason_of(error)) from error
    problem = _problem(dense)
    if problem:
        raise no_head(path, problem)
    arrays.save(Path(target), _parameters(dense), {})
    return {}


def no_head(file: Path, found: str) -> ModelError:
    """The error for a file in which there is no head as `templates.write_model` writes it."""
    return ModelError(
        f"a head on its backbone in {file}", found, "export it again from its run folder"
    )


def refusal(file: Path, found: str) -> ModelError:
    """The error for a file that is no model of the lesson's kind."""
    return ModelError(
        f"a frozen backbone, pooling and a head of one or two dense layers in {file}",
        found,
        "give a model of the lesson's kind that Keras has saved, as .keras or .h5",
    )


def reason_of(error: Exception) -> str:
    """What a library says of a file, in one line."""
    return " ".join(str(error).split())[:200] or type(error).__name__


Layer = tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]


def _last_dense(group: Any) -> list[Layer]:
    """Kernel and bias of each dense layer in a file of weights alone, in order."""
    networks = keras_files.found(None, group)
    if not networks:
        return _newer(group)
    return [_pair(kept) for _, kept in networks[0].layers[-2:] if _is_pair(kept)]


def _newer(group: Any) -> list[Layer]:
    """The dense layers in a file of Keras 3, where they are numbered by their class."""
    layers = group["layers"]
    present = [layers[key]["vars"] for key in ("dense", "dense_1", "dense_2") if key in layers]
    return [_pair([kept[str(index)][()] for index in range(len(kept))]) for kept in present]


def _pair(kept: Arrays) -> Layer:
    if not _is_pair(kept):
        raise ValueError(f"a dense layer of {len(kept)} arrays")
    return kept[0], kept[1]


def _is_pair(kept: Arrays) -> bool:
    return [array.ndim for array in kept] == [2, 1] and kept[0].shape[1:] == kept[1].shape


def _problem(dense: list[Layer]) -> str:
    if len(dense) not in (1, 2):
        return f"{len(dense)} dense layers"
    if len(dense) == 2 and dense[0][0].shape[1] != dense[1][0].shape[0]:
        return f"dense layers of {dense[0][0].shape} and {dense[1][0].shape}"
    if not all(np.isfinite(array).all() for layer in dense for array in layer):
        return "a head with what is no finite number"
    return ""


def _parameters(dense: list[Layer]) -> list[np.ndarray[Any, Any]]:
    """The arrays of `Parameters`."""
    if len(dense) == 2:
        return [*dense[0], *dense[1]]
    kernel, bias = dense[-1]
    return [np.zeros((len(kernel), 0)), np.zeros(0), kernel, bias]


def _of_two(kernel: np.ndarray[Any, Any], bias: np.ndarray[Any, Any]) -> Layer:
    """The log-odds of the second of two classes as logits of both: of the first it is 0.

    softmax(0, z) = (1 − sigmoid(z), sigmoid(z)).
    """
    return np.hstack([0 * kernel, kernel]), np.concatenate([0 * bias, bias])
