"""What confidence is worth: the reliability diagram, and what it costs or gains to abstain.

Confidence is the greatest probability. Both take the models of one candidate together,
`[seeds, images, classes]`, or one model in a stack of one. Seeds answer about the same images, so
together they are worth no more images than one: intervals are Wilson's, for the number of answers
divided by the number of seeds. Images are taken as independent.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float32, Float64

from manyheads.stats.intervals import wilson
from manyheads.stats.metrics import ECE_BINS, Labels, predicted

Stack = Float32[np.ndarray, "seeds images classes"]
Column = Float64[np.ndarray, "rows"]


@dataclass(frozen=True)
class Reliability:
    """A reliability diagram: in each bin of confidence, how often the answer is right.

    A bin holds the answers with a confidence above `start` and up to `end`; `images` is their
    number over the number of seeds; bins without any are left out. `confidence` is the mean, and
    `accuracy` comes with its 95 % interval from `low` to `high`: calibrated models have a
    confidence inside it, in about 95 of 100 bins.
    """

    start: Column
    end: Column
    images: Column
    confidence: Column
    accuracy: Column
    low: Column
    high: Column


def reliability(
    log_probabilities: Stack, labels: Labels, bins: int = ECE_BINS, *, equal_mass: bool = False
) -> Reliability:
    """The diagram in `bins` of equal width, or of about as many answers each (`equal_mass`)."""
    confidence, right = _answers(log_probabilities, labels)
    edges = np.linspace(0, 1, bins + 1)
    if equal_mass:
        edges[1:-1] = np.quantile(confidence, edges[1:-1])
    edges = np.unique(edges)  # many equal confidences have no edge between them
    place = np.searchsorted(edges[1:-1], confidence)
    counts = np.bincount(place, minlength=len(edges) - 1)
    kept = np.flatnonzero(counts)
    sums = [np.bincount(place, values, len(counts))[kept] for values in (confidence, right)]
    mean, accuracy = (each / counts[kept] for each in sums)
    images = counts[kept] / len(log_probabilities)
    low, high = wilson(accuracy, images)
    return Reliability(edges[kept], edges[kept + 1], images, mean, accuracy, low, high)


@dataclass(frozen=True)
class RiskCoverage:
    """What comes of abstaining below a confidence, for every threshold that makes a difference.

    At `threshold` the models answer for a share `coverage` of images, of which a share `risk` is
    wrong, with a 95 % interval from `low` to `high`. Thresholds fall, so coverage rises to 1.
    """

    threshold: Column
    coverage: Column
    risk: Column
    low: Column
    high: Column


def risk_coverage(log_probabilities: Stack, labels: Labels) -> RiskCoverage:
    """The risk–coverage curve (El-Yaniv and Wiener 2010) of answering by confidence."""
    return risk_of_answers(*_answers(log_probabilities, labels), models=len(log_probabilities))


def risk_of_answers(
    confidence: Float64[np.ndarray, "answers"], right: Bool[np.ndarray, "answers"], *, models: int
) -> RiskCoverage:
    """The same of the answers of so many `models` together, each with its confidence."""
    order = np.argsort(-confidence, kind="stable")
    confidence, answered = confidence[order], np.arange(1, len(order) + 1)
    # Of equal confidences, all are answered or none.
    last = np.flatnonzero(np.append(np.diff(confidence) != 0, True))
    risk = np.cumsum(~right[order])[last] / answered[last]
    images = answered[last] / models
    coverage = answered[last] / len(order)
    return RiskCoverage(confidence[last], coverage, risk, *wilson(risk, images))


def _answers(
    log_probabilities: Stack, labels: Labels
) -> tuple[Float64[np.ndarray, "answers"], Bool[np.ndarray, "answers"]]:
    """The confidence of every answer of every seed, and whether it is right."""
    confidence = np.exp(log_probabilities.max(-1).astype(np.float64))
    return np.minimum(confidence, 1).ravel(), (predicted(log_probabilities) == labels).ravel()
