"""Paired differences over images and seeds: how sure each is, and what a family of them amounts to.

Every difference is first minus second: of two accuracies, above zero means that the first is
better; of two log losses, below zero. See docs/verdict.md for the reasoning in plain words.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from jaxtyping import Float64
from scipy.special import stdtrit

from manyheads.evidence.behrens_fisher import half_width, p_value, student_p
from manyheads.evidence.intervals import Estimate
from manyheads.evidence.statistics import (
    Folds,
    Layout,
    TwoWay,
    corrected_t,
    fold_means,
    holm,
    two_way,
)
from manyheads.settings import number, store

ALPHA = 0.05
COMPARED = ("log_loss", "accuracy")

Outcome = Literal["better", "worse", "equivalent", "undecided"]
Sums = Float64[np.ndarray, "seeds repeats units"]


@dataclass(frozen=True, kw_only=True)
class Margins:
    """Differences that make no difference in practice: of shares in accuracy, of nats in log loss.

    Each is above 0 and at most 1. Raises `SettingError`.
    """

    accuracy: float = 0.01
    log_loss: float = 0.02

    def __post_init__(self) -> None:
        for name in COMPARED:
            checked = number(f"the margin of {name}", getattr(self, name), 0, 1, open_low=True)
            store(self, **{name: checked})


@dataclass(frozen=True)
class Paired:
    """A difference in one metric, over `seeds` that both sides have."""

    metric: str
    seeds: int
    both: TwoWay
    folds: Folds | None


@dataclass(frozen=True, kw_only=True)
class Decided:
    """What a difference of a family is declared to be, and why.

    `low` to `high` is the 95 % interval for images and seeds drawn anew together, `fold_low` to
    `fold_high` that of the corrected resampled t over folds (None for a given split). The wider
    one gives `p`; `p_holm` is adjusted for the family, and `p_equivalent` is that of a difference
    outside the margin, adjusted alike. `outcome` is of the first. With one seed there is no
    interval: `low` and `high` are infinite.
    """

    difference: float
    low: float
    high: float
    fold_low: float | None
    fold_high: float | None
    p: float
    p_holm: float
    p_equivalent: float
    outcome: Outcome

    @property
    def estimate(self) -> Estimate:
        """The difference with the interval that decides, the wider of the two; None for no end."""
        low, high = self.low, self.high
        if self.fold_low is not None and self.fold_high is not None:
            low, high = min(low, self.fold_low), max(high, self.fold_high)
        if not np.isfinite(low):
            return Estimate(self.difference, None, None)
        return Estimate(self.difference, low, high)


def measure(metric: str, apart: Sums, layout: Layout) -> Paired:
    """The estimates from differences `apart`, added up by unit."""
    by_fold = None
    if layout.folds > 1:
        by_fold = corrected_t(fold_means(apart, layout), layout.folds)
    return Paired(metric, len(apart), two_way(apart, layout), by_fold)


def decide(family: Sequence[Paired], margins: Margins) -> Iterator[Decided]:
    """The outcome of each difference of a family, adjusted for all of them (Holm 1979)."""
    if not family:
        return
    tested = _Tested(family, margins)
    p_holm, p_equivalent = holm(tested.p), holm(tested.p_equivalent)
    for place, found in enumerate(family):
        width, fold_width = tested.width[place], tested.fold_width[place]
        difference = found.both.difference
        adjusted = float(p_holm[place]), float(p_equivalent[place])
        yield Decided(
            difference=difference,
            low=float(difference - width),
            high=float(difference + width),
            fold_low=None if found.folds is None else float(difference - fold_width),
            fold_high=None if found.folds is None else float(difference + fold_width),
            p=float(tested.p[place]),
            p_holm=adjusted[0],
            p_equivalent=adjusted[1],
            outcome=_outcome(found, *adjusted),
        )


def mean_score(scores: Sums, layout: Layout) -> Estimate:
    """The mean over images of scores added up by unit, with the interval that a difference has.

    Of one seed the interval is for images drawn anew alone.
    """
    found = measure("", scores, layout)
    both = found.both
    if found.seeds == 1:
        width = stdtrit(max(1, both.df_units), 1 - ALPHA / 2) * np.sqrt(both.of_units)
    else:
        parts = both.variance - both.of_seeds, both.of_seeds, max(1, both.df_units), both.df_seeds
        certain = both.variance <= 0
        width = 0.0 if certain else float(half_width(*map(np.array, parts), level=1 - ALPHA))
    if found.folds is not None:
        by_fold = stdtrit(found.folds.df, 1 - ALPHA / 2) * np.sqrt(found.folds.variance)
        width = max(width, by_fold)
    return Estimate(both.difference, float(both.difference - width), float(both.difference + width))


class _Tested:
    """All differences at once: p of no difference, p of no equivalence, and half widths."""

    def __init__(self, family: Sequence[Paired], margins: Margins) -> None:
        def column(values: Iterator[float]) -> np.ndarray:
            return np.fromiter(values, np.float64, len(family))

        size = np.abs(column(found.both.difference for found in family))
        margin = column(getattr(margins, found.metric) for found in family)
        heads = column(found.both.of_seeds for found in family)
        images = column(found.both.variance for found in family) - heads
        df_heads = column(max(1, found.both.df_seeds) for found in family)
        df_images = column(max(1, found.both.df_units) for found in family)
        alone = column(found.both.df_seeds == 0 or found.both.df_units == 0 for found in family)
        parts = images, heads, df_images, df_heads
        spread = column(found.folds.variance if found.folds else 0.0 for found in family)
        df_folds = column(found.folds.df if found.folds else 1.0 for found in family)
        in_folds = column(found.folds is not None for found in family) > 0

        def p_of(distance: np.ndarray) -> np.ndarray:
            both = p_value(distance, *parts)
            by_fold = student_p(distance, np.sqrt(spread), df_folds)
            return np.where(alone > 0, 1.0, np.where(in_folds, np.maximum(both, by_fold), both))

        self.p = p_of(size)
        # Two one-sided tests (Schuirmann 1987): the nearer bound of the margin decides.
        self.p_equivalent = np.where(size < margin, p_of(np.maximum(margin - size, 0)) / 2, 1.0)
        self.p_equivalent[alone > 0] = 1.0
        self.width = np.where(alone > 0, np.inf, half_width(*parts, level=1 - ALPHA))
        self.width[(images + heads <= 0) & (alone == 0)] = 0.0
        self.fold_width = stdtrit(df_folds, 1 - ALPHA / 2) * np.sqrt(spread)


def _outcome(found: Paired, p_holm: float, p_equivalent: float) -> Outcome:
    if p_equivalent <= ALPHA:
        return "equivalent"
    if p_holm > ALPHA:
        return "undecided"
    less_is_better = found.metric != "accuracy"
    return "better" if (found.both.difference < 0) == less_is_better else "worse"
