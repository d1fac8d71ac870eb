"""The comparison plot: differences with their intervals over an axis that parts the outcomes."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import median

from manyheads.findings.wording import SHARES, amount, scale_of
from manyheads.report.bounds import DRAWN
from manyheads.report.parts import Candidate, Compared
from manyheads.report.scales import Scale, Tick, padded, round_ticks
from manyheads.stats.comparisons import Comparison, Margins


def comparison_plots(compared: Compared | None, selected: Candidate | None) -> list[ComparisonPlot]:
    """A plot for each metric compared, of at most `DRAWN` rows.

    Where there are more, those with the selected candidate come first.
    """
    if compared is None:
        return []
    names, family = compared.names, compared.family
    chosen = selected.name if selected else ""
    plots = []
    for metric in dict.fromkeys(entry.metric for entry in family.entries):
        entries = family.of(metric)
        if len(entries) > DRAWN:
            entries.sort(key=lambda each: chosen not in (names[each.first], names[each.second]))
        plots.append(comparison_plot(metric, entries, names, family.margins))
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

    `total` counts the comparisons that there are, `rows` holds those that are drawn, and `names`
    what their candidates are called.
    """

    metric: str
    margins: Margins
    names: Mapping[int, str]
    low: float
    high: float
    ticks: tuple[Tick, ...]
    zero: float
    band: tuple[float, float]
    rows: tuple[DrawnComparison, ...]
    total: int
    left_is_better: bool


def comparison_plot(
    metric: str, entries: Sequence[Comparison], names: Mapping[int, str], margins: Margins
) -> ComparisonPlot:
    """Place differences and their intervals on an axis that holds zero and the margin."""
    shown = entries[:DRAWN]
    times, margin = scale_of(metric), margins.of(metric)
    scale = Scale(*_limits(shown, margin), 0.0, 100.0)
    written = Scale(scale.low * times, scale.high * times, 0.0, 100.0)
    rows = []
    for entry in shown:
        low, high = entry.adjusted_low, entry.adjusted_high
        cut = not scale.holds(low), not scale.holds(high)
        places = scale.at(entry.difference), scale.at(low), scale.at(high)
        rows.append(DrawnComparison(entry, *places, *cut))
    return ComparisonPlot(
        metric,
        margins,
        names,
        scale.low,
        scale.high,
        tuple(
            (written.at(p), amount(metric, p / times))
            for p, _ in round_ticks(written.low, written.high, 6)
        ),
        scale.at(0.0),
        (scale.at(-margin), scale.at(margin)),
        tuple(rows),
        len(entries),
        metric not in SHARES,
    )


def _limits(entries: Sequence[Comparison], margin: float) -> tuple[float, float]:
    """All intervals where they are alike; a few very wide ones are cut instead of ruling all."""
    ends = [
        number
        for e in entries
        for number in (e.difference, e.adjusted_low, e.adjusted_high)
        if math.isfinite(number)
    ]
    farthest = 8 * max(margin, median(abs(e.difference) for e in entries))
    low, high = min(0.0, -margin, *ends), max(0.0, margin, *ends)
    return padded(max(low, -farthest), min(high, farthest), 0.08)
