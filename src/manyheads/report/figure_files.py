"""The figures of a report as PNG and SVG, for papers."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from manyheads.core.text import capital
from manyheads.findings.wording import METRIC_WORDS, unit_of
from manyheads.report.bounds import most_confused
from manyheads.report.content import ReportContent
from manyheads.report.differences import ComparisonPlot, DrawnComparison, comparison_plots, parted
from manyheads.report.figures import (
    GREY,
    MARKERS,
    drawing,
    heat_colours,
    new_figure,
    panels_figure,
    save_figure,
)
from manyheads.report.fonts import drawable, has_letters, shortened, write_key
from manyheads.report.palette import OUTCOMES
from manyheads.report.parts import Classes
from manyheads.report.plots import curve_panels, reliability_panel
from manyheads.report.setting_plots import scores_figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

FORMATS = ("png", "svg")
PICTURES = ("scores", "confusion")
"""The figures that every study has beside its report, as PNG."""


def write_figures(folder: Path, content: ReportContent) -> list[Path]:
    """Write `scores`, `comparisons`, `curves`, `reliability`, `confusion` in each of `FORMATS`.

    Returns the files written, fewer where the content lacks a part; raises `DiskError` if one
    cannot be. The same content gives the same bytes.
    """
    return _written(folder, content, FORMATS)


def write_pictures(folder: Path, content: ReportContent) -> list[Path]:
    """Write those of `PICTURES` that the content has as PNG; returns them, raises `DiskError`."""
    return _written(folder, content, FORMATS[:1], PICTURES)


def _written(
    folder: Path, content: ReportContent, formats: Sequence[str], wanted: Sequence[str] = ()
) -> list[Path]:
    """Write the figures that are `wanted`; none named: all."""
    written = []
    with drawing(_words_of(content)):
        for name, draw in _figures(content):
            if wanted and name not in wanted:
                continue
            figure = draw()
            for suffix in formats:
                path = folder / f"{name}.{suffix}"
                save_figure(figure, path)
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


def _figures(content: ReportContent) -> Iterator[tuple[str, Callable[[], Figure]]]:
    """The names of the figures that the content has, and what draws each."""
    if content.by_setting:
        yield "scores", partial(scores_figure, content.by_setting)
    if plots := comparison_plots(parted(content.comparisons, content.selected).main):
        yield "comparisons", partial(_comparisons, plots)
    if panels := list(curve_panels(content.candidates).values()):
        yield "curves", partial(panels_figure, panels)
    if content.calibration and (panel := reliability_panel(content.calibration.diagram)):
        yield "reliability", partial(panels_figure, [panel])
    if content.classes and len(content.classes.recalls):
        yield "confusion", partial(_confusion, content.classes)


def _comparisons(plots: Sequence[ComparisonPlot]) -> Figure:
    heights = [len(plot.rows) + 2 for plot in plots]
    figure = new_figure(7.2, 0.32 * sum(heights) + 0.4)
    every = figure.subplots(len(plots), 1, squeeze=False, height_ratios=heights).ravel()
    for axes, plot in zip(every, plots, strict=True):
        axes.axvspan(*plot.band, color="#e6eaee", lw=0)
        axes.axvline(plot.zero, color=GREY, lw=0.8)
        for place, row in enumerate(plot.rows):
            _draw_comparison(axes, place, row)
        axes.set_xlim(0, 100)
        axes.set_xticks([place for place, _ in plot.ticks], [words for _, words in plot.ticks])
        axes.set_ylim(len(plot.rows) - 0.5, -0.5)
        axes.set_yticks(
            range(len(plot.rows)),
            [drawable(f"{row.words}: {row.entry.outcome}") for row in plot.rows],
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


def _draw_comparison(axes: Axes, place: int, row: DrawnComparison) -> None:
    """A difference on its interval, with arrows where that goes on beyond the plot."""
    ink, mark = OUTCOMES[row.entry.outcome]
    face = "white" if row.entry.outcome == "undecided" else ink
    axes.plot([row.low, row.high], [place, place], color=ink, lw=1.3)
    for end, arrow, cut in ((row.low, "<", row.cut_low), (row.high, ">", row.cut_high)):
        if cut:
            axes.plot([end], [place], arrow, color=ink, ms=4, clip_on=False)
    axes.plot([row.value], [place], MARKERS[mark], color=ink, mfc=face, ms=5.5)


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
    figure = new_figure(side, side)
    axes = figure.subplots()
    axes.imshow(shares, cmap=heat_colours(), vmin=0, vmax=1)
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
