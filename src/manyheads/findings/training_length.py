"""How many epochs heads need to their best score, and which candidates need more.

Log loss is smooth, and its epoch is that of the lowest `val_loss`. Accuracy moves by whole images,
so its epoch is that of the highest centred mean of five epochs' `val_accuracy`.

A best epoch is no mean over images, so intervals are for seeds drawn anew, on these images: those
of Student's t. In folds they are those of the corrected resampled t, for other images too.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from typing import Literal, NamedTuple

import numpy as np
from jaxtyping import Float64

from manyheads.heads.bank import Metrics
from manyheads.stats.behrens_fisher import student_p
from manyheads.stats.intervals import Estimate
from manyheads.stats.paired import ALPHA, COMPARED
from manyheads.stats.variances import corrected_t, holm, holm_factors

SMOOTHED = 5  # epochs
# The variance that rounding to whole epochs has; of a difference it is twice that.
_ROUNDING = 1 / 12
_DRAWN = 200  # epochs of a mean curve that are kept

EpochOutcome = Literal["more", "fewer", "undecided"]
Values = Float64[np.ndarray, "seeds cells"]
Place = tuple[int, int, int]
"""Candidate, seed and fold of a head."""


class BestEpochs(NamedTuple):
    """The best epochs of a head; `epochs` were trained. Epochs count from 1.

    Log loss is past its best epoch if at least the patience lies behind it. Training ends by log
    loss, so for accuracy half the patience is enough.
    """

    epochs: int
    log_loss_epoch: int
    accuracy_epoch: int
    lowest_log_loss: float
    accuracy_there: float
    log_loss_past_best: bool
    accuracy_past_best: bool

    @classmethod
    def of(cls, curve: Sequence[Metrics], patience: int) -> BestEpochs:
        """The best epochs of a curve of at least one epoch."""
        loss = np.array([each.val_loss for each in curve])
        accuracy = np.array([each.val_accuracy for each in curve])
        width = min(SMOOTHED, len(curve))
        smooth = np.convolve(accuracy, np.full(width, 1 / width), "valid")
        # Rounding must not choose among means of the same images.
        highest = int(np.argmax(smooth >= smooth.max() - 1e-9))
        lowest, epochs = int(loss.argmin()), len(curve)
        by_accuracy = highest + (width - 1) // 2 + 1
        return cls(
            epochs=epochs,
            log_loss_epoch=lowest + 1,
            accuracy_epoch=by_accuracy,
            lowest_log_loss=float(loss[lowest]),
            accuracy_there=float(accuracy[lowest]),
            log_loss_past_best=lowest + 1 <= epochs - patience,
            accuracy_past_best=by_accuracy <= epochs - patience / 2,
        )


@dataclass(frozen=True, kw_only=True)
class Reach:
    """The epochs to the best score in a metric: the mean over heads.

    `past_best` is the share of heads past it; unless it is 1, the mean is a lower bound.
    """

    epoch: Estimate
    past_best: float


@dataclass(frozen=True, kw_only=True)
class Longer:
    """A candidate trained on: its best epochs, and its scores at the lowest log loss.

    `epochs` and `val_loss` are the mean curve of its heads as far as all of them were trained, of
    long curves some 200 epochs.
    """

    candidate: int
    name: str
    heads: int
    failed: int
    log_loss: Reach
    accuracy: Reach
    lowest_log_loss: Estimate
    accuracy_there: Estimate
    epochs: tuple[int, ...]
    val_loss: tuple[float, ...]


@dataclass(frozen=True, kw_only=True)
class EpochContrast:
    """Two candidates: how many epochs more the first needs to its best score in a metric.

    The interval and `p` are adjusted by Holm for all contrasts in both metrics. An end is None
    where heads that are not past their best leave it open, or with one seed.
    """

    first: int
    second: int
    metric: str
    difference: Estimate
    p: float
    outcome: EpochOutcome
    seeds: int


def longer_of(
    candidate: int,
    name: str,
    curves: Mapping[Place, Sequence[Metrics]],
    best: Mapping[Place, BestEpochs],
    failed: int,
    folds: int,
) -> Longer | None:
    """What the heads of a candidate came to; None if no seed trained to its end."""
    mine = [place for place in best if place[0] == candidate]
    seeds = _whole_seeds(best, candidate)
    if not seeds:
        return None
    shortest = min(best[place].epochs for place in mine)
    shown = np.linspace(1, shortest, min(shortest, _DRAWN)).round().astype(int)
    means = np.mean([[each.val_loss for each in curves[p][:shortest]] for p in mine], axis=0)

    def estimate(name: str, floor: float = 0.0) -> Estimate:
        return _estimate(_values(best, candidate, seeds, name), folds, floor)

    def reach(metric: str) -> Reach:
        share = np.mean([getattr(best[place], f"{metric}_past_best") for place in mine])
        epoch = estimate(f"{metric}_epoch", _ROUNDING)
        if epoch.low is not None:  # there is no epoch before the first
            epoch = replace(epoch, low=max(epoch.low, 1.0))
        return Reach(epoch=epoch, past_best=float(share))

    return Longer(
        candidate=candidate,
        name=name,
        heads=len(mine),
        failed=failed,
        log_loss=reach("log_loss"),
        accuracy=reach("accuracy"),
        lowest_log_loss=estimate("lowest_log_loss"),
        accuracy_there=_share(estimate("accuracy_there")),
        epochs=tuple(shown.tolist()),
        val_loss=tuple(means[shown - 1].tolist()),
    )


def epoch_contrasts(
    best: Mapping[Place, BestEpochs], candidates: Sequence[Longer], folds: int
) -> tuple[EpochContrast, ...]:
    """Every pair of candidates in both metrics, by the seeds that both have trained to the end.

    If one of a pair is not past its best, the difference is a bound, and declared only where that
    is enough; if neither is, nothing is declared.
    """
    found = list(_measured(best, candidates, folds))
    p_values = np.array([each.p for each in found])
    adjusted, levels = holm(p_values), ALPHA / holm_factors(p_values)
    return tuple(
        EpochContrast(
            first=each.first,
            second=each.second,
            metric=each.metric,
            difference=each.estimate(float(level)),
            p=float(p),
            outcome="undecided" if p > ALPHA else "more" if each.mean > 0 else "fewer",
            seeds=each.seeds,
        )
        for each, p, level in zip(found, adjusted, levels, strict=True)
    )


@dataclass(frozen=True)
class _Measured:
    """A difference in epochs before it is adjusted for its family; `cut` are its open ends."""

    first: int
    second: int
    metric: str
    seeds: int
    mean: float
    error: float
    df: int
    cut: tuple[bool, bool]

    @property
    def p(self) -> float:
        """Two-sided p of no difference; 1 where a bound does not exclude it."""
        bounded = (self.cut[0] and self.mean <= 0) or (self.cut[1] and self.mean >= 0)
        if bounded or not self.df:
            return 1.0
        return float(student_p(*map(np.array, (self.mean, self.error, self.df))))

    def estimate(self, alpha: float) -> Estimate:
        found = _with_interval(self.mean, self.error, self.df, alpha)
        return Estimate(
            self.mean, None if self.cut[1] else found.low, None if self.cut[0] else found.high
        )


def _measured(
    best: Mapping[Place, BestEpochs], candidates: Sequence[Longer], folds: int
) -> Iterator[_Measured]:
    for metric in COMPARED:
        for first, second in combinations(candidates, 2):
            ours, theirs = (_whole_seeds(best, each.candidate) for each in (first, second))
            seeds = sorted(set(ours) & set(theirs))
            if not seeds:
                continue
            one, other = (
                _values(best, each.candidate, seeds, f"{metric}_epoch") for each in (first, second)
            )
            cut = (getattr(first, metric).past_best < 1, getattr(second, metric).past_best < 1)
            yield _Measured(
                first.candidate, second.candidate, metric, len(seeds),
                *_mean(one - other, folds, 2 * _ROUNDING), cut,
            )  # fmt: skip


def _whole_seeds(best: Mapping[Place, BestEpochs], candidate: int) -> list[int]:
    """The seeds of which every fold has trained to its end."""
    folds = {fold for _, _, fold in best}
    seeds = {seed for each, seed, _ in best if each == candidate}
    return sorted(s for s in seeds if all((candidate, s, fold) in best for fold in folds))


def _values(
    best: Mapping[Place, BestEpochs], candidate: int, seeds: Sequence[int], name: str
) -> Values:
    cells = sorted({fold for _, _, fold in best})
    return np.array(
        [[float(getattr(best[candidate, seed, c], name)) for c in cells] for seed in seeds]
    )


def _estimate(values: Values, folds: int, floor: float) -> Estimate:
    return _with_interval(*_mean(values, folds, floor))


def _share(found: Estimate) -> Estimate:
    """Within [0, 1]; without an interval where all seeds agree, for that is no certainty."""
    if found.low is None or found.high is None or found.low == found.high:
        return Estimate(found.value, None, None)
    return Estimate(found.value, max(found.low, 0.0), min(found.high, 1.0))


def _with_interval(mean: float, error: float, df: int, alpha: float = ALPHA) -> Estimate:
    from scipy.special import stdtrit

    if not df:
        return Estimate(mean, None, None)
    width = float(stdtrit(df, 1 - alpha / 2)) * error
    return Estimate(mean, mean - width, mean + width)


def _mean(values: Values, folds: int, floor: float) -> tuple[float, float, int]:
    """The mean, its standard error and degrees of freedom; `floor` is the least variance."""
    if folds > 1:
        of_folds = corrected_t(values.mean(axis=0), folds)
        least = floor / values.size
        return float(values.mean()), float(np.sqrt(max(of_folds.variance, least))), of_folds.df
    count = len(values)
    if count == 1:
        return float(values.mean()), 0.0, 0
    spread = max(float(np.var(values[:, 0], ddof=1)), floor)
    return float(values.mean()), float(np.sqrt(spread / count)), count - 1
