"""The answer in words: which candidates may be the best, which differences are significant.

A winner is never named without the comparison that makes it one. Of four settings of one
hyperparameter the verdict takes five lines of 80 columns; everything else is in the comparisons.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from manyheads.core.text import capital
from manyheads.findings.finding import Finding
from manyheads.findings.wording import (
    METRIC_WORDS,
    CandidateNames,
    by_how_much,
    joined,
    margin_words,
    settling,
)
from manyheads.stats.best_set import BestSet
from manyheads.stats.comparisons import ENDING, Comparison, Comparisons
from manyheads.stats.validation_predictions import Validated
from manyheads.study.space import counted

LINE = 71  # columns that a line of 80 has beside `Verdict  `


@dataclass(frozen=True)
class Verdict(Finding):
    """Plain `sentences`, the headline first, and what they sum up.

    `notes` are what limits them, such as failed trials, and `hints` what would settle what is
    undecided. `best` are the sets of candidates that may be the best, in each metric; `ends` are
    the comparisons of the end of training, None where an earlier version kept nothing of it.
    """

    sentences: tuple[str, ...]  # pyright: ignore[reportIncompatibleMethodOverride]
    notes: tuple[str, ...]
    hints: tuple[str, ...]
    comparisons: Comparisons
    ends: Comparisons | None
    best: tuple[BestSet, ...]

    @property
    def entries(self) -> tuple[Comparison, ...]:
        """All comparisons, those of the end of training last."""
        return (*self.comparisons.entries, *(self.ends.entries if self.ends else ()))

    def _lines(self) -> tuple[str, ...]:
        return (*self.sentences, *self.notes)


def verdict_of(
    validated: Validated,
    comparisons: Comparisons,
    *,
    ends: Comparisons | None = None,
    best: Sequence[BestSet] = (),
    selected: int | None = None,
    also: Sequence[str] = (),
) -> Verdict:
    """The verdict of a study; `selected` is the candidate that the study's rule chose, if any.

    `also` says what else is to be known of how it came about, among its notes.
    """
    names = CandidateNames(validated)
    entries = comparisons.entries
    hints: tuple[str, ...] = ()
    if not entries:
        sentences = [_nothing(validated, names)]
    elif all(entry.seeds == 1 for entry in entries):
        sentences = [
            "With one seed, differences between settings cannot be told from seed noise: "
            "train at least 2 seeds, better 10."
        ]
    else:
        sentences = [_best(best, names)] if best else []
        sentences += [
            _of_metric(comparisons, metric, names) for metric in reversed(comparisons.metrics)
        ]
        sentences += [_end(ends, names)] if ends is not None else []
        hints = tuple(_hints(comparisons, names))
    sentences.append(_basis(validated, comparisons))
    notes = (*_notes(validated, comparisons, names, selected), *also)
    return Verdict(tuple(sentences), notes, hints, comparisons, ends, tuple(best))


def _nothing(validated: Validated, names: CandidateNames) -> str:
    if len(validated.candidates) == 1:
        only = names.first(validated.candidates)
        return f"There is nothing to compare: {only} is the only candidate trained to its end."
    return "There is nothing to compare: no two candidates share a seed that both finished."


def _best(best: Sequence[BestSet], names: CandidateNames) -> str:
    """Which candidates may be the best, in each metric; and the cheapest of them."""
    one = len({frozenset(each.candidates) for each in best}) == 1
    words = joined([METRIC_WORDS[each.metric] for each in reversed(best)])
    members, brief = (_members(best, names, in_full=in_full) for in_full in (True, False))
    cheapest, short_cheapest = _cheapest(best, names)
    by = "; ".join(f"{who} by {word}" for word, who in members.items())
    if one:
        by = f"{next(iter(members.values()))}, by {words}"
        tables = [f": {next(iter(each.values()))}, by {words}" for each in (members, brief)]
    else:
        tables = [
            f" by {'; '.join(f'{word}: {who}' for word, who in each.items())}"
            for each in (members, brief)
        ]
    shorter = [f"Best (95 %): {by}{cheapest}."]
    shorter += [f"Best (95 %){table}{short_cheapest}." for table in tables]
    return _fitting(
        f"With 95 % confidence the best is {by}{cheapest}.",
        shorter[0],
        *(each.replace(" or ", ", ") for each in shorter),
    )


def _members(best: Sequence[BestSet], names: CandidateNames, *, in_full: bool) -> dict[str, str]:
    """The candidates of each set, by the metric in words; with `in_full`, the first one's name."""
    members: dict[str, str] = {}
    for found in reversed(best):
        word = METRIC_WORDS[found.metric]
        if len(found.candidates) == found.compared:
            members[word] = f"any of the {found.compared:,}"
        else:
            members[word] = names.any_of(sorted(found.candidates), first=in_full)
            in_full = False
    return members


