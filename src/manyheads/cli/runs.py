"""`manyheads runs`: a table of all run folders that lie here."""

from __future__ import annotations

import argparse
import textwrap
from collections.abc import Sequence
from typing import TYPE_CHECKING

from manyheads.core.job import Job

if TYPE_CHECKING:
    from manyheads.core.table import Table
    from manyheads.run.run_list import ListedRun

_WIDE, _NARROW = 140, 100  # columns
_MOST, _MOST_SHORT = 60, 30  # letters of settings in the table; --json has all


def add(commands) -> argparse.ArgumentParser:
    """Add the command to the parser's `commands`."""
    parser = commands.add_parser(
        "runs",
        help="list run folders: data, state, best candidate, verdict",
        description="List the run folders of studies and fits in a folder and up to four folders "
        "down, newest first: how far each is, its best candidate with mean and standard deviation "
        "over trials of the score that selected it, and how that compares with the others. Only "
        "tables are read, and nothing is written.",
    )
    parser.add_argument(
        "folder", metavar="FOLDER", nargs="?", default=".",
        help="where to look (default: the current folder)",
    )  # fmt: skip
    parser.add_argument("--json", action="store_true", help="print the list as JSON")
    return parser


def run(args: argparse.Namespace, job: Job) -> None:  # noqa: ARG001 - over at once
    """Run the command."""
    from manyheads.cli import narrow, result_tables
    from manyheads.core.settings import plain
    from manyheads.run.run_list import list_runs

    found = list_runs(args.folder)
    if args.json:
        runs = [plain(each) | {"state": each.state} for each in found.entries]
        result_tables.print_json({"folder": found.searched, "runs": runs})
    elif found.entries:
        narrow.print_table(_table(found.entries, narrow.console_of().width))
        problems = [f"{each.run}: {each.problem}" for each in found.entries if each.problem]
        narrow.print_lines([*([""] if problems else []), *problems])
    else:
        narrow.print_lines(found.sentences)


def _table(runs: Sequence[ListedRun], room: int) -> Table:
    """The runs, one below the other; in little `room`, in lines that are as few as possible.

    With less than `_WIDE`, a date has no time (the order tells it), and settings are cut.
    """
    from manyheads.core.table import Table, names, numbers, phrases, words

    short = room < _WIDE
    scores = [each.score_words.partition(" ") for each in runs]
    known = {name.removeprefix("val_") for name, _, _ in scores if name}
    # One name for all stands in the title; of several, each score has its own.
    one = len(known) < 2
    title = next(iter(known), "accuracy") if one else "score"
    told = words if room < _NARROW else phrases
    return Table(
        columns=[
            *phrases("date"), *names("run"), *words("data"), *numbers("candidates\n× seeds"),
            *phrases("state"), *told("best"), *numbers("log_loss" if title == "loss" else title),
            *told("verdict of the best"),
        ],
        rows=[
            (
                each.date[:10] if short else each.date[:16].replace("T", " "),
                each.run,
                each.data,
                " × ".join(f"{count:,}" for count in (each.candidates, each.seeds) if count),
                each.state,
                textwrap.shorten(each.best, _MOST_SHORT if short else _MOST, placeholder=" …"),
                score if one else f"{name}{space}{score}",
                each.verdict,
            )
            for each, (name, space, score) in zip(runs, scores, strict=True)
        ],
    )  # fmt: skip
