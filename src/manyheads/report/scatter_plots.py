"""The plots of candidates that were drawn: a score against each hyperparameter."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from jaxtyping import Float64

from manyheads.core.table import Table, names, numbers
from manyheads.core.text import decimal
from manyheads.findings.scattered_scores import ScatteredScores
from manyheads.findings.wording import METRIC_WORDS
from manyheads.report.fonts import shortened
from manyheads.report.panel import Panel, Series
from manyheads.report.scales import Tick, padded, round_ticks
from manyheads.stats.paired import SHARES
from manyheads.study.space import value_words

_APART = 0.25  # how far points of one word lie from it, whose neighbour is 1 away
_DECADES = 2.5  # of a logarithmic axis with round powers alone
_WORD = 14  # letters of a word below an axis

Places = Float64[np.ndarray, "points"]


def scatter_panel(scattered: ScatteredScores, y_label: str, selected: str) -> Panel:
    """A point for each candidate; the selected one has a ring, which `selected` explains."""
    places, ticks = _axis(scattered)
    name = f"{METRIC_WORDS[scattered.metric]} of a candidate"
    points = Series(name=name, x=places, y=scattered.scores, drawn="points")
    ringed = []
    if scattered.selected is not None:
        at = slice(scattered.selected, scattered.selected + 1)
        ringed = [
            Series(
                name=selected, x=places[at], y=scattered.scores[at], drawn="points",
                highlight=float(places[scattered.selected]),
            )
        ]  # fmt: skip
    title = f"Validation {METRIC_WORDS[scattered.metric]} by {scattered.hyperparameter}"
    return Panel(
        title=title,
        x_label=scattered.hyperparameter + (" (logarithmic)" if scattered.is_log else ""),
        y_label=y_label,
        series=(points, *ringed),
        description=_words(scattered, title),
        x_limits=padded(float(places.min()), float(places.max())),
        x_ticks=tuple(ticks),
        highlight=selected,
    )


def scatter_table(scattered: ScatteredScores) -> Table:
    """The numbers of a plot: a row for each point."""
    metric = METRIC_WORDS[scattered.metric]
    pairs = zip(scattered.values, scattered.scores.tolist(), strict=True)
    return Table(
        caption=f"Validation {metric} by {scattered.hyperparameter}",
        columns=[*names(scattered.hyperparameter), *numbers(metric)],
        rows=[(value_words(scattered.hyperparameter, v), decimal(score)) for v, score in pairs],
    )


def _axis(scattered: ScatteredScores) -> tuple[Places, list[Tick]]:
    """Where the points lie along the axis, ascending, and its ticks."""
    if any(isinstance(value, str) for value in scattered.values):
        return _beside_words([str(value) for value in scattered.values])
    values = np.array(scattered.values, np.float64)
    if not scattered.is_log:
        return values, round_ticks(*padded(float(values.min()), float(values.max())))
    above = values[values > 0]
    low, high = math.log10(above.min()), math.log10(above.max())
    # A 0 beside a logarithmic scale has a place of its own, before the others.
    zero = low - max(0.15 * (high - low), 0.1)
    places = np.where(values > 0, np.log10(np.where(values > 0, values, 1)), zero)
    return places, ([(zero, "0")] if len(above) < len(values) else []) + _powers(low, high)


def _beside_words(values: Sequence[str]) -> tuple[Places, list[Tick]]:
    words = list(dict.fromkeys(values))
    places = []
    for place, word in enumerate(words):
        count = values.count(word)
        beside = np.linspace(-_APART, _APART, count) if count > 1 else np.zeros(1)
        places += (place + beside).tolist()
    short = shortened(words, _WORD)
    return np.array(places), [(float(place), short[place]) for place in range(len(words))]


def _powers(low: float, high: float) -> list[Tick]:
    """Ticks of a logarithmic axis between two powers of ten: 1, or 1, 2 and 5 times a power."""
    digits = (1,) if high - low > _DECADES else (1, 2, 5)
    found = [
        digit * 10.0**power
        for power in range(math.floor(low), math.ceil(high) + 1)
        for digit in digits
    ]
    room = 0.02 * (high - low)
    return [
        (math.log10(value), f"{value:g}")
        for value in found
        if low - room <= math.log10(value) <= high + room
    ]


def _words(scattered: ScatteredScores, title: str) -> str:
    values, scores = scattered.values, scattered.scores
    name = scattered.hyperparameter
    best = int(np.argmax(scores) if scattered.metric in SHARES else np.argmin(scores))
    words = f"{title}, {len(values):,} points. The best: {decimal(float(scores[best]))} at {name} "
    words += f"{value_words(name, values[best])}."
    if scattered.selected is not None:
        words += f" Selected: {value_words(name, values[scattered.selected])}."
    return words
