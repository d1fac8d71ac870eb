"""How often methods for a variance of two parts declare what is not there, for any parts.

A difference without truth is normal with variance `images + interaction + seeds`. Images and
interaction are known; seeds with the interaction are estimated by χ² with seeds − 1 degrees of
freedom. Given the estimate, the chance of a declaration is exact.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from scipy.special import ndtr, stdtrit

from manyheads.stats.behrens_fisher import half_width

IMAGES = (0.0, 0.3, 1.0, 3.0, 10.0)  # variances, that of the interaction being 1
OF_SEEDS = (0.0, 0.3, 1.0, 3.0, 10.0)
_DRAWS = 20_000
_MANY = 1e9  # degrees of freedom of images

Width = Callable[[np.ndarray, np.ndarray, int, float], np.ndarray]


def satterthwaite(images: np.ndarray, heads: np.ndarray, df: int, level: float) -> np.ndarray:
    """Student's t with degrees of freedom that match the variance of the sum (1946)."""
    total = images + heads
    return stdtrit(df * total**2 / heads**2, 1 - level / 2) * np.sqrt(total)


def cochran_cox(images: np.ndarray, heads: np.ndarray, df: int, level: float) -> np.ndarray:
    """The mean of both quantiles, weighted by the parts (1950)."""
    few, many = stdtrit(df, 1 - level / 2), stdtrit(_MANY, 1 - level / 2)
    return (images * many + heads * few) / np.sqrt(images + heads)


def behrens_fisher(images: np.ndarray, heads: np.ndarray, df: int, level: float) -> np.ndarray:
    """What manyheads does; interpolated, as the width depends on the share of heads alone."""
    share = np.linspace(0, 1, 100) ** 2
    widths = half_width(1 - share, share, np.asarray(_MANY), np.asarray(float(df)), 1 - level)
    total = images + heads
    return np.interp(heads / total, share, widths) * np.sqrt(total)


METHODS: dict[str, Width] = {
    "Satterthwaite": satterthwaite,
    "Cochran and Cox": cochran_cox,
    "Behrens and Fisher": behrens_fisher,
}


def worst(method: Width, seeds: int, level: float) -> float:
    """The greatest ratio of declarations to the level, over all parts."""
    random, found = np.random.default_rng(0), []
    for images in IMAGES:
        for of_seeds in OF_SEEDS:
            heads = (of_seeds + 1) * random.chisquare(seeds - 1, _DRAWS) / (seeds - 1)
            variance = np.maximum(images + heads, images + 1)
            width = method(variance - heads, heads, seeds - 1, level)
            true = np.sqrt(images + of_seeds + 1)
            found.append(2 * ndtr(-width / true).mean() / level)
    return max(found)
