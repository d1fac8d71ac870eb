"""Curves as text, for a terminal or a file that takes no pictures."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

_BARS = "▁▂▃▄▅▆▇█"
MARKS = "●○■□▲△◆◇"


def sparkline(values: Sequence[float], low: float, high: float) -> str:
    """`values` as bars, one character each, from `low` (the lowest bar) to `high`."""
    span = high - low or 1.0
    places = [round((value - low) / span * (len(_BARS) - 1)) for value in values]
    return "".join(_BARS[min(max(place, 0), len(_BARS) - 1)] for place in places)


def line_chart(
    curves: Sequence[tuple[str, Sequence[float]]], *, height: int = 11, width: int = 60
) -> str:
    """Labelled curves of equal length over their index from 1, as lines of text with a legend.

    Where curves meet, the later one is seen. At most `len(MARKS)` curves.
    """
    values = np.array([curve for _, curve in curves], np.float64)
    low, high = float(values.min()), float(values.max())
    span = high - low or 1.0
    count = values.shape[1]
    grid = [[" "] * width for _ in range(height)]
    for mark, curve in zip(MARKS, values, strict=False):
        for column in range(width):
            value = np.interp(column / max(1, width - 1) * (count - 1), np.arange(count), curve)
            grid[round((high - value) / span * (height - 1))][column] = mark
    lines = []
    for row, cells in enumerate(grid):
        tick = high - span * row / (height - 1)
        lines.append(f"{tick:6.3f} ┤{''.join(cells).rstrip()}")
    lines.append(f"{'':6} └{'─' * width}")
    last = str(count)
    lines.append(f"{'':8}1{' ' * max(1, width - 1 - len(last))}{last}")
    legend = "   ".join(f"{mark} {name}" for mark, (name, _) in zip(MARKS, curves, strict=False))
    return "\n".join([*lines, f"{'':8}{legend}"])
