"""`manyheads compare`: which differences between candidates are real, of a study or of several."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from manyheads.cli import options
from manyheads.core.job import Job

if TYPE_CHECKING:
    from manyheads.findings.run_comparison import RunComparison


def add(commands) -> argparse.ArgumentParser:
    """Add the command to the parser's `commands`."""
    parser = commands.add_parser(
        "compare",
        help="test which differences between a study's candidates are significant",
        description="Compare every pair of a finished study's candidates, or all with one of them, "
        "image by image and seed by seed, and say which differences are significant, which are "
        "equivalent in practice, and what would settle the others. Nothing is trained. Writes "
        "comparisons.csv. With several runs, compare their selected candidates on the images that "
        "validated in all of them; then nothing is written. With a run and a .csv of predictions, "
        "such as those of a fine-tuned network, compare these with the run's model.",
    )
    parser.add_argument(
        "run_folders", metavar="RUN", nargs="+",
        help="run folder of a finished study; of several, their selected candidates are compared; "
        "behind one run, a .csv of predictions of its validation images, as `predict` writes it",
    )  # fmt: skip
    parser.add_argument(
        "--all-candidates", action="store_true",
        help="with several runs: compare all candidates, or the best of each run, 20 together",
    )  # fmt: skip
    options.add_comparison(parser)
    parser.add_argument(
        "--bayes", action="store_true",
        help="also show the posterior probabilities that a candidate is better than another, "
        "equivalent or worse; they have no part in the verdict",
    )  # fmt: skip
    parser.add_argument("--json", action="store_true", help="print the comparisons as JSON")
    return parser


def run(args: argparse.Namespace, job: Job) -> None:
    """Run the command."""
    if any(each.lower().endswith(".csv") for each in args.run_folders):
        _compare_predictions(args, job)
    elif len(args.run_folders) > 1:
        _compare_runs(args, job)
    else:
        _compare_candidates(args, job)


def _compare_predictions(args: argparse.Namespace, job: Job) -> None:
    """Compare predictions in a file with those of a run's model."""
    from manyheads.cli import narrow, result_tables
    from manyheads.cli.closing import labelled_lines
    from manyheads.cli.screen import shown
    from manyheads.core.settings import plain
    from manyheads.errors import SettingError
    from manyheads.run.compared_predictions import compare_with_run
    from manyheads.study.folder import RunFolder

    asked = args.baseline is not None or args.all_candidates or args.bayes
    if len(args.run_folders) != 2 or asked:
        raise SettingError(
            "one run and one file of predictions",
            "options for candidates" if asked else ", ".join(args.run_folders),
            "name the run folder, then the .csv, and nothing else",
        )  # fmt: skip
    run, predictions = args.run_folders
    with shown(job):
        found = compare_with_run(RunFolder(run), Path(predictions), margins=options.margins(args))
    if args.json:
        told = {"first": found.first, "second": found.second, "verdict": found.sentences}
        result_tables.print_json(told | plain(found.found))
        return
    narrow.print_table(found.table)
    print()
    narrow.print_lines(labelled_lines("Verdict", *found.sentences))


def _compare_candidates(args: argparse.Namespace, job: Job) -> None:
    """Compare the candidates of one run with each other."""
    from manyheads.cli import compare_screen, narrow, result_tables
    from manyheads.cli.closing import recommendation_lines, settling_lines, verdict_lines
    from manyheads.cli.screen import shown
    from manyheads.core.settings import plain
    from manyheads.errors import SettingError
    from manyheads.findings.difference_tables import best_table
    from manyheads.findings.study_findings import read_findings, write_comparisons
    from manyheads.findings.wording import CandidateNames
    from manyheads.study.folder import RunFolder

    if args.all_candidates:
        raise SettingError(
            "several runs for `all_candidates`", "one, whose candidates are all compared",
            "leave it out, or name another run",
        )  # fmt: skip
    folder = RunFolder(args.run_folders[0])
    with shown(job):
        findings = read_findings(folder, baseline=args.baseline, margins=options.margins(args))
        verdict = findings.verdict
    if not folder.is_read_only:
        with folder.held():
            write_comparisons(findings)
    validated = findings.validated
    posteriors = findings.posteriors if args.bayes else ()
    if args.json:
        told = {"recommendation": result_tables.recommendation_json(findings)}
        told |= {"verdict": verdict.sentences} | plain(verdict.comparisons)
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
    following = settling_lines(findings)
    narrow.print_lines(
        [
            *recommendation_lines(findings),
            *verdict_lines(findings, hints=True),
            *("", table),
            *([""] if following else []),
            *following,
        ]
    )


def _compare_runs(args: argparse.Namespace, job: Job) -> None:
    """Compare candidates of several runs on the images that they share."""
    from manyheads.cli import compare_screen, narrow, result_tables
    from manyheads.cli.closing import labelled_lines
    from manyheads.cli.screen import shown
    from manyheads.errors import SettingError
    from manyheads.findings.difference_tables import best_table
    from manyheads.findings.run_comparison import compare_folders
    from manyheads.findings.wording import CandidateNames
    from manyheads.study.folder import RunFolder

    if args.baseline is not None:
        raise SettingError(
            "one run for `baseline`, a number in its results.csv", "several runs",
            "leave it out, or name one run",
        )  # fmt: skip
    folders = [RunFolder(each) for each in args.run_folders]
    with shown(job):
        found = compare_folders(folders, every=args.all_candidates, margins=options.margins(args))
    if args.json:
        result_tables.print_json(_runs_json(found, bayes=args.bayes))
        return
    narrow.print_table(compare_screen.runs_table(found.runs))
    print()
    verdict, differences = found.verdict, found.differences
    if verdict is None or differences is None:
        narrow.print_lines(labelled_lines("Verdict", f"None: {found.reason}."))
        return
    validated = differences.validated
    compare_screen.print_comparisons(
        validated, verdict.comparisons, verdict.ends, "the output of --json", legend="Candidates"
    )
    if args.bayes:
        compare_screen.print_posteriors(validated, verdict.comparisons, found.posteriors)
    if verdict.best:
        narrow.print_table(best_table(verdict.best, CandidateNames(validated)))
        print()
    narrow.print_lines(labelled_lines("Verdict", *found.sentences))
    if verdict.hints:
        narrow.print_lines(labelled_lines("Power", *verdict.hints))


def _runs_json(found: RunComparison, *, bayes: bool) -> dict[str, object]:
    from manyheads.core.settings import plain

    verdict = found.verdict
    told: dict[str, object] = {
        "runs": plain(found.runs),
        "shared_images": found.shared,
        "candidates": found.names,
        "verdict": [] if verdict is None else found.sentences,
        "reason": found.reason,
    }
    if verdict is not None:
        told |= plain(verdict.comparisons)
        told |= {"ends": plain(verdict.ends), "best": plain(verdict.best)}
    return told | ({"posteriors": plain(found.posteriors)} if bayes else {})
