"""Power analysis: how many seeds, repeats or images would settle an undecided comparison.

The observed difference is not the true one, and the one that looks nearest to being settled
looks so in part by luck. So the power of a study is averaged over what the true difference may be
(assurance: O'Hagan, Stevens and Campbell 2005), and that is shrunk towards zero first, as if true
differences were drawn around it with the variance that the observed ones suggest, this one and all
of its metric, whichever is the smaller:

    B = max(0, min(1 − SE² / D², 1 − mean SE² / mean D²)),  true difference ~ N(B · D, B · SE²)
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float64, Int64

from manyheads.stats.behrens_fisher import half_width
from manyheads.stats.paired import RESERVE, Family, Paired
from manyheads.stats.variances import Layout

MAX_SEEDS = 50
MAX_REPEATS = 20
MAX_IMAGES = 1_000_000
POWER = 0.8
_POINTS = 21
CHEAP_SEEDS = 20  # where images are asked for, so many seeds are no trouble


@dataclass(frozen=True)
class RequiredSize:
    """Required seeds or repeats of the folds, images as they are; else images; or nothing.

    Images with seeds mean both.
    """

    seeds: int | None = None
    repeats: int | None = None
    images: int | None = None


@dataclass(frozen=True)
class Undecided:
    """A comparison of at least 2 seeds that is to be settled, and its `margin`.

    `kept` is the share of a difference that all differences of its metric leave of it.
    """

    paired: Paired
    margin: float
    kept: float = 1.0


def required_sizes(
    undecided: Sequence[Undecided], layout: Layout, levels: tuple[float, float]
) -> list[RequiredSize]:
    """The least with which a fresh study would settle each difference with 80 % probability.

    Settled is what would be declared at the first of `levels`, or shown to lie within its margin
    at the second, by the very tests of `comparisons`. Of the variance, the part of images alone
    falls with their number, that of seeds with theirs, the interaction with both, and all that
    heads bring with repeats of the folds too. A given split is asked for seeds, folds for repeats;
    images are the second choice, rounded up to two digits, and with `CHEAP_SEEDS` seeds. What
    neither settles within `MAX_SEEDS`, `MAX_REPEATS` and `MAX_IMAGES` has no size that could be
    named, nor has a difference that shrinks to nothing.
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
        by_count = [RequiredSize(repeats=int(n)) if n else None for n in first]
    else:
        first = _least(lambda n: study.settled(n, ones, ones), study.seeds + 1, MAX_SEEDS, study)
        by_count = [RequiredSize(seeds=int(n)) if n else None for n in first]
    seeds = study.seeds if layout.folds > 1 else np.maximum(study.seeds, CHEAP_SEEDS)
    images = _least(
        lambda n: study.settled(seeds, repeats * ones, n / layout.images),
        layout.images + 1, MAX_IMAGES, study,
    )  # fmt: skip
    by_images = [
        RequiredSize(seeds=int(after) if after > before else None, images=_rounded(int(n)))
        if n else RequiredSize()
        for n, before, after in zip(images, study.seeds, seeds, strict=True)
    ]  # fmt: skip
    return [a or b for a, b in zip(by_count, by_images, strict=True)]


def share_kept(family: Sequence[Paired]) -> float:
    """The share of their size that the differences of one metric keep, all together."""
    tests = Family(family)
    squares, variance = (tests.size**2).mean(), (tests.parts.images + tests.parts.heads).mean()
    return float(max(0.0, 1 - variance / squares)) if squares > 0 else 0.0


