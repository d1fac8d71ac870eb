"""The mean scores of many candidates with their intervals, computed together.

`stats.paired.mean_score` takes one at a time; ten thousand would take minutes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from manyheads.stats.intervals import Estimate
from manyheads.stats.paired import ALPHA, Family, Paired, Sums, measure
from manyheads.stats.variances import Layout


def mean_intervals(scores: Sequence[Sums], layout: Layout) -> list[Estimate]:
    """What `mean_score` gives for each of `scores`: the mean over images, with a 95 % interval."""
    pairs = [_alone(measure("", each, layout), place) for place, each in enumerate(scores)]
    known = [pair for pair in pairs if pair.both.variance > 0 and pair.both.df_units]
    widths = (
        dict(zip(map(id, known), Family(known).half_width(ALPHA), strict=True)) if known else {}
    )
    found: list[Estimate] = []
    for pair in pairs:
        value, width = float(pair.both.difference), widths.get(id(pair))
        ends = (None, None) if width is None else (value - float(width), value + float(width))
        found.append(Estimate(value, *ends))
    return found


def _alone(pair: Paired, place: int) -> Paired:
    """A mean that shares no variance with others: a family moderates within a metric's name."""
    both = replace(pair.both, df_seeds=1) if pair.seeds == 1 else pair.both
    return replace(pair, metric=f"{place}", both=both, tested=both)
