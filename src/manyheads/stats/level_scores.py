"""Mean scores at the levels of a factor, such as a hyperparameter: its main effect."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import reduce

import numpy as np
from jaxtyping import Float64

from manyheads.stats.comparisons import Differences
from manyheads.stats.intervals import Estimate
from manyheads.stats.paired import ALPHA, Sums, mean_score


@dataclass(frozen=True)
class LevelScore:
    """The mean score at one level, and the mean scores of each seed and repeat.

    The interval is that of the difference from the mean of all levels, drawn around this level's
    mean; with a probability of 95 % the intervals of all levels hold at once. It has no ends where
    that difference is not known: with one seed, and where no image and no seed differs.
    """

    mean: Estimate
    runs: Float64[np.ndarray, "runs"]


def level_scores(
    differences: Differences, blocks: Sequence[Sequence[int]], metric: str
) -> list[LevelScore]:
    """The mean score at each level over `blocks`, each of which has one candidate a level.

        mean_v ± half width of the mean of s_v − (Σ_w s_w) / L      L levels, s: score of an image

    All levels are measured on the same images, with the same seeds and the same settings of the
    other factors, so that the differences are paired: how hard the images are and how good a seed
    is have no part in the interval, which holds for images and seeds drawn anew (`mean_score`). The
    intervals of L levels are at 1 − 0.05 / L each (Bonferroni); those of two levels are one and the
    same difference, so they need no adjustment.
    Only seeds that every candidate finished count; empty if there are none, or no blocks.
    """
    every = [candidate for block in blocks for candidate in block]
    finished = [differences.validated.seeds_of(candidate) for candidate in every]
    seeds = reduce(np.intersect1d, finished) if finished else np.empty(0, np.int64)
    if not len(seeds):
        return []
    layout = differences.layout

    def total(level: Sequence[int]) -> Sums:
        return reduce(np.add, (differences.sums(each, metric)[seeds] for each in level))

    levels = [total(level) / len(blocks) for level in zip(*blocks, strict=True)]
    centre = np.mean(levels, axis=0)
    alpha = ALPHA / len(levels) if len(levels) > 2 else ALPHA
    found = []
    for sums in levels:
        runs = sums.sum(axis=-1).ravel() / layout.images
        mean, apart = float(runs.mean()), mean_score(sums - centre, layout, alpha=alpha)
        low, high = apart.low, apart.high
        if low is None or high is None or len(seeds) == 1:
            found.append(LevelScore(Estimate(mean, None, None), runs))
            continue
        shift = mean - apart.value
        found.append(LevelScore(Estimate(mean, low + shift, high + shift), runs))
    return found
