"""How candidates, differences and what they need are said in a verdict."""

from __future__ import annotations

import math
from collections.abc import Sequence

from manyheads.stats.comparisons import Comparison, Margins
from manyheads.stats.power import RequiredSize
from manyheads.stats.validation_predictions import Validated
from manyheads.study.space import counted

METRIC_WORDS = {
    "accuracy": "accuracy",
    "log_loss": "log loss",
    "final_log_loss": "final log loss",
    "gap": "gap to the training loss",
}
_LISTED = 4  # candidates; more are counted


class Names:
    """Candidates in words: `droprate 0.8` first, then `0.5` where that alone says it."""

    def __init__(self, validated: Validated) -> None:
        self.full = dict(zip(validated.candidates, validated.names, strict=True))
        words = [name.split(" ") for name in validated.names]
        self._alike = all(len(parts) == 2 and parts[0] == words[0][0] for parts in words)

    def first(self, candidates: Sequence[int]) -> str:
        """Candidates at the beginning of a clause."""
        if len(candidates) > _LISTED:
            return counted(len(candidates), "candidate")
        shown = [self._shown(each) for each in candidates]
        return joined([shown[0], *(self._short(each) for each in candidates[1:])])

    def then(self, candidates: Sequence[int]) -> str:
        """Candidates after others were named."""
        if len(candidates) > _LISTED:
            return counted(len(candidates), "other")
        return joined([self._short(each) for each in candidates])

    def any_of(self, candidates: Sequence[int], *, first: bool) -> str:
        """Candidates of which one is meant, named in full if they are the `first`."""
        if len(candidates) > _LISTED:
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


def joined(parts: Sequence[str], word: str = "and") -> str:
    """`a`, `a and b`, or `a, b and c`."""
    return f" {word} ".join(filter(None, [", ".join(parts[:-1]), *parts[-1:]]))


def amount(metric: str, value: float) -> str:
    """A difference as people say it: accuracy in points of 100."""
    shown = value * 100 if metric == "accuracy" else value
    digits = 1 if metric == "accuracy" else 3
    if not math.isfinite(shown):
        return f"{'−' if shown < 0 else ''}∞"
    small = 0 < abs(shown) < 0.5 * 10**-digits
    text = f"{shown:.1g}" if small else f"{shown:.{digits}f}"
    return f"−{text[1:]}" if text.startswith("-") else text


def margin_words(metric: str, margins: Margins) -> str:
    """The margin within which a difference does not matter."""
    if metric != "accuracy":
        return f"±{margins.of(metric):g}"
    points = margins.accuracy * 100
    return f"±{points:g} point{'' if points == 1 else 's'}"


def by_how_much(metric: str, entries: Sequence[Comparison]) -> str:
    """`by 0.031 to 0.042 [0.018, 0.055]`: the least and greatest, and their intervals' ends."""
    sizes = [abs(entry.difference) for entry in entries]
    ends = [sorted((abs(e.adjusted_low), abs(e.adjusted_high))) for e in entries]
    low, high = min(end[0] for end in ends), max(end[1] for end in ends)
    least, most = amount(metric, min(sizes)), amount(metric, max(sizes))
    unit = " points" if metric == "accuracy" else ""
    size = least if least == most else f"{least} to {most}"
    return f"by {size}{unit} [{amount(metric, low)}, {amount(metric, high)}]"


def interval_words(entry: Comparison, sign: float = 1.0) -> str:
    """A difference, times `sign`, with its adjusted interval: `0.048 [0.024, 0.072]`.

    Log loss in nats, accuracy in points (hundredths).
    """
    metric, unit = entry.metric, " points" if entry.metric == "accuracy" else ""
    low, high = sorted(sign * end for end in (entry.adjusted_low, entry.adjusted_high))
    value = amount(metric, sign * entry.difference)
    return f"{value} [{amount(metric, low)}, {amount(metric, high)}]{unit}"


def needs_words(required: RequiredSize) -> str:
    """What would settle a comparison, such as `12 seeds`; empty if nothing within reach."""
    parts = [counted(required.seeds, "seed")] if required.seeds else []
    parts += [f"{counted(required.repeats, 'repeat')} of the folds"] if required.repeats else []
    parts += [f"about {counted(required.images, 'image')}"] if required.images else []
    return joined(parts)


def settling(entries: Sequence[Comparison], names: Names) -> str:
    """What would settle the undecided comparison that needs least; empty if nothing named would."""

    def cost(entry: Comparison) -> tuple[int, int, int]:
        required = entry.required
        return required.images or 0, required.repeats or 0, required.seeds or 0

    asked = [entry for entry in entries if any(cost(entry))]
    if not asked:
        return ""
    least = min(asked, key=cost)
    pair = f"{names.first([least.first])} against {names.then([least.second])}"
    return f"{needs_words(least.required)} would probably settle {pair} (80 % power)"
