"""Paired differences over images and seeds: how sure each is, and what a family of them amounts to.

Every difference is first minus second: of two accuracies, above zero means that the first is
better; of two log losses, below zero. See docs/verdict.md for the reasoning in plain words.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal, NamedTuple

import numpy as np
from jaxtyping import Float64

from manyheads.core.settings import number, store
from manyheads.stats.behrens_fisher import half_width, p_value
from manyheads.stats.class_metrics import BY_CLASS, UnitClasses, stratified
from manyheads.stats.intervals import Estimate
from manyheads.stats.variances import (
    Layout,
    TwoWay,
    holm,
    holm_factors,
    moderated,
    of_folds,
    two_way,
    with_pseudo_units,
    with_rounding,
)

ALPHA = 0.05
COMPARED = ("log_loss", "accuracy")
SHARES = ("accuracy", *BY_CLASS)
"""Metrics of which more is better, in [0, 1]; of all others less is."""
# In folds the variance is multiplied by this: what the disjoint pools of docs/decisions/0013 ask.
RESERVE = 1.5
# The training loss varies with the training images, of which there are no losses one by one. They
# are no fewer than the validation images and fitted better, so what they add is no more than these.
GAP = 2.0
MODERATED_SEEDS = 5  # fewer say too little of how alike variances are
# Below these a mean of losses rests on a few hard images, or on none that happened to be drawn.
EQUIVALENCE_UNITS = 300
EQUIVALENCE_WRONG = 10

Outcome = Literal["better", "worse", "equivalent", "undecided"]
Sums = Float64[np.ndarray, "seeds repeats units"]
Column = Float64[np.ndarray, "family"]


def share_of(points: object) -> float:
    """A margin in points, above 0 and at most 100, as a share; raises `SettingError`."""
    return number("the margin of accuracy in points", points, 0, 100, open_low=True) / 100


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

    @classmethod
    def in_points(cls, accuracy: object, log_loss: Any) -> Margins:
        """Margins as people give them: accuracy in points (hundredths), log loss in nats."""
        return cls(accuracy=share_of(accuracy), log_loss=log_loss)

    def of(self, metric: str) -> float:
        """The margin of a metric: shares have that of accuracy, others that of log loss."""
        return self.accuracy if metric in SHARES else self.log_loss


def compared_in(metric: str) -> tuple[str, ...]:
    """The metrics that candidates are compared in where `metric` selects: log loss, and a share."""
    return COMPARED if metric in COMPARED else ("log_loss", metric)


@dataclass(frozen=True)
class Paired:
    """A difference in one metric, over `seeds` that both sides have.

    `both` is as measured, and `tested` what the tests use: for accuracy, with two pseudo-units.
    `of_folds` is the variance that the folds themselves show (None for a given split). Of `units`,
    `differing` are those on which the two differ at all, and `wrong` counts the images that a
    candidate gets wrong, the mean of the two; infinite where it was not measured.
    """

    metric: str
    seeds: int
    both: TwoWay
    tested: TwoWay
    of_folds: float | None
    units: int
    differing: int
    wrong: float


@dataclass(frozen=True, kw_only=True)
class Decided:
    """What a difference of a family is declared to be, and why.

    `low` to `high` is the 95 % interval of this difference alone, for images and seeds drawn anew
    together. `adjusted_low` to `adjusted_high` is at the level that Holm's procedure gives the
    difference in its family: it excludes 0 exactly where the difference is declared. `p_holm` is
    `p` adjusted for the family, and `p_equivalent` that of a difference outside the margin,
    adjusted alike. With one seed there is no interval: its ends are infinite.
    """

    difference: float
    low: float
    high: float
    adjusted_low: float
    adjusted_high: float
    p: float
    p_holm: float
    p_equivalent: float
    outcome: Outcome

    @property
    def estimate(self) -> Estimate:
        """The difference with its adjusted interval; None for no end."""
        ends = self.adjusted_low, self.adjusted_high
        return Estimate(self.difference, *(end if np.isfinite(end) else None for end in ends))


def measure(
    metric: str,
    apart: Sums,
    layout: Layout,
    wrong: float = np.inf,
    *,
    classes: UnitClasses | None = None,
    differing: int | None = None,
) -> Paired:
    """The estimates from differences `apart`, added up by unit.

    `wrong` is how many images a candidate gets wrong, the mean of the two. Of a metric of classes
    the variance is by the units' `classes`, and `differing` counts the units whose answers differ,
    for all have influences that do.
    """
    both, units = two_way(apart, layout), apart.shape[-1]
    tested = both
    if classes is not None:
        tested = stratified(both, apart, layout, classes)
    if metric == "accuracy":
        tested = with_rounding(with_pseudo_units(both, units), len(apart), layout)
    return Paired(
        metric=metric,
        seeds=len(apart),
        both=both,
        tested=tested,
        of_folds=of_folds(apart, layout, both) if layout.folds > 1 else None,
        units=units,
        differing=int(np.count_nonzero((apart != 0).any(axis=(0, 1))))
        if differing is None
        else differing,
        wrong=wrong,
    )


def decide(
    family: Sequence[Paired], margins: Margins, *, alpha: float = ALPHA, size: int = 0
) -> Iterator[Decided]:
    """The outcome of each difference of a family, adjusted for all of them (Holm 1979).

    The chance of any false difference is at most `alpha`. `size` is how many comparisons the family
    has, if these are a choice from more.
    """
    if not family:
        return
    tests = Family(family)
    p, same = tests.p_different(), tests.p_equivalent(margins)
    p_holm, p_equivalent = holm(p, size), holm(same, size)
    # At the level that its step gives a difference, p is below it where the adjusted p is below α.
    alone, adjusted = tests.half_width(ALPHA), tests.half_width(alpha / holm_factors(p, size))
    # Where the least p of a sign-flip test decides, the interval must not say more than it does.
    adjusted = np.where((p_holm > alpha) & (adjusted < tests.size), tests.size, adjusted)
    alone = np.where((p > ALPHA) & (alone < tests.size), tests.size, alone)
    for place, pair in enumerate(family):
        centre, width, wide = pair.tested.difference, float(alone[place]), float(adjusted[place])
        yield Decided(
            difference=pair.both.difference,
            low=centre - width,
            high=centre + width,
            adjusted_low=centre - wide,
            adjusted_high=centre + wide,
            p=float(p[place]),
            p_holm=float(p_holm[place]),
            p_equivalent=float(p_equivalent[place]),
            outcome=_outcome(pair, float(p_holm[place]), float(p_equivalent[place]), alpha),
        )


def mean_score(scores: Sums, layout: Layout, *, alpha: float = ALPHA) -> Estimate:
    """The mean over images of scores added up by unit, with the interval of a difference.

    The interval leaves `alpha` outside. Of one seed it is for images drawn anew alone. There is
    none where no image differs from another: that says nothing of those that were not drawn.
    """
    pair = of_images_alone(measure("", scores, layout))
    both = pair.both
    if both.variance <= 0 or not both.df_units:
        return Estimate(both.difference, None, None)
    width = float(Family([pair]).half_width(alpha)[0])
    return Estimate(both.difference, float(both.difference - width), float(both.difference + width))


def of_images_alone(pair: Paired) -> Paired:
    """A difference of one seed as one of two fixed models: for images drawn anew, and no seeds.

    A difference of several seeds stays as it is.
    """
    if pair.seeds > 1:
        return pair
    # A degree of freedom of no weight: the part of seeds is 0.
    both, tested = (replace(each, df_seeds=1) for each in (pair.both, pair.tested))
    return replace(pair, both=both, tested=tested)


class VarianceParts(NamedTuple):
    """The variance of each difference, as `behrens_fisher` takes it: two parts, and their df."""

    images: Column
    heads: Column
    df_images: Column
    df_heads: Column


class Family:
    """All differences of a family at once: how improbable each would be, and half widths."""

    def __init__(self, family: Sequence[Paired]) -> None:
        self.family = family
        self.difference = self._column(lambda pair: pair.tested.difference)
        self.size = np.abs(self.difference)
        self.unknown = self._column(
            lambda pair: not (pair.tested.df_seeds and pair.tested.df_units)
        ).astype(bool)
        self.parts = self._parts()
        # No test of so few units can be surer than one that flips their signs: every sign the same.
        self._least = np.exp2(1 - self._column(lambda pair: max(pair.differing, 1)))
        self._least_same = np.exp2(1 - self._column(lambda pair: pair.units))

    def p_different(self) -> Column:
        """Two-sided p of no difference; 1 where nothing is known of seeds or images."""
        p = np.maximum(p_value(self.size, *self.parts), self._least)
        return np.where(self.unknown, 1.0, p)

    def p_above(self, bound: Sequence[float] | float) -> Column:
        """One-sided p of a difference of `bound` at most, against a greater one."""
        p = self._tail(self.difference - np.asarray(bound))
        return np.where(self.unknown, 1.0, np.maximum(p, self._least / 2))

    def p_below(self, bound: Sequence[float] | float) -> Column:
        """One-sided p of a difference of `bound` at least, against a smaller one."""
        p = self._tail(np.asarray(bound) - self.difference)
        return np.where(self.unknown, 1.0, np.maximum(p, self._least / 2))

    def p_equivalent(self, margins: Margins) -> Column:
        """p of a difference outside of its margin: the nearer bound decides (Schuirmann 1987)."""
        margin = self._column(lambda pair: margins.of(pair.metric))
        p = p_value(np.maximum(margin - self.size, 0), *self.parts) / 2
        p = np.where(self.size < margin, np.maximum(p, self._least_same), 1.0)
        enough = self._column(_can_be_equivalent).astype(bool)
        return np.where(enough & ~self.unknown, p, 1.0)

    def half_width(self, alpha: Column | float) -> Column:
        """Half of the interval that leaves `alpha` outside; infinite where nothing is known."""
        parts = self.parts
        certain = parts.images + parts.heads <= 0
        images = np.where(certain, 1.0, parts.images)
        width = half_width(images, *parts[1:], level=1 - np.asarray(alpha))
        return np.where(self.unknown, np.inf, np.where(certain, 0.0, width))

    def _tail(self, distance: Column) -> Column:
        """The probability beyond `distance`, on the side that it points to."""
        both = p_value(np.abs(distance), *self.parts)
        return np.where(distance > 0, both / 2, 1 - both / 2)

    def _column(self, value) -> Column:
        return np.array([value(pair) for pair in self.family], np.float64)

    def _parts(self) -> VarianceParts:
        heads = self._column(lambda pair: pair.tested.of_seeds)
        images = self._column(lambda pair: pair.tested.variance) - heads
        df = self._column(lambda pair: max(1, pair.tested.df_seeds))
        df_images = self._column(lambda pair: max(1, pair.tested.df_units))
        # Variances over seeds share information only within a metric and among equal degrees of
        # freedom: losses and accuracies vary on scales of their own.
        for metric, count in {(pair.metric, pair.tested.df_seeds) for pair in self.family}:
            alike = np.array(
                [
                    (pair.metric, pair.tested.df_seeds) == (metric, count)
                    and pair.seeds >= MODERATED_SEEDS
                    for pair in self.family
                ]
            )
            heads[alike], df[alike] = moderated(heads[alike], df[alike])
        # A gap contains a training loss, whose images add a variance that is bounded, not measured.
        images *= self._column(lambda pair: GAP if pair.metric == "gap" else 1.0)
        reserve = self._column(lambda pair: 1.0 if pair.of_folds is None else RESERVE)
        shown = self._column(lambda pair: pair.of_folds or 0.0)
        images, heads = reserve * images, reserve * heads
        # What folds differ by beyond both parts comes from their training images. It counts as a
        # part of the images: more seeds on the same folds would not reduce it.
        return VarianceParts(images + np.maximum(0, shown - images - heads), heads, df_images, df)


def _can_be_equivalent(pair: Paired) -> bool:
    """Whether a loss rests on enough images, and on enough hard ones, to be shown alike."""
    if pair.metric in SHARES:
        return True
    return pair.units >= EQUIVALENCE_UNITS and pair.wrong >= EQUIVALENCE_WRONG


def _outcome(pair: Paired, p_holm: float, p_equivalent: float, alpha: float) -> Outcome:
    if p_equivalent <= alpha:
        return "equivalent"
    if p_holm > alpha:
        return "undecided"
    less_is_better = pair.metric not in SHARES
    return "better" if (pair.both.difference < 0) == less_is_better else "worse"
