"""`manyheads report`: a study as one page to read, and its figures for papers."""

from __future__ import annotations

import argparse
import threading

from manyheads.cli import options


def add(commands) -> argparse.ArgumentParser:
    """Add the command to the parser's `commands`."""
    parser = commands.add_parser(
        "report",
        help="write a finished study as one page: verdict, comparisons, curves, mistakes",
        description="Write RUN/report.html: one file that needs no network, with the verdict, the "
        "comparisons, curves, calibration, classes, the images that the model gets wrong, data "
        "warnings, and how to repeat it all. Nothing is trained.",
    )
    parser.add_argument("run_folder", metavar="RUN", help="run folder of a finished study")
    options.add_comparison(parser)
    parser.add_argument(
        "--figures", action="store_true", help="write the figures as PNG and SVG, to RUN/figures"
    )
    return parser


def run(args: argparse.Namespace, stop: threading.Event) -> None:
    """Run the command."""
    from manyheads.cli.closing import verdict_lines
    from manyheads.cli.screen import size_words
    from manyheads.evidence.findings import read_findings
    from manyheads.report.filling import report_content
    from manyheads.report.page import write_report
    from manyheads.report.papers import write_figures
    from manyheads.study.folder import RunFolder

    folder = RunFolder(args.run_folder)
    findings = read_findings(folder, baseline=args.baseline, margins=options.margins(args))
    content = report_content(findings, stop=stop)
    with folder.held():
        write_report(folder.report, content)
        figures = write_figures(folder.path / "figures", content) if args.figures else []
    for line in verdict_lines(findings):
        print(line)
    print(f"\nReport   {folder.report} ({size_words(folder.report.stat().st_size)})")
    if figures:
        from manyheads.words import counted

        print(f"Figures  {folder.path / 'figures'} ({counted(len(figures), 'file')})")
