"""`manyheads report`: a study as one page to read, and its figures for papers."""

from __future__ import annotations

import argparse
import threading
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from manyheads.cli import options

if TYPE_CHECKING:
    from manyheads.study.folder import RunFolder


def add(commands) -> argparse.ArgumentParser:
    """Add the command to the parser's `commands`."""
    parser = commands.add_parser(
        "report",
        help="write a finished study as one HTML page",
        description="Write RUN/report.html: one file that needs no network, with the verdict, the "
        "comparisons, learning curves, calibration, scores by class, misclassified images, data "
        "warnings, and how to reproduce the study. Nothing is trained.",
    )
    parser.add_argument("run_folder", metavar="RUN", help="run folder of a finished study")
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


def run(args: argparse.Namespace, stop: threading.Event) -> None:
    """Run the command."""
    from manyheads.cli.closing import verdict_lines
    from manyheads.cli.narrow import print_lines
    from manyheads.core.text import counted, size_words
    from manyheads.findings.study_findings import read_findings
    from manyheads.report.figure_files import write_figures
    from manyheads.report.from_study import report_content
    from manyheads.report.page import write_report
    from manyheads.study.folder import RunFolder
    from manyheads.study.study_settings import lasting

    folder = RunFolder(args.run_folder)
    folder.document()
    target = _target(args.out, folder)
    findings = read_findings(folder, baseline=args.baseline, margins=options.margins(args))
    if args.data is not None:
        findings = replace(findings, settings=replace(findings.settings, data=lasting(args.data)))
    content = report_content(findings, stop=stop)
    with folder.held():
        write_report(target, content)
        figures = write_figures(target.parent / "figures", content) if args.figures else []
    print_lines(verdict_lines(findings))
    print(f"\nReport   {target} ({size_words(target.stat().st_size)})")
    if figures:
        print(f"Figures  {target.parent / 'figures'} ({counted(len(figures), 'file')})")


def _target(out: str | None, folder: RunFolder) -> Path:
    """Where the report goes; raises what says that it cannot be written there."""
    from manyheads.core.destinations import file_for

    target = folder.report
    if out is not None:
        target = Path(out).expanduser()
    elif folder.is_read_only:
        target = Path(f"{folder.path.absolute().name}-report.html")
    return file_for(target, suffixes=(".html", ".htm"))
