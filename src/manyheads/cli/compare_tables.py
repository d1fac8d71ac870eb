"""What `manyheads compare` prints: a table for each metric, the best, and probabilities if asked.

A row is a line of 80 columns. So cells hold what sets candidates apart: the values of the one
hyperparameter that varies, its name in the column's head, or else the numbers of `results.csv`.
"""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from manyheads.cli import narrow, result_tables
from manyheads.findings.wording import (
    METRIC_WORDS,
    Names,
    interval_words,
    joined,
    margin_words,
)
from manyheads.stats.comparisons import COMPARED, ENDING

if TYPE_CHECKING:
    from rich.table import Table

    from manyheads.stats.best_set import BestSet
    from manyheads.stats.comparisons import Comparison, Comparisons, Margins
    from manyheads.stats.posterior import Posterior
    from manyheads.stats.validation_predictions import Validated

MAX_ROWS = 20  # of each metric
MAX_BEST = 10  # candidates named; more are counted
_WIDTH = 80
_LONG = 10  # letters of a name that fit the head of a column
_NEEDS = ("seeds", "repeats", "images")


class Cells:
    """How candidates are named in cells, and the `title` over them."""

    def __init__(self, validated: Validated) -> None:
        self._full = dict(zip(validated.candidates, validated.names, strict=True))
        words = {candidate: name.split(" ") for candidate, name in self._full.items()}
        names = {parts[0] if len(parts) == 2 else "" for parts in words.values()}
        name = names.pop() if len(names) == 1 else ""
        self._values = {candidate: parts[1] for candidate, parts in words.items()} if name else {}
        self.title = name.replace("_", "_\n") if len(name) > _LONG else name or "candidate"

    def of(self, candidate: int) -> str:
        """A candidate's value, or else its number."""
        return self._values.get(candidate, str(candidate))

    def legend(self, candidates: Sequence[int]) -> Iterator[str]:
        """What the numbers of `candidates` stand for; nothing where cells hold values."""
        if candidates and not self._values:
            title = "Candidates, by their numbers in results.csv"
            yield from textwrap.wrap(title, narrow.line_width(_WIDTH))
            for candidate in sorted(set(candidates)):
                yield from textwrap.wrap(
                    f"{candidate:>5}  {self._full[candidate]}", narrow.line_width(_WIDTH),
                    subsequent_indent=" " * 7, break_long_words=False,
                )  # fmt: skip
            yield ""


def print_comparisons(
    validated: Validated, comparisons: Comparisons, ends: Comparisons | None, rest: str
) -> None:
    """Every metric's comparisons, at most `MAX_ROWS` each; `rest` names the file of the others."""
    cells = Cells(validated)
    families = [family for family in (comparisons, ends) if family is not None and family.entries]
    entries = [e for family in families for m in _metrics(family) for e in family.of(m)[:MAX_ROWS]]
    for line in cells.legend([side for entry in entries for side in (entry.first, entry.second)]):
        print(line)
    for family in families:
        if family is ends:
            print("At the end of training\n")
        for metric in _metrics(family):
            _print_line(_title(metric, family.margins))
            result_tables.print_table(
                comparisons_table(cells, family.of(metric)[:MAX_ROWS]), names=2
            )
            _print_more(len(family.of(metric)), f"in {rest}")
            print()
        _print_wrapped(_adjusted(family))


def comparisons_table(cells: Cells, entries: Sequence[Comparison]) -> Table:
    """Comparisons in one metric: first minus second, what that amounts to, what would settle it."""
    table = _table(cells)
    table.add_column("first − second\n\\[adjusted 95 %]", justify="right", no_wrap=True)
    table.add_column("p\n(Holm)", justify="right")
    table.add_column("the first\nis")
    wanted = [kind for kind in _NEEDS if any(getattr(entry.required, kind) for entry in entries)]
    for kind in wanted:
        table.add_column(f"{'needs' * (kind == wanted[0])}\n{kind}", justify="right")
    for entry in entries:
        numbers = [getattr(entry.required, kind) for kind in wanted]
        table.add_row(
            cells.of(entry.first), cells.of(entry.second),
            interval_words(entry).removesuffix(" points"),  # which the title says
            _p(entry.p_holm), entry.outcome,
            *(f"{number:,}" if number else "" for number in numbers),
        )  # fmt: skip
    return table