def _cheapest(best: Sequence[BestSet], names: CandidateNames) -> tuple[str, str]:
    """The cheapest of the sets as the end of a sentence, long and short; empty for none."""
    found = {METRIC_WORDS[b.metric]: b.cheapest for b in reversed(best) if b.cheapest is not None}
    if not found:
        return "", ""
    if len(set(found.values())) == 1:
        (which,) = set(found.values())
        return (
            f"; the cheapest of them is {names.first([which])}",
            f"; cheapest: {names.then([which])}",
        )
    apart = joined([f"{names.first([each])} by {word}" for word, each in found.items()])
    text = f"; the cheapest of them is {apart}"
    return text, text


def _of_metric(
    comparisons: Comparisons, metric: str, names: CandidateNames, about: str = ""
) -> str:
    """One metric's differences."""
    entries = comparisons.of(metric)
    declared = [entry for entry in entries if entry.outcome in ("better", "worse")]
    alike = sum(entry.outcome == "equivalent" for entry in entries)
    undecided = len(entries) - len(declared) - alike
    word = about or capital(METRIC_WORDS[metric])
    rest = [f"{alike} equivalent within {margin_words(metric, comparisons.margins)}"] * (alike > 0)
    rest += [f"{undecided} undecided"] * (undecided > 0)
    if not declared:
        text = f"{word}: no significant difference"
        if len(entries) == 1:
            return f"{text}; {joined(rest)}." if alike else f"{text}."
        among = f"{text} among {len(entries)} pairs"
        if not alike:
            return f"{among}."
        same = f"{alike} of {len(entries)} equivalent within "
        same += margin_words(metric, comparisons.margins)
        return _fitting(f"{among}; {joined(rest)}.", f"{text}; {same}.", f"{word}: {same}.")
    clauses = _clauses(declared)
    largest = max(declared, key=lambda entry: abs(entry.difference))
    better, worse = _sides(largest)
    gap = (
        f"{names.then([worse])} worse than {names.then([better])} {by_how_much(metric, [largest])}"
    )
    most = _fitting(
        f"{word}: {gap}; {len(declared)} of {len(entries)} differ.",
        f"{word}: {gap}; {len(declared)}/{len(entries)} differ.",
    )
    if len(clauses) > 1:
        return most
    who, how, whom, found = clauses[0]
    text = f"{word}: {names.then(who)} {how} than {names.then(whom)} {by_how_much(metric, found)}"
    return _fitting(*([f"{text}; {joined(rest)}."] if rest else []), f"{text}.", most)


def _sides(entry: Comparison) -> tuple[int, int]:
    """The better candidate and the worse one of a declared difference."""
    sides = entry.first, entry.second
    return sides if entry.outcome == "better" else (sides[1], sides[0])


def _clauses(
    declared: Sequence[Comparison],
) -> list[tuple[list[int], str, list[int], list[Comparison]]]:
    """Who is worse than whom: grouped by what is worse, or by what is better, the shorter."""
    above: dict[int, dict[int, Comparison]] = {}  # of each worse one, the better ones
    below: dict[int, dict[int, Comparison]] = {}
    for entry in declared:
        better, worse = _sides(entry)
        above.setdefault(worse, {})[better] = entry
        below.setdefault(better, {})[worse] = entry
    ways = [
        [(who, how, whom, found) for who, whom, found in _together(groups)]
        for how, groups in (("worse", above), ("better", below))
    ]
    return min(ways, key=len)


