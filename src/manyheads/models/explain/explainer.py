"""Images → explanations: one pass an image, and a check that the parts make up the model."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING
from weakref import ref

import numpy as np
from jaxtyping import Float32, UInt8

from manyheads.core.job import SILENT, Job
from manyheads.data.image_inputs import NamedImage, each_of, named, square_of
from manyheads.data.name_rules import class_name
from manyheads.errors import BackboneError, ImageError, ModelError, SettingError
from manyheads.features.image_batches import Pixels, image_batches
from manyheads.heads.head import Parameters, forward, sigmoid, softmax
from manyheads.models.explain.explanation import Explanation, Explanations
from manyheads.models.explain.grids import ModelParts, parts_of
from manyheads.models.explain.maps import (
    Grid,
    activation_map,
    occlusion_map,
    pooled,
    without_parts,
)

if TYPE_CHECKING:
    from manyheads.data.image_inputs import Image
    from manyheads.models.classifier import ImageClassifier

AGREE = 1e-4  # of probabilities, from the feature maps and from the whole model

Batch = UInt8[np.ndarray, "n size size 3"]
Grids = Float32[np.ndarray, "n rows columns features"]


class Explainer:
    """Explains what a `Classifier` says; it keeps the model's parts once they are made.

    It belongs to the classifier, and goes with it.
    """

    def __init__(self, classifier: ImageClassifier) -> None:
        # Two that hold each other would keep two compiled networks until the collector comes by,
        # which in a server that waits may be never.
        self._of = ref(classifier)
        self._parts: ModelParts | None = None

    @property
    def _classifier(self) -> ImageClassifier:
        classifier = self._of()
        assert classifier is not None  # whoever asks goes through it
        return classifier

    def explain(
        self,
        images: Image | Iterable[Image],
        target: str | None = None,
        job: Job = SILENT,
    ) -> Explanations:
        """The maps of each image, as `Classifier.explain` says."""
        cells, entries = self._entries(images, [self._index(target)], job)
        return Explanations(cells, [each for (each,) in entries])

    def explain_labels(
        self, image: Image, labels: Sequence[str], job: Job = SILENT
    ) -> list[Explanation]:
        """Where the model looked in one image for each of `labels`, in one backbone pass.

        Without any it is for the class that the model answers with. Raises what `explain` raises.
        """
        wanted = [self._index(label) for label in labels] or [None]
        _, (entries,) = self._entries(image, wanted, job)
        return entries

    def _entries(
        self, images: Image | Iterable[Image], wanted: Sequence[int | None], job: Job
    ) -> tuple[tuple[int, int], list[list[Explanation]]]:
        """The cells of a map, and of each image an explanation for each class that is `wanted`.

        Of an image that cannot be read, there is the one that says so.
        """
        sources = [named(each, place) for place, each in enumerate(each_of(images, job))]
        entries: dict[int, list[Explanation]] = {}
        cells = (0, 0)
        if sources:
            if self._parts is None:
                self._parts = parts_of(self._classifier.path, self._classifier.card, job)
            program, head = self._parts
            settings = self._classifier.card.image

            def load(place: int) -> Pixels:
                name, source = sources[place]
                return square_of(source, settings, name)

            def refused(place: int, error: ImageError) -> None:
                image, source = sources[place]
                unread = Explanation(
                    image=image, source=source, settings=settings, error=error.found
                )
                entries[place] = [unread]

            decoded = image_batches(
                range(len(sources)), load, program.batch, refused=refused, job=job
            )
            batches = (((places, pixels), pixels) for places, pixels in decoded)
            for (places, pixels), grids in program.run(batches, job=job):
                if cells == (0, 0):
                    cells = self._cells(grids)
                    self._check(pixels, head, grids, job)
                for place, grid in zip(places, grids, strict=True):
                    entries[place] = [
                        self._entry(sources[place], head, grid, each) for each in wanted
                    ]
                job.progress("explaining", len(entries), len(sources))
            job.check("explaining")
        return cells, [entries[place] for place in range(len(sources))]

    def _index(self, target: str | None) -> int | None:
        classes = self._classifier.classes
        if target is None:
            return None
        # A keyboard composes letters that a disk may have decomposed.
        composed = [class_name(name) for name in classes]
        if target not in classes and class_name(target) not in composed:
            raise SettingError(
                f"one of the model's classes, {', '.join(classes)}", repr(target), "name one"
            )
        return classes.index(target) if target in classes else composed.index(class_name(target))

    def _cells(self, grids: Grids) -> tuple[int, int]:
        rows, columns = grids.shape[1:3]
        if rows * columns < 2:
            card = self._classifier.card
            raise BackboneError(
                "a feature map of two cells or more",
                f"one cell, of {card.backbone} at {card.image.size} pixels",
                "explain a model of larger images",
            )
        return rows, columns

    def _check(self, pixels: Batch, head: Parameters, grids: Grids, job: Job) -> None:
        """Raise `ModelError` if the parts answer otherwise than the model itself.

        What could be wrong (other weights, another preparation) is wrong for all images, so those
        of one batch tell.
        """
        answers = np.stack([self._answer(head, grid) for grid in grids])
        whole = self._classifier.predict_prepared(pixels, job).probabilities
        apart = float(np.abs(answers - whole).max())
        if not apart <= AGREE:
            raise ModelError(
                f"the probabilities of {self._classifier.path.name} from its feature maps, "
                f"to {AGREE:g}",
                f"a difference of {apart:.2g}",
                "export the model again from its run folder",
            )

    def _entry(
        self, image: NamedImage, head: Parameters, grid: Grid, wanted: int | None
    ) -> Explanation:
        classes, answer = self._classifier.classes, self._answer(head, grid)
        several = self._classifier.card.several_labels
        best = int(answer.argmax())
        target = best if wanted is None else wanted
        return Explanation(
            image=image.name,
            source=image.source,
            settings=self._classifier.card.image,
            label=classes[best],
            confidence=float(answer[best]),
            target=classes[target],
            occlusion=occlusion_map(head, grid, target, several_labels=several),
            cam=activation_map(head, grid, target),
            probability=float(answer[target]),
            without=without_parts(head, grid, target, several_labels=several),
        )

    def _answer(self, head: Parameters, grid: Grid) -> Float32[np.ndarray, "classes"]:
        # One at a time: the sums of a product depend on its shape, and an image must not on others.
        logits = forward(head, pooled(grid)[np.newaxis])
        return (sigmoid if self._classifier.card.several_labels else softmax)(logits)[0]
