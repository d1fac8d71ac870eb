"""Where numbers fall on an axis, and which of them are written beside it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median_low

import numpy as np
from jaxtyping import Float64

from manyheads.core.text import minus

Tick = tuple[float, str]  # a place along an axis, and the words beside it


@dataclass(frozen=True)
class Scale:
    """A linear axis: `low` lies at `start` and `high` at `end`, in the drawing's own units."""

    low: float
    high: float
    start: float
    end: float

    def at(self, value: float) -> float:
        """Where `value` lies; what is beyond the axis lies at its end."""
        share = (min(max(value, self.low), self.high) - self.low) / (self.high - self.low)
        return round(self.start + share * (self.end - self.start), 2)

    def holds(self, value: float) -> bool:
        """Whether `value` lies on the axis."""
        return self.low <= value <= self.high


def round_ticks(low: float, high: float, count: int = 5) -> list[Tick]:
    """Round numbers on an axis from `low` to `high`, some `count` of them."""
    step = nice_step((high - low) / max(1, count))
    digits = max(0, -math.floor(math.log10(step) + 1e-9))
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    places = (number * step for number in range(first, last + 1))
    return [(place, minus(f"{place + 0.0:.{digits}f}")) for place in places]


def whole_ticks(low: float, high: float, count: int = 7) -> list[Tick]:
    """Whole numbers on an axis of what is counted, such as epochs: 1, and round ones."""
    step = max(1, round(nice_step((high - low) / count)))
    places = [1, *(n for n in range(step, math.floor(high) + 1, step) if n > 1)]
    return [(float(place), f"{place:,}") for place in places]


def nice_step(step: float) -> float:
    """The least of 1, 2, 5 × a power of ten that is at least `step`, which is positive."""
    power = 10.0 ** math.floor(math.log10(step))
    return next(n * power for n in (1, 2, 5, 10) if n * power >= step * (1 - 1e-9))


def padded(low: float, high: float, share: float = 0.05) -> tuple[float, float]:
    """`low` and `high` with room at both ends; a single number gets some room too."""
    room = share * (high - low) or 0.05 * abs(high) or 0.05
    return low - room, high + room


def epoch_limits(longest: int) -> tuple[float, float]:
    """Limits of an axis of the epochs 1 to `longest`, with room for marks at both ends."""
    return padded(1, longest, 0.03)


def loss_limits(curves: Sequence[Float64[np.ndarray, "..."]]) -> tuple[float, float]:
    """Limits that keep curves of enormous losses from flattening the others.

    Curves of less than twice the usual loss are never cut, however little each of them changes, nor
    is where training usually begins: a loss that stays there has learnt nothing.
    """
    low, high = min(float(c.min()) for c in curves), max(float(c.max()) for c in curves)
    usual = median_low([float(np.quantile(c, 0.95)) for c in curves])
    if usual <= 0:
        return padded(low, high)
    begins = median_low([float(np.median(c[..., 0])) for c in curves])
    return padded(low, min(high, max(low + 3 * (usual - low), 2 * usual, 1.2 * begins)))
