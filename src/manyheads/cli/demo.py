"""`manyheads demo`: the whole job on embedded data, from images to a saved best model."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from manyheads.cli import options, sweep
from manyheads.core.job import Job

if TYPE_CHECKING:
    from manyheads.run.pipeline import Finished

_RATES = (0.0, 0.2, 0.5, 0.8)


def add(commands) -> argparse.ArgumentParser:
    """Add the command to the parser's `commands`."""
    parser = commands.add_parser(
        "demo",
        help="run the whole workflow on built-in images of handwritten digits",
        description="Run the whole workflow on scikit-learn's 1,797 images of handwritten digits: "
        "features by Xception, heads for four dropout rates, a table, curves and the best model.",
    )
    parser.add_argument(
        "--out", default="runs/demo", metavar="FOLDER", help="run folder (default: %(default)s)"
    )
    options.add_verbose(parser)
    parser.add_argument("--json", action="store_true", help="print the results as JSON")
    return parser


def run(args: argparse.Namespace, job: Job) -> None:
    """Run the command."""
    from manyheads.data.data_settings import ImageSettings
    from manyheads.run.plan import RunOptions
    from manyheads.study.space import Grid
    from manyheads.study.study_settings import StudySettings

    settings = StudySettings(
        data="digits",
        grid=Grid((0.001,), (100,), _RATES),
        image=ImageSettings(size=150),
        seeds=10,
    )
    finished = sweep.run_shown(settings, args.out, RunOptions(), job, verbose=args.verbose)
    if not args.json:
        print(f"\n{_picture(finished)}")
    sweep.show(finished, as_json=args.json)


def _picture(finished: Finished) -> str:
    from manyheads.core.text import counted
    from manyheads.report.chart import line_chart
    from manyheads.report.plots import curve_panels
    from manyheads.report.study_curves import ranked_candidates
    from manyheads.study.store import Store

    with Store(finished.folder.store) as store:
        candidates = list(ranked_candidates(store, finished.result, len(_RATES)))
    chart = line_chart(curve_panels(candidates)["val_loss"])
    seeds = counted(finished.settings.seeds, "seed")
    return f"val_loss by epoch, mean over {seeds}\n\n{chart}"
