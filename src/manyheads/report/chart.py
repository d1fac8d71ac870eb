"""Panels as text, for a terminal or a file that takes no pictures."""

from __future__ import annotations

import numpy as np

from manyheads.report.panel import Panel

MARKS = "●○■□▲△◆◇"


def line_chart(panel: Panel, *, height: int = 11, width: int = 60) -> str:
    """A panel's lines, without their bands, as lines of text with a legend.

    The axes go as far as the lines do. Where these meet, the later one is seen. At most
    `len(MARKS)` of them are drawn.
    """
    lines = [series for series in panel.series if series.drawn == "line"][: len(MARKS)]
    first, last = min(line.x[0] for line in lines), max(line.x[-1] for line in lines)
    places = np.linspace(first, last, width)
    curves = [np.interp(places, line.x, line.y, right=np.nan) for line in lines]
    low, high = min(line.y.min() for line in lines), max(line.y.max() for line in lines)
    span = high - low or 1.0
    grid = [[" "] * width for _ in range(height)]
    for mark, curve in zip(MARKS, curves, strict=False):
        for column in np.flatnonzero(np.isfinite(curve)):
            grid[round((high - curve[column]) / span * (height - 1))][column] = mark
    rows = [
        f"{high - span * row / (height - 1):6.3f} ┤{''.join(cells).rstrip()}"
        for row, cells in enumerate(grid)
    ]
    rows.append(f"{'':6} └{'─' * width}")
    end = f"{last:,.0f}"
    rows.append(f"{'':8}{first:,.0f}{' ' * max(1, width - 1 - len(end))}{end}")
    legend = "   ".join(f"{mark} {line.name}" for mark, line in zip(MARKS, lines, strict=False))
    return "\n".join([*rows, f"{'':8}{legend}"])
