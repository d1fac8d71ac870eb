"""Drawing images and seeds anew, together, for scores that are no means over images."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from jaxtyping import Float64, Int64

Statistic = Callable[[Int64[np.ndarray, "seeds"], Int64[np.ndarray, "images"]], float]


def resample(
    statistic: Statistic,
    *,
    seeds: int,
    units: Int64[np.ndarray, "images"],
    draws: int = 1000,
    seed: int = 0,
) -> Float64[np.ndarray, "draws"]:
    """`statistic` of seeds and units drawn anew with replacement, both at once, `draws` times.

    It is given indexes of seeds and of images, each as often as it was drawn; images of a unit
    come together. The same `seed` gives the same draws. Of a mean, the variance over draws counts
    the interaction of images and seeds three times instead of once (Owen 2007, The pigeonhole
    bootstrap), so it errs to the careful side; of balanced accuracy, macro F1 or a calibration
    error there is no closed form to use instead.
    """
    random = np.random.Generator(np.random.Philox(seed))
    _, unit, sizes = np.unique(units, return_inverse=True, return_counts=True)
    members = np.split(np.argsort(unit, kind="stable"), np.cumsum(sizes)[:-1])
    drawn = np.empty(draws)
    for number in range(draws):
        chosen = random.integers(0, len(sizes), len(sizes))
        images = np.concatenate([members[each] for each in chosen])
        drawn[number] = statistic(random.integers(0, seeds, seeds), images)
    return drawn
