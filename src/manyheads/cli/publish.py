"""`manyheads publish`: a finished study or fit in a tracker of experiments."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from manyheads.core.job import Job

if TYPE_CHECKING:
    from manyheads.publish.publishing import Published

TRACKERS = "mlflow, wandb, trackio, tensorboard or optuna"


def add(commands) -> argparse.ArgumentParser:
    """Add the command to the parser's `commands`."""
    parser = commands.add_parser(
        "publish",
        help="publish a finished study or fit to MLflow, W&B, Trackio, TensorBoard or Optuna",
        description="Publish a finished study or fit to a tracker of experiments: a row for each "
        "candidate with its setting, mean scores, intervals, seeds and cost, learning curves of "
        "the best 100, the settings, the report and the model. Nothing is trained. What was "
        "published before is brought up to date and never doubled. Nothing leaves this machine "
        "unless the address is elsewhere.",
        epilog="Each tracker needs its own packages: pip install 'manyheads[mlflow]', and so on.",
    )
    parser.add_argument(
        "run_folder", metavar="RUN", help="run folder of a finished study or of a fit"
    )
    parser.add_argument("--to", metavar="NAME", required=True, help=TRACKERS)
    add_place(parser, "--to-address")
    parser.add_argument(
        "--project", metavar="NAME",
        help="MLflow's experiment, the project of W&B or Trackio, a folder of TensorBoard, or what "
        "the name of Optuna's study begins with (default: the data set's name)",
    )  # fmt: skip
    parser.add_argument(
        "--artifacts", action=argparse.BooleanOptionalAction, default=True,
        help="publish the report, the tables, the figures and the model as files, up to 500 MB "
        "(default: --artifacts)",
    )  # fmt: skip
    parser.add_argument("--json", action="store_true", help="print what was published as JSON")
    return parser


def add_place(parser: argparse.ArgumentParser | argparse._ArgumentGroup, option: str) -> None:
    """Where a tracker is."""
    parser.add_argument(
        option, metavar="ADDRESS",
        help="MLflow: sqlite:///FILE or http://HOST:PORT (default: $MLFLOW_TRACKING_URI, or "
        "mlflow.db here); Optuna: sqlite:///FILE (default: optuna.db here); W&B: a folder, or the "
        "https address of its server (default: offline, in wandb here); Trackio and TensorBoard: a "
        "folder (default: Trackio's own; tensorboard here)",
    )  # fmt: skip


def add_at_end(parser: argparse.ArgumentParser | argparse._ArgumentGroup) -> None:
    """Publishing when a command has finished."""
    parser.add_argument(
        "--publish", metavar="NAME",
        help=f"publish the results at the end, as `manyheads publish` does: {TRACKERS}; if that "
        "fails, the command has succeeded all the same",
    )  # fmt: skip
    add_place(parser, "--publish-address")


def require_tracker(args: argparse.Namespace) -> None:
    """Raise, before anything is trained, if there is no tracker as `--publish` names it."""
    from manyheads.errors import SettingError

    if args.publish is not None:
        from manyheads.publish.trackers import tracker_named

        tracker_named(args.publish, args.publish_address)
    elif args.publish_address is not None:
        raise SettingError(
            "`publish` with `publish_address`", "`publish_address` alone",
            "add `publish`, or leave it out",
        )  # fmt: skip


def publish_at_end(args: argparse.Namespace, path: Path, job: Job) -> None:
    """Publish what lies in `path`, if `args` ask for it; what keeps it from that is one line.

    Raises `Interrupted` when `job` is stopped.
    """
    if args.publish is None:
        return
    from manyheads.cli.narrow import print_lines
    from manyheads.cli.screen import shown
    from manyheads.errors import Interrupted, ManyheadsError
    from manyheads.publish.publishing import publish_run

    try:
        with shown(job) as job:
            found = publish_run(path, args.publish, address=args.publish_address, job=job)
    except Interrupted:
        raise
    except Exception as error:
        known = isinstance(error, ManyheadsError)
        why = str(error) if known else f"{type(error).__name__}: {error}"
        _say(
            f"not published: {' '.join(why.split())}. The results are finished all the same; "
            f"`manyheads publish {path} --to {args.publish}` publishes them."
        )
        return
    if args.json:
        _say(found.sentences[0])
    else:
        print_lines(["", *_lines(found)])


def run(args: argparse.Namespace, job: Job) -> None:
    """Run the command."""
    from manyheads.cli import narrow
    from manyheads.cli.screen import shown
    from manyheads.publish.publishing import publish_run

    with shown(job) as job:
        found = publish_run(
            args.run_folder, args.to, address=args.to_address, project=args.project,
            files=args.artifacts, job=job,
        )  # fmt: skip
    if args.json:
        from manyheads.cli.result_tables import print_json

        print_json(_document(found))
    else:
        narrow.print_lines(_lines(found))


def _lines(found: Published) -> list[str]:
    from manyheads.core.text import clock

    first, *others = found.sentences
    return [
        f"Published  {first}",
        *(f"           {each}" for each in others),
        f"Took       {clock(found.seconds)}",
        f"Open       {found.opened_by}",
    ]


def _document(found: Published) -> dict[str, Any]:
    counts = found.counts
    return {
        "run": found.run, "to": found.to, "place": found.place, "name": found.name,
        "rows": len(found.entries), "new": counts.new, "changed": counts.changed,
        "unchanged": counts.unchanged, "curves": found.curves, "files": counts.files,
        "left_out": [*found.left_out, *counts.remarks], "seconds": round(found.seconds, 3),
        "open": found.opened_by,
    }  # fmt: skip


def _say(text: str) -> None:
    from manyheads.cli.output import in_words
    from manyheads.cli.parser import with_flags

    print(in_words(f"manyheads: {with_flags(text)}", sys.stderr), file=sys.stderr)
