"""`manyheads report`: a study as one page to read, and its figures for papers."""

from __future__ import annotations

import argparse

from manyheads.cli import options
from manyheads.core.job import Job


def add(commands) -> argparse.ArgumentParser:
    """Add the command to the parser's `commands`."""
    parser = commands.add_parser(
        "report",
        help="write a finished study, or a lesson, as one HTML page",
        description="Write RUN/report.html, as the end of every sweep does: one file that needs no "
        "network, with the recommendation, scores by setting, learning curves, comparisons, "
        "mistakes, calibration, data warnings, and how to reproduce the study. Of a lesson, it is "
        "the story of its stages and of the lesson's claims. Nothing is trained.",
    )
    parser.add_argument(
        "run_folder", metavar="RUN", help="run folder of a finished study, or folder of a lesson"
    )
    options.add_comparison(parser)
    parser.add_argument("--data", metavar="DATA", help="where the data set lies, if it was moved")
    parser.add_argument(
        "--out", metavar="FILE",
        help="the page to write, .html (default: RUN/report.html, or NAME-report.html in this "
        "folder where RUN is read-only)",
    )  # fmt: skip
    parser.add_argument(
        "--figures", action="store_true",
        help="write the figures as PNG and SVG, to figures beside the report",
    )  # fmt: skip
    return parser


def run(args: argparse.Namespace, job: Job) -> None:
    """Run the command."""
    from manyheads.cli.closing import recommendation_lines, verdict_lines
    from manyheads.cli.narrow import print_lines
    from manyheads.cli.screen import shown
    from manyheads.core.text import counted, size_words
    from manyheads.lesson.lesson_report import is_lesson, write_whole_lesson
    from manyheads.report.written_report import written_report
    from manyheads.study.folder import RunFolder

    with shown(job) as job:
        if is_lesson(args.run_folder):
            page = write_whole_lesson(
                args.run_folder, args.out, figures=args.figures, baseline=args.baseline,
                margins=options.margins(args), data=args.data, job=job,
            )  # fmt: skip
            print(f"Report   {page} ({size_words(page.stat().st_size)})")
            return
        found = written_report(
            RunFolder(args.run_folder), args.out, figures=args.figures, baseline=args.baseline,
            margins=options.margins(args), data=args.data, job=job,
        )  # fmt: skip
    print_lines([*recommendation_lines(found.findings), *verdict_lines(found.findings)])
    print(f"\nReport   {found.page} ({size_words(found.page.stat().st_size)})")
    if found.figures:
        print(f"Figures  {found.page.parent / 'figures'} ({counted(len(found.figures), 'file')})")