def _together(
    groups: dict[int, dict[int, Comparison]],
) -> list[tuple[list[int], list[int], list[Comparison]]]:
    """Candidates that stand in one relation to the same others, named together."""
    together: dict[tuple[int, ...], list[int]] = {}
    for who in sorted(groups):
        together.setdefault(tuple(sorted(groups[who])), []).append(who)
    return [
        (who, list(whom), [groups[each][other] for each in who for other in whom])
        for whom, who in together.items()
    ]


def _end(ends: Comparisons, names: CandidateNames) -> str:
    """The end of training: the final log loss, or else its distance from the training loss."""
    for metric, about in zip(ENDING, ("Final loss", "Final gap"), strict=True):
        if any(entry.outcome in ("better", "worse") for entry in ends.of(metric)):
            return _of_metric(ends, metric, names, about)
    return "Final loss: no significant difference."


def _hints(comparisons: Comparisons, names: CandidateNames) -> Iterator[str]:
    """What would settle the comparison that needs least, in each metric."""
    for metric in reversed(comparisons.metrics):
        open_ = [entry for entry in comparisons.of(metric) if entry.outcome == "undecided"]
        if hint := settling(open_, names):
            yield f"{capital(METRIC_WORDS[metric])}: {hint}."


def _basis(validated: Validated, comparisons: Comparisons) -> str:
    """What the verdict rests on."""
    images, seeds = len(validated.labels), validated.seeds()
    on = counted(images, "validation image")
    if validated.folds > 1:
        repeats = len(validated.fold_of)
        on = f"{counted(images, 'image')} in {validated.folds} folds"
        on += f" × {repeats}" if repeats > 1 else ""
    text = f"On {on}, {counted(seeds, 'seed')}"
    if all(entry.seeds == 1 for entry in comparisons.entries):
        return f"{text}."
    return _fitting(
        f"{text}; family-wise error rate at most 5 %.",
        f"{text}; family-wise error rate ≤ 5 %.",
        f"{text}; family-wise error ≤ 5 %.",
    )


def _notes(
    validated: Validated, comparisons: Comparisons, names: CandidateNames, selected: int | None
) -> Iterator[str]:
    compared = {c for entry in comparisons.entries for c in (entry.first, entry.second)}
    seeds, fewer = validated.seeds(), []
    for candidate in sorted(compared) or validated.candidates[:1]:
        count = len(validated.seeds_of(candidate))
        if count < seeds:
            fewer.append(f"{names.first([candidate])} counts with {count} of {seeds} seeds")
    if len(fewer) > 2:
        fewer = [f"{len(fewer)} candidates count with fewer than {seeds} seeds"]
    if fewer:
        yield f"Some trials failed: {joined(fewer)}."
    for metric in reversed(comparisons.metrics):
        beaten = [_sides(entry) for entry in comparisons.of(metric) if _declared(entry)]
        better = sorted(one for one, other in beaten if other == selected)
        if selected is not None and better:
            yield (
                f"The selected {names.first([selected])} is worse than {names.then(better)} by "
                f"{METRIC_WORDS[metric]}."
            )
    if comparisons.baseline is not None and comparisons.family > len(comparisons.entries):
        yield (
            f"The baseline is the best or the worst of the table, so its comparisons are adjusted "
            f"for all {comparisons.family:,} of a study of this size."
        )
    if validated.other_epochs is None and comparisons.entries:
        yield (
            "An earlier version kept predictions of the chosen epochs alone: log loss is compared "
            "there, and nothing is known of the end of training."
        )


def _declared(entry: Comparison) -> bool:
    return entry.outcome in ("better", "worse")


def _fitting(*variants: str) -> str:
    """The first that fits a line, or else the last."""
    return next((each for each in variants if len(each) <= LINE), variants[-1])
