"""Two finished models, compared on the same images: what differs, and how sure that is.

The models are fixed, so an interval is for images drawn anew. It says nothing of training either
of the models again, with another seed or on other images.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float32, Int64

from manyheads.core.label_sets import LabelSets
from manyheads.errors import RunError
from manyheads.stats import label_metrics
from manyheads.stats.comparisons import Differences
from manyheads.stats.intervals import Estimate, share_estimate
from manyheads.stats.paired import COMPARED, Decided, Margins, decide, of_images_alone
from manyheads.stats.validation_predictions import Validated

LogProbabilities = Float32[np.ndarray, "images classes"]
Labels = Int64[np.ndarray, "images"]

_MARGINS = Margins()


@dataclass(frozen=True, kw_only=True)
class ScoreDifference(Decided):
    """Two models in one metric: the score of each, and `difference`, second minus first.

    `outcome` is that of the second. The interval that counts, `adjusted_low` to `adjusted_high`,
    and `p_holm` are adjusted for both metrics.
    """

    metric: str
    first: float
    second: float


@dataclass(frozen=True)
class ModelsCompared:
    """Two models on the same `images`: accuracy and log loss, and the share of `equal_labels`."""

    images: int
    accuracy: ScoreDifference
    log_loss: ScoreDifference
    equal_labels: Estimate
    margins: Margins

    @property
    def scores(self) -> tuple[ScoreDifference, ScoreDifference]:
        """Both metrics, accuracy first."""
        return self.accuracy, self.log_loss


def compare_models(
    first: LogProbabilities,
    second: LogProbabilities,
    labels: Labels,
    *,
    units: Labels | None = None,
    margins: Margins = _MARGINS,
    label_sets: LabelSets | None = None,
    thresholds: Sequence[float] = (),
) -> ModelsCompared:
    """Compare what two models predict for the same images, as log-probabilities.

    `labels` are the images' own, from 0. Images of one of the `units` (default: each its own) are
    drawn together. A probability of 0 counts as the least positive float32. Where an image may have
    several labels, `labels` are numbers of its `label_sets`, predictions are log-odds, and equal
    are the labels whose probabilities are above the `thresholds`. Raises `RunError` for no images,
    or arrays that do not fit each other.
    """
    if first.shape != second.shape or first.shape[:1] != labels.shape or not len(labels):
        raise RunError(
            "predictions of both models for the same images, at least one, and their labels",
            f"shapes {first.shape}, {second.shape} and {labels.shape}",
            "predict the same images with both",
        )  # fmt: skip
    units = np.arange(len(labels)) if units is None else units
    found = _compared(first, second, labels, units, margins, label_sets)
    compared = dict(zip(COMPARED, found, strict=True))
    if label_sets is None:
        equal = first.argmax(axis=-1) == second.argmax(axis=-1)
    else:
        said = [label_metrics.probabilities(each) > thresholds for each in (first, second)]
        equal = (said[0] == said[1]).all(axis=-1)
    return ModelsCompared(len(labels), **compared, equal_labels=share_estimate(equal, units),
                          margins=margins)  # fmt: skip


def _compared(
    first: LogProbabilities,
    second: LogProbabilities,
    labels: Labels,
    units: Labels,
    margins: Margins,
    label_sets: LabelSets | None,
) -> Iterator[ScoreDifference]:
    logs = {1: first[None, None], 2: second[None, None]}
    validated = Validated(
        candidates=(1, 2),
        names=("first", "second"),
        labels=labels,
        classes=tuple(map(str, range(first.shape[-1]))) if label_sets is None else label_sets.texts,
        units=units,
        fold_of=np.zeros((1, len(labels)), np.int64),
        folds=1,
        log_probabilities=logs.__getitem__,
        label_sets=label_sets,
    )
    differences = Differences(validated)
    pairs = [differences.between(2, 1, metric) for metric in COMPARED]
    if None in pairs:
        raise RunError(
            "a probability of every class for every image", "NaN", "predict the images again"
        )
    family = [of_images_alone(pair) for pair in pairs if pair is not None]
    for pair, decided in zip(family, decide(family, margins), strict=True):
        yield ScoreDifference(
            metric=pair.metric,
            first=differences.mean(1, pair.metric),
            second=differences.mean(2, pair.metric),
            **vars(decided),
        )
