"""The plots of score against setting: scores by value, main effects, a heat map of two."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from manyheads.core.text import counted, decimal
from manyheads.findings.scores_by_setting import PairScores, ScoresBySetting, ValueScores
from manyheads.findings.wording import METRIC_WORDS
from manyheads.report.figures import panels_figure
from manyheads.report.fonts import shortened
from manyheads.report.heat_map import HeatMap
from manyheads.report.panel import Panel, Series
from manyheads.report.scales import Tick, padded
from manyheads.report.scatter_plots import scatter_panel
from manyheads.stats.paired import SHARES

if TYPE_CHECKING:
    from matplotlib.figure import Figure

SELECTED = "selected"
_DOTS = 30  # of a value; of more runs, so many evenly spread
_BESIDE = 0.3  # how far the first and the last dot lie from their value, whose neighbour is 1 away
_LETTERS = 46  # that have room below a panel
_WORD = 14  # letters of a value
_LINE = 100  # letters of a figure's title


def setting_plots(found: ScoresBySetting) -> list[Panel | HeatMap]:
    """The plots of a study's scores by setting.

    Of candidates that were drawn, a point each against the hyperparameters. Of a grid with one
    varying hyperparameter, accuracy and log loss by its values; of several, a main effect
    each, on one scale, and a heat map of two.
    """
    if found.scattered:
        return [
            scatter_panel(
                each, f"{METRIC_WORDS[each.metric]} {found.epochs[each.metric]}", SELECTED
            )
            for each in found.scattered
        ]
    if len(found.varying) == 1:
        return [
            _panel(each, found, METRIC_WORDS[each.metric], _limits([each], runs=True))
            for each in found.by_value
        ]
    limits = _limits(found.by_value, runs=False)
    effects = [_panel(each, found, each.hyperparameter, limits) for each in found.by_value]
    return [*effects, *([_heat_map(found.pair, found)] if found.pair else [])]


def plot_words(found: ScoresBySetting, plots: Sequence[Panel | HeatMap]) -> str:
    """What is seen in the plots: what dots, bars and rings are, and on which images it rests."""
    if found.scattered:
        return (
            "A point is a candidate that trained to its end, the mean over its trials; the ring "
            f"marks the selected one. Measured on {found.measured_on}."
        )
    one = len(found.varying) == 1
    dots = f"A dot is one {found.runs}" if one else "Main effects: means over the other settings"
    bars = (
        "bars are simultaneous 95 % intervals of the differences from the mean of all values, "
        "paired by seed and image"
        + "; one that ends at the edge goes on"
        * any(map(_is_cut, plots))
        if found.paired
        else "with one seed, or none that differ, no interval is known"
    )
    return f"{dots}; {bars}; the ring marks the selected setting. Measured on {found.measured_on}."


def scores_figure(found: ScoresBySetting) -> Figure:
    """The plots of a study's scores by setting as one figure, with their words as its title."""
    plots = setting_plots(found)
    return panels_figure(plots, textwrap.fill(plot_words(found, plots), _LINE))


def _panel(
    scores: ValueScores,
    found: ScoresBySetting,
    what: str,
    limits: tuple[float, float],
) -> Panel:
    one = len(found.varying) == 1
    places = np.arange(len(scores.values), dtype=np.float64)
    means = np.array([level.mean.value for level in scores.levels])
    ends = [(level.mean.low, level.mean.high) for level in scores.levels]
    low, high = (
        np.array([mean if end is None else end for end, mean in zip(side, means, strict=True)])
        for side in zip(*ends, strict=True)
    )
    known = found.paired
    mean = Series(
        name=f"mean {METRIC_WORDS[scores.metric]}",
        x=places,
        y=means,
        low=low if known else None,
        high=high if known else None,
        drawn="points",
        highlight=None if scores.selected is None else float(scores.selected),
    )
    title = f"Validation {what}" if one else f"Main effect of {what}"
    return Panel(
        title=title,
        x_label=f"{scores.hyperparameter}{_of_settings(scores)}",
        y_label=f"{METRIC_WORDS[scores.metric]} {found.epochs[scores.metric]}",
        series=(_dots(scores), mean) if one else (mean,),
        description=_words(scores, title),
        x_limits=(-0.5, len(places) - 0.5),
        y_limits=limits,
        x_ticks=_ticks(scores.values),
        highlight=SELECTED,
    )


