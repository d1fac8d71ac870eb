"""How optimistic selection is: of epoch rules, and what the whole procedure achieves.

A score on the images that the epoch, or the candidate, was selected on is too good. In folds the
same rule can select on the other folds and be scored on the one held out (cross-fitting; for the
selection of a candidate too, nested cross-validation: Varma and Simon 2006).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float64, Int64

from manyheads.errors import RunError
from manyheads.heads.epoch_rules import (
    check_rule,
    chooses_epoch,
    fixed_epoch,
    rule_of,
    scored_by,
)
from manyheads.heads.epoch_scores import SCORED
from manyheads.stats.variances import corrected_t

LEVEL = 0.95
_GIVEN = "a single division has no images that neither trained nor selected, as `folds` have"
_Curves = Float64[np.ndarray, "candidates seeds repeats folds epochs"]
_Trials = Float64[np.ndarray, "candidates seeds repeats folds"]


@dataclass(frozen=True)
class Curves:
    """Validation scores by epoch of all trials; NaN after a trial's end, or where it failed.

    `val_score` is the metric of a rule that selects by another than accuracy or loss; None: none.
    Raises `RunError` for arrays of other shapes, and where no trial has any epoch.
    """

    val_accuracy: _Curves
    val_loss: _Curves
    val_score: _Curves | None = None

    def __post_init__(self) -> None:
        shape = self.val_accuracy.shape
        if len(shape) != 5 or self.val_loss.shape != shape:
            raise RunError(
                "curves of shape (candidates, seeds, repeats, folds, epochs)",
                f"{shape} and {self.val_loss.shape}",
                "read the curves from the run folder anew",
            )
        if not np.isfinite(self.val_accuracy[..., :1]).any():
            raise RunError("a trial with an epoch", "none", "list a lower learning_rate")


@dataclass(frozen=True)
class Optimism:
    """A mean score on the images of the selection, `naive`, and on held-out ones, `fresh`."""

    naive: float
    fresh: float

    @property
    def optimism(self) -> float:
        """`naive − fresh`: above 0 for accuracy, below 0 for a loss, if it is optimistic."""
        return self.naive - self.fresh


@dataclass(frozen=True)
class RuleOptimism:
    """How optimistic an epoch rule is, over `trials`; None and a `reason` for a given split."""

    rule: str
    accuracy: Optimism | None
    loss: Optimism | None
    trials: int
    reason: str = ""


@dataclass(frozen=True)
class Achieved:
    """A score of the whole procedure, with its 95 % interval, beside the naive one."""

    naive: float
    score: float
    low: float
    high: float


@dataclass(frozen=True)
class Nested:
    """What selecting epoch and candidate by `rule` achieves on held-out images.

    `chosen` counts, by number from 1, how often each candidate was chosen. `selected` is the
    study's own choice, whose score the naive one is. None and a `reason` where it cannot be said.
    """

    rule: str
    selected: int
    accuracy: Achieved | None
    loss: Achieved | None
    chosen: dict[int, int]
    reason: str = ""


def optimism(curves: Curves, rule: str) -> RuleOptimism:
    """How optimistic an epoch rule is.

    For each candidate, seed, repeat and fold k, the naive score is at the epoch that the rule
    picks on k's own curve; the fresh one is k's score at the epoch that it picks on the mean
    curve of the other folds. Repeats with a failed trial are left out. Raises `SettingError` for
    an unknown rule.
    """
    check_rule(rule)
    accuracy, loss, done = _filled(curves)
    if accuracy.shape[3] == 1:
        return RuleOptimism(rule, None, None, 0, _GIVEN)
    whole = np.asarray(done.all(axis=3))
    if not whole.any():
        return RuleOptimism(rule, None, None, 0, "no candidate finished every fold of a repeat")
    leading = _leading(curves, rule)
    own = _picked(rule, leading, loss)
    fresh = _picked(rule, _others(leading, done), _others(loss, done))
    scores = [
        Optimism(float(_at(curve, own)[whole].mean()), float(_at(curve, fresh)[whole].mean()))
        for curve in (accuracy, loss)
    ]
    return RuleOptimism(rule, scores[0], scores[1], int(whole.sum()) * accuracy.shape[3])


def luck(curves: Curves, metric: str, rule: str) -> _Trials:
    """By how much each trial's score is higher at its own epoch than at one chosen without it.

    The other epoch is the one that `metric`'s rule picks on the mean curve of the other folds of
    the repeat, or, of a given split, of the other seeds. 0 for rules that choose nothing, where
    there is no other trial, and for a metric that is not known at every epoch.
    """
    chooser = rule_of(metric, check_rule(rule))
    accuracy, loss, done = _filled(curves)
    axis = 3 if accuracy.shape[3] > 1 else 1
    is_unknown = metric in SCORED and metric != scored_by(rule)
    if accuracy.shape[axis] == 1 or not chooses_epoch(chooser) or is_unknown:
        return np.zeros(done.shape)
    leading = _leading(curves, chooser)
    curve = {"accuracy": accuracy, "log_loss": loss}.get(metric, leading)
    others = _picked(chooser, *(_others(each, done, axis) for each in (leading, loss)))
    found = _at(curve, _picked(chooser, leading, loss)) - _at(curve, others)
    return np.where(done & (done.sum(axis=axis, keepdims=True) > 1), found, 0.0)


def nested(curves: Curves, rule: str) -> Nested:
    """What the whole procedure achieves, and what the selected candidate seems to.

    For each repeat and fold k, the candidate is the first by the study's ranking (the mean over
    trials of each at the epoch that the rule picks) on the other folds, its epoch for each seed
    the rule's on their mean curve, and the score that of fold k, a mean over seeds. Means over
    folds and repeats, with the corrected resampled t. A candidate counts with the seeds of which
    it finished every trial. Raises `SettingError` for an unknown rule.
    """
    check_rule(rule)
    accuracy, loss, done = _filled(curves)
    candidates, _, repeats, folds, _ = accuracy.shape
    leading = _leading(curves, rule)
    own = _picked(rule, leading, loss)
    at_own = _at(accuracy, own), _at(loss, own)
    # Among equal accuracies, the study's ranking looks at each trial's own least loss.
    least = loss.min(axis=-1) if rule == "best_accuracy" else at_own[1]
    ranking = _at(leading, own), least
    everywhere = [_mean(each, done, (1, 2, 3)) for each in ranking]
    selected = _first(rule, everywhere[0], everywhere[1])
    if folds == 1:
        return Nested(rule, selected + 1, None, None, {}, _GIVEN)
    steady = np.asarray(done.all(axis=(2, 3)))
    if not steady.any():
        reason = "no candidate finished every fold of a seed"
        return Nested(rule, selected + 1, None, None, {}, reason)
    fresh = _picked(rule, _others(leading, done), _others(loss, done))
    at_fresh = _at(accuracy, fresh), _at(loss, fresh)
    achieved: list[list[float]] = [[], []]
    chosen = dict.fromkeys(range(1, candidates + 1), 0)
    for repeat in range(repeats):
        for fold in range(folds):
            others = np.arange(folds) != fold
            seen = done[:, :, repeat, others] & steady[:, :, None]
            kept = [_mean(each[:, :, repeat, others], seen, (1, 2)) for each in ranking]
            best = _first(rule, kept[0], kept[1])
            chosen[best + 1] += 1
            for scores, each in zip(achieved, at_fresh, strict=True):
                scores.append(float(each[best, steady[best], repeat, fold].mean()))
    naive = [float(_mean(each, done, (1, 2, 3))[selected]) for each in at_own]
    both = [_achieved(n, np.array(s), folds) for n, s in zip(naive, achieved, strict=True)]
    counts = {candidate: count for candidate, count in chosen.items() if count}
    return Nested(rule, selected + 1, both[0], both[1], counts)


def _achieved(naive: float, scores: Float64[np.ndarray, "cells"], folds: int) -> Achieved:
    from scipy.special import stdtrit

    spread = corrected_t(scores, folds)
    half = float(stdtrit(spread.df, (1 + LEVEL) / 2)) * spread.variance**0.5
    score = float(scores.mean())
    return Achieved(naive, score, score - half, score + half)


def _filled(
    curves: Curves,
) -> tuple[_Curves, _Curves, Bool[np.ndarray, "candidates seeds repeats folds"]]:
    """Curves that go on from a trial's end as they ended; zeros, and not done, where it failed."""
    known = np.isfinite(curves.val_accuracy) & np.isfinite(curves.val_loss)
    last = np.maximum.accumulate(np.where(known, np.arange(known.shape[-1]), 0), axis=-1)
    done = np.asarray(known[..., 0])
    filled = [
        np.where(done[..., None], np.take_along_axis(curve, last, axis=-1), 0.0)
        for curve in (curves.val_accuracy, curves.val_loss)
    ]
    return filled[0], filled[1], done


