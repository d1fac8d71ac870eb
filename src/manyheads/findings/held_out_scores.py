"""Scores on held-out images, with how sure each is.

Accuracy and recalls have Wilson's interval, balanced accuracy and accuracy at the training shares
one by class, the other scores one by resampling units. That of the expected calibration error is
too narrow for less than some hundred images (docs/decisions/0014-the-test-set-is-opened-once.md).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float64, Int64

from manyheads.data.shares import ShareShift, share_shifts
from manyheads.stats import metrics
from manyheads.stats.intervals import (
    Estimate,
    Units,
    bootstrap,
    share_estimate,
    stratified_estimate,
)
from manyheads.stats.metrics import Labels, LogProbabilities

_TRAIN, _TEST = "train", "test"


@dataclass(frozen=True, kw_only=True)
class ClassRecall:
    """One class: its images, its share of all of them in [0, 1], and its recall if it has any."""

    name: str
    images: int
    share: float
    recall: Estimate | None


@dataclass(frozen=True, kw_only=True)
class ClassScore(ClassRecall):
    """A class of held-out images, and its share of the training images in [0, 1]."""

    train_share: float


@dataclass(frozen=True)
class HeldOutScores:
    """The scores of one model on one split, as `metrics` defines them.

    `units` counts what is independent among the images. The two at the training shares weigh each
    class by its share of the training images: what the plain scores would be if the splits did
    not differ in that. `shift` tells how much they do.
    """

    images: int
    units: int
    accuracy: Estimate
    balanced_accuracy: Estimate
    macro_f1: Estimate
    log_loss: Estimate
    brier: Estimate
    ece: Estimate
    accuracy_at_train_shares: Estimate
    log_loss_at_train_shares: Estimate
    shift: ShareShift
    classes: tuple[ClassScore, ...]


def score_held_out(
    log_probabilities: LogProbabilities,
    labels: Labels,
    units: Units,
    classes: Sequence[str],
    train_counts: Int64[np.ndarray, "classes"],
) -> HeldOutScores:
    """The scores of a model's log-probabilities `[images, classes]` on at least one image.

    `units` says of each image which unit it belongs to; `train_counts` are the training images of
    each class. The resampling is seeded: equal inputs give equal intervals.
    """
    counts = np.bincount(labels, minlength=len(classes))
    shares = train_counts / train_counts.sum()
    hits = metrics.predicted(log_probabilities) == labels
    of_classes = tuple(
        ClassScore(
            name=name, images=int(count), share=float(count / len(labels)),
            train_share=float(share),
            recall=share_estimate(hits[labels == number], units[labels == number])
            if count else None,
        )
        for number, (name, count, share) in enumerate(zip(classes, counts, shares, strict=True))
    )  # fmt: skip
    equal = np.full(len(classes), 1 / len(classes))
    resampled = _resampled(log_probabilities, labels, units, shares)
    by_split = {
        split: dict(zip(classes, numbers.tolist(), strict=True))
        for split, numbers in ((_TRAIN, train_counts), (_TEST, counts))
    }
    return HeldOutScores(
        images=len(labels),
        units=len(np.unique(units)),
        accuracy=share_estimate(hits, units),
        balanced_accuracy=stratified_estimate(hits, units, labels, equal),
        accuracy_at_train_shares=stratified_estimate(hits, units, labels, shares),
        shift=share_shifts(by_split)[0],
        classes=of_classes,
        **resampled,
    )


def _resampled(
    log_probabilities: LogProbabilities,
    labels: Labels,
    units: Units,
    shares: Float64[np.ndarray, "classes"],
) -> dict[str, Estimate]:
    def scores(weights: Float64[np.ndarray, "*stack images"]) -> dict[str, Any]:
        plain = {
            name: metrics.METRICS[name](log_probabilities, labels, weights)
            for name in ("macro_f1", "log_loss", "brier", "ece")
        }
        at_shares = metrics.reweighted(labels, shares, weights)
        loss = metrics.log_loss(log_probabilities, labels, at_shares)
        return {**plain, "log_loss_at_train_shares": loss}

    return bootstrap(scores, units, biased=["ece"])


def shares_sentence(scores: HeldOutScores) -> str:
    """Whether class shares differ between the training and the test images, for people.

    By how much and how surely are two things: it says both.
    """
    shift = scores.shift
    if not shift.points:
        return "Class shares are those of the training images."
    worst = next(entry for entry in scores.classes if entry.name == shift.largest_class)
    shown = (
        f"{worst.name} is {100 * worst.train_share:.1f} % of the training and "
        f"{100 * worst.share:.1f} % of the test images"
    )
    if not shift.large:
        little = "differ little, though by more than chance" if shift.certain else "hardly differ"
        return f"Class shares {little}: at most, {shown}."
    chance = ", by more than chance" if shift.certain else ", as they can by chance in few images"
    return (
        f"Class shares differ{chance}: {shown}. Compare validation scores with the score at the "
        "training shares, not with the plain one."
    )
