"""A plot as plain values, from which the page's SVG, the figure files and the text are drawn."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np
from jaxtyping import Float64

from manyheads.report.scales import Tick, padded, round_ticks, whole_ticks

Points = Float64[np.ndarray, "points"]
_MARKS_EACH = 5  # on a line, so that it is known by its marks too


@dataclass(frozen=True, kw_only=True)
class Series:
    """Points of one thing, all finite, `x` ascending; `low` and `high` are its band or its bars.

    A `line` is drawn with a band, `points` with bars, `dots` small and pale and a `reference` thin
    and grey, both without either. `style` is its place among colours, dashes and marks, and what
    toggles show and hide together. A line has a hollow mark where it passes `highlight`, a place
    along `x`, if it goes so far; a point there has a ring.
    Raises `ValueError` for arrays that differ in length or are not finite.
    """

    name: str
    x: Points
    y: Points
    low: Points | None = None
    high: Points | None = None
    drawn: Literal["line", "points", "dots", "reference"] = "line"
    style: int = 0
    strong: bool = False
    highlight: float | None = None

    def __post_init__(self) -> None:
        given = [array for array in (self.x, self.y, self.low, self.high) if array is not None]
        if len({np.shape(array) for array in given}) > 1 or np.ndim(self.x) != 1:
            raise ValueError(f"arrays of equal length for {self.name!r}")
        if not all(np.isfinite(array).all() for array in given):
            raise ValueError(f"finite numbers for {self.name!r}")

    @property
    def highlight_point(self) -> tuple[float, float] | None:
        """Where the hollow mark lies, on the line; None for none."""
        if self.highlight is None or not self.x[0] <= self.highlight <= self.x[-1]:
            return None
        return self.highlight, float(np.interp(self.highlight, self.x, self.y))

    @property
    def marked(self) -> list[int]:
        """The points with a mark: all, or of a line a few, at other places than its neighbours'."""
        if self.drawn in ("reference", "dots"):
            return []
        count = len(self.x)
        step = count / _MARKS_EACH
        if self.drawn == "points" or step <= 1:
            return list(range(count))
        first = step * (0.15 + 0.7 * (self.style * 0.382 % 1))
        return [int(first + step * number) for number in range(_MARKS_EACH)]


class Axis(NamedTuple):
    """An axis from `low` to `high`, and the places along it that have words."""

    low: float
    high: float
    ticks: tuple[Tick, ...]


@dataclass(frozen=True, kw_only=True)
class Panel:
    """One pair of axes with its series; limits that are None are chosen from the points.

    `x_ticks` are places along `x` with the words beside them, where round numbers would not do; if
    `x` is `counted` from 1, as epochs are, they are whole. `highlight` and `strong` say what hollow
    marks or rings and strong lines mean.
    `description` says in words what a reader sees, for those who do not see it.

    What lies beyond the limits is left out in files; on the page, where a pointer reads it, it is
    drawn along the edge.
    """

    title: str
    x_label: str
    y_label: str
    series: tuple[Series, ...]
    description: str
    x_limits: tuple[float, float] | None = None
    y_limits: tuple[float, float] | None = None
    x_ticks: tuple[Tick, ...] = ()
    counted: bool = False
    highlight: str = ""
    strong: str = ""

    @property
    def x_axis(self) -> Axis:
        """The axis along `x`."""
        low, high = self.x_limits or padded(*self._extent("x"))
        ticks = whole_ticks(low, high) if self.counted else round_ticks(low, high)
        return Axis(low, high, self.x_ticks or tuple(ticks))

    @property
    def y_axis(self) -> Axis:
        """The axis along `y`, with room for bands and bars."""
        low, high = self.y_limits or padded(*self._extent("y", "low", "high"))
        return Axis(low, high, tuple(round_ticks(low, high, 7)))

    @property
    def highlight_words(self) -> str:
        """What the hollow marks mean; empty where there are none."""
        return self.highlight if any(each.highlight_point for each in self.series) else ""

    @property
    def in_order(self) -> list[Series]:
        """The series in the order to draw them: references lie below, strong lines on top."""
        return sorted(self.series, key=lambda s: (s.drawn != "reference", s.strong))

    def _extent(self, *names: str) -> tuple[float, float]:
        arrays = [getattr(series, name) for series in self.series for name in names]
        every = np.concatenate([array for array in arrays if array is not None and array.size])
        return float(every.min()), float(every.max())