def _leading(curves: Curves, rule: str) -> _Curves:
    """The score that `rule` looks for the greatest of: accuracy, unless it has one of its own."""
    if scored_by(rule) is None or curves.val_score is None:
        return _filled(curves)[0]
    return _filled(Curves(curves.val_score, curves.val_loss))[0]


def _others(
    curve: _Curves, done: Bool[np.ndarray, "candidates seeds repeats folds"], axis: int = 3
) -> _Curves:
    """For each trial, the mean curve of the finished others along an axis: folds, or seeds."""
    sums = [np.delete(curve, k, axis).sum(axis) for k in range(curve.shape[axis])]
    count = done.sum(axis=axis, keepdims=True) - done  # those that failed are zeros
    return np.stack(sums, axis) / np.maximum(count, 1)[..., None]


def _picked(rule: str, accuracy: _Curves, loss: _Curves) -> Int64[np.ndarray, "*trials"]:
    """The epoch, from 0, that `rank_epoch` puts first, of all curves at once."""
    epochs = accuracy.shape[-1]
    if chooses_epoch(rule) and rule != "best_loss":
        best = accuracy == accuracy.max(axis=-1, keepdims=True)
        return np.where(best, loss, np.inf).argmin(axis=-1)
    if rule == "best_loss":
        return loss.argmin(axis=-1)
    return np.full(accuracy.shape[:-1], min(fixed_epoch(rule) or epochs, epochs) - 1)


def _at(curve: _Curves, epochs: Int64[np.ndarray, "*trials"]) -> _Trials:
    return np.take_along_axis(curve, epochs[..., None], axis=-1)[..., 0]


def _mean(
    scores: Float64[np.ndarray, "candidates *trials"],
    done: Bool[np.ndarray, "candidates *trials"],
    axes: tuple[int, ...],
) -> Float64[np.ndarray, "candidates"]:
    """Means over finished trials; NaN for a candidate without one."""
    count = done.sum(axis=axes)
    total = np.where(done, scores, 0).sum(axis=axes)
    return np.where(count > 0, total / np.maximum(count, 1), np.nan)


def _first(
    rule: str,
    accuracy: Float64[np.ndarray, "candidates"],
    loss: Float64[np.ndarray, "candidates"],
) -> int:
    """The candidate, from 0, that `rank_candidate` puts first by these means."""
    accuracy, loss = np.nan_to_num(accuracy, nan=-np.inf), np.nan_to_num(loss, nan=np.inf)
    keys = (loss,) if rule == "best_loss" else (loss, -accuracy)
    return int(np.lexsort(keys)[0])
