"""`manyheads export`: the best model of a study as a file for another program."""

from __future__ import annotations

import argparse
import threading
from pathlib import Path


def add(commands) -> argparse.ArgumentParser:
    """Add the command to the parser's `commands`."""
    parser = commands.add_parser(
        "export",
        help="write the best model of a study in another format",
        description="Write the best model of a finished study, backbone and head in one: keras "
        "(.keras), h5 (.h5) or openvino (.xml with its .bin). A side file (.json) names the "
        "classes and the preprocessing.",
    )
    parser.add_argument("run_folder", metavar="RUN", help="run folder of a finished study")
    parser.add_argument(
        "--format", default="keras", metavar="NAME", dest="format_",
        help="keras, h5 or openvino (default: %(default)s)",
    )  # fmt: skip
    parser.add_argument(
        "--to", metavar="FILE", help="the file to write (default: RUN/export/best.*)"
    )
    return parser


def run(args: argparse.Namespace, stop: threading.Event) -> None:
    """Run the command."""
    from manyheads.cli.screen import size_words
    from manyheads.model.export import export_model
    from manyheads.study.folder import RunFolder

    target = Path(args.to) if args.to else None
    for file in export_model(RunFolder(args.run_folder), args.format_, target, stop):
        print(f"{file} ({size_words(file.stat().st_size)})")
