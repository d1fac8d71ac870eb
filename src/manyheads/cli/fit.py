"""`manyheads fit`: the best classifier for these images, within a time."""

from __future__ import annotations

import argparse
import time

from manyheads.cli import backbone_options, options, publish
from manyheads.core.job import Job

_HELP = (
    "Find the best classifier for these images within a time budget, which is that of the whole "
    "command. Backbones are compared on a sample of the images first, if there are several. Image "
    "sizes and augmented copies, as far as the budget allows and small images "
    "first, and hyperparameters of the head are compared by cross-validation. The best are trained "
    "on all training and validation images with several seeds, and the heads averaged into one, "
    "with temperature scaling inside. The scores to expect on new images come from nested "
    "cross-validation. Test images are not used."
)

_SEVERAL = (
    "; several names to look among them, or auto, to look among those in the cache and a few that "
    "are fetched if they can be (default: auto)"
)


def add(commands) -> argparse.ArgumentParser:
    """Add the command to the parser's `commands`."""
    parser = commands.add_parser(
        "fit",
        help="find the best classifier within a time budget, and the scores to expect of it",
        description=_HELP,
        epilog="Example: manyheads fit photos/ --budget 30m. The same command goes on after an "
        "interruption, and with a larger budget.",
    )
    parser.add_argument(
        "data", metavar="DATA",
        help="folder of class folders, table (.csv, .tsv, .xlsx, .jsonl, .parquet), either also at "
        "an address (s3://bucket/photos), or the name of a data set",
    )  # fmt: skip
    parser.add_argument(
        "--budget", default="10m", metavar="TIME",
        help="time of the whole command, such as 90s, 30m or 1.5h (default: %(default)s)",
    )  # fmt: skip
    parser.add_argument(
        "--heads", default=8, metavar="N",
        help="average at most N heads, trained with different seeds; 1 for a single head "
        "(default: %(default)s)",
    )  # fmt: skip
    parser.add_argument(
        "--folds", default=5, metavar="K",
        help="folds of the cross-validation (default: %(default)s)",
    )  # fmt: skip
    images = backbone_options.add_backbone(parser, several=_SEVERAL)
    images.add_argument(
        "--image-size", metavar="PIXELS",
        help="side of the square input image (default: search among sizes)",
    )  # fmt: skip
    backbone_options.add_depth(images)
    options.add_table(parser)
    parser.add_argument(
        "--test-share", default=0.0, metavar="SHARE",
        help="share of images without a given split that is kept for `manyheads test` (default: 0)",
    )  # fmt: skip
    options.add_group_by(parser)
    parser.add_argument(
        "--out",
        metavar="FOLDER",
        help="run folder (default: runs/ and the data set's name with -fit)",
    )
    options.add_workers(parser)
    parser.add_argument(
        "--dry-run", action="store_true",
        help="print the plan and its cost, and train nothing; missing weights are fetched",
    )  # fmt: skip
    publish.add_at_end(parser)
    options.add_verbose(parser)
    parser.add_argument("--json", action="store_true", help="print the results as JSON")
    return parser


def run(args: argparse.Namespace, job: Job) -> None:
    """Run the command."""
    began = time.monotonic()  # before the imports, which take a second or two
    from manyheads.cli import fit_screen, result_tables
    from manyheads.cli.screen import shown
    from manyheads.data.data_settings import SplitSettings
    from manyheads.run.fit.fit_call import fit_folder
    from manyheads.run.fit.fit_run import planned_fit, run_fit
    from manyheads.run.fit.fit_settings import AUTO, FitSettings, seconds_of
    from manyheads.study.study_settings import lasting

    settings = FitSettings(
        data=lasting(args.data),
        backbone=tuple(
            backbone_options.pooled_name(name, args.pooling) for name in args.backbone or [AUTO]
        ),
        preprocessing=args.preprocessing,
        weights=args.weights,
        budget=seconds_of(args.budget),
        heads=args.heads,
        folds=args.folds,
        size=args.image_size,
        depth=args.depth,
        split=SplitSettings(test=args.test_share, group_by=args.group_by),
        table=options.table_settings(args),
    )
    publish.require_tracker(args)
    out = args.out or fit_folder(args.data)
    if args.dry_run:
        from manyheads.cli.narrow import print_lines

        print_lines(planned_fit(settings, out, job=job).text(in_full=True))
        return
    with shown(job, verbose=args.verbose) as told:
        fitted = run_fit(settings, out, began=began, workers=args.workers, job=told)
    if args.json:
        result_tables.print_json(fit_screen.as_json(fitted))
    else:
        fit_screen.show(fitted)
    publish.publish_at_end(args, fitted.path, job)
