"""A heat map as plain values: a number in each cell, the stronger its colour the greater it is."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64

from manyheads.report.panel import Axis

Cells = Float64[np.ndarray, "rows columns"]


@dataclass(frozen=True, kw_only=True)
class HeatMap:
    """Numbers by row and column; the first row is the lowest, a NaN is an empty cell.

    `ringed` is the row and column of one cell, and `highlight` says what its ring means.
    `description` says in words what a reader sees, for those who do not see it. Raises
    `ValueError` for `values` of another shape than (rows, columns) and for empty cells alone.
    """

    title: str
    x_label: str
    y_label: str
    columns: tuple[str, ...]
    rows: tuple[str, ...]
    values: Cells
    description: str
    ringed: tuple[int, int] | None = None
    highlight: str = ""

    def __post_init__(self) -> None:
        if self.values.shape != (len(self.rows), len(self.columns)):
            raise ValueError(f"a number for each of {len(self.rows)} × {len(self.columns)} cells")
        if not np.isfinite(self.values).any():
            raise ValueError("a number in one cell at least")

    @property
    def x_axis(self) -> Axis:
        """The columns, each as wide as 1, around whole numbers from 0."""
        return Axis(-0.5, len(self.columns) - 0.5, tuple(_numbered(self.columns)))

    @property
    def y_axis(self) -> Axis:
        """The rows, likewise, the first at the bottom."""
        return Axis(-0.5, len(self.rows) - 0.5, tuple(_numbered(self.rows)))

    @property
    def shares(self) -> Cells:
        """Where each number lies between the least, 0, and the greatest, 1."""
        low, high = np.nanmin(self.values), np.nanmax(self.values)
        return (self.values - low) / (high - low) if high > low else self.values * 0 + 0.5

    @property
    def highlight_words(self) -> str:
        """What the ring means; empty where there is none."""
        return self.highlight if self.ringed else ""


def _numbered(words: tuple[str, ...]):
    return ((float(place), each) for place, each in enumerate(words))
