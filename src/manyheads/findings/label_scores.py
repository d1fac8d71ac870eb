"""Several labels per image: how well each is found, and from which probability on it is said.

Measured on the validation images, by the heads of the selected setting and seed that were not
trained on them. The threshold of a label is the probability above which its F1 is greatest there.
So that no threshold is judged by the images that chose it, F1 is cross-fitted: the answers in each
fold (of a given split: in each of five parts of the validation images) are those at thresholds
chosen on the others. Intervals are of the bootstrap over units, with the answers as they are.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Bool, Float32, Float64, Int64

from manyheads.core.table import Table, names, numbers
from manyheads.core.text import decimal, percent
from manyheads.findings.score_tables import estimate_words
from manyheads.stats import label_metrics
from manyheads.stats.confidence import RiskCoverage, risk_of_answers
from manyheads.stats.intervals import RESAMPLES, Estimate, Units, bootstrap, share_estimate
from manyheads.stats.label_metrics import ENOUGH, HALF
from manyheads.stats.validation_predictions import Validated

if TYPE_CHECKING:
    from manyheads.study.head_files import BestHead

PARTS = 5
_TOGETHER = ("mean_average_precision", "macro_f1", "accuracy", "exact_match", "log_loss", "brier")
_WORK = 4_000_000_000  # images × labels × resamples, at most; a few minutes
_FEWEST = 200  # resamples
_SECONDS = 7e-8  # for an image, a label and a resample


@dataclass(frozen=True, kw_only=True)
class LabelScore:
    """One label: of `images` so many are `positives`, and how well it is found.

    `threshold` is the probability above which it is said; None for the two scores where no image
    has it. `chosen` is False where there were too few images to choose the threshold, which is 0.5.
    """

    label: str
    images: int
    positives: int
    average_precision: Estimate | None
    f1: Estimate | None
    threshold: float
    chosen: bool


@dataclass(frozen=True, kw_only=True)
class LabelScores:
    """The scores of a model of several labels per image, by label and all together.

    Mean average precision and macro F1 are means over the labels that some image has; the others
    are means over the `images`, of which `units` are independent: the share of labels told right,
    the share of images with all of them right, and losses that are means over labels.
    """

    images: int
    units: int
    mean_average_precision: Estimate
    macro_f1: Estimate
    accuracy: Estimate
    exact_match: Estimate
    log_loss: Estimate
    brier: Estimate
    labels: tuple[LabelScore, ...]

    @property
    def scores(self) -> dict[str, Estimate]:
        """The scores of all labels together, by name."""
        return {name: getattr(self, name) for name in _TOGETHER}

    @property
    def table(self) -> Table:
        """A row for each label."""
        return Table(
            caption="Labels",
            columns=[
                *names("label"),
                *numbers("images", "share", "average\nprecision [95 %]", "F1 [95 %]", "threshold"),
            ],
            rows=[
                (
                    each.label, f"{each.positives:,}", percent(each.positives / each.images),
                    estimate_words(each.average_precision), estimate_words(each.f1),
                    decimal(each.threshold, 2) + ("" if each.chosen else " (too few)"),
                )
                for each in self.labels
            ],
        )  # fmt: skip


def label_scores(
    log_odds: Float32[np.ndarray, "images labels"],
    targets: Bool[np.ndarray, "images labels"],
    units: Units,
    labels: Sequence[str],
    answers: Bool[np.ndarray, "images labels"],
    thresholds: Sequence[float],
    *,
    chosen: Bool[np.ndarray, "labels"] | None = None,
) -> LabelScores:
    """The scores of one model, whose `answers` are given and whose `thresholds` new images get.

    `chosen` says which thresholds were chosen; None: those of labels with enough images here. The
    resampling is seeded: equal inputs give equal intervals.
    """
    own = targets.sum(axis=0)
    if chosen is None:
        chosen = enough(targets)
    exact = (answers == targets).all(axis=1)
    right = (answers == targets).mean(axis=1)
    losses = label_metrics.image_log_loss(log_odds, targets)
    squares = label_metrics.image_brier(log_odds, targets)

    def scores(weights: Float64[np.ndarray, "*stack images"]) -> dict[str, Any]:
        precisions = label_metrics.average_precisions(log_odds, targets, weights)
        f1 = label_metrics.f1_scores(answers, targets, weights)
        total = weights.sum(axis=-1)
        return {
            "mean_average_precision": label_metrics.mean_over_labels(precisions),
            "macro_f1": label_metrics.mean_over_labels(f1),
            "accuracy": weights @ right / total,
            "log_loss": weights @ losses / total,
            "brier": weights @ squares / total,
            **{f"ap {place}": precisions[..., place] for place in range(len(labels))},
            **{f"f1 {place}": f1[..., place] for place in range(len(labels))},
        }

    found = bootstrap(scores, units, resamples=_resamples(targets.size))
    found["exact_match"] = share_estimate(exact, units)
    return LabelScores(
        images=len(targets),
        units=len(np.unique(units)),
        **{name: found[name] for name in _TOGETHER},
        labels=tuple(
            LabelScore(
                label=label, images=len(targets), positives=int(own[place]),
                average_precision=found[f"ap {place}"] if own[place] else None,
                f1=found[f"f1 {place}"] if own[place] else None,
                threshold=float(thresholds[place]), chosen=bool(chosen[place]),
            )
            for place, label in enumerate(labels)
        ),
    )  # fmt: skip


def _resamples(size: int) -> int:
    """How often so many images × labels are drawn anew."""
    return min(RESAMPLES, max(_FEWEST, _WORK // max(1, size)))


def scoring_seconds(images: int, labels: int) -> float:
    """About how long `label_scores` takes."""
    size = images * labels
    return _SECONDS * size * _resamples(size)


def enough(targets: Bool[np.ndarray, "images labels"]) -> Bool[np.ndarray, "labels"]:
    """Whether enough images have a label, and lack it, to choose a threshold by."""
    own = targets.sum(axis=0)
    return np.minimum(own, len(targets) - own) >= ENOUGH


def thresholds_of(validated: Validated, best: BestHead) -> tuple[float, ...]:
    """The thresholds of a head, by what heads of its setting and seed said of held-out images."""
    targets = validated.targets
    assert targets is not None
    found = label_metrics.best_thresholds(_held_out(validated, best), targets)
    return tuple(map(float, found))


def cross_fitted_answers(
    validated: Validated, log_odds: Float32[np.ndarray, "images labels"]
) -> Bool[np.ndarray, "images labels"]:
    """What one head says of the images that validated it, at thresholds chosen on the others."""
    targets = validated.targets
    assert targets is not None
    return label_metrics.cross_fitted(log_odds, targets, _parts(validated))


def validated_label_scores(validated: Validated, best: BestHead) -> LabelScores:
    """The scores of the selected setting on the images that validated it; F1 is cross-fitted."""
    targets = validated.targets
    assert targets is not None
    log_odds = _held_out(validated, best)
    answers = cross_fitted_answers(validated, log_odds)
    thresholds = thresholds_of(validated, best)
    return label_scores(log_odds, targets, validated.units, validated.outputs, answers, thresholds)


def abstaining_risk(validated: Validated, candidate: int) -> RiskCoverage | None:
    """What comes of answering only where the least sure label is sure; None without answers.

    Of all seeds that have answers of every image, at cross-fitted thresholds. An answer is right
    if all its labels are; its confidence is that of its least sure label.
    """
    targets = validated.targets
    assert targets is not None
    every = validated.log_probabilities(candidate)[:, 0]
    whole = every[np.isfinite(every).all(axis=(1, 2))]
    if not len(whole):
        return None
    sure, right = list[np.ndarray](), list[np.ndarray]()
    for log_odds in whole:
        said = cross_fitted_answers(validated, log_odds)
        chances = label_metrics.probabilities(log_odds)
        sure.append(np.where(said, chances, 1 - chances).min(axis=-1))
        right.append((said == targets).all(axis=-1))
    return risk_of_answers(np.concatenate(sure), np.concatenate(right), models=len(whole))


def fallback_words(scores: LabelScores) -> str:
    """Which labels have too few images for a threshold of their own; "" for none."""
    few = [each.label for each in scores.labels if not each.chosen]
    if not few:
        return ""
    shown = ", ".join(few[:PARTS]) + (f" and {len(few) - PARTS:,} more" * (len(few) > PARTS))
    return f"Of the images fewer than {ENOUGH} have, or lack, {shown}: said from {HALF:g} on."


def _held_out(validated: Validated, best: BestHead) -> Float32[np.ndarray, "images labels"]:
    every = validated.log_probabilities(best.candidate)[:, 0]
    return every[int(best.about["seed"])]


def _parts(validated: Validated) -> Int64[np.ndarray, "images"]:
    """The fold of each image; of a given split one of `PARTS` parts, those of a unit in one."""
    if validated.folds > 1:
        return validated.fold_of[0]
    _, place = np.unique(validated.units, return_inverse=True)
    count = int(place.max()) + 1
    return (np.random.default_rng(0).permutation(count) % PARTS)[place]
