"""The tables of a study's comparisons, for the screen and the report."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from manyheads.core.table import Table, TableColumn, numbers, words
from manyheads.core.text import NOTHING, capital, p_value, percent
from manyheads.findings.wording import (
    METRIC_WORDS,
    CandidateNames,
    difference_words,
    margin_words,
    unit_of,
)
from manyheads.stats.best_set import BestSet
from manyheads.stats.comparisons import Comparison, Margins
from manyheads.stats.posterior import Posterior

_LONG = 10  # letters of a name that fit the head of a column
_NEEDS = ("seeds", "repeats", "images")


class CellNames:
    """How candidates are called in cells: by what sets them apart, or else by their numbers.

    That is the value of the one hyperparameter that varies, its name in the `title` over the
    cells, or the number in `results.csv`, which a legend explains; or, `in_full`, all words.
    """

    def __init__(self, names: Mapping[int, str], *, in_full: bool = False) -> None:
        self.names = names
        parts = {candidate: name.split(" ") for candidate, name in names.items()}
        varying = {each[0] if len(each) == 2 else "" for each in parts.values()}
        name = varying.pop() if len(varying) == 1 else ""
        self._cells = {candidate: each[1] for candidate, each in parts.items()} if name else {}
        self.numbered = not (name or in_full)
        self.title = name.replace("_", "_\n") if len(name) > _LONG else name or "candidate"
        self.columns = [
            TableColumn(f"{self.title}\nfirst", key=True), TableColumn("\nsecond", key=True)
        ]  # fmt: skip
        if in_full:
            self._cells = names
            self.columns = [TableColumn(title, "words", key=True) for title in ("first", "second")]

    def of(self, candidate: int) -> str:
        """A candidate as a cell says it."""
        return self._cells.get(candidate, str(candidate))

    def legend(self, candidates: Sequence[int]) -> list[tuple[int, str]]:
        """What the numbers of `candidates` stand for; nothing where cells say it themselves."""
        return [(each, self.names[each]) for each in sorted(set(candidates)) if self.numbered]


def comparisons_table(
    cells: CellNames, metric: str, margins: Margins, entries: Sequence[Comparison]
) -> Table:
    """Comparisons in one metric: first minus second, what that amounts to, what would settle it."""
    wanted = [kind for kind in _NEEDS if any(getattr(entry.required, kind) for entry in entries)]
    return Table(
        caption=f"{capital(METRIC_WORDS[metric])}, in {unit_of(metric)} "
        f"(margin {margin_words(metric, margins)})",
        columns=[
            *cells.columns,
            *numbers("first − second\n[adjusted 95 %]", "p\n(Holm)"),
            *words("the first\nis"),
            *numbers(*(f"{'needs' * (kind == wanted[0])}\n{kind}" for kind in wanted)),
        ],
        rows=[
            (
                cells.of(entry.first),
                cells.of(entry.second),
                difference_words(metric, entry.estimate, unit=False),
                p_value(entry.p_holm),
                entry.outcome,
                *(
                    f"{number:,}" if number else ""
                    for number in (getattr(entry.required, kind) for kind in wanted)
                ),
            )
            for entry in entries
        ],
    )


def posteriors_table(cells: CellNames, metric: str, found: Sequence[Posterior]) -> Table:
    """How probable it is that the first of a pair is better, equivalent and worse."""
    return Table(
        caption=capital(METRIC_WORDS[metric]),
        columns=[
            *cells.columns,
            *numbers("P(first better)", "P(equivalent)", "P(first worse)"),
        ],
        rows=[
            (
                cells.of(each.first),
                cells.of(each.second),
                *map(probability_words, (each.better, each.equivalent, each.worse)),
            )
            for each in found
        ],
    )


def best_table(best: Sequence[BestSet], names: CandidateNames, most: int = 10) -> Table:
    """The candidates that may be the best, a row for each metric; of many, `most` are named."""
    rows = [
        (
            capital(METRIC_WORDS[each.metric]),
            names.listed(each.candidates, most),
            f"{len(each.candidates):,} of {each.compared:,}",
            NOTHING if each.cheapest is None else names.first([each.cheapest]),
        )
        for each in reversed(best)
    ]
    columns = words("score", "may be the best, best mean first", "how many", "the cheapest of them")
    kept = 4 if any(each.cheapest is not None for each in best) else 3
    return Table(
        caption="Candidates that may be the best; each set holds the best with 95 % confidence",
        columns=[columns[0]._replace(key=True), *columns[1:kept]],
        rows=[row[:kept] for row in rows],
    )


def probability_words(probability: float) -> str:
    """A probability in percent; none is certain: `>99.9 %` and `<0.1 %`."""
    text = percent(probability)
    return {"100.0 %": ">99.9 %", "0.0 %": "<0.1 %"}.get(text, text)
