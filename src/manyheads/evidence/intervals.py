"""How sure a score is: 95 % intervals of shares, and of anything else by the bootstrap.

What varies by chance is which units were drawn: images of one content or one group belong
together and are one unit, because they tell the same thing again.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Bool, Float64, Int64

LEVEL = 0.95
RESAMPLES = 2000
_AT_ONCE = 4_000_000  # numbers in one block of resamples

Units = Int64[np.ndarray, "images"]


@dataclass(frozen=True)
class Estimate:
    """A score with its 95 % interval; `low` and `high` are None where nothing can be said."""

    value: float
    low: float | None
    high: float | None


def wilson(share: Any, count: Any) -> tuple[Any, Any]:
    """The ends of Wilson's score interval of a `share` in [0, 1] of `count` draws.

        (p + z²/2n ± z √(p(1 − p)/n + z²/4n²)) / (1 + z²/n),  z = 1.95996  (Wilson 1927)

    Both may be arrays, `count` need not be whole; NaN for a count of zero.
    """
    from scipy.special import ndtri

    z = float(ndtri((1 + LEVEL) / 2))
    share, count = np.broadcast_arrays(np.asarray(share, np.float64), np.asarray(count, np.float64))
    count = np.where(count > 0, count, np.nan)
    middle = (share + z**2 / (2 * count)) / (1 + z**2 / count)
    half = z * np.sqrt(share * (1 - share) / count + z**2 / (4 * count**2)) / (1 + z**2 / count)
    # At the ends the formula gives 0 and 1 but for rounding.
    low = np.where(share == 0, 0 * count, np.maximum(middle - half, 0))
    high = np.where(share == 1, 1 + 0 * count, np.minimum(middle + half, 1))
    return low[()], high[()]


def share_estimate(hits: Bool[np.ndarray, "images"], units: Units) -> Estimate:
    """The share of `hits`, of at least one, with Wilson's interval for independent draws.

    As many as there are images, if each is a unit. Where units hold several, their number is
    divided by the design effect (Kish 1965): how many times the variance between units is that of
    as many independent images. If all or none are hits that cannot be told, and units count.
    """
    share, images = float(np.mean(hits)), len(hits)
    place = np.unique(units, return_inverse=True)[1]
    sizes, sums = np.bincount(place), np.bincount(place, hits)
    independent = images * share * (1 - share)
    between = float(((sums - share * sizes) ** 2).sum())
    effect = max(1.0, between / independent) if independent else images / len(sizes)
    low, high = wilson(share, images / effect)
    return Estimate(share, float(low), float(high))


def mixture(shares: Float64[np.ndarray, "parts"], parts: Sequence[Estimate]) -> Estimate:
    """`Σ share × value` of independent parts, its interval put together from theirs.

        value − √Σ share² (value_c − low_c)²,  value + √Σ share² (high_c − value_c)²

    (Newcombe 1998; Zou and Donner 2008.) It is not empty where every part is all hits, as one by
    resampling would be. `shares` sum to one, and every part has an interval.
    """
    values, lows, highs = (
        np.array([getattr(part, name) for part in parts]) for name in ("value", "low", "high")
    )
    value = float(shares @ values)
    below = np.sqrt((shares**2 * (values - lows) ** 2).sum())
    above = np.sqrt((shares**2 * (highs - values) ** 2).sum())
    return Estimate(value, float(max(value - below, 0)), float(min(value + above, 1)))


def bootstrap(
    scores: Callable[[Float64[np.ndarray, "*stack images"]], dict[str, Any]],
    units: Units,
    *,
    seed: int = 0,
    resamples: int = RESAMPLES,
) -> dict[str, Estimate]:
    """What `scores` gives for all images, with intervals by resampling whole units.

    `scores` maps weights `[..., images]`, how often each image was drawn, to values `[...]` by
    name, none of which is negative. The interval is the basic one, from `2θ − q₉₇.₅` to
    `2θ − q₂.₅` of the resamples' values (Davison and Hinkley 1997, section 5.2): it takes off the
    upward bias of the expected calibration error, which percentiles would add once more. Where
    resamples do not differ, as those of one unit, or of images that are all right, there is none.
    """
    random = np.random.default_rng(seed)
    place = np.unique(units, return_inverse=True)[1]
    count = int(place.max(initial=-1)) + 1
    values = scores(np.ones(len(units)))
    drawn: dict[str, list[Any]] = {name: [] for name in values}
    step = max(1, _AT_ONCE // max(1, len(units)))
    for start in range(0, resamples if count > 1 else 0, step):
        rows = min(step, resamples - start)
        weights = random.multinomial(count, np.full(count, 1 / count), rows)[:, place]
        for name, value in scores(weights.astype(np.float64)).items():
            drawn[name].append(value)
    return {name: _basic(float(value), drawn[name]) for name, value in values.items()}


def _basic(value: float, drawn: list[Any]) -> Estimate:
    values = np.concatenate(drawn) if drawn else np.array([value])
    tail = (1 - LEVEL) / 2
    low, high = np.quantile(values, [tail, 1 - tail])
    if low == high:
        return Estimate(value, None, None)
    return Estimate(value, max(2 * value - float(high), 0.0), 2 * value - float(low))
