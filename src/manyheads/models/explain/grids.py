"""A model in two parts: a program from images to feature grids, and the head behind the mean."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import NamedTuple

from manyheads.backbones import exported, registry, weights
from manyheads.backbones.compiled import OpenVinoBackbone
from manyheads.backbones.exported import Program
from manyheads.backbones.registry import batch_size
from manyheads.errors import BackboneError, ModelError
from manyheads.heads.files import load_head
from manyheads.heads.head import Parameters
from manyheads.models.card import ModelCard, file_digest
from manyheads.models.explain.keras_grids import HEAD, to_grid_program
from manyheads.models.templates import read_head


class ModelParts(NamedTuple):
    """The parts of a model: `program` gives `[n, rows, columns, features]`, `head` takes means."""

    program: OpenVinoBackbone
    head: Parameters


def parts_of(path: Path, card: ModelCard, stop: threading.Event | None = None) -> ModelParts:
    """The parts of the model at `path`, which `card` describes; made once, and cached.

    The backbone's own program serves where its weights are at hand, or else one of the model's
    file. Raises `BackboneError` for a backbone whose features are no mean of a feature grid,
    `ModelError` for a model that cannot be parted, and what `exported.made` raises.
    """
    spec, size = registry.from_card(card.backbone, card.preprocessing), card.image.size
    if not spec.pools_plainly:
        raise BackboneError(
            "a model on a backbone whose features are the mean of a feature grid", spec.name,
            "explain a model on another backbone",
        )  # fmt: skip
    if path.suffix == ".xml":
        raise ModelError(
            "a Keras model, which can be cut before its pooling", path.name,
            "explain a model on a backbone in a .keras file",
        )  # fmt: skip
    # Of an .h5 file, only Keras finds the head; of a network of the user's, only the model is here.
    own = spec.normalisation is not None or path.suffix != ".keras"
    program = None if own else _of_backbone(card, stop)
    if program is not None:
        head = read_head(path)
    else:
        program = _of_file(path, card, stop)
        head, _ = load_head(program.path.with_name(HEAD))
    return ModelParts(OpenVinoBackbone(program, size, batch_size(size)), head)


def _of_backbone(card: ModelCard, stop: threading.Event | None) -> Program | None:
    spec, size = registry.from_card(card.backbone, card.preprocessing), card.image.size
    program = exported.existing(spec, card.weights, size, "grid")
    if program is None:
        kept = weights.cached(spec)
        if kept is not None and kept.digest == card.weights:
            program = exported.program(spec, kept, size, stop, "grid")
    return program


def _of_file(path: Path, card: ModelCard, stop: threading.Event | None) -> Program:
    known = {
        "backbone": card.backbone,
        "preprocessing": card.preprocessing,
        "size": card.image.size,
    }
    recipe = {"model": file_digest(path), "pooling": "grid", **known}
    return exported.made(recipe, to_grid_program, {"file": str(path), **known}, stop)
