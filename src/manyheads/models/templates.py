"""Whole networks written without Keras in this process.

Keras makes a network of each shape once, in a child: the template. A copy of it then gets what
sets one head apart from another of its shape: its arrays, its dropout and its learning rate.
"""

from __future__ import annotations

import io
import json
import shutil
import time
import zipfile
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import IO, Any

import numpy as np

from manyheads.backbones.registry import NO_BACKBONE, BackboneSpec
from manyheads.backbones.weights import Weights
from manyheads.core import artifacts
from manyheads.core.job import SILENT, Job
from manyheads.core.places import disk_errors
from manyheads.errors import ManyheadsError
from manyheads.heads.head import Parameters
from manyheads.heads.hyperparameters import Hyperparameters
from manyheads.modelfiles import arrays, untrusted
from manyheads.modelfiles.members import StoredMember
from manyheads.models import keras_models
from manyheads.models.card import file_digest
from manyheads.models.importing.foreign import no_head, stored_head
from manyheads.models.openvino_models import write_openvino

_HEADS = 50  # heads in the cache
_KEPT = 6  # templates in the cache; Xception's has 86 MB
_CONFIG, _METADATA, _WEIGHTS = "config.json", "metadata.json", "model.weights.h5"
_COPY = 1 << 24  # bytes: whoever reads in many small parts waits for its turn at each


def write_model(
    spec: BackboneSpec,
    weights: Weights,
    size: int,
    head: tuple[Parameters, Hyperparameters],
    target: Path,
    job: Job = SILENT,
    *,
    several_labels: bool = False,
) -> None:
    """Write the whole network of `head` as `target` (.keras or .h5), compiled as for training.

    On `NO_BACKBONE` that is the head alone; on a backbone that Keras does not build `target` is an
    .xml. Raises `DiskError`, and what `artifacts.made` raises where there is no template yet.
    """
    parameters, hyperparameters = head
    if not spec.in_keras:
        write_openvino(spec, weights, size, parameters, target, job, several_labels=several_labels)
        return
    if spec == NO_BACKBONE:
        size = parameters.features
    template, dense = _template(
        spec, weights, size, len(parameters.inner_bias), len(parameters.bias), target.suffix, job,
        several_labels=several_labels,
    )  # fmt: skip
    with disk_errors(target):
        if target.suffix == ".h5":
            shutil.copyfile(template, target)
            _fill_h5(target, parameters, hyperparameters, dense)
        else:
            _fill_keras(template, target, parameters, hyperparameters)


def prepare_template(
    spec: BackboneSpec,
    weights: Weights,
    size: int,
    size_inner: int,
    classes: int,
    job: Job = SILENT,
    *,
    several_labels: bool = False,
) -> None:
    """Make the template of .keras files of this shape, so that `write_model` finds it."""
    # Whatever is wrong shows again, and is reported, when a model is to be written.
    with suppress(ManyheadsError):
        _template(
            spec, weights, size, size_inner, classes, ".keras", job, several_labels=several_labels
        )


def read_head(file: Path, job: Job = SILENT) -> Parameters:
    """The arrays of the head in a .keras file that `write_model` wrote; raises `ModelError`."""
    name = "head.safetensors"
    with untrusted.refused(lambda found: no_head(file, found)):
        artifact = artifacts.made(
            "heads", {"model": file_digest(file)}, stored_head, {"file": str(file)}, name,
            keep=_HEADS, what="reading the head", job=job,
        )  # fmt: skip
    return Parameters(*arrays.load(artifact.folder / name))


def _template(
    spec: BackboneSpec,
    weights: Weights,
    size: int,
    size_inner: int,
    classes: int,
    suffix: str,
    job: Job,
    *,
    several_labels: bool = False,
) -> tuple[Path, list[str]]:
    """A template's file and the names of its dense layers."""
    arguments: dict[str, Any] = {"size": size, "size_inner": size_inner, "classes": classes}
    if several_labels:
        arguments["several_labels"] = True
    recipe = {**arguments, "backbone": spec.name, "weights": "", "suffix": suffix}
    if spec == NO_BACKBONE:
        blank = keras_models.blank_head
    else:
        blank = keras_models.blank
        recipe["weights"] = weights.digest
        arguments |= {"weights": str(weights.path), "digest": weights.digest}
        own = {"preprocessing": spec.preprocessing}
        arguments |= {"backbone": spec.name} if spec.file is None else own
    file = f"template{suffix}"
    artifact = artifacts.made(
        "templates", recipe, blank, arguments, file,
        keep=_KEPT, what="preparing the model file", job=job,
    )  # fmt: skip
    return artifact.folder / file, artifact.answer["dense"]


