"""`manyheads compare`: which differences between the candidates of a study are real."""

from __future__ import annotations

import argparse

from manyheads.cli import options
from manyheads.core.job import Job


def add(commands) -> argparse.ArgumentParser:
    """Add the command to the parser's `commands`."""
    parser = commands.add_parser(
        "compare",
        help="test which differences between a study's candidates are significant",
        description="Compare every pair of a finished study's candidates, or all with one of them, "
        "image by image and seed by seed, and say which differences are significant, which are "
        "equivalent in practice, and what would settle the others. Nothing is trained. Writes "
        "comparisons.csv.",
    )
    parser.add_argument("run_folder", metavar="RUN", help="run folder of a finished study")
    options.add_comparison(parser)
    parser.add_argument(
        "--bayes", action="store_true",
        help="also show the posterior probabilities that a candidate is better than another, "
        "equivalent or worse; they have no part in the verdict",
    )  # fmt: skip
    parser.add_argument("--json", action="store_true", help="print the comparisons as JSON")
    return parser


def run(args: argparse.Namespace, job: Job) -> None:  # noqa: ARG001 - quick
    """Run the command."""
    from manyheads.cli import compare_screen, narrow, result_tables
    from manyheads.cli.closing import recommendation_lines, verdict_lines
    from manyheads.core.settings import plain
    from manyheads.findings.difference_tables import best_table
    from manyheads.findings.study_findings import read_findings, write_comparisons
    from manyheads.findings.wording import CandidateNames
    from manyheads.study.folder import RunFolder

    folder = RunFolder(args.run_folder)
    findings = read_findings(folder, baseline=args.baseline, margins=options.margins(args))
    if not folder.is_read_only:
        with folder.held():
            write_comparisons(findings)
    verdict, validated = findings.verdict, findings.validated
    posteriors = findings.posteriors if args.bayes else ()
    if args.json:
        told = {"verdict": verdict.sentences} | plain(verdict.comparisons)
        told |= {"ends": plain(verdict.ends), "best": plain(verdict.best)}
        result_tables.print_json(told | ({"posteriors": plain(posteriors)} if args.bayes else {}))
        return
    compare_screen.print_comparisons(
        validated, verdict.comparisons, verdict.ends, str(folder.comparisons)
    )
    if args.bayes:
        compare_screen.print_posteriors(validated, verdict.comparisons, posteriors)
    if verdict.best:
        narrow.print_table(best_table(verdict.best, CandidateNames(validated)))
        print()
    written = "not written: the run folder is read-only" if folder.is_read_only else ""
    table = f"Table    {written or folder.comparisons}"
    narrow.print_lines(
        [*recommendation_lines(findings), *verdict_lines(findings, hints=True), "", table]
    )
