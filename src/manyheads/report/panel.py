"""A plot as plain values: what the page draws as SVG and a paper's figure by matplotlib."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from jaxtyping import Float64

Points = Float64[np.ndarray, "points"]


@dataclass(frozen=True, kw_only=True)
class Series:
    """Points of one thing, all finite, `x` ascending; `low` and `high` are its band or its bars.

    A `line` is drawn with a band, `points` with bars, a `reference` thin, grey and without either.
    `style` is its place among colours, dashes and marks, and what toggles show and hide together.
    Raises `ValueError` for arrays that differ in length or are not finite.
    """

    name: str
    x: Points
    y: Points
    low: Points | None = None
    high: Points | None = None
    drawn: Literal["line", "points", "reference"] = "line"
    style: int = 0
    strong: bool = False

    def __post_init__(self) -> None:
        given = [array for array in (self.x, self.y, self.low, self.high) if array is not None]
        if len({np.shape(array) for array in given}) > 1 or np.ndim(self.x) != 1:
            raise ValueError(f"arrays of equal length for {self.name!r}")
        if not all(np.isfinite(array).all() for array in given):
            raise ValueError(f"finite numbers for {self.name!r}")


@dataclass(frozen=True, kw_only=True)
class Panel:
    """One pair of axes with its series; limits that are None are chosen from the points.

    `x_ticks` are places along `x` with the words beside them, where round numbers would not do.
    `description` says in words what a reader sees, for those who do not see it.
    """

    title: str
    x_label: str
    y_label: str
    series: tuple[Series, ...]
    description: str
    x_limits: tuple[float, float] | None = None
    y_limits: tuple[float, float] | None = None
    x_ticks: tuple[tuple[float, str], ...] = ()
