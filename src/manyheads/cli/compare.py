"""`manyheads compare`: which differences between the candidates of a study are real."""

from __future__ import annotations

import argparse
import threading
from typing import TYPE_CHECKING

from manyheads.cli import options

if TYPE_CHECKING:
    from rich.table import Table

    from manyheads.evidence.findings import Findings

_MAX_ROWS = 40


def add(commands) -> argparse.ArgumentParser:
    """Add the command to the parser's `commands`."""
    parser = commands.add_parser(
        "compare",
        help="say which differences between the candidates of a study are real",
        description="Compare every pair of a finished study's candidates, or all with one of them, "
        "image by image and seed by seed, and say which differences are real, which make none in "
        "practice, and what would settle the others. Nothing is trained. Writes comparisons.csv.",
    )
    parser.add_argument("run_folder", metavar="RUN", help="run folder of a finished study")
    options.add_comparison(parser)
    parser.add_argument("--json", action="store_true", help="print the comparisons as JSON")
    return parser


def run(args: argparse.Namespace, stop: threading.Event) -> None:  # noqa: ARG001 - quick
    """Run the command."""
    from manyheads.cli import tables
    from manyheads.cli.closing import verdict_lines
    from manyheads.evidence.findings import read_findings, write_comparisons
    from manyheads.settings import plain
    from manyheads.study.folder import RunFolder

    folder = RunFolder(args.run_folder)
    findings = read_findings(folder, baseline=args.baseline, margins=options.margins(args))
    with folder.held():
        write_comparisons(findings)
    if args.json:
        verdict = findings.verdict
        tables.print_json({"verdict": verdict.sentences} | plain(verdict.comparisons))
        return
    tables.print_table(comparisons_table(findings))
    rows = len(findings.comparisons.entries)
    if rows > _MAX_ROWS:
        print(f"… {rows - _MAX_ROWS:,} more in {folder.comparisons}")
    print()
    for line in verdict_lines(findings, hints=True):
        print(line)
    print(f"\nTable    {folder.comparisons}")


def comparisons_table(findings: Findings) -> Table:
    """A row a comparison: first minus second, the interval that decides, and the outcome."""
    from rich import box
    from rich.table import Table
    from rich.text import Text

    from manyheads.evidence.comparisons import COMPARED
    from manyheads.evidence.wording import interval_words, needs_words

    validated, comparisons = findings.validated, findings.comparisons
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False)
    for title in ("metric", "first", "second"):
        table.add_column(title)
    table.add_column("first − second [95 %]", justify="right", no_wrap=True)
    table.add_column("p (Holm)", justify="right")
    table.add_column("the first is")
    table.add_column("would settle it")
    entries = [entry for metric in COMPARED for entry in comparisons.of(metric)]
    for entry in entries[:_MAX_ROWS]:
        table.add_row(
            entry.metric, Text(validated.name(entry.first)), Text(validated.name(entry.second)),
            interval_words(entry), f"{entry.p_holm:.3f}", entry.outcome,
            needs_words(entry.needs),
        )  # fmt: skip
    return table
