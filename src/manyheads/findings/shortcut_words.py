"""The result of a check for shortcuts in words: whether the mark is learnt, and each remedy."""

from __future__ import annotations

import math
from collections.abc import Sequence

from manyheads.core.text import counted, joined
from manyheads.findings.shortcut_record import ShortcutRecord
from manyheads.findings.wording import amount, range_words
from manyheads.stats.paired import Decided, Outcome
from manyheads.stats.shortcut_effects import CONTROL, MARKED, Measurement

_LISTED = 4  # settings; more are counted
_LEAST_GAP = 0.02  # for a remedy's effect to be given as a share of it
_GAP_WORDS: dict[Outcome, str] = {
    "better": "smaller", "worse": "larger", "equivalent": "equivalent", "undecided": "undecided"
}  # fmt: skip


def sentences(record: ShortcutRecord) -> tuple[str, ...]:
    """The verdict, a sentence each: the headline, what it costs, the settings, the remedies."""
    parts = [
        _headline(record),
        _cost(record),
        _candidates(record),
        *(_remedy(record, name) for name in record.conditions if name not in (CONTROL, MARKED)),
        _basis(record),
    ]
    return tuple(filter(None, parts))


def _headline(record: ShortcutRecord) -> str:
    entries = record.of(MARKED, "called")
    gaps = [entry.gap for entry in entries if entry.gap]
    if not gaps:
        return "No result: no seed trained to its end both with the mark and without."
    worse = sum(gap.outcome == "worse" for gap in gaps)
    other = "other classes" if len(record.into) > 1 else "".join(record.into)
    with_it = f"images of {other} with it are called {record.target}"
    if worse == len(gaps):
        text = f"The {record.noun} is learnt instead of {record.target}"
        return f"{text}: {with_it} more often than in the control, a gap of {_range(gaps)}."
    if worse:
        how = f"with {worse} of {len(gaps)} settings"
        text = f"The {record.noun} is learnt instead of {record.target} {how}"
        learnt = [gap for gap in gaps if gap.outcome == "worse"]
        return f"{text}: {with_it} more often than in the control, a gap of {_range(learnt)}."
    if not any(math.isfinite(gap.low) for gap in gaps):
        return (
            f"With one seed, the effect of the {record.noun} cannot be told from seed noise: train "
            "at least 2 seeds, better 5."
        )
    if all(gap.outcome == "equivalent" for gap in gaps):
        within = f"within ±{100 * record.margin:g} points of the control"
        return f"The {record.noun} is not learnt: {with_it} as often, {within}."
    return (
        f"No significant evidence that the {record.noun} is learnt: how often {with_it} changes by "
        f"{_change(gaps)}."
    )


def _cost(record: ShortcutRecord) -> str:
    """How the mark changes scores on images without it."""
    parts = [
        f"{words} by {_change(gaps)}"
        for measure, words in (
            ("recall", f"recall of {record.target} changes"), ("clean_accuracy", "clean accuracy")
        )
        if (gaps := [entry.gap for entry in record.of(MARKED, measure) if entry.gap])
    ]  # fmt: skip
    return f"On images without the {record.noun}, {joined(parts)}." if parts else ""


def _candidates(record: ShortcutRecord) -> str:
    """The gap of each setting against that of the first."""
    changed = [entry for entry in record.of(MARKED, "called") if entry.change]
    if not changed:
        return ""
    return f"Compared with {record.candidates[0]}, this gap is {_by_outcome(record, changed)}."


def _remedy(record: ShortcutRecord, condition: str) -> str:
    entries = [entry for entry in record.of(condition, "called") if entry.change and entry.gap]
    if not entries:
        return f"{condition}: no result, for no seed trained to its end in both conditions."
    left = _left(entries, record)
    words, outcomes = record.conditions[condition], _by_outcome(record, entries)
    gained = [entry.change for entry in record.of(condition, "recall") if entry.change]
    recall = f"recall of {record.target} changes by {_change(gained)}"
    return f"{condition} ({words}) {left}: it is {outcomes}; {recall}."