def _dots(scores: ValueScores) -> Series:
    """The score of each run beside its value; a run has the same place beside every value."""
    count = len(scores.levels[0].runs)
    shown = np.unique(np.linspace(0, count - 1, min(count, _DOTS)).round().astype(int))
    beside = np.linspace(-_BESIDE, _BESIDE, len(shown)) if len(shown) > 1 else np.zeros(1)
    return Series(
        name="runs",
        x=np.concatenate([place + beside for place in range(len(scores.levels))]),
        y=np.concatenate([level.runs[shown] for level in scores.levels]),
        drawn="dots",
    )


def _heat_map(pair: PairScores, found: ScoresBySetting) -> HeatMap:
    flat = int(np.nanargmax(pair.means))
    row, column = divmod(flat, len(pair.column_values))
    best = (
        f"{pair.rows} {pair.row_values[row]}, {pair.columns} {pair.column_values[column]}: "
        f"{decimal(float(pair.means[row, column]))}"
    )
    return HeatMap(
        title=f"Mean {METRIC_WORDS[pair.metric]} {found.epochs[pair.metric]}",
        x_label=f"{pair.columns}{_of_settings(pair)}",
        y_label=pair.rows,
        columns=tuple(shortened(pair.column_values, max(5, _LETTERS // len(pair.column_values)))),
        rows=tuple(shortened(pair.row_values, _WORD)),
        values=pair.means,
        description=(
            f"Mean validation {METRIC_WORDS[pair.metric]} by {pair.rows} and {pair.columns}, a "
            f"cell each. The greatest is at {best}."
        ),
        ringed=pair.selected,
        highlight=SELECTED,
    )


def _of_settings(scores: ValueScores | PairScores) -> str:
    """How many settings of the other hyperparameters a mean is over, where that is some of them."""
    if scores.settings == scores.of:
        return ""
    return f" ({scores.settings:,} of {counted(scores.of, 'setting')})"


def _ticks(values: Sequence[str]) -> tuple[Tick, ...]:
    """The values in words; where there is no room for all, every second of them, or third."""
    words = shortened(values, _WORD)
    step = -(-(max(map(len, words)) + 1) * len(words) // _LETTERS)
    return tuple((float(place), words[place]) for place in range(0, len(words), step))


def _words(scores: ValueScores, title: str) -> str:
    pairs = zip(scores.values, scores.levels, strict=True)
    means = "; ".join(f"{value} {decimal(level.mean.value)}" for value, level in pairs)
    chosen = "" if scores.selected is None else f" Selected: {scores.values[scores.selected]}."
    return f"{title}. Means by {scores.hyperparameter}: {means}.{chosen}"


def _limits(every: Sequence[ValueScores], *, runs: bool) -> tuple[float, float]:
    """Limits that hold all means, the `runs` if they are drawn, and bars of a fair length.

    A bar goes on beyond them where few seeds say so little that it would flatten all else.
    """
    levels = [level for scores in every for level in scores.levels]
    means = [level.mean for level in levels]
    shown = [mean.value for mean in means]
    shown += [float(run) for level in levels for run in level.runs] if runs else []
    room = (max(shown) - min(shown)) or 0.05
    most = 1.0 if every[0].metric in SHARES else math.inf
    ends = [end for mean in means for end in (mean.low, mean.high) if end is not None]
    low = min([*shown, *(max(end, min(shown) - room, 0.0) for end in ends)])
    high = max([*shown, *(min(end, max(shown) + room, most) for end in ends)])
    return padded(low, high)


def _is_cut(plot: Panel | HeatMap) -> bool:
    """Whether a bar goes on beyond the panel."""
    if isinstance(plot, HeatMap):
        return False
    axis = plot.y_axis
    bars = [end for each in plot.series for end in (each.low, each.high) if end is not None]
    return any(end.min() < axis.low or end.max() > axis.high for end in bars)
