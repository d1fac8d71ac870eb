"""The answer in words: which differences are real, by how much, and what it rests on.

A winner is never named without the comparison that makes it one: what is not declared is said to
be undecided, or too small to matter.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from manyheads.evidence.comparisons import COMPARED, Comparison, Comparisons
from manyheads.evidence.validated import Validated
from manyheads.evidence.wording import (
    METRIC_WORDS,
    Names,
    by_how_much,
    joined,
    margin_words,
    settling,
)
from manyheads.study.space import counted

_CLAUSES = 3  # in a sentence; what takes more is counted


@dataclass(frozen=True)
class Verdict:
    """Two or three plain `sentences`, the first the headline, and the `comparisons` they sum up."""

    sentences: tuple[str, ...]
    comparisons: Comparisons

    def __str__(self) -> str:
        return " ".join(self.sentences)


def verdict_of(
    validated: Validated, comparisons: Comparisons, selected: int | None = None
) -> Verdict:
    """The verdict of a study; `selected` is the candidate that the study's rule chose, if any."""
    names = Names(validated)
    entries = comparisons.entries
    if not entries:
        spoken = [_nothing(validated, names)]
    elif all(entry.seeds == 1 for entry in entries):
        one = "One seed cannot tell a setting from its seed, so no difference is declared"
        spoken = [f"{one}; train at least 2 seeds, better 5."]
    else:
        spoken = [_of_metric(comparisons, metric, names) for metric in COMPARED]
    return Verdict((*spoken, _basis(validated, comparisons, names, selected)), comparisons)


def _nothing(validated: Validated, names: Names) -> str:
    if len(validated.candidates) == 1:
        only = names.first(validated.candidates)
        return f"There is nothing to compare: {only} is the only candidate trained to its end."
    return "There is nothing to compare: no two candidates share a seed that both finished."


def _of_metric(comparisons: Comparisons, metric: str, names: Names) -> str:
    """One metric's sentence."""
    entries = comparisons.of(metric)
    declared = [entry for entry in entries if entry.outcome in ("better", "worse")]
    alike = sum(entry.outcome == "equivalent" for entry in entries)
    open_ = [entry for entry in entries if entry.outcome == "undecided"]
    word, margin = METRIC_WORDS[metric].capitalize(), margin_words(metric, comparisons.margins)
    each = "the difference is" if len(entries) == 1 else "every difference is"
    kinds = [f"within {margin}"] * (alike > 0) + ["undecided"] * bool(open_)
    if not declared:
        how_many = len({candidate for e in entries for candidate in (e.first, e.second)})
        apart = names.first([entries[0].first, entries[0].second])
        whom = apart if how_many == 2 else f"the {how_many} candidates"
        said = f"{word} does not separate {whom}: {each} {' or '.join(kinds)}"
    else:
        said = f"{word}: {_declared(metric, entries, declared, names)}"
        if alike or open_:
            said += f"; {_others(alike, len(open_), margin)}"
    hint = settling(open_, names)
    return f"{said}; {hint}." if hint else f"{said}."


def _others(alike: int, undecided: int, margin: str) -> str:
    """What became of the differences that are not declared."""
    rest = alike + undecided
    if not alike or not undecided:
        which = "the other difference is" if rest == 1 else f"the other {rest} differences are"
        return f"{which} {f'within {margin}' if alike else 'undecided'}"
    counts = [
        f"{count} {'is' if count == 1 else 'are'} {what}"
        for count, what in ((alike, f"within {margin}"), (undecided, "undecided"))
    ]
    return f"of the other {rest} differences, {joined(counts)}"