def _left(entries: Sequence[Measurement], record: ShortcutRecord) -> str:
    """How much of the gap remains with a remedy, the mean over the settings."""
    gaps = {
        condition: [
            each.gap.difference
            for each in record.of(condition, "called")
            if each.gap and each.candidate in {entry.candidate for entry in entries}
        ]
        for condition in (MARKED, entries[0].condition)
    }
    whole, rest = (sum(each) / len(each) for each in gaps.values())
    shown = f"{amount('accuracy', rest)} of {amount('accuracy', whole)} points"
    if whole < _LEAST_GAP:
        return f"leaves a gap of {amount('accuracy', rest)} points"
    if rest <= 0:
        return f"closes the gap: {shown} remain"
    return f"leaves {100 * rest / whole:.0f} % of the gap, {shown}"


def _by_outcome(record: ShortcutRecord, entries: Sequence[Measurement]) -> str:
    """Such as `smaller with droprate 0.8, by 12.0 [8.1, 16.0] points; undecided with …`."""
    groups: dict[Outcome, list[Measurement]] = {}
    for entry in entries:
        if entry.change:
            groups.setdefault(entry.change.outcome, []).append(entry)
    parts = []
    for outcome, members in groups.items():
        changes = [entry.change for entry in members if entry.change]
        sign = -1 if outcome == "better" else 1
        named = [record.candidates[entry.candidate - 1] for entry in members]
        names = joined(named) if len(named) <= _LISTED else counted(len(named), "setting")
        if len(members) == len(entries) > 1:
            names = "every setting"
        size = f", by {_range(changes, sign)}" if outcome in ("better", "worse") else ""
        shown = f" ({_range(changes)})" if outcome in ("equivalent", "undecided") else ""
        where = "" if len(entries) == 1 else f" with {names}"
        parts.append(f"{_GAP_WORDS[outcome]}{where}{size}{shown}")
    return "; ".join(parts)


def _change(differences: Sequence[Decided]) -> str:
    """Such as `−28.7 to −21.2 [−44.8, −12.0] points (worse in 3 settings, undecided in 1)`."""
    order: tuple[Outcome, ...] = ("better", "worse", "equivalent", "undecided")
    counts = {each: sum(d.outcome == each for d in differences) for each in order}
    parts = [f"{outcome} in {count}" for outcome, count in counts.items() if count]
    plural = "" if parts[0].endswith(" 1") else "s"
    words = f"{parts[0]} setting{plural}" + "".join(f", {each}" for each in parts[1:])
    if len(parts) == 1:
        every = " in every setting" if len(differences) > 1 else ""
        words = f"{differences[0].outcome}{every}"
    return f"{_range(differences)} ({words})"


def _range(differences: Sequence[Decided], sign: float = 1.0) -> str:
    """The least and greatest difference, and the ends of all adjusted intervals, in points."""
    values = [sign * each.difference for each in differences]
    ends = [sign * end for each in differences for end in (each.adjusted_low, each.adjusted_high)]
    return range_words("accuracy", values, ends)


def _basis(record: ShortcutRecord) -> str:
    images = record.images
    compared = sum((e.gap is not None) + (e.change is not None) for e in record.entries)
    seeds = max((entry.seeds for entry in record.entries), default=0)
    failed = any(entry.seeds < seeds for entry in record.entries)
    return (
        f"This rests on {counted(images.validation, 'validation image')}, "
        f"{images.of_class} of {record.target}, on {images.with_mark} of other classes with the "
        f"{record.noun}, and on {counted(seeds, 'seed')}, with intervals adjusted for "
        f"{counted(compared, 'comparison')}: the family-wise error rate is at most 5 %"
        + ("; heads that diverged are left out." if failed else ".")
    )