def settling_probabilities(
    pairs: Sequence[Paired],
    layout: Layout,
    margins: Sequence[float],
    level: float,
    seeds: int,
    repeats: int,
) -> list[float]:
    """How probably each difference is settled once this study has so many seeds and repeats.

    Its images stay the same, so the difference will move only by what seeds have contributed:
    `N(D, heads now − heads then)`. Settled at `level` is a difference that is declared, or shown to
    be within its margin.
    """
    from scipy.special import ndtr

    if not pairs:
        return []
    family = Family(pairs)
    parts, seeds_now = family.parts, np.array([each.seeds for each in pairs])
    fewer = np.minimum(1, seeds_now * len(layout.cells) / (seeds * repeats))
    heads, df = parts.heads * fewer, np.full(len(pairs), (seeds - 1.0) * layout.folds * repeats)
    moves = np.sqrt(np.maximum(parts.heads - heads, 1e-12))

    def width(alpha: float) -> Float64[np.ndarray, "comparisons"]:
        return half_width(parts.images, heads, parts.df_images, df, 1 - alpha)

    declared, alike = width(level), np.asarray(margins) - width(2 * level)
    power = ndtr((family.size - declared) / moves) + ndtr((-family.size - declared) / moves)
    within = ndtr((alike - family.size) / moves) - ndtr((-alike - family.size) / moves)
    settled = np.where(alike >= declared, 1.0, power + np.where(alike > 0, within, 0.0))
    return np.minimum(settled, 1).tolist()


class _Study:
    """The parts of all comparisons as columns, and what would become of them."""

    def __init__(
        self, undecided: Sequence[Undecided], layout: Layout, levels: tuple[float, float]
    ) -> None:
        tested = [each.paired.tested for each in undecided]
        parts = Family([each.paired for each in undecided]).parts
        heads = np.array([each.of_seeds for each in tested])
        self.layout, self.levels = layout, levels
        self.margin = np.array([each.margin for each in undecided])
        self.seeds = np.array([each.paired.seeds for each in undecided])
        self.shown = np.array([each.paired.of_folds or 0.0 for each in undecided])
        self.interaction = np.minimum([each.of_both for each in tested], heads)
        # Three parts that fall differently: what units bring (with more images), what seeds bring
        # (with more heads), and the interaction of both (with either).
        self.heads = heads - self.interaction
        self.images = np.array([each.variance for each in tested]) - heads
        self.size = np.abs([each.difference for each in tested])
        variance = parts.images + parts.heads
        larger = self.size**2 > variance  # where z > 1
        kept = np.where(larger, 1 - variance / np.where(larger, self.size, 1) ** 2, 0)
        kept = np.minimum(kept, [each.kept for each in undecided])
        self.possible = kept > 0
        # The true difference is normal around the shrunk one. Gauss–Hermite quadrature averages
        # the power over it: 21 values of the true difference, with their weights.
        points, weights = np.polynomial.hermite_e.hermegauss(_POINTS)
        self._weights = weights / weights.sum()
        spread = np.sqrt(kept * variance)
        self._true = (kept * self.size)[:, None] + spread[:, None] * points

    def settled(
        self,
        seeds: Int64[np.ndarray, "comparisons"],
        repeats: Float64[np.ndarray, "comparisons"],
        growth: Float64[np.ndarray, "comparisons"],
    ) -> Bool[np.ndarray, "comparisons"]:
        """Whether so many seeds and repeats, on `growth` times the units, would settle it."""
        from scipy.special import ndtr

        layout, folds = self.layout, self.layout.folds
        fewer = self.seeds * len(layout.cells) / (seeds * repeats)
        reserve = RESERVE if folds > 1 else 1.0
        images = reserve * self.images / growth
        heads = reserve * (self.heads + self.interaction / growth) * fewer
        images = images + np.maximum(0, self.shown / growth - images - heads)
        df, df_images = (seeds - 1) * folds * repeats, len(layout.sizes) * growth - 1
        error = np.sqrt(images + heads)[:, None]

        def width(level: float) -> Float64[np.ndarray, "comparisons one"]:
            return half_width(images, heads, df_images, df, 1 - level)[:, None]

        # A study declares a difference beyond `declared`, and equivalence within ± `alike`. Where
        # the two overlap, every outcome settles it.
        declared, alike = width(self.levels[0]), self.margin[:, None] - width(2 * self.levels[1])
        power = ndtr((self._true - declared) / error) + ndtr((-self._true - declared) / error)
        within = ndtr((alike - self._true) / error) - ndtr((-alike - self._true) / error)
        settled = np.where(alike >= declared, 1.0, power + np.where(alike > 0, within, 0.0))
        return self.possible & ((settled * self._weights).sum(axis=1) >= POWER)


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
