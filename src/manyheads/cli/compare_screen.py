"""What `manyheads compare` prints: a table for each metric, the best, and probabilities if asked.

A row is a line of 80 columns. So cells hold what sets candidates apart, and nothing else.
"""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from typing import TYPE_CHECKING

from manyheads.cli.narrow import line_width, print_lines, print_table
from manyheads.core.table import Table, names, numbers, words
from manyheads.core.text import joined
from manyheads.findings.difference_tables import CellNames, comparisons_table, posteriors_table
from manyheads.findings.score_tables import estimate_words
from manyheads.findings.wording import METRIC_WORDS, CandidateNames, margin_words

if TYPE_CHECKING:
    from manyheads.findings.compared_studies import ComparedRun
    from manyheads.stats.comparisons import Comparisons
    from manyheads.stats.posterior import Posterior
    from manyheads.stats.validation_predictions import Validated

MAX_ROWS = 20  # of each metric


def print_comparisons(
    validated: Validated,
    comparisons: Comparisons,
    ends: Comparisons | None,
    rest: str,
    *,
    legend: str = "Candidates, by their numbers in results.csv",
) -> None:
    """Every metric's comparisons, at most `MAX_ROWS` each; `rest` names the file of the others.

    `legend` stands over the list of numbered candidates.
    """
    cells = _cells(validated)
    families = [family for family in (comparisons, ends) if family is not None and family.entries]
    entries = [e for family in families for m in _metrics(family) for e in family.of(m)[:MAX_ROWS]]
    sides = [side for entry in entries for side in (entry.first, entry.second)]
    _print_legend(legend, cells, sides)
    for family in families:
        if family is ends:
            print("At the end of training\n")
        for metric in _metrics(family):
            shown = family.of(metric)[:MAX_ROWS]
            print_table(comparisons_table(cells, metric, family.margins, shown))
            _print_more(len(family.of(metric)), f"in {rest}")
            print()
        _print_wrapped(_adjusted(family))


def runs_table(runs: Sequence[ComparedRun]) -> Table:
    """Studies side by side, each with its selected candidate and what to expect of it."""
    return Table(
        caption="Selected candidates; scores to expect on new images, not paired",
        columns=[
            *names("run"), *words("data", "backbone", "selected"),
            *numbers("of", "seeds", "validation\nimages", "accuracy\n[95 %]", "log loss\n[95 %]"),
        ],
        rows=[
            (
                each.run, each.data, each.backbone, each.best, f"{each.candidates:,}",
                f"{each.seeds:,}", f"{each.images:,}", estimate_words(each.accuracy),
                estimate_words(each.log_loss),
            )
            for each in runs
        ],
    )  # fmt: skip


def print_posteriors(
    validated: Validated, comparisons: Comparisons, posteriors: Sequence[Posterior]
) -> None:
    """Probabilities of better, equivalent and worse for each pair, or why there are none."""
    if not posteriors:
        _print_wrapped(f"Probabilities: none. {_why_none(comparisons)}")
        return
    metrics = list(dict.fromkeys(each.metric for each in posteriors))
    margins = [f"{margin_words(m, comparisons.margins)} of {METRIC_WORDS[m]}" for m in metrics]
    _print_wrapped(
        "Probabilities that the true difference lies beyond the margin in favour of the first "
        f"(better), within it (equivalent) or beyond it to the disadvantage of the first (worse); "
        f"the margins are {joined(margins)}. They hold given these images and seeds and no "
        "opinion beforehand, for one pair each, and are not adjusted for many pairs. They decide "
        "nothing; the verdict does."
    )
    for metric in metrics:
        found = [each for each in posteriors if each.metric == metric]
        print_table(posteriors_table(_cells(validated), metric, found[:MAX_ROWS]))
        _print_more(len(found), "with --json")
        print()


def _why_none(comparisons: Comparisons) -> str:
    if not comparisons.entries:
        return "There is nothing to compare."
    if all(entry.seeds == 1 for entry in comparisons.entries):
        return (
            "With one seed, differences between settings cannot be told from seed noise: train at "
            "least 2 seeds, better 10."
        )
    return "The validation images are too few to say anything of others."


def _cells(validated: Validated) -> CellNames:
    return CellNames(CandidateNames(validated).full)


def _print_legend(title: str, cells: CellNames, candidates: Sequence[int]) -> None:
    numbered = cells.legend(candidates)
    if numbered:
        _print_wrapped(title, end="\n")
        for number, name in numbered:
            _print_wrapped(f"{number:>5}  {name}", indent=7, end="\n")
        print()


def _metrics(comparisons: Comparisons) -> list[str]:
    return [metric for metric in comparisons.metrics if comparisons.of(metric)]


def _adjusted(comparisons: Comparisons) -> str:
    of = f"these {len(comparisons.entries):,}"
    if comparisons.family > len(comparisons.entries):
        of = f"all {comparisons.family:,}"
    said = f"Intervals and p are adjusted for {of} comparisons (Holm)."
    needs = [entry.required for entry in comparisons.entries]
    if any(each.seeds or each.repeats or each.images for each in needs):
        said += " Needs: the sample size for a decision, all of it together (80 % power)."
    return said


def _print_more(count: int, where: str) -> None:
    if count > MAX_ROWS:
        print_lines([f"… {count - MAX_ROWS:,} more {where}"])


def _print_wrapped(text: str, *, indent: int = 0, end: str = "\n\n") -> None:
    """Print text in lines of 80 columns, or as many as a narrower terminal has."""
    wrapped = textwrap.fill(
        text, line_width(), subsequent_indent=" " * indent, break_long_words=False
    )
    print(wrapped, end=end)
