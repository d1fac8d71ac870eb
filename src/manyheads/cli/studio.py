"""`manyheads studio`: data, runs and models of a folder, in the browser."""

from __future__ import annotations

import argparse
from functools import partial
from typing import TYPE_CHECKING

from manyheads.cli import options
from manyheads.core.job import Job

if TYPE_CHECKING:
    from collections.abc import Sequence

    from manyheads.web.studio.run_processes import StudioProcess

_PORT = 8001


def add(commands) -> argparse.ArgumentParser:
    """Add the command to the parser's `commands`."""
    parser = commands.add_parser(
        "studio",
        help="work in the browser: look at data, begin and watch runs, try models",
        description="Open a folder in the browser: look at its images and decide about doubtful "
        "labels, begin runs and watch them, read what they found, and try their models. All of it "
        "is also a command, which the page shows. Closing the browser stops nothing; the end of "
        "the studio (Ctrl-C) stops the runs that it began, and the same commands resume them.",
        epilog="Needs: pip install 'manyheads[serve]'. Only this machine is answered unless --host "
        "says otherwise, and then only who knows the token.",
    )
    parser.add_argument(
        "folder", metavar="FOLDER", nargs="?", default=".",
        help="the folder with the data and the runs (default: the current folder)",
    )  # fmt: skip
    options.add_address(parser, _PORT, without_token="none for this machine alone, else a new one")
    return parser


def run(args: argparse.Namespace, job: Job) -> None:
    """Run the command."""
    from manyheads.core.settings import whole

    port = whole("port", args.port, 0, 65_535)
    from manyheads.web.shared.serve_extra import require_serve_extra

    require_serve_extra("studio")
    from manyheads.web.studio.studio_run import run_studio

    run_studio(
        args.folder, host=args.host, port=port, allow_host=tuple(args.allow_host),
        token_file=args.token_file, opens=args.open,
        say=lambda line: print(line, flush=True), ended=partial(_ended, args.folder), job=job,
    )  # fmt: skip


def _ended(folder: str, stopped: Sequence[StudioProcess]) -> None:
    """Tell how to resume what was stopped, in the folder where its command was given."""
    import shlex

    for each in stopped:
        words = shlex.join(["manyheads", *each.arguments])
        place = each.folder or folder
        where = "" if place == "." else f", in {place}"
        print(f"stopped {each.run}; to resume{where}: {words}", flush=True)
