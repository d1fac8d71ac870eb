"""A model as what predictions need of it: a program for pixels, and a head for its features."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float32, UInt8

from manyheads.backbones import exported, registry
from manyheads.backbones.compiled import CompiledBackbone, Key, compile_backbone, openvino_on
from manyheads.backbones.placement import check_place, placed
from manyheads.backbones.single_images import SingleImageBackbone
from manyheads.backbones.weights import Weights, cached
from manyheads.core.job import SILENT, Job
from manyheads.core.text import counted
from manyheads.errors import ModelError
from manyheads.features.cache import FeatureRecipe
from manyheads.features.extraction import recipe_of
from manyheads.heads.head import Parameters, forward
from manyheads.modelfiles import untrusted
from manyheads.models import keras_models, openvino_models, program_files
from manyheads.models.card import ModelCard, file_digest
from manyheads.models.checkpoints import PROGRAMS
from manyheads.models.feature_outputs import with_features
from manyheads.models.templates import read_head

Pixels = UInt8[np.ndarray, "size size 3"]
Row = Float32[np.ndarray, "numbers"]


class Network:
    """A model's program and, if that yields features, the head to put on them.

    Where the backbone's own program is in the cache, rows are features, as extraction computes
    them, and `recipe` is what they are kept under. Otherwise the model has a program of its own,
    rows are logits, and `recipe` and `head` are None. Programs load when the first image needs a
    pass. For one thread at a time. On another `device` than the processor, rows have a recipe of
    their own. With a number of `features`, a program of its own gives these too, behind the logits.
    Raises `ModelError` if file and side file do not fit, or if a card needs weights that
    are not in the cache, and `DeviceError` for a device that is not there.
    """

    def __init__(
        self,
        path: Path,
        card: ModelCard,
        job: Job = SILENT,
        *,
        device: str = "cpu",
        features: int = 0,
    ) -> None:
        self._path, self._card = path, card
        self.head: Parameters | None = None
        self.recipe: FeatureRecipe | None = None
        self._backbone: CompiledBackbone | None = None
        self._spec = spec = registry.from_card(card.backbone, card.preprocessing)
        self._place = placed("auto", device, "f32", lambda: spec)
        # Neural processors compute in half precision alone.
        self._precision = "f16" if self._place.device == "npu" else "f32"
        check_place(spec, *self._place, self._precision)
        # The side file holds the model's digest, so this is its backbone, bit for bit.
        known = exported.existing(spec, card.weights, card.image.size)
        if known is not None and path.suffix == ".keras" and card.is_plain:
            self.head = read_head(path, job)
            self._program = known
            weights = Weights(path, card.weights, card.weights_source)
            how = self._place.runtime, self._precision, self._place.device
            self.recipe = recipe_of(spec, weights, card.image, *how)
            logits = len(self.head.bias)
        else:
            self._program = self._own_program(job)
            logits = self._program.features
            if features:
                self._program = with_features(self._program, card, features, path, job)
        self.batch = self._program.batch_for(card.image.size)
        if self._place.device != "cpu":
            self._backbone = self._on_device(job)
            self.batch = self._backbone.batch
        if logits != len(card.classes):
            raise ModelError(
                f"{len(card.classes)} logits from {path.name}", str(logits),
                "keep the model and its side file together",
            )  # fmt: skip
        self._features = features

    @property
    def program(self) -> exported.Program | None:
        """The program that the processor runs; None on another device."""
        return self._program if self._place.device == "cpu" else None

    def rows(
        self,
        batches: Iterable[tuple[Key, UInt8[np.ndarray, "n size size 3"]]],
        images: int,
        job: Job,
    ) -> Iterator[tuple[Key, Float32[np.ndarray, "n numbers"]]]:
        """A row for each image of the batches; `images`, if known, are how many come in all."""
        waiting = iter(batches)
        first = next(waiting, None)
        if first is None:
            return
        if self._backbone is None:
            self._backbone = SingleImageBackbone(self._program, self._card.image.size, images)
        yield from self._backbone.run(chain([first], waiting), job=job)

    def _on_device(self, job: Job) -> CompiledBackbone:
        size, (runtime, device) = self._card.image.size, self._place
        if runtime == "openvino":
            return openvino_on(self._program, size, device, self._precision)
        weights = cached(self._spec)
        if self.head is None or weights is None or weights.digest != self._card.weights:
            raise ModelError(
                f"the weights of {self._card.backbone} in the cache, for the device {device}",
                "none, or others than the model's", "set `device` to cpu",
            )  # fmt: skip
        return compile_backbone(
            self._spec, weights, size, runtime=runtime, device=device, precision=self._precision,
            job=job,
        )  # fmt: skip

    def logits(self, row: Row) -> Float32[np.ndarray, "classes"]:
        """The logits of one image."""
        # Alone: the sums of a product depend on its shape, and an image must not on others.
        if self.head is None:
            return row[: len(self._card.classes)]
        return forward(self.head, row[np.newaxis])[0]

    def has_features_of(self, width: int) -> bool:
        """Whether rows have features beside the logits; raises `ModelError` if not so many."""
        if self.head is not None and self.head.features != width:
            raise ModelError(
                f"{counted(self.head.features, 'feature')} in the file that says what the images "
                f"of {self._path.name} are like", f"{width:,}", "remove that file",
            )  # fmt: skip
        return self.head is not None or self._features == width

    def features(self, row: Row) -> Row:
        """The features of one image, of a network that `has_features_of` some width."""
        return row if self.head is not None else row[len(self._card.classes) :]

    def _own_program(self, job: Job) -> exported.Program:
        card = self._card
        known: dict[str, Any] = {"size": card.image.size, "preprocessing": card.preprocessing}
        recipe = {"model": file_digest(self._path), "backbone": card.backbone, **known}
        arguments = {"file": str(self._path), **known}
        if (
            self._path.suffix == ".xml" and self._spec.is_own and card.is_plain
        ):  # as studies write it
            return exported.made(recipe, openvino_models.to_program, arguments, job)
        arguments["backbone"] = card.backbone
        if self._path.suffix in PROGRAMS:
            recipe["plain"] = arguments["plain"] = card.is_plain
            with untrusted.refused(self._refusal):
                return exported.made(recipe, program_files.to_program, arguments, job)
        if not card.is_plain:
            recipe["plain"] = arguments["plain"] = False
        return exported.made(recipe, keras_models.to_program, arguments, job)

    def _refusal(self, found: str) -> ModelError:
        return ModelError(
            f"{self._path} whole, as `export` wrote it",
            found,
            "export it again from its run folder",
        )
