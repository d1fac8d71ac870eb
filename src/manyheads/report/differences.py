"""The comparison plot: differences with their intervals over an axis that parts the outcomes."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

from manyheads.report.bounds import DRAWN
from manyheads.report.parts import LESS_IS_BETTER, Candidate, Comparison, Comparisons
from manyheads.report.phrases import change, unit_scale
from manyheads.report.scales import Scale, padded
from manyheads.report.svg import Tick


def comparison_plots(
    comparisons: Comparisons | None, selected: Candidate | None
) -> list[ComparisonPlot]:
    """A plot for each metric compared, of at most `DRAWN` rows.

    Where there are more, those with the selected candidate come first.
    """
    if comparisons is None:
        return []
    name = selected.name if selected else ""
    plots = []
    for metric in dict.fromkeys(entry.metric for entry in comparisons.entries):
        entries = [entry for entry in comparisons.entries if entry.metric == metric]
        if len(entries) > DRAWN:
            entries.sort(key=lambda entry: name not in (entry.first, entry.second))
        margin = comparisons.margins.get(metric)
        plots.append(comparison_plot(metric, entries, margin))
    return plots


@dataclass(frozen=True)
class DrawnComparison:
    """A row of the comparison plot; places are percentages of its width.

    `cut_low` and `cut_high` tell that the interval goes on beyond the plot.
    """

    entry: Comparison
    value: float
    low: float
    high: float
    cut_low: bool
    cut_high: bool


@dataclass(frozen=True)
class ComparisonPlot:
    """The comparisons in one metric over an axis from `low` to `high`, with the margin's zone.

    `total` counts the comparisons that there are, `rows` holds those that are drawn.
    """

    metric: str
    margin: float | None
    low: float
    high: float
    ticks: tuple[Tick, ...]
    zero: float
    band: tuple[float, float] | None
    rows: tuple[DrawnComparison, ...]
    total: int
    left_is_better: bool


def comparison_plot(
    metric: str, entries: Sequence[Comparison], margin: float | None
) -> ComparisonPlot:
    """Place differences and their intervals on an axis that holds zero and the margin."""
    shown = entries[:DRAWN]
    times = unit_scale(metric)
    scale = Scale(*_limits(shown, margin or 0.0), 0.0, 100.0)
    written = Scale(scale.low * times, scale.high * times, 0.0, 100.0)
    rows = []
    for entry in shown:
        value, low, high = entry.difference
        cut = not scale.holds(low), not scale.holds(high)
        rows.append(DrawnComparison(entry, scale.at(value), scale.at(low), scale.at(high), *cut))
    return ComparisonPlot(
        metric,
        margin,
        scale.low,
        scale.high,
        tuple((written.at(p), change(metric, p / times)) for p, _ in written.ticks(6)),
        scale.at(0.0),
        (scale.at(-margin), scale.at(margin)) if margin else None,
        tuple(rows),
        len(entries),
        metric in LESS_IS_BETTER,
    )


def _limits(entries: Sequence[Comparison], margin: float) -> tuple[float, float]:
    """All intervals where they are alike; a few very wide ones are cut instead of ruling all."""
    ends = [number for e in entries for number in e.difference if math.isfinite(number)]
    farthest = 8 * max(margin, median(abs(e.difference.value) for e in entries)) or 1.0
    low, high = min(0.0, -margin, *ends), max(0.0, margin, *ends)
    return padded(max(low, -farthest), min(high, farthest), 0.08)
