"""Panels as figures by matplotlib, from the same plain values as the page's SVG."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from manyheads.core.places import atomic_path
from manyheads.core.text import decimal
from manyheads.report.fonts import drawable, fonts_for, shortened
from manyheads.report.heat_map import HeatMap
from manyheads.report.palette import COLOURS, DASHES, HEAT, HEAT_MOST, MARKS, SOFT, style_of
from manyheads.report.panel import Panel, Series

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.colors import Colormap
    from matplotlib.figure import Figure
    from matplotlib.lines import Line2D

MARKERS = {
    "circle": "o", "square": "s", "triangle": "^", "diamond": "D", "plus": "P", "cross": "X",
    "wedge": "v",
}  # fmt: skip
"""Matplotlib's markers for `palette.MARKS`."""

GREY = "#777777"
# Inches: of a panel with its words and of its axes, and what lies around these.
_WIDTH, _HEIGHT = 3.6, 2.1
_ABOVE, _BELOW, _BETWEEN, _BESIDE, _LETTER, _EDGE = 0.3, 0.5, 0.12, 0.34, 0.066, 0.06
_LEGEND_ROW, _TITLE_ROW = 0.18, 0.15
_REFERENCE, _LINE, _STRONG = 1.9, 2.0, 2.1  # from the back to the front
_PALE = 0.45  # dots
_LETTERS, _KEY, _LONGEST = 54, 8, 80  # of a legend below a panel: in a row, for a line, of a name


def prepare_figures() -> None:
    """Begin in the background to import what drawing needs: a third of a second.

    Python waits for it at its end, for it would abort amid an extension module's import.
    """

    def load() -> None:
        with suppress(ImportError):  # which drawing then shows
            for module in ("matplotlib.backends.backend_agg", "matplotlib.figure"):
                import_module(module)

    threading.Thread(target=load, name="figures").start()


@contextmanager
def drawing(texts: Iterable[str]) -> Iterator[None]:
    """Let figures that are made and saved inside look alike, with fonts that have all `texts`."""
    import matplotlib as mpl

    settings: Any = {"font.size": 9, "svg.hashsalt": "manyheads", "figure.dpi": 200}
    with mpl.rc_context(settings), fonts_for(texts):
        yield


def new_figure(width: float, height: float, layout: str | None = "constrained") -> Figure:
    """An empty figure of so many inches, to be written to a file or shown by a notebook."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    from manyheads.report.notebook_figure import NotebookFigure

    figure = NotebookFigure(figsize=(width, height), layout=layout)  # pyright: ignore[reportArgumentType]
    FigureCanvasAgg(figure)
    return figure


def heat_colours() -> Colormap:
    """The colours of shares from 0 to 1, as the page has them."""
    from matplotlib.colors import LinearSegmentedColormap, to_rgb

    heat, soft = np.array(to_rgb(HEAT)), np.array(to_rgb(SOFT))
    most = HEAT_MOST * heat + (1 - HEAT_MOST) * soft
    return LinearSegmentedColormap.from_list("heat", [to_rgb(SOFT), tuple(most.tolist())])


def save_figure(figure: Figure, path: Path) -> None:
    """Write a figure, whole or not at all, in the format of the name's ending.

    The same figure gives the same bytes. Raises `DiskError`.
    """
    undated = {"Date": None} if path.suffix == ".svg" else None
    with atomic_path(path) as temporary:
        figure.savefig(temporary, metadata=undated)


def panels_figure(panels: Sequence[Panel | HeatMap], title: str = "") -> Figure:
    """Panels, two in a row, under a title and above the legend of the first one's lines.

    What needs room is known beforehand: to have matplotlib find out takes as long as to draw.
    """
    columns = min(2, len(panels))
    entries = _legend_words(panels[0])
    across = _legend_columns(entries, columns)
    placed, above = list(_placed(panels, columns)), _title_height(title)
    below = _BELOW + _LEGEND_ROW * -(-len(entries) // across)
    width, height = columns * _WIDTH, above + placed[-1].top + _HEIGHT + below
    figure = new_figure(width, height, layout=None)
    lines = []
    for panel, left, right, top, with_words in placed:
        bottom = height - above - top - _HEIGHT
        axes = figure.add_axes(
            (left / width, bottom / height, (right - left) / width, _HEIGHT / height)
        )
        lines.append(_draw_panel(axes, panel, with_words))
    if entries:
        _draw_legend(figure, lines[0], entries, across)
    if title:
        figure.suptitle(title, y=1 - _EDGE / height, fontsize=9, parse_math=False)
    return figure


def _title_height(title: str) -> float:
    return _EDGE + _TITLE_ROW * len(title.splitlines()) if title else 0.0


class _Placed(NamedTuple):
    """Where a panel's axes lie, in inches from the left and the top, and whether `x` has words."""

    panel: Panel | HeatMap
    left: float
    right: float
    top: float
    with_words: bool


def _placed(panels: Sequence[Panel | HeatMap], columns: int) -> Iterator[_Placed]:
    """Row by row; a row has words below its axes unless the next row has the same below its own."""
    letters = [
        max(len(words) for each in panels[column::columns] for _, words in each.y_axis.ticks)
        for column in range(columns)
    ]
    top = _ABOVE
    for start in range(0, len(panels), columns):
        row, after = panels[start : start + columns], panels[start + columns :][:columns]
        with_words = [each.x_axis for each in row] != [each.x_axis for each in after]
        for column, panel in enumerate(row):
            left, right = column * _WIDTH, (column + 1) * _WIDTH
            beside = min(_BESIDE + letters[column] * _LETTER, _WIDTH / 2)
            yield _Placed(panel, left + beside, right - 2 * _EDGE, top, with_words)
        top += _HEIGHT + (_BELOW if with_words else _BETWEEN) + _ABOVE