def _fill_keras(
    template: Path, target: Path, parameters: Parameters, hyperparameters: Hyperparameters
) -> None:
    import h5py

    with zipfile.ZipFile(template) as archive, zipfile.ZipFile(target, "w") as filled:
        metadata = json.loads(archive.read(_METADATA))
        metadata["date_saved"] = time.strftime("%Y-%m-%d@%H:%M:%S")
        filled.writestr(_METADATA, json.dumps(metadata))
        config = json.loads(archive.read(_CONFIG))
        _set_droprate(config, hyperparameters)
        compiling = config["compile_config"]
        compiling["jit_compile"] = "auto"  # as the reader's backend has it, not the child's
        rate = _set_learning_rate(compiling["optimizer"], hyperparameters)
        filled.writestr(_CONFIG, json.dumps(config))
        new: dict[str, Any] = {"optimizer/vars/1": rate}
        for n, layer in enumerate(parameters.layers):
            for place, array in enumerate(layer):
                new[f"layers/dense{f'_{n}' if n else ''}/vars/{place}"] = array
        with StoredMember(template, _WEIGHTS) as weights:
            with h5py.File(weights, "r") as arrays:
                pieces = sorted(_piece(arrays, name, array) for name, array in new.items())
            with filled.open(_WEIGHTS, "w", force_zip64=True) as out:
                weights.seek(0)
                for start, content in pieces:
                    _copy(weights, out, start - weights.tell())
                    out.write(content)
                    weights.seek(len(content), io.SEEK_CUR)
                _copy(weights, out, weights.size - weights.tell())


def _piece(arrays: Any, name: str, array: Any) -> tuple[int, bytes]:
    """Where an array lies in its file, and the bytes that are to lie there."""
    place, new = arrays[name], np.asarray(array)
    start = place.id.get_offset()
    if (place.shape, place.dtype) != (new.shape, new.dtype) or start is None:
        raise ValueError(
            f"{name} is {place.dtype} {place.shape} at {start} in the template, "
            f"{new.dtype} {new.shape} in the head"
        )
    return start, new.tobytes()


def _copy(source: io.RawIOBase, target: IO[bytes], count: int) -> None:
    while count > 0 and (block := source.read(min(count, _COPY))):
        target.write(block)
        count -= len(block)


def _fill_h5(
    target: Path, parameters: Parameters, hyperparameters: Hyperparameters, dense: Sequence[str]
) -> None:
    import h5py

    with h5py.File(target, "r+") as arrays:
        model = json.loads(str(arrays.attrs["model_config"]))
        _set_droprate(model, hyperparameters)
        arrays.attrs["model_config"] = json.dumps(model)
        training = json.loads(str(arrays.attrs["training_config"]))
        rate = _set_learning_rate(training["optimizer_config"], hyperparameters)
        arrays.attrs["training_config"] = json.dumps(training)
        for name, layer in zip(dense, parameters.layers, strict=True):
            for kind, array in zip(("kernel", "bias"), layer, strict=True):
                _put(arrays, f"model_weights/{name}/{name}/{kind}", array)
        _put(arrays, "optimizer_weights/adam/learning_rate", rate)


def _put(arrays: Any, name: str, array: Any) -> None:
    place = arrays[name]
    if place.shape != np.shape(array):  # a smaller array would be repeated to fill the place
        raise ValueError(f"{name} is {place.shape} in the template, {np.shape(array)} in the head")
    place[...] = array


def _set_droprate(config: dict[str, Any], hyperparameters: Hyperparameters) -> None:
    # Of the backbone, which is a layer among these, the own dropout stays.
    for layer in config["config"]["layers"]:
        if layer["class_name"] == "Dropout":
            layer["config"]["rate"] = hyperparameters.droprate


def _set_learning_rate(optimizer: dict[str, Any], hyperparameters: Hyperparameters) -> np.float32:
    rate = np.float32(hyperparameters.learning_rate)  # Keras holds it in a float32 variable
    optimizer["config"]["learning_rate"] = float(rate)
    return rate