def _declared(
    metric: str, entries: Sequence[Comparison], declared: Sequence[Comparison], names: Names
) -> str:
    """Who is worse than whom: grouped by what is worse, or by what is better, the shorter."""
    above: dict[int, dict[int, Comparison]] = {}  # of each worse one, the better ones
    below: dict[int, dict[int, Comparison]] = {}
    for entry in declared:
        better, worse = entry.first, entry.second
        if entry.outcome == "worse":
            better, worse = worse, better
        above.setdefault(worse, {})[better] = entry
        below.setdefault(better, {})[worse] = entry
    ways = (("worse", _clauses(above)), ("better", _clauses(below)))
    how, clauses = min(ways, key=lambda way: len(way[1]))
    if len(clauses) <= _CLAUSES:
        return "; ".join(
            f"{names.first(who)} {'is' if len(who) == 1 else 'are'} {how} than {names.then(whom)}, "
            f"{by_how_much(metric, found)}"
            for who, whom, found in clauses
        )
    largest = max(declared, key=lambda entry: abs(entry.difference))
    better, worse = largest.first, largest.second
    if largest.outcome == "worse":
        better, worse = worse, better
    involved = {candidate for entry in entries for candidate in (entry.first, entry.second)}
    unbeaten = sorted(involved - set(above))
    return (
        f"{len(declared)} of {len(entries)} differences are real, at most {names.first([worse])} "
        f"worse than {names.then([better])} {by_how_much(metric, [largest])}; nothing is shown to "
        f"be better than {names.first(unbeaten)}"
    )


def _clauses(
    groups: dict[int, dict[int, Comparison]],
) -> list[tuple[list[int], list[int], list[Comparison]]]:
    """Candidates that stand in one relation to the same others, said together."""
    together: dict[tuple[int, ...], list[int]] = {}
    for who in sorted(groups):
        together.setdefault(tuple(sorted(groups[who])), []).append(who)
    return [
        (who, list(whom), [groups[each][other] for each in who for other in whom])
        for whom, who in together.items()
    ]


def _basis(
    validated: Validated, comparisons: Comparisons, names: Names, selected: int | None
) -> str:
    """What the verdict rests on, what failed, and where the selected candidate stands."""
    images, seeds = len(validated.labels), validated.seeds()
    on = counted(images, "validation image")
    if validated.folds > 1:
        on = f"{counted(images, 'image')} in {validated.folds} folds"
        repeats = len(validated.fold_of)
        on += f", {repeats} times over," if repeats > 1 else ""
    said = f"This rests on {on} and {counted(seeds, 'seed')}"
    tested = sum(entry.seeds > 1 for entry in comparisons.entries)
    if tested:
        said += (
            f", with 95 % intervals and a risk of 5 % at most of any false difference in "
            f"{counted(tested, 'comparison')}"
        )
    parts = [said, *_failures(validated, comparisons, names, seeds)]
    if selected is not None and comparisons.entries:
        parts += _of_selected(comparisons, names, selected)
    return "; ".join(parts) + "."


def _failures(
    validated: Validated, comparisons: Comparisons, names: Names, seeds: int
) -> list[str]:
    compared = {c for entry in comparisons.entries for c in (entry.first, entry.second)}
    said = []
    for candidate in sorted(compared) or validated.candidates[:1]:
        count = len(validated.seeds_of(candidate))
        if count < seeds:
            said.append(f"{names.first([candidate])} counts with {count} of {seeds} seeds")
    if len(said) > 2:
        said = [f"{len(said)} candidates count with fewer than {seeds} seeds"]
    return [f"{joined(said)}, as trials of the others failed"] if said else []


def _of_selected(comparisons: Comparisons, names: Names, selected: int) -> list[str]:
    """Which candidates the selected one is not told apart from, and which beat it."""
    mine = [e for e in comparisons.entries if selected in (e.first, e.second)]
    apart, beaten_by = set(), set()
    for entry in mine:
        other = entry.second if entry.first == selected else entry.first
        if entry.outcome in ("better", "worse"):
            apart.add(other)
            if (entry.outcome == "worse") == (entry.first == selected):
                beaten_by.add((other, METRIC_WORDS[entry.metric]))
    same = sorted({e.first + e.second - selected for e in mine} - apart)
    who, said = f"the selected {names.first([selected])}", []
    if same:
        said.append(f"{who} is not separated from {names.then(same)}")
    where: dict[tuple[int, ...], list[str]] = {}
    for metric in METRIC_WORDS.values():
        better = tuple(sorted(other for other, by in beaten_by if by == metric))
        if better:
            where.setdefault(better, []).append(metric)
    said += [
        f"{who} is worse than {names.then(better)} by {joined(metrics)}"
        for better, metrics in where.items()
    ]
    return said
