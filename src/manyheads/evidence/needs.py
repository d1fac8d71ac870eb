"""What would probably settle an undecided comparison: so many seeds, repeats or images."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float64, Int64
from scipy.special import ndtri

from manyheads.evidence.behrens_fisher import p_value, student_p
from manyheads.evidence.statistics import Folds, Layout, TwoWay

MAX_SEEDS = 1000
MAX_REPEATS = 20
MAX_IMAGES = 1_000_000
POWER = 0.8
CHEAP_SEEDS = 20  # where images are asked for, so many seeds are no trouble


@dataclass(frozen=True)
class Needs:
    """So many seeds or repeats of the folds, images as they are; or else images; or nothing.

    Images with seeds mean both.
    """

    seeds: int | None = None
    repeats: int | None = None
    images: int | None = None


@dataclass(frozen=True)
class Undecided:
    """A comparison of at least 2 `seeds` that is to be settled, and its `margin`."""

    both: TwoWay
    folds: Folds | None
    seeds: int
    margin: float


def needs_of(
    undecided: Sequence[Undecided], layout: Layout, levels: tuple[float, float]
) -> list[Needs]:
    """The least that settles each difference, if it is as estimated, with a probability of 80 %.

    Settled is what would be declared at the first of `levels`, or shown to lie within its margin
    at the second, by the very tests of `comparisons`. Of the variance, the part of images alone
    falls with their number, that of seeds with theirs, the interaction with both, and all that
    heads bring with repeats of the folds too. A given split is asked for seeds, folds for repeats;
    images are the second choice, rounded up to two digits, and with `CHEAP_SEEDS` seeds. What
    neither settles within `MAX_SEEDS`, `MAX_REPEATS` and `MAX_IMAGES` has no need that could be
    named.
    """
    if not undecided:
        return []
    study = _Study(undecided, layout, levels)
    ones = np.ones(len(undecided))
    repeats = len(layout.cells)
    if layout.folds > 1:
        first = _least(
            lambda n: study.settled(study.seeds, n, ones), repeats + 1, MAX_REPEATS, study
        )
        by_count = [Needs(repeats=int(n)) if n else None for n in first]
    else:
        first = _least(lambda n: study.settled(n, ones, ones), study.seeds + 1, MAX_SEEDS, study)
        by_count = [Needs(seeds=int(n)) if n else None for n in first]
    seeds = study.seeds if layout.folds > 1 else np.maximum(study.seeds, CHEAP_SEEDS)
    images = _least(
        lambda n: study.settled(seeds, repeats * ones, n / layout.images),
        layout.images + 1, MAX_IMAGES, study,
    )  # fmt: skip
    by_images = [
        Needs(seeds=int(after) if after > before else None, images=_rounded(int(n)))
        if n else Needs()
        for n, before, after in zip(images, study.seeds, seeds, strict=True)
    ]  # fmt: skip
    return [a or b for a, b in zip(by_count, by_images, strict=True)]


class _Study:
    """The parts of all comparisons as columns, and what would become of them."""

    def __init__(
        self, undecided: Sequence[Undecided], layout: Layout, levels: tuple[float, float]
    ) -> None:
        heads = np.array([each.both.of_seeds for each in undecided])
        self.layout, self.levels = layout, levels
        self.size = np.abs([each.both.difference for each in undecided])
        self.margin = np.array([each.margin for each in undecided])
        self.seeds = np.array([each.seeds for each in undecided])
        self.interaction = np.minimum([each.both.of_both for each in undecided], heads)
        self.heads = heads - self.interaction
        self.images = np.array([each.both.variance for each in undecided]) - heads
        self.spread = np.array([each.folds.spread if each.folds else 0.0 for each in undecided])

    def settled(
        self,
        seeds: Int64[np.ndarray, "comparisons"],
        repeats: Float64[np.ndarray, "comparisons"],
        growth: Float64[np.ndarray, "comparisons"],
    ) -> Bool[np.ndarray, "comparisons"]:
        """Whether so many seeds and repeats, on `growth` times the units, would settle it."""
        layout, folds = self.layout, self.layout.folds
        fewer = self.seeds * len(layout.cells) / (seeds * repeats)
        images = self.images / growth
        heads = (self.heads + self.interaction / growth) * fewer
        df, df_images = (seeds - 1) * folds * repeats, len(layout.sizes) * growth - 1
        count = folds * repeats
        of_folds = (1 / count + 1 / max(folds - 1, 1)) * self.spread / growth
        error = np.sqrt(np.maximum(images + heads, of_folds))

        def p(
            distance: Float64[np.ndarray, "comparisons"],
        ) -> Float64[np.ndarray, "comparisons"]:
            found = p_value(distance, images, heads, df_images, df)
            if folds > 1:
                found = np.maximum(found, student_p(distance, np.sqrt(of_folds), count - 1))
            return np.where(distance > 0, found, 2.0)

        # Equivalence has two sides that can fail, hence the greater quantile.
        declared = p(self.size - float(ndtri(POWER)) * error)
        equivalent = p(self.margin - self.size - float(ndtri((1 + POWER) / 2)) * error) / 2
        return (declared <= self.levels[0]) | (equivalent <= self.levels[1])


def _least(
    holds: Callable[[Int64[np.ndarray, "comparisons"]], Bool[np.ndarray, "comparisons"]],
    start: int | Int64[np.ndarray, "comparisons"],
    most: int,
    study: _Study,
) -> Int64[np.ndarray, "comparisons"]:
    """The least number from `start` to `most` for which something that grows holds; 0: none."""
    low = np.broadcast_to(np.asarray(start) - 1, study.size.shape)
    high = np.full(low.shape, max(most, int(low.max()) + 1))
    possible = holds(high) & (high <= most)
    while (high - low > 1).any():
        middle = np.maximum((low + high) // 2, low + 1)
        enough = holds(middle)
        high = np.where(enough, middle, high)
        low = np.minimum(np.where(enough, low, middle), high - 1)
    return np.where(possible, high, 0)


def _rounded(count: int) -> int:
    """Up to two digits: more would claim to know it better."""
    unit = 10 ** max(0, math.floor(math.log10(count)) - 1)
    return math.ceil(count / unit) * unit
