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


def normal_quantile() -> float:
    """What a normal variable exceeds in size with a chance of 5 %: 1.95996."""
    from scipy.special import ndtri

    return float(ndtri((1 + LEVEL) / 2))


def wilson(share: Any, count: Any) -> tuple[Any, Any]:
    """The ends of Wilson's score interval of a `share` in [0, 1] of `count` draws.

        (p + z²/2n ± z √(p(1 − p)/n + z²/4n²)) / (1 + z²/n),  z = 1.95996  (Wilson 1927)

    Both may be arrays, `count` need not be whole; NaN for a count of zero.
    """
    z = normal_quantile()
    share, count = np.broadcast_arrays(np.asarray(share, np.float64), np.asarray(count, np.float64))
    count = np.where(count > 0, count, np.nan)
    middle = (share + z**2 / (2 * count)) / (1 + z**2 / count)
    half = z * np.sqrt(share * (1 - share) / count + z**2 / (4 * count**2)) / (1 + z**2 / count)
    # At the ends the formula gives 0 and 1 but for rounding.
    low = np.where(share == 0, 0 * count, np.maximum(middle - half, 0))
    high = np.where(share == 1, 1 + 0 * count, np.minimum(middle + half, 1))
    return low[()], high[()]


def independent_draws(hits: Bool[np.ndarray, "images"], units: Units) -> float:
    """The independent draws that images amount to, by the design effect of their units.

    That is how many times the variance between units is that of as many independent images (Kish
    1965, section 5.4), and at least 1. If all or none are hits it cannot be told, and the images of
    a unit count as one.
    """
    mixed = 0 < hits.sum() < len(hits)
    parts = hits - hits.mean() if mixed else np.ones(len(hits))
    return len(hits) / _effect(parts, units, np.arange(len(hits)))


def share_estimate(hits: Bool[np.ndarray, "images"], units: Units) -> Estimate:
    """The share of `hits`, of at least one, with Wilson's interval for `independent_draws`."""
    share = float(hits.mean())
    low, high = wilson(share, independent_draws(hits, units))
    return Estimate(share, float(low), float(high))


def at_the_border(estimate: Estimate, units: int) -> Estimate:
    """A mean share of `units` with Wilson's interval, where resamples do not differ.

    Where all units are right, or all wrong, resampling them gives the same share again, as if it
    were certain; of 8 right answers in 8, Wilson's interval is [0.68, 1].
    """
    if estimate.low is not None or estimate.high is not None or units < 2:
        return estimate
    low, high = wilson(estimate.value, units)
    return Estimate(estimate.value, float(low), float(high))


def stratified_estimate(
    hits: Bool[np.ndarray, "images"],
    units: Units,
    labels: Int64[np.ndarray, "images"],
    shares: Float64[np.ndarray, "classes"],
) -> Estimate:
    """The share of `hits` if the classes had these `shares`, with an interval by class.

        value ± z √V + (2z² + 1)/6 · M / V    V = Σ_c share_c² q_c / n_c,  q_c = p_c (1 − p_c)
                                              M = Σ_c share_c³ q_c (1 − 2 p_c) / n_c²

    `value` is `Σ_c share_c k_c / n_c`, k_c hits of n_c images; `p_c = (k_c + ½) / (n_c + 1)` in V
    and M, so that a class whose answers are all right is not taken for certain. The last term
    corrects for the skewness of a share near 0 or 1, of which M is the third moment (Johnson 1978;
    Hall 1992). What classes without images would weigh is left to the others. Of units with several
    images, n_c is divided by the class's design effect and by that of units in several classes. The
    interval holds the value and stays in [0, 1].
    """
    present, place = np.unique(labels, return_inverse=True)
    share = shares[present] / shares[present].sum()
    images = np.bincount(place)
    recall = np.bincount(place, hits) / images
    value = min(1.0, float(share @ recall))
    own = [place == number for number in range(len(present))]
    draws = np.array([independent_draws(hits[each], units[each]) for each in own])
    draws /= _across(hits - recall[place], (share / images)[place], units, place)
    p = (recall * draws + 0.5) / (draws + 1)
    parts = share**2 * p * (1 - p) / draws
    variance = parts.sum()
    z = normal_quantile()
    skew = (2 * z**2 + 1) / 6 * (parts * share * (1 - 2 * p) / draws).sum() / variance
    low, high = value + skew - z * np.sqrt(variance), value + skew + z * np.sqrt(variance)
    return Estimate(value, float(max(0, min(low, value))), float(min(1, max(high, value))))


def _across(
    residuals: Float64[np.ndarray, "images"],
    weights: Float64[np.ndarray, "images"],
    units: Units,
    classes: Int64[np.ndarray, "images"],
) -> float:
    """The design effect of units with images in several classes, 1 without any."""
    parts = weights * residuals if residuals.any() else weights
    inside = np.unique(np.stack([units, classes]), axis=1, return_inverse=True)[1]
    return _effect(parts, units, inside)


def _effect(parts: np.ndarray, units: Units, finer: np.ndarray) -> float:
    """How many times the variance between units is that between `finer` ones; at least 1."""
    between, inside = (
        (np.bincount(np.unique(each, return_inverse=True)[1], parts) ** 2).sum()
        for each in (units, finer)
    )
    return max(1.0, float(between / inside)) if inside > 0 else 1.0


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
    resamples that have a value. Those named in `biased` are too high by chance alone, and higher
    still in resamples: of them it is mirrored at the value, from `2θ − q₉₇.₅` to `2θ − q₂.₅`
    (Davison and Hinkley 1997,
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
    values = values[np.isfinite(values)] if np.isfinite(values).any() else np.array([value])
    tail = (1 - LEVEL) / 2
    low, high = np.quantile(values, [tail, 1 - tail])
    if low == high:
        return Estimate(value, None, None)
    if biased:
        low, high = max(2 * value - high, 0.0), 2 * value - low
    return Estimate(value, float(low), float(high))
