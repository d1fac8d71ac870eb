"""Paired differences: how sure each is, and what it amounts to.

`comparisons` asks it of the candidates of a study; `paired` of any scores of the same images by
heads of the same seeds. See docs/verdict.md for the reasoning in plain words.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from jaxtyping import Float64, Int64
from scipy.special import stdtrit

from manyheads.evidence.behrens_fisher import half_width, p_value, student_p
from manyheads.evidence.statistics import Folds, Layout, TwoWay, holm, two_way

ALPHA = 0.05

Outcome = Literal["better", "worse", "equivalent", "undecided"]
Column = Float64[np.ndarray, "family"]


@dataclass(frozen=True)
class Measured:
    """An estimated difference, by folds too if there are any, and the margin that it is held to."""

    both: TwoWay
    margin: float
    less_is_better: bool
    folds: Folds | None = None


class Tested:
    """All differences of a family at once.

    `p` is that of no difference, `p_equivalent` that of one outside the margin, each by whichever
    interval is wider; `width` and `fold_width` are half of the 95 % intervals. `p_holm` and
    `p_equivalent_holm` are adjusted for the family. Where there is one seed, or one unit, nothing
    can be told: p is 1 and the width infinite.
    """

    def __init__(self, measured: Sequence[Measured]) -> None:
        def column(value: Callable[[Measured], float]) -> Column:
            return np.fromiter(map(value, measured), np.float64, len(measured))

        size = np.abs(column(lambda found: found.both.difference))
        margin = column(lambda found: found.margin)
        heads = column(lambda found: found.both.of_seeds)
        images = column(lambda found: found.both.variance) - heads
        df_heads = column(lambda found: max(1, found.both.df_seeds))
        df_images = column(lambda found: max(1, found.both.df_units))
        alone = column(lambda found: not (found.both.df_seeds and found.both.df_units)) > 0
        parts = images, heads, df_images, df_heads
        spread = column(lambda found: found.folds.variance if found.folds else 0.0)
        df_folds = column(lambda found: found.folds.df if found.folds else 1.0)
        in_folds = column(lambda found: found.folds is not None) > 0

        def p_of(distance: Column) -> Column:
            both = p_value(distance, *parts)
            by_fold = student_p(distance, np.sqrt(spread), df_folds)
            return np.where(alone, 1.0, np.where(in_folds, np.maximum(both, by_fold), both))

        self.measured = measured
        self.p = p_of(size)
        # Two one-sided tests (Schuirmann 1987): the nearer bound of the margin decides.
        self.p_equivalent = np.where(size < margin, p_of(np.maximum(margin - size, 0)) / 2, 1.0)
        self.p_equivalent[alone] = 1.0
        self.p_holm, self.p_equivalent_holm = holm(self.p), holm(self.p_equivalent)
        self.width = np.where(alone, np.inf, half_width(*parts, level=1 - ALPHA))
        self.width[(images + heads <= 0) & ~alone] = 0.0
        self.fold_width = stdtrit(df_folds, 1 - ALPHA / 2) * np.sqrt(spread)

    def outcome(self, place: int) -> Outcome:
        """What the difference at `place` amounts to, for the first of the two."""
        if self.p_equivalent_holm[place] <= ALPHA:
            return "equivalent"
        if self.p_holm[place] > ALPHA:
            return "undecided"
        found = self.measured[place]
        return "better" if (found.both.difference < 0) == found.less_is_better else "worse"


@dataclass(frozen=True)
class Apart:
    """Scores of the first less those of the second, of the same images by heads of the same seeds.

    NaN marks a seed of which a head failed; it is left out. `units` says of each image which unit
    it belongs to.
    """

    scores: Float64[np.ndarray, "seeds images"]
    units: Int64[np.ndarray, "images"]
    margin: float
    less_is_better: bool = False


@dataclass(frozen=True, kw_only=True)
class Difference:
    """A mean difference with its 95 % interval for images and seeds drawn anew together.

    `p_holm` and `p_equivalent` are adjusted for its family; `outcome` is of the first. With one
    seed, `low` and `high` are infinite.
    """

    value: float
    low: float
    high: float
    p: float
    p_holm: float
    p_equivalent: float
    outcome: Outcome
    seeds: int


def paired(family: Sequence[Apart]) -> list[Difference | None]:
    """The mean difference of each of a `family`, adjusted for all of it.

    None where no seed finished on both sides: there is nothing to compare.
    """
    finished = [apart.scores[np.isfinite(apart.scores).all(axis=1)] for apart in family]
    asked = [place for place, scores in enumerate(finished) if scores.size]
    tested = Tested([_measured(family[place], finished[place]) for place in asked])
    told: list[Difference | None] = [None] * len(family)
    for row, place in enumerate(asked):
        told[place] = _difference(tested, row, len(finished[place]))
    return told


def _measured(apart: Apart, scores: Any) -> Measured:
    layout = Layout.of(apart.units, np.zeros((1, len(apart.units)), np.int64), 1)
    both = two_way(layout.sums(scores[:, None]), layout)
    return Measured(both, apart.margin, apart.less_is_better)


def _difference(tested: Tested, place: int, seeds: int) -> Difference:
    value, width = tested.measured[place].both.difference, float(tested.width[place])
    return Difference(
        value=value,
        low=value - width,
        high=value + width,
        p=float(tested.p[place]),
        p_holm=float(tested.p_holm[place]),
        p_equivalent=float(tested.p_equivalent_holm[place]),
        outcome=tested.outcome(place),
        seeds=seeds,
    )