def best_lines(validated: Validated, best: Sequence[BestSet]) -> Iterator[str]:
    """The candidates that may be the best, in each metric, in lines of 80 columns."""
    names, said = Names(validated), []
    if best:
        said = ["Each of these sets holds the best with a confidence of 95 %."]
    for found in reversed(best):
        cheapest = ""
        if found.cheapest is not None:
            cheapest = f"; the cheapest of them is {names.first([found.cheapest])}"
        said.append(
            f"By {METRIC_WORDS[found.metric]}: {names.listed(found.candidates, MAX_BEST)} "
            f"({len(found.candidates):,} of {found.compared:,}){cheapest}"
        )
    width = narrow.line_width(_WIDTH) - 9
    lines = [line for each in said for line in textwrap.wrap(each, width, break_long_words=False)]
    return (f"{'' if place else 'Best':9}{line}" for place, line in enumerate(lines))


def print_posteriors(
    validated: Validated, comparisons: Comparisons, posteriors: Sequence[Posterior]
) -> None:
    """Probabilities of better, equivalent and worse for each pair, or why there are none."""
    if not posteriors:
        _print_wrapped(f"Probabilities: none. {_why_none(comparisons)}")
        return
    metrics = [metric for metric in COMPARED if any(each.metric == metric for each in posteriors)]
    margins = [f"{margin_words(m, comparisons.margins)} of {METRIC_WORDS[m]}" for m in metrics]
    _print_wrapped(
        "Probabilities that the true difference lies beyond the margin in favour of the first "
        f"(better), within it (equivalent) or beyond it to the disadvantage of the first (worse); "
        f"the margins are {joined(margins)}. They hold given these images and seeds and no "
        "opinion beforehand, for one pair each, and are not adjusted for many pairs. They decide "
        "nothing; the verdict does."
    )
    cells = Cells(validated)
    for metric in metrics:
        found = [each for each in posteriors if each.metric == metric]
        table = _table(cells)
        for title in ("P(first better)", "P(equivalent)", "P(first worse)"):
            table.add_column(title, justify="right", no_wrap=True)
        for each in found[:MAX_ROWS]:
            shares = map(percent, (each.better, each.equivalent, each.worse))
            table.add_row(cells.of(each.first), cells.of(each.second), *shares)
        print(METRIC_WORDS[metric].capitalize())
        result_tables.print_table(table, names=2)
        _print_more(len(found), "with --json")
        print()


def _why_none(comparisons: Comparisons) -> str:
    if not comparisons.entries:
        return "There is nothing to compare."
    if all(entry.seeds == 1 for entry in comparisons.entries):
        return (
            "With one seed, a setting cannot be told from its luck: train at least 2 seeds, "
            "better 10."
        )
    return "The validation images are too few to say anything of others."


def percent(probability: float) -> str:
    """A probability in percent; none is certain: `>99.9 %` and `<0.1 %`."""
    text = f"{100 * probability:.1f} %"
    return {"100.0 %": ">99.9 %", "0.0 %": "<0.1 %"}.get(text, text)


def _p(p: float) -> str:
    return "<0.001" if p < 0.001 else f"{p:.3f}"


def _metrics(comparisons: Comparisons) -> list[str]:
    return [metric for metric in (*COMPARED, *ENDING) if comparisons.of(metric)]


def _title(metric: str, margins: Margins) -> str:
    unit = "points of 100" if metric == "accuracy" else "nats"
    margin = margin_words(metric, margins)
    return f"{METRIC_WORDS[metric].capitalize()}, in {unit} (margin {margin})"


def _adjusted(comparisons: Comparisons) -> str:
    of = f"these {len(comparisons.entries):,}"
    if comparisons.family > len(comparisons.entries):
        of = f"all {comparisons.family:,}"
    said = f"Intervals and p are adjusted for {of} comparisons (Holm)."
    if any(getattr(entry.required, kind) for entry in comparisons.entries for kind in _NEEDS):
        said += " Needs: what would probably settle it, all of it together (80 % power)."
    return said


def _print_more(count: int, where: str) -> None:
    if count > MAX_ROWS:
        _print_line(f"… {count - MAX_ROWS:,} more {where}")


def _print_wrapped(text: str) -> None:
    width = narrow.line_width(_WIDTH)
    print(textwrap.fill(text, width, break_long_words=False), end="\n\n")


def _print_line(text: str) -> None:
    narrow.print_lines([text])


def _table(cells: Cells) -> Table:
    """A table with the columns that name a pair."""
    from rich import box
    from rich.table import Table

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False, padding=(0, 1, 0, 0))
    table.add_column(f"{cells.title}\nfirst", justify="right")
    table.add_column("\nsecond", justify="right")
    return table
