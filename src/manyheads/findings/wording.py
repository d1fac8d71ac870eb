"""Candidates, metrics, differences and sample sizes in words, wherever they are shown."""

from __future__ import annotations

import math
from collections.abc import Sequence

from manyheads.core.text import decimal, joined, minus
from manyheads.stats.comparisons import Comparison, Margins
from manyheads.stats.intervals import Estimate
from manyheads.stats.paired import SHARES
from manyheads.stats.power import RequiredSize
from manyheads.stats.validation_predictions import Validated
from manyheads.study.space import counted

METRIC_WORDS = {
    "accuracy": "accuracy",
    "log_loss": "log loss",
    "brier": "Brier score",
    "ece": "calibration error",
    "balanced_accuracy": "balanced accuracy",
    "macro_f1": "macro F1",
    "mean_average_precision": "mean average precision",
    "exact_match": "exact match",
    "final_log_loss": "final log loss",
    "gap": "gap to the training loss",
}
LISTED = 4  # candidates; more are counted


class CandidateNames:
    """Candidates in words: `droprate 0.8` first, then `0.5` where that alone says it."""

    def __init__(self, validated: Validated) -> None:
        self.full = dict(zip(validated.candidates, validated.names, strict=True))
        words = [name.split(" ") for name in validated.names]
        self._alike = all(len(parts) == 2 and parts[0] == words[0][0] for parts in words)

    def first(self, candidates: Sequence[int]) -> str:
        """Candidates at the beginning of a clause."""
        if len(candidates) > LISTED:
            return counted(len(candidates), "candidate")
        shown = [self._shown(each) for each in candidates]
        return joined([shown[0], *(self._short(each) for each in candidates[1:])])

    def then(self, candidates: Sequence[int]) -> str:
        """Candidates after others were named."""
        if len(candidates) > LISTED:
            return counted(len(candidates), "other")
        return joined([self._short(each) for each in candidates])

    def any_of(self, candidates: Sequence[int], *, first: bool) -> str:
        """Candidates of which one is meant, named in full if they are the `first`."""
        if len(candidates) > LISTED:
            return f"one of {len(candidates):,}"
        shown = [self._short(each) for each in candidates]
        if first:
            shown[0] = self._shown(candidates[0])
        return joined(shown, "or")

    def listed(self, candidates: Sequence[int], most: int) -> str:
        """Candidates by name; those beyond the first `most` are counted."""
        shown = [self._short(each) for each in candidates[:most]]
        shown[0] = self._shown(candidates[0])
        more = len(candidates) - len(shown)
        return joined([*shown, f"{more:,} more"] if more else shown)

    def _shown(self, candidate: int) -> str:
        name = self.full[candidate]
        return f"({name})" if "," in name else name

    def _short(self, candidate: int) -> str:
        name = self._shown(candidate)
        return name.split(" ")[1] if self._alike else name


def pair_words(first: str, second: str) -> str:
    """A difference of two candidates by what sets them apart: `droprate 0 − 0.2`.

    Of several hyperparameters, those that are equal are left out.
    """
    parts = [[each.split(" ", 1) for each in name.split(", ")] for name in (first, second)]
    names = [[part[0] for part in each] for each in parts]
    if names[0] != names[1] or any(len(part) < 2 for each in parts for part in each):
        return f"{first} − {second}"
    apart = [
        f"{name} {one} − {other}"
        for (name, one), (_, other) in zip(*parts, strict=True)
        if one != other
    ]
    return ", ".join(apart) or f"{first} − {second}"


def scale_of(metric: str) -> float:
    """What a difference in `metric` is multiplied by to be written: shares are in points."""
    return 100.0 if metric in SHARES else 1.0


def unit_of(metric: str) -> str:
    """The unit of a difference in `metric`; empty where it has none."""
    if metric in SHARES:
        return "points"
    return "" if metric in ("brier", "ece") else "nats"


def amount(metric: str, value: float) -> str:
    """A difference as people say it: shares in points of 100; one digit at least is not 0."""
    shown, digits = value * scale_of(metric), 1 if metric in SHARES else 3
    if 0 < abs(shown) < 0.5 * 10**-digits:
        return minus(f"{shown:.1g}")
    return decimal(shown, digits)


def margin_words(metric: str, margins: Margins) -> str:
    """The margin within which a difference does not matter."""
    if metric not in SHARES:
        return f"±{margins.of(metric):g}"
    points = margins.accuracy * 100
    return f"±{points:g} point{'' if points == 1 else 's'}"


def range_words(
    metric: str, values: Sequence[float], ends: Sequence[float], *, unit: bool = True
) -> str:
    """Differences from least to greatest, and the farthest ends of their intervals.

    Such as `3.1 to 4.2 [1.8, 5.5] points`, or of a single one `3.1 [1.8, 4.4] points`.
    """
    least, most, low, high = (
        amount(metric, each) for each in (min(values), max(values), min(ends), max(ends))
    )
    size = least if least == most else f"{least} to {most}"
    return f"{size} [{low}, {high}]{' points' if unit and metric in SHARES else ''}"


def difference_words(metric: str, found: Estimate, *, unit: bool = True) -> str:
    """A difference with its interval: `4.1 [2.9, 5.3] points`, or `0.048 [0.024, 0.072]` nats."""
    low = -math.inf if found.low is None else found.low
    high = math.inf if found.high is None else found.high
    return range_words(metric, [found.value], [low, high], unit=unit)


def by_how_much(metric: str, entries: Sequence[Comparison]) -> str:
    """`by 0.031 to 0.042 [0.018, 0.055]`: the sizes of declared differences of any sign."""
    sizes = [abs(entry.difference) for entry in entries]
    ends = [abs(end) for each in entries for end in (each.adjusted_low, each.adjusted_high)]
    return f"by {range_words(metric, sizes, ends)}"


def needs_words(required: RequiredSize) -> str:
    """A sample size, such as `12 seeds`; empty if nothing within reach would do."""
    parts = [counted(required.seeds, "seed")] if required.seeds else []
    parts += [f"{counted(required.repeats, 'repeat')} of the folds"] if required.repeats else []
    parts += [f"about {counted(required.images, 'image')}"] if required.images else []
    return joined(parts)


def settling(entries: Sequence[Comparison], names: CandidateNames) -> str:
    """The sample size for the undecided comparison that needs least; empty if none is known."""

    def cost(entry: Comparison) -> tuple[int, int, int]:
        required = entry.required
        return required.images or 0, required.repeats or 0, required.seeds or 0

    known = [entry for entry in entries if any(cost(entry))]
    if not known:
        return ""
    least = min(known, key=cost)
    pair = f"{names.first([least.first])} from {names.then([least.second])}"
    return f"separating {pair} would take {needs_words(least.required)} (80 % power)"