def _legend_words(panel: Panel | HeatMap) -> list[str]:
    """What the panel's lines are called, in their order, and what a hollow mark or ring means."""
    if isinstance(panel, HeatMap):
        return [*filter(None, [panel.highlight_words])]
    lines = [series for series in panel.series if series.drawn == "line"]
    names = shortened([drawable(line.name) for line in lines], _LONGEST)
    strong = f" ({panel.strong})" if panel.strong else ""
    words = [name + strong * line.strong for name, line in zip(names, lines, strict=True)]
    return [*words, *filter(None, [panel.highlight_words])]


def _legend_columns(entries: Sequence[str], panels: int) -> int:
    """In how many columns a legend has room below so many panels in a row."""
    longest = max(map(len, entries), default=0) + _KEY
    return max(1, min(3, panels * _LETTERS // longest))


def _draw_legend(
    figure: Figure, lines: Sequence[Line2D], entries: Sequence[str], columns: int
) -> None:
    from matplotlib.lines import Line2D

    hollow = Line2D([], [], ls="", marker="o", color=GREY, mfc="white", mew=1.2, ms=6)
    legend = figure.legend(
        [*lines, hollow][: len(entries)], entries, loc="lower center", ncols=columns,
        frameon=False, fontsize=8,
    )  # fmt: skip
    for text in legend.get_texts():
        text.set_parse_math(False)


def _draw_panel(axes: Axes, panel: Panel | HeatMap, with_words: bool) -> list[Line2D]:
    """Draw it, with or without words below its axes; returns its lines in their order."""
    lines = []
    if isinstance(panel, HeatMap):
        _draw_cells(axes, panel)
    else:
        lines = [_draw_line(axes, series) for series in panel.series if series.drawn == "line"]
        for series in panel.series:
            if series.drawn != "line":
                _draw_points(axes, series)
        axes.grid(alpha=0.25, lw=0.6)
    axes.set_title(drawable(panel.title), loc="left", fontsize=10, parse_math=False)
    axes.set(xlabel=panel.x_label if with_words else "", ylabel=panel.y_label)
    x, y = panel.x_axis, panel.y_axis
    axes.set(xlim=(x.low, x.high), ylim=(y.low, y.high))
    axes.set_xticks([place for place, _ in x.ticks], [words for _, words in x.ticks])
    axes.tick_params(labelbottom=with_words)
    axes.set_yticks([place for place, _ in y.ticks], [words for _, words in y.ticks])
    axes.spines[["top", "right"]].set_visible(False)
    return lines


def _draw_line(axes: Axes, series: Series) -> Line2D:
    colour, dash, mark = style_of(series.style)
    ink, marker = COLOURS[colour], MARKERS[MARKS[mark]]
    above = _STRONG if series.strong else _LINE
    (line,) = axes.plot(
        series.x, series.y, color=ink, ls=(0, DASHES[dash]) if DASHES[dash] else "-",
        lw=2.0 if series.strong else 1.3, marker=marker, ms=3.5, markevery=series.marked,
        zorder=above,
    )  # fmt: skip
    if series.low is not None and series.high is not None:
        axes.fill_between(series.x, series.low, series.high, color=ink, alpha=0.14, lw=0)
    if (point := series.highlight_point) is not None:
        axes.plot(*point, marker, color=ink, mfc="white", mew=1.2, ms=6.5, zorder=above)
    return line


def _draw_points(axes: Axes, series: Series) -> None:
    if series.drawn == "reference":
        axes.plot(series.x, series.y, color=GREY, ls=(0, (3, 3)), lw=0.8, zorder=_REFERENCE)
        return
    colour, _, mark = style_of(series.style)
    ink, marker = COLOURS[colour], MARKERS[MARKS[mark]]
    if series.drawn == "dots":
        axes.plot(series.x, series.y, "o", color=ink, ms=3, mew=0, alpha=_PALE, zorder=_REFERENCE)
        return
    axes.plot(series.x, series.y, marker, color=ink, ms=4)
    if series.low is not None and series.high is not None:
        axes.vlines(series.x, series.low, series.high, color=ink, lw=1)
    if (point := series.highlight_point) is not None:
        axes.plot(*point, "o", color=ink, mfc="none", mew=1.2, ms=10, zorder=_STRONG)


def _draw_cells(axes: Axes, heat_map: HeatMap) -> None:
    axes.imshow(heat_map.shares, cmap=heat_colours(), vmin=0, vmax=1, origin="lower", aspect="auto")
    for (row, column), value in np.ndenumerate(heat_map.values):
        if np.isfinite(value):
            axes.text(column, row, decimal(value), ha="center", va="center", fontsize=7)
    if heat_map.ringed is not None:
        row, column = heat_map.ringed
        x, y = [column - 0.5, column + 0.5], [row - 0.5, row + 0.5]
        axes.plot(
            [x[0], x[1], x[1], x[0], x[0]], [y[0], y[0], y[1], y[1], y[0]],
            color="black", lw=1.6, clip_on=False, zorder=_STRONG,
        )  # fmt: skip
