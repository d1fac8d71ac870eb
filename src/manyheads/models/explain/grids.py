"""A model in two parts: a program from images to feature maps, and the head behind the mean."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from manyheads.backbones import exported, keras_builds, registry, weights
from manyheads.backbones.compiled import OpenVinoBackbone
from manyheads.backbones.exported import Program
from manyheads.backbones.registry import CHANNELS_LAST, batch_size
from manyheads.core.job import SILENT, Job
from manyheads.errors import BackboneError, ModelError
from manyheads.heads.files import load_head, save_head
from manyheads.heads.head import Parameters
from manyheads.models import openvino_models
from manyheads.models.card import ModelCard, file_digest
from manyheads.models.checkpoints import PROGRAMS
from manyheads.models.keras_models import open_model, write_pixel_program
from manyheads.models.templates import read_head

_HEAD = "head.safetensors"


class ModelParts(NamedTuple):
    """The parts of a model: `program` gives `[n, rows, columns, features]`, `head` takes means."""

    program: OpenVinoBackbone
    head: Parameters


def parts_of(path: Path, card: ModelCard, job: Job = SILENT) -> ModelParts:
    """The parts of the model at `path`, which `card` describes; made once, and cached.

    The backbone's own program serves where its weights are at hand, or else one of the model's
    file. Raises `BackboneError` for a backbone whose features are no mean of a feature map,
    `ModelError` for a model that cannot be parted, and what `exported.made` raises.
    """
    spec, size = registry.from_card(card.backbone, card.preprocessing), card.image.size
    if not spec.pools_plainly:
        raise BackboneError(
            "a model on a backbone whose features are the mean of a feature map", spec.name,
            "explain a model on another backbone",
        )  # fmt: skip
    if path.suffix in PROGRAMS and not (path.suffix == ".xml" and card.is_plain):
        raise ModelError(
            "a model of a study, which can be cut before its pooling", path.name,
            "explain the run folder that it was exported from",
        )  # fmt: skip
    # Of an .h5 file, only Keras finds the head; of a network of the user's, only the model is here.
    own = spec.is_own or path.suffix != ".keras"
    program = None if own else _of_backbone(card, job)
    if program is not None:
        head = read_head(path)
    else:
        in_keras = path.suffix not in PROGRAMS
        program = _of_file(path, card, job) if in_keras else _of_program(path, card, job)
        head, _ = load_head(program.path.with_name(_HEAD))
    return ModelParts(OpenVinoBackbone(program, size, batch_size(size)), head)


def _of_backbone(card: ModelCard, job: Job) -> Program | None:
    spec, size = registry.from_card(card.backbone, card.preprocessing), card.image.size
    program = exported.existing(spec, card.weights, size, "grid")
    if program is None:
        kept = weights.cached(spec)
        if kept is not None and kept.digest == card.weights:
            program = exported.program(spec, kept, size, job, "grid")
    return program


def _of_file(path: Path, card: ModelCard, job: Job) -> Program:
    known = {
        "backbone": card.backbone,
        "preprocessing": card.preprocessing,
        "size": card.image.size,
    }
    recipe = {"model": file_digest(path), "pooling": "grid", **known}
    arguments: dict[str, Any] = {"file": str(path), **known}
    if not card.is_plain:
        recipe["plain"] = arguments["plain"] = False
    return exported.made(recipe, to_grid_program, arguments, job)


def _of_program(path: Path, card: ModelCard, job: Job) -> Program:
    known = {"preprocessing": card.preprocessing, "size": card.image.size}
    recipe = {"model": file_digest(path), "pooling": "grid", **known}
    return exported.made(recipe, cut_program, {"file": str(path), **known}, job)


def cut_program(file: str, preprocessing: str, size: int, target: str) -> dict[str, Any]:
    """`openvino_models.cut`, with the head where `parts_of` looks for it; called in a child."""
    head = str(Path(target).with_name(_HEAD))
    return openvino_models.cut(file, preprocessing, size, target, head)


def to_grid_program(
    file: str, backbone: str, preprocessing: str, size: int, target: str, plain: bool = True
) -> dict[str, Any]:
    """Write what is before the pooling of `file` as OpenVINO's `target`, and its head beside it.

    The program is one of `uint8` NHWC images to feature maps, NHWC too; the head goes to `_HEAD`.
    A model that is not `plain` has its preprocessing inside.
    Raises `ModelError` if the model is no head on the pooled features of a backbone. Called in a
    child process, because it needs Keras.
    """
    import keras

    spec = registry.from_card(backbone, preprocessing)
    model = open_model(file)
    inputs = list(model.input_shape)
    pooling = [each for each in model.layers if type(each).__name__ == "GlobalAveragePooling2D"]
    if inputs != [None, size, size, 3] or len(pooling) != 1:
        raise ModelError(
            f"one global average pooling of images of {size} pixels in {file}",
            f"{len(pooling)}, of inputs {inputs}",
            "export it again from its run folder",
        )
    grids = keras.Model(model.inputs, pooling[0].input)
    if plain:
        keras_builds.write_program(spec, grids, CHANNELS_LAST, Path(target), grid=True)
    else:
        write_pixel_program(grids, batch_size(size), target)
    save_head(Path(target).with_name(_HEAD), _head_of(model, file), {})
    return {"features": int(grids.output_shape[-1])}


def _head_of(model: Any, file: str) -> Parameters:
    import keras

    dense = [layer for layer in model.layers if type(layer).__name__ == "Dense"]
    arrays = [
        np.asarray(keras.ops.convert_to_numpy(each), np.float32)
        for layer in dense
        for each in layer.weights
    ]
    if len(arrays) == 2:
        arrays = [np.zeros((len(arrays[0]), 0), np.float32), np.zeros(0, np.float32), *arrays]
    if len(arrays) != len(Parameters._fields):
        raise ModelError(
            f"a head of one or two dense layers in {file}", f"{len(dense)}",
            "export it again from its run folder",
        )  # fmt: skip
    return Parameters(*arrays)
