"""What would probably settle an undecided comparison: so many seeds, or so many images."""

from __future__ import annotations

import math
from dataclasses import dataclass

from scipy.special import ndtri, stdtrit

from manyheads.evidence.statistics import Folds, TwoWay

MAX_SEEDS = 1000
MAX_REPEATS = 20
MAX_IMAGES = 1_000_000
POWER = 0.8


@dataclass(frozen=True)
class Needs:
    """So many seeds or repeats of the folds, images as they are; or else images; or nothing."""

    seeds: int | None = None
    repeats: int | None = None
    images: int | None = None


@dataclass(frozen=True)
class Design:
    """What a comparison rests on: counts of seeds, images, folds (1: a given split), repeats."""

    seeds: int
    images: int
    folds: int
    repeats: int


def needs_of(
    both: TwoWay, by_fold: Folds | None, margin: float, alpha: float, design: Design
) -> Needs:
    """The least that settles a difference, if it is as estimated, with a probability of 80 %.

    To declare it takes a standard error of `|D| / (q_{1−α/2} + z_{0.8})`; to show it to lie within
    the margin, `(margin − |D|) / (q_{1−α} + z_{0.8})`: whichever is sooner reached; `alpha` is the
    family's share, q a quantile of the normal or, for folds, of the t distribution. With S' seeds
    the variance is `of_units − of_both + of_seeds · S / S'`, with k times the images
    `of_units / k + of_seeds − of_both`; that of folds is as in `corrected_t`, and falls with images
    as `1 / k`. Two seeds, if there is one. Ours.
    """
    if both.df_seeds == 0:
        return Needs(seeds=2)

    def target(df: float) -> float:
        """The variance at which it is settled."""
        size, power = abs(both.difference), float(ndtri(POWER))
        declare, equal = (float(stdtrit(df, 1 - share)) for share in (alpha / 2, alpha))
        return max(size / (declare + power), (margin - size) / (equal + power), 0.0) ** 2

    if by_fold is not None:
        for repeats in range(design.repeats + 1, MAX_REPEATS + 1):
            count = design.folds * repeats
            of_folds = (1 / count + 1 / (design.folds - 1)) * by_fold.spread
            if max(of_folds, both.variance) <= target(count - 1):
                return Needs(repeats=repeats)
        variance = max(both.variance, by_fold.spread / (design.folds - 1))
    else:
        rest = target(math.inf) - max(0.0, both.of_units - both.of_both)
        seeds = math.ceil(both.of_seeds * design.seeds / rest) if rest > 0 else MAX_SEEDS + 1
        if seeds <= MAX_SEEDS:
            return Needs(seeds=max(seeds, design.seeds + 1))
        variance = both.variance
    most = target(math.inf)
    times = variance / most if most > 0 else math.inf
    if design.images * times > MAX_IMAGES:
        return Needs()
    return Needs(images=_rounded(max(design.images + 1, design.images * times)))


def _rounded(count: float) -> int:
    """Up to two digits: more would claim to know it better."""
    unit = 10 ** max(0, math.floor(math.log10(count)) - 1)
    return math.ceil(count / unit) * unit
