"""The designs that the main effects of factors are fitted in, one for each factor.

A factor has levels, each with a column, or places on a scale, along which its effect is a line with
kinks. How many kinks a factor has is chosen by generalised cross-validation.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64, Int64

from manyheads.stats.variance_shares import Design, Means

_COST = 1.4  # of a column in the cross-validation: above 1 it chooses smoother (Kim and Gu 2004)
_FINEST = 4  # times that the scale is halved: 15 kinks
_MOST = 1 / 3  # columns of all designs for each candidate, where they are a choice


@dataclass(frozen=True)
class Factor:
    """What each candidate has of a factor.

    `levels` are counted from 0, −1 where the factor has no effect; `places` lie in [0, 1] on a
    scale within the level, NaN where the level is a single value.
    """

    levels: Int64[np.ndarray, "candidates"]
    places: Float64[np.ndarray, "candidates"]

    @property
    def has_scale(self) -> bool:
        """Whether any candidate has a place on a scale."""
        return bool(np.isfinite(self.places).any())

    def design(self, halvings: int) -> Design:
        """Columns for the levels, and for a scale a line and hats of its halves, quarters, ….

        A hat is 1 at its middle and 0 beyond its neighbours. Columns have the mean 0 over the
        candidates in which the factor has an effect, and are 0 for the others.
        """
        present = [each for each in np.unique(self.levels) if each >= 0]
        columns = [self.levels == each for each in present[1:]]
        where = np.isfinite(self.places)
        places = np.where(where, self.places, 0.0)
        columns += [where * (2 * places - 1)] if self.has_scale else []
        for halving in range(1, halvings + 1):
            width = 0.5**halving
            middles = np.arange(width, 1, 2 * width)
            columns += [where * np.maximum(0, 1 - abs(places - m) / width) for m in middles]
        active = self.levels >= 0
        if not columns or not active.any():
            return np.zeros((len(self.levels), 0))
        design = np.array(columns, np.float64).T
        return np.where(active[:, None], design - design[active].mean(axis=0), 0.0)


def fitted_designs(factors: Sequence[Factor], means: Means) -> list[Design]:
    """A design for each factor, those on a scale as fine as the means ask for.

    From one kink each, or none where there are few candidates, the scale is halved for the factor
    that gains most, as long as `RSS / (1 − 1.4 p / C)²` falls (p columns, C candidates).
    """
    count, scales = len(means), [place for place, each in enumerate(factors) if each.has_scale]
    halvings = dict.fromkeys(scales, 1)
    designs = _designs(factors, halvings)
    if sum(each.shape[1] for each in designs) > _MOST * count:
        halvings = dict.fromkeys(scales, 0)
        designs = _designs(factors, halvings)
    best = _error(designs, means)
    while True:
        found = []
        for place in scales:
            if halvings[place] < _FINEST:
                finer = halvings | {place: halvings[place] + 1}
                found.append((_error(_designs(factors, finer), means), place, finer))
        if not found or min(found)[0] >= best:
            return designs
        best, _, halvings = min(found, key=lambda each: each[:2])
        designs = _designs(factors, halvings)


def _designs(factors: Sequence[Factor], halvings: dict[int, int]) -> list[Design]:
    return [each.design(halvings.get(place, 0)) for place, each in enumerate(factors)]


def _error(designs: Sequence[Design], means: Means) -> float:
    """The error of generalised cross-validation (Craven and Wahba 1979); infinite of too many."""
    whole = np.hstack([np.ones((len(means), 1)), *designs])
    free = 1 - _COST * whole.shape[1] / len(means)
    if free <= 0.1:
        return np.inf
    rest = means - whole @ np.linalg.lstsq(whole, means, rcond=None)[0]
    return float(rest @ rest) / free**2
