"""How sure a score is: 95 % intervals of shares, and of anything else by the bootstrap.

What varies by chance is which units were drawn: images of one content or one group belong
together and are one unit, because they tell the same thing again.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
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


def share_estimate(
    hits: Bool[np.ndarray, "images"],
    units: Units,
    weights: Float64[np.ndarray, "images"] | None = None,
) -> Estimate:
    """The share of `hits`, of at least one, with Wilson's interval for independent draws.

    Images count by their positive `weights`, if given, and amount to `(Σ w)² / Σ w²` draws of equal
    weight. Where units hold several, that is divided by their design effect: how many times the
    variance between units is that of as many independent images (Kish 1965, sections 5.4, 11.7).
    If all or none are hits that cannot be told, and the images of a unit count as one.
    """
    weights = np.ones(len(hits)) if weights is None else weights
    share = float((weights * hits).sum() / weights.sum())
    place = np.unique(units, return_inverse=True)[1]
    parts = weights * (hits - share) if 0 < hits.sum() < len(hits) else weights
    effect = max(1.0, float((np.bincount(place, parts) ** 2).sum() / (parts**2).sum()))
    low, high = wilson(share, weights.sum() ** 2 / (weights**2).sum() / effect)
    return Estimate(share, float(low), float(high))


def bootstrap(
    scores: Callable[[Float64[np.ndarray, "*stack images"]], dict[str, Any]],
    units: Units,
    *,
    biased: Collection[str] = (),
    seed: int = 0,
    resamples: int = RESAMPLES,
) -> dict[str, Estimate]:
    """What `scores` gives for all images, with intervals by resampling whole units.

    `scores` maps weights `[..., images]`, how often each image was drawn, to values `[...]` by
    name, none of them negative. The interval reaches from the 2.5 % to the 97.5 % quantile of the
    resamples. Those named in `biased` are too high by chance alone, and higher still in resamples:
    of them it is mirrored at the value, from `2θ − q₉₇.₅` to `2θ − q₂.₅` (Davison and Hinkley 1997,
    section 5.2). Where resamples do not differ, as those of a single unit, there is none.
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
    return {
        name: _estimate(float(value), drawn[name], name in biased) for name, value in values.items()
    }


def _estimate(value: float, drawn: list[Any], biased: bool) -> Estimate:
    values = np.concatenate(drawn) if drawn else np.array([value])
    tail = (1 - LEVEL) / 2
    low, high = np.quantile(values, [tail, 1 - tail])
    if low == high:
        return Estimate(value, None, None)
    if biased:
        low, high = max(2 * value - high, 0.0), 2 * value - low
    return Estimate(value, float(low), float(high))
