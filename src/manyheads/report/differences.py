"""The comparison plot: differences with their intervals over an axis that parts the outcomes."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from statistics import median
from typing import NamedTuple

from manyheads.findings.wording import SHARES, amount, pair_words, scale_of
from manyheads.report.bounds import DRAWN
from manyheads.report.parts import Candidate, Compared
from manyheads.report.scales import Scale, Tick, padded, round_ticks
from manyheads.stats.comparisons import Comparison, Margins


class Parted(NamedTuple):
    """Comparisons with one candidate, and those of the other pairs; None where there are none."""

    main: Compared | None
    others: Compared | None


def parted(compared: Compared | None, selected: Candidate | None) -> Parted:
    """Comparisons parted by whether they are with the baseline, or else the `selected` candidate.

    Those that are have it second and the best first candidate on top; the other pairs begin with
    the largest difference. Without such a candidate there is one family, as it is.
    """
    if compared is None:
        return Parted(None, None)
    family = compared.family
    reference = family.baseline or (selected.number if selected else None)
    turned = [each.swapped if each.first == reference else each for each in family.entries]
    main = [each for each in turned if each.second == reference]
    if not main:
        return Parted(compared, None)
    main.sort(key=lambda each: each.difference * (-1 if each.metric in SHARES else 1))
    others = [each for each in family.entries if reference not in (each.first, each.second)]
    others.sort(key=lambda each: -abs(each.difference))
    return Parted(_with(compared, main), _with(compared, others) if others else None)


def _with(compared: Compared, entries: Sequence[Comparison]) -> Compared:
    metrics = dict.fromkeys(each.metric for each in compared.family.entries)
    ordered = [entry for name in metrics for entry in entries if entry.metric == name]
    return replace(compared, family=replace(compared.family, entries=tuple(ordered)))


def comparison_plots(compared: Compared | None) -> list[ComparisonPlot]:
    """A plot for each metric compared, of the first `DRAWN` rows at most."""
    if compared is None:
        return []
    family = compared.family
    return [
        comparison_plot(metric, family.of(metric), compared.names, family.margins)
        for metric in dict.fromkeys(entry.metric for entry in family.entries)
    ]


@dataclass(frozen=True)
class DrawnComparison:
    """A row of the comparison plot; places are percentages of its width.

    `words` say what is subtracted from what. `cut_low` and `cut_high` tell that the interval goes
    on beyond the plot.
    """

    entry: Comparison
    value: float
    low: float
    high: float
    cut_low: bool
    cut_high: bool
    words: str


@dataclass(frozen=True)
class ComparisonPlot:
    """The comparisons in one metric over an axis from `low` to `high`, with the margin's zone.

    `total` counts the comparisons that there are, and `rows` holds those that are drawn.
    """

    metric: str
    margins: Margins
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
        words = pair_words(names[entry.first], names[entry.second])
        rows.append(DrawnComparison(entry, *places, *cut, words))
    return ComparisonPlot(
        metric,
        margins,
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
