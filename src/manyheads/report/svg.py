"""Panels as shapes, in the units of an SVG; the templates write them as markup."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from manyheads.core.text import decimal
from manyheads.report.heat_map import HeatMap
from manyheads.report.palette import DASHES, MARKS, style_of
from manyheads.report.panel import Panel, Series
from manyheads.report.scales import Scale, Tick

# A panel is drawn at about its own size on a phone, and a third larger on a screen.
WIDTH, HEIGHT = 400, 282
LEFT, RIGHT, TOP, BOTTOM = 46, 390, 26, 240
_LETTER = 7  # the width of a letter, about
_LINE = 1.8  # the width of a line, as in report.css

# Each mark around the origin, some 8 units wide.
MARK_PATHS = {
    "circle": "M-4,0a4,4 0 1,0 8,0a4,4 0 1,0 -8,0z",
    "square": "M-3.5,-3.5h7v7h-7z",
    "triangle": "M0,-4.5l4.5,8h-9z",
    "diamond": "M0,-5l5,5l-5,5l-5,-5z",
    "plus": "M-1.4,-4.5h2.8v3.1h3.1v2.8h-3.1v3.1h-2.8v-3.1h-3.1v-2.8h3.1z",
    "cross": "M-4.2,-2.2l2,-2l2.2,2.2l2.2,-2.2l2,2l-2.2,2.2l2.2,2.2l-2,2l-2.2,-2.2l-2.2,2.2l-2,-2"
    "l2.2,-2.2z",
    "wedge": "M0,4.5l4.5,-8h-9z",
}


@dataclass(frozen=True)
class Style:
    """How a series looks: the number of its colour, its dashes, the path of its mark."""

    colour: int
    dash: str
    mark: str


@dataclass(frozen=True)
class DrawnSeries:
    """A series in the panel's units: `points` and `band` are an SVG's lists of points.

    `bars` are (x, top, bottom), `marks` and the `highlight` (x, y); `dots` is one path for all.
    """

    series: Series
    style: Style
    points: str
    band: str
    bars: tuple[tuple[float, float, float], ...]
    marks: tuple[tuple[float, float], ...]
    highlight: tuple[float, float] | None
    dots: str


@dataclass(frozen=True)
class DrawnPanel:
    """A panel with everything placed, the later series above the earlier and strong ones on top."""

    panel: Panel
    x_ticks: tuple[Tick, ...]
    y_ticks: tuple[Tick, ...]
    series: tuple[DrawnSeries, ...]


def style(place: int) -> Style:
    """The style of the series at `place`, counted from 0."""
    colour, dash, mark = style_of(place)
    lengths = " ".join(f"{_LINE * length:g}" for length in DASHES[dash])
    return Style(colour, lengths, MARK_PATHS[MARKS[mark]])


def draw_panel(panel: Panel) -> DrawnPanel:
    """Place a panel's ticks and series; what leaves its limits is drawn along its edge."""
    across, along = panel.x_axis, panel.y_axis
    x = Scale(across.low, across.high, LEFT, RIGHT)
    y = Scale(along.low, along.high, BOTTOM, TOP)
    return DrawnPanel(
        panel,
        tuple((x.at(place), words) for place, words in across.ticks),
        tuple((y.at(place), words) for place, words in along.ticks),
        tuple(_placed(series, x, y) for series in panel.in_order),
    )


def _placed(series: Series, x: Scale, y: Scale) -> DrawnSeries:
    across = [x.at(value) for value in series.x]
    points = [(place, y.at(value)) for place, value in zip(across, series.y, strict=True)]
    ends = []
    if series.low is not None and series.high is not None:
        ends = [
            (place, y.at(high), y.at(low))
            for place, low, high in zip(across, series.low, series.high, strict=True)
        ]
    line = series.drawn == "line"
    band = [(p, top) for p, top, _ in ends] + [(p, bottom) for p, _, bottom in reversed(ends)]
    highlight = series.highlight_point
    return DrawnSeries(
        series,
        style(series.style),
        _joined(points),
        _joined(band) if line else "",
        () if line else tuple(ends),
        tuple(points[place] for place in series.marked),
        highlight and (x.at(highlight[0]), y.at(highlight[1])),
        "".join(f"M{x:g},{y:g}h0" for x, y in points) if series.drawn == "dots" else "",
    )


class DrawnCell(NamedTuple):
    """A cell of a heat map: its corner, its middle, its number, its `share` of the strongest."""

    left: float
    top: float
    x: float
    y: float
    words: str
    share: float


@dataclass(frozen=True)
class DrawnHeatMap:
    """A heat map with everything placed; `ring` is the corner of the ringed cell."""

    panel: HeatMap
    left: float
    width: float
    height: float
    x_ticks: tuple[Tick, ...]
    y_ticks: tuple[Tick, ...]
    cells: tuple[DrawnCell, ...]
    ring: DrawnCell | None


def draw_heat_map(heat_map: HeatMap) -> DrawnHeatMap:
    """Place the cells of a heat map, with room for the words beside its rows."""
    across, along = heat_map.x_axis, heat_map.y_axis
    left = max(LEFT, 12 + _LETTER * max(map(len, heat_map.rows)))
    x, y = Scale(across.low, across.high, left, RIGHT), Scale(along.low, along.high, BOTTOM, TOP)
    cells = {
        (row, column): DrawnCell(
            x.at(column - 0.5), y.at(row + 0.5), x.at(column), y.at(row), decimal(value), share
        )
        for (row, column), value in np.ndenumerate(heat_map.values)
        if np.isfinite(share := round(float(heat_map.shares[row, column]), 3))
    }
    return DrawnHeatMap(
        heat_map,
        left,
        round((RIGHT - left) / len(heat_map.columns), 2),
        round((BOTTOM - TOP) / len(heat_map.rows), 2),
        tuple((x.at(place), words) for place, words in across.ticks),
        tuple((y.at(place), words) for place, words in along.ticks),
        tuple(cells.values()),
        cells.get(heat_map.ringed) if heat_map.ringed else None,
    )


def _joined(points: Sequence[tuple[float, float]]) -> str:
    return " ".join(f"{x:g},{y:g}" for x, y in points)
