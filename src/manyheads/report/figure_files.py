"""The figures of a report as PNG and SVG, for papers: what the page draws, by matplotlib."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from manyheads.core.places import atomic_path
from manyheads.core.text import capital
from manyheads.findings.wording import METRIC_WORDS, scale_of, unit_of
from manyheads.report.bounds import most_confused
from manyheads.report.content import ReportContent
from manyheads.report.differences import ComparisonPlot, comparison_plots
from manyheads.report.fonts import drawable, fonts_for, has_letters, shortened, write_key
from manyheads.report.palette import COLOURS, style_of
from manyheads.report.panel import Panel, Series
from manyheads.report.parts import Classes
from manyheads.report.plots import curve_panels, reliability_panel

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

FORMATS = ("png", "svg")

# In the order of `palette.DASHES` and `palette.MARKS`.
_LINES = ("-", (0, (4, 2)), (0, (1, 1.5)), (0, (5, 2, 1, 2)))
_MARKS = ("o", "s", "^", "D", "P", "X", "v")
_OUTCOMES = {
    "better": ("#0072B2", "^"),
    "worse": ("#D55E00", "v"),
    "equivalent": ("#009E73", "s"),
    "undecided": ("#59626d", "o"),
}


def write_figures(folder: Path, content: ReportContent) -> list[Path]:
    """Write `comparisons`, `curves`, `reliability` and `confusion` in each of `FORMATS`.

    Returns the files written, fewer where the content lacks a part; raises `DiskError` if one
    cannot be. The same content gives the same bytes.
    """
    import matplotlib as mpl

    written = []
    settings: Any = {"font.size": 9, "svg.hashsalt": "manyheads", "figure.dpi": 200}
    with mpl.rc_context(settings), fonts_for(_words_of(content)):
        for name, figure in _figures(content):
            for suffix in FORMATS:
                path = folder / f"{name}.{suffix}"
                dated = {"Date": None} if suffix == "svg" else None
                with atomic_path(path) as temporary:
                    figure.savefig(temporary, metadata=dated)
                written.append(path)
        if content.classes and (shown := _numbered(content.classes)):
            path = folder / "classes.txt"
            write_key(path, shown)
            written.append(path)
    return written


def _words_of(content: ReportContent) -> Iterator[str]:
    if content.classes:
        yield from (recall.name for recall in content.classes.recalls)


def _numbered(classes: Classes) -> list[str]:
    """All classes in their order, if names in the figure have letters that no font has."""
    names = [recall.name for recall in classes.recalls]
    shown = most_confused(classes.confusion)
    return [] if all(has_letters(names[place]) for place in shown) else names


def _figures(content: ReportContent) -> Iterator[tuple[str, Figure]]:
    if plots := comparison_plots(content.comparisons, content.selected):
        yield "comparisons", _comparisons(plots)
    if panels := list(curve_panels(content).values()):
        yield "curves", _panels(panels)
    if content.calibration and (panel := reliability_panel(content.calibration.diagram)):
        yield "reliability", _panels([panel])
    if content.classes and len(content.classes.recalls):
        yield "confusion", _confusion(content.classes)


def _figure(width: float, height: float) -> Figure:
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(figure)
    return figure


def _panels(panels: list[Panel]) -> Figure:
    columns = min(2, len(panels))
    rows = -(-len(panels) // columns)
    named = len([s for s in panels[0].series if s.drawn == "line"])
    below = -(-named // 3) * 0.2
    figure = _figure(3.6 * columns, 2.7 * rows + below)
    every = figure.subplots(rows, columns, squeeze=False).ravel()
    for axes, panel in zip(every, panels, strict=False):
        for series in panel.series:
            _draw(axes, series)
        axes.set_title(drawable(panel.title), loc="left", fontsize=10, parse_math=False)
        axes.set_xlabel(panel.x_label)
        axes.set_ylabel(panel.y_label)
        axes.set_xlim(panel.x_limits)
        axes.set_ylim(panel.y_limits)
        axes.grid(alpha=0.25, lw=0.6)
        axes.spines[["top", "right"]].set_visible(False)
    for axes in every[len(panels) :]:
        axes.set_axis_off()
    if named:
        handles, labels = every[0].get_legend_handles_labels()
        legend = figure.legend(
            handles, labels, loc="outside lower center", ncols=3, frameon=False, fontsize=8
        )
        for text in legend.get_texts():
            text.set_parse_math(False)
    return figure


def _draw(axes: Axes, series: Series) -> None:
    colour, dash, mark = style_of(series.style)
    ink = COLOURS[colour]
    if series.drawn == "reference":
        axes.plot(series.x, series.y, color="#777777", ls=(0, (3, 3)), lw=0.8)
        return
    if series.drawn == "points":
        axes.plot(series.x, series.y, _MARKS[mark], color=ink, ms=4)
        if series.low is not None and series.high is not None:
            axes.vlines(series.x, series.low, series.high, color=ink, lw=1)
        return
    axes.plot(
        series.x,
        series.y,
        color=ink,
        ls=_LINES[dash],
        lw=2.0 if series.strong else 1.3,
        marker=_MARKS[mark],
        ms=3.5,
        markevery=(series.style % 3, max(1, len(series.x) // 5)),
        label=drawable(series.name).lstrip("_"),  # matplotlib leaves out what begins with one
    )
    if series.low is not None and series.high is not None:
        axes.fill_between(series.x, series.low, series.high, color=ink, alpha=0.14, lw=0)


def _comparisons(plots: list[ComparisonPlot]) -> Figure:
    heights = [len(plot.rows) + 2 for plot in plots]
    figure = _figure(7.2, 0.32 * sum(heights) + 0.4)
    panels = figure.subplots(len(plots), 1, squeeze=False, height_ratios=heights).ravel()
    for axes, plot in zip(panels, plots, strict=True):
        times = scale_of(plot.metric)
        margin = plot.margins.of(plot.metric) * times
        axes.axvspan(-margin, margin, color="#e6eaee", lw=0)
        axes.axvline(0, color="#777777", lw=0.8)
        for place, row in enumerate(plot.rows):
            ink, mark = _OUTCOMES[row.entry.outcome]
            ends = np.array([row.entry.adjusted_low, row.entry.adjusted_high]) * times
            face = "white" if row.entry.outcome == "undecided" else ink
            axes.plot(np.clip(ends, -1e30, 1e30), [place] * 2, color=ink, lw=1.3)
            axes.plot([row.entry.difference * times], [place], mark, color=ink, mfc=face, ms=5.5)
        axes.set_xlim(plot.low * times, plot.high * times)
        axes.set_ylim(len(plot.rows) - 0.5, -0.5)
        axes.set_yticks(
            range(len(plot.rows)),
            [
                drawable(
                    f"{plot.names[row.entry.first]} against {plot.names[row.entry.second]}: "
                    f"{row.entry.outcome}"
                )
                for row in plot.rows
            ],
            fontsize=8,
            parse_math=False,
        )
        better = ("left", "right") if plot.left_is_better else ("right", "left")
        unit = unit_of(plot.metric)
        axes.set_xlabel(
            f"difference in {METRIC_WORDS[plot.metric]} ({unit}); {better[0]}: first better, "
            f"{better[1]}: first worse",
            fontsize=8,
        )
        axes.set_title(capital(METRIC_WORDS[plot.metric]), loc="left", fontsize=10)
        axes.spines[["top", "right", "left"]].set_visible(False)
        axes.tick_params(axis="y", length=0)
    return figure


def _confusion(classes: Classes) -> Figure:
    shown = most_confused(classes.confusion)
    counts = classes.confusion[np.ix_(shown, shown)].toarray()
    shares = counts / np.maximum(1, classes.confusion.sum(axis=1)[shown])[:, None]
    names = [classes.recalls[place].name for place in shown]
    if _numbered(classes):  # `classes.txt` beside it is the key
        names = [
            name if has_letters(name) else f"class {place + 1}"
            for place, name in zip(shown, names, strict=True)
        ]
    names = shortened(names)
    letters = max(map(len, names))
    side = 1.8 + 0.32 * len(names) + 0.07 * max(0, letters - 10)
    figure = _figure(side, side)
    axes = figure.subplots()
    axes.imshow(shares, cmap="Blues", vmin=0, vmax=1.4)  # dark ink is readable on all of it
    for (row, column), count in np.ndenumerate(counts):
        if count:
            axes.text(column, row, f"{count:,}", ha="center", va="center", fontsize=7)
    places = range(len(names))
    axes.set_xticks(places, names, rotation=90, fontsize=8, parse_math=False)
    axes.set_yticks(places, names, fontsize=8, parse_math=False)
    axes.set_xlabel("answer")
    axes.set_ylabel("label")
    axes.spines[:].set_visible(False)
    axes.tick_params(length=0)
    return figure
