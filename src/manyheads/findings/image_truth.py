"""What held-out answers are judged by: the class of each image, or the labels that it has.

Answers are log-probabilities `[images, classes]`, or log-odds `[images, labels]`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float32, Float64, Int64

from manyheads.stats import label_metrics, metrics
from manyheads.stats.calibration import fit_label_temperature, fit_temperature, scaled
from manyheads.stats.validation_predictions import Validated

Answers = Float32[np.ndarray, "images outputs"]
Chosen = Bool[np.ndarray, "images"]
OfImages = Float64[np.ndarray, "images"]


@dataclass(frozen=True)
class ClassTruth:
    """Each image has one class: its number in `labels`."""

    labels: Int64[np.ndarray, "images"]

    def __len__(self) -> int:
        return len(self.labels)

    def of(self, images: Chosen) -> ClassTruth:
        """That of some of the images."""
        return ClassTruth(self.labels[images])

    def temperature(self, answers: Answers) -> float:
        """The temperature with the least log loss."""
        return fit_temperature(answers, self.labels)

    def scaled(self, answers: Answers, temperature: float) -> Answers:
        """The answers at a temperature, as log-probabilities."""
        return scaled(answers, temperature)

    def losses(self, answers: Answers) -> OfImages:
        """The log loss of each image, in nats."""
        return -answers[np.arange(len(self.labels)), self.labels].astype(np.float64)

    def hits(self, answers: Answers) -> Bool[np.ndarray, "images"]:
        """Whether each image is told right."""
        return metrics.predicted(answers) == self.labels

    def score(self, metric: str, answers: Answers) -> float:
        """The score of all images in one of `metrics.METRICS`."""
        return float(metrics.METRICS[metric](answers, self.labels))


@dataclass(frozen=True)
class LabelTruth:
    """Each image has any number of labels, which `targets` tell."""

    targets: Bool[np.ndarray, "images labels"]

    def __len__(self) -> int:
        return len(self.targets)

    def of(self, images: Chosen) -> LabelTruth:
        """That of some of the images."""
        return LabelTruth(self.targets[images])

    def temperature(self, answers: Answers) -> float:
        """The temperature, one for all labels, with the least mean binary cross-entropy."""
        return fit_label_temperature(answers, self.targets)

    def scaled(self, answers: Answers, temperature: float) -> Answers:
        """The answers at a temperature, as log-odds."""
        return answers / np.float32(temperature)

    def losses(self, answers: Answers) -> OfImages:
        """The mean binary cross-entropy of each image's labels, in nats."""
        return label_metrics.image_log_loss(answers, self.targets)

    def score(self, metric: str, answers: Answers) -> float:
        """The mean over images in one of `label_metrics.OF_IMAGES`."""
        return float(label_metrics.OF_IMAGES[metric](answers, self.targets).mean())


Truth = ClassTruth | LabelTruth


def truth_of(validated: Validated) -> Truth:
    """What the images of a study are judged by."""
    targets = validated.targets
    return ClassTruth(validated.labels) if targets is None else LabelTruth(targets)
