"""How many seeds, or else images, would probably settle a comparison that is undecided."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float64, Int64

from manyheads.evidence.behrens_fisher import p_value, student_p
from manyheads.evidence.statistics import Folds, Layout, TwoWay

MOST_SEEDS = 1_000
MOST_IMAGES = 1_000_000
_POWER_80 = 0.8416212335729143  # the normal quantile of 0.8,
_POWER_90 = 1.2815515655446004  # and of 0.9: equivalence has two sides that can fail


@dataclass(frozen=True)
class Need:
    """The least number of seeds (images as they are), or else of images; None beyond the limit."""

    seeds: int | None
    images: int | None


def needed(
    estimates: list[TwoWay],
    folds: list[Folds | None],
    seeds: list[int],
    layout: Layout,
    margins: Float64[np.ndarray, "comparisons"],
    levels: tuple[float, float],
) -> list[Need]:
    """What would settle comparisons of at least 2 seeds with a probability of 80 %.

    The parts of the variance stay what they are estimated to be; the part of units shrinks with
    their number, that of seeds with theirs, the interaction with both. A comparison is settled
    where the difference as estimated would be declared at the first of `levels`, or shown to be
    within its margin at the second. Limits: 1,000 seeds, 1,000,000 images. More images are taken
    to come without more training images, so what training sets owe to folds stays.
    """
    if not estimates:
        return []
    study = _Study.of(estimates, folds, seeds, layout, margins, levels)
    first = np.asarray(seeds)
    by_seeds = _least(lambda n: study.settled(n, np.full_like(n, 1.0)), first + 1, MOST_SEEDS)
    most = max(MOST_IMAGES // layout.images, 1) * layout.images
    start = np.full(len(seeds), layout.images + 1)
    by_images = _least(lambda n: study.settled(first, n / layout.images), start, most)
    return [
        Need(int(s) if s else None, int(i) if i and not s else None)
        for s, i in zip(by_seeds, by_images, strict=True)
    ]


@dataclass(frozen=True)
class _Study:
    """The parts of all comparisons, as columns."""

    size: Float64[np.ndarray, "comparisons"]
    margins: Float64[np.ndarray, "comparisons"]
    parts: Float64[np.ndarray, "three comparisons"]  # of units, of seeds, of both
    seeds: Int64[np.ndarray, "comparisons"]
    of_folds: Float64[np.ndarray, "comparisons"]  # S² of folds, less what heads bring into it
    share: Float64[np.ndarray, "comparisons"]  # of what heads bring into it, how much to believe
    layout: Layout
    levels: tuple[float, float]

    @classmethod
    def of(
        cls,
        estimates: list[TwoWay],
        folds: list[Folds | None],
        seeds: list[int],
        layout: Layout,
        margins: Float64[np.ndarray, "comparisons"],
        levels: tuple[float, float],
    ) -> _Study:
        of_seeds = np.array([each.of_seeds for each in estimates])
        both = np.minimum([each.of_both for each in estimates], of_seeds)
        units = np.array([each.variance for each in estimates]) - of_seeds
        spread = np.array([each.spread if each else 0.0 for each in folds])
        heads = of_seeds * layout.heads
        share = np.minimum(1, spread / np.where(heads > 0, heads, 1))
        return cls(
            size=np.abs([each.difference for each in estimates]),
            margins=margins,
            parts=np.stack([units, of_seeds - both, both]),
            seeds=np.asarray(seeds),
            of_folds=np.maximum(spread - heads, 0),
            share=share,
            layout=layout,
            levels=levels,
        )

    def settled(
        self, seeds: Int64[np.ndarray, "comparisons"], growth: Float64[np.ndarray, "comparisons"]
    ) -> Bool[np.ndarray, "comparisons"]:
        """Whether so many seeds, on `growth` times as many units, would probably settle it."""
        units, alone, both = self.parts
        fewer = self.seeds / seeds
        images, heads = units / growth, alone * fewer + both * fewer / growth
        df = np.maximum(seeds - 1, 1) * self.layout.heads
        df_units = np.maximum(len(self.layout.sizes) * growth - 1, 1)
        variance = images + heads
        count, folds = self.layout.heads, self.layout.folds
        if folds > 1:
            spread = self.of_folds / growth + self.share * heads * count
            of_folds = (1 / count + 1 / (folds - 1)) * spread
            error = np.sqrt(np.maximum(variance, of_folds))
        else:
            of_folds, error = np.zeros_like(variance), np.sqrt(variance)

        def p(distance: Float64[np.ndarray, "comparisons"]) -> Float64[np.ndarray, "comparisons"]:
            found = p_value(distance, images, heads, df_units, df)
            if folds > 1:
                of_t = student_p(distance, np.sqrt(of_folds), np.asarray(count - 1))
                found = np.maximum(found, of_t)
            return np.where(distance > 0, found, 2.0)

        declared = p(self.size - _POWER_80 * error) <= self.levels[0]
        equivalent = p(self.margins - self.size - _POWER_90 * error) / 2 <= self.levels[1]
        return declared | equivalent


def _least(
    holds: Callable[[Int64[np.ndarray, "comparisons"]], Bool[np.ndarray, "comparisons"]],
    start: Int64[np.ndarray, "comparisons"],
    most: int,
) -> Int64[np.ndarray, "comparisons"]:
    """The least number from `start` to `most` for which something that grows holds; 0: none."""
    low, high = start - 1, np.full_like(start, most)
    possible = holds(high) & (start <= most)
    while (high - low > 1).any():
        middle = np.maximum((low + high) // 2, start)
        enough = holds(middle)
        high = np.where(enough, middle, high)
        low = np.where(enough, low, middle)
        low = np.minimum(low, high - 1)
    return np.where(possible, high, 0)
