"""`manyheads fit`: the best classifier for these images, within a time."""

from __future__ import annotations

import argparse
import threading

from manyheads.cli import options

_HELP = (
    "Look for the best classifier for these images, without asking anything: among image sizes and "
    "augmented copies as far as the budget allows, and among settings of the head, all in folds. "
    "The best is trained on all images for training and validation with several seeds, and their "
    "heads become one, with the temperature inside. What to expect on new images comes from "
    "held-out images of a nested cross-validation. Test images are not opened."
)


def add(commands) -> argparse.ArgumentParser:
    """Add the command to the parser's `commands`."""
    parser = commands.add_parser(
        "fit",
        help="find the best classifier for these images within a time, and what to expect of it",
        description=_HELP,
        epilog="Example: manyheads fit photos/ --budget 30m. The same command goes on after an "
        "interruption, and with a larger budget.",
    )
    parser.add_argument(
        "data", metavar="DATA",
        help="folder of class folders, table (.csv, .tsv, .xlsx, .jsonl, .parquet), or the name of "
        "a data set",
    )  # fmt: skip
    parser.add_argument(
        "--budget", default="10m", metavar="TIME",
        help="the time that all may take, such as 90s, 30m or 1.5h (default: %(default)s)",
    )  # fmt: skip
    parser.add_argument(
        "--heads", default=8, metavar="N",
        help="the model averages N heads, trained from different seeds; 1: no average "
        "(default: %(default)s)",
    )  # fmt: skip
    parser.add_argument(
        "--folds", default=5, metavar="K",
        help="divide the images into K folds (default: %(default)s)",
    )  # fmt: skip
    parser.add_argument("--image-size", metavar="PIXELS", help="use this size, and look for none")
    options.add_depth(parser)
    options.add_backbone(parser)
    options.add_table(parser)
    parser.add_argument(
        "--test-share", default=0.0, metavar="SHARE",
        help="keep this share of images without splits for `manyheads test` (default: none)",
    )  # fmt: skip
    parser.add_argument(
        "--out", metavar="DIR", help="run folder (default: runs/ and the data set's name, -fit)"
    )
    parser.add_argument("--json", action="store_true", help="print JSON")
    return parser


def run(args: argparse.Namespace, stop: threading.Event) -> None:
    """Run the command."""
    from manyheads.cli import fit_screen, result_tables
    from manyheads.data.data_settings import SplitSettings
    from manyheads.run.fit.fit_call import fit_folder
    from manyheads.run.fit.fit_run import run_fit
    from manyheads.run.fit.fit_settings import FitSettings, seconds_of
    from manyheads.study.study_settings import lasting

    settings = FitSettings(
        data=lasting(args.data),
        backbone=args.backbone or FitSettings.backbone,
        preprocessing=args.preprocessing,
        weights=args.weights,
        budget=seconds_of(args.budget),
        heads=args.heads,
        folds=args.folds,
        size=args.image_size,
        depth=args.depth,
        split=SplitSettings(test=args.test_share),
        table=options.table_settings(args),
    )
    out = args.out or fit_folder(args.data)
    with fit_screen.FitScreen() as screen:
        fitted = run_fit(settings, out, listener=screen, stop=stop)
    if args.json:
        result_tables.print_json(fit_screen.as_json(fitted))
        return
    fit_screen.show(fitted)
