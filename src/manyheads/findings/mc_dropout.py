"""What a head, its subnetworks and averages of them say of the images that validated it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float32, Float64, Int64

from manyheads.core.job import Job
from manyheads.heads.head import Parameters, forward, softmax
from manyheads.heads.subnetworks import (
    Masks,
    disagreement,
    group_means,
    log_probabilities,
    subnetwork_probabilities,
)
from manyheads.stats import metrics

MASKS = 100  # subnetworks of each head
AVERAGES = (1, 2, 5, 10, 20, 50, 100)  # subnetworks
_AT_ONCE = 4_000_000  # probabilities, or weights of subnetworks

Labels = Int64[np.ndarray, "images"]
Scores = dict[str, Float64[np.ndarray, "draws images"]]


class Part(NamedTuple):
    """A head of a network and the images that validated it: their places among all, and rows."""

    parameters: Parameters
    keep: Masks
    places: Int64[np.ndarray, "images"]
    matrix: Float32[np.ndarray, "stored features"]
    rows: Int64[np.ndarray, "images"]


@dataclass(frozen=True)
class ImageScores:
    """Of each network and image: the log loss, whether it is right, and the confidence."""

    loss: Float32[np.ndarray, "networks images"]
    right: Bool[np.ndarray, "networks images"]
    confidence: Float32[np.ndarray, "networks images"]

    @classmethod
    def of(
        cls, chances: Float32[np.ndarray, "networks images classes"], labels: Labels
    ) -> ImageScores:
        of_label = chances[:, np.arange(len(labels)), labels]
        return cls(-log_probabilities(of_label), chances.argmax(-1) == labels, chances.max(-1))

    @classmethod
    def room(cls, networks: int, images: int) -> ImageScores:
        """For predictions that come image by image."""
        shape = networks, images
        return cls(np.empty(shape, np.float32), np.empty(shape, bool), np.empty(shape, np.float32))

    def put(self, places: np.ndarray, other: ImageScores) -> None:
        """The scores of the images at `places`."""
        for mine, its in zip(vars(self).values(), vars(other).values(), strict=True):
            mine[:, places] = its

    def scores(self) -> Scores:
        """The part of each image in each score."""
        confidence = self.confidence.astype(np.float64)
        return {
            "accuracy": self.right.astype(np.float64),
            "log_loss": self.loss.astype(np.float64),
            "ece": metrics.calibration_terms(confidence, self.right),
        }


class DropoutPredictions:
    """Predictions of a network and its subnetworks, for each image by the head it validated."""

    def __init__(
        self,
        network: Sequence[Part],
        labels: Labels,
        classes: int,
        droprate: float,
        job: Job,
    ) -> None:
        images = len(labels)
        self.plain = np.empty((images, classes), np.float32)
        self.averaged = np.empty((images, classes), np.float32)
        self.disagreement = np.empty(images)
        scored = {size: ImageScores.room(MASKS // size, images) for size in AVERAGES}
        for part in network:
            for where in _chunks(part, classes):
                job.check("the claim", "repeat the same command; nothing was recorded")
                places, features = part.places[where], part.matrix[part.rows[where]]
                chances = _chances(part, features, droprate)
                for size in AVERAGES:
                    means = group_means(chances, size)
                    scored[size].put(places, ImageScores.of(means, labels[places]))
                self.plain[places] = softmax(forward(part.parameters, features))
                self.averaged[places] = chances.mean(axis=0)
                self.disagreement[places] = disagreement(chances.argmax(-1), classes)
        single = scored[AVERAGES[0]]
        self.single_accuracy, self.single_loss = (
            np.concatenate([values[:, part.places].mean(axis=1) for part in network])
            for values in (single.right, single.loss.astype(np.float64))
        )
        self.scores = {
            size: {name: terms.mean(axis=0) for name, terms in each.scores().items()}
            for size, each in scored.items()
        }


def _chunks(part: Part, classes: int) -> Iterator[slice]:
    step = max(1, _AT_ONCE // (MASKS * classes))
    return (slice(start, start + step) for start in range(0, len(part.rows), step))


def _chances(part: Part, features: np.ndarray, droprate: float) -> np.ndarray:
    step = max(1, _AT_ONCE // part.parameters.kernel.size)
    return np.concatenate(
        [
            subnetwork_probabilities(
                part.parameters, features, part.keep[start : start + step], droprate
            )
            for start in range(0, MASKS, step)
        ]
    )
