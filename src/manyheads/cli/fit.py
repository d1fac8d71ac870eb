"""`manyheads fit`: the best classifier for these images, within a time."""

from __future__ import annotations

import argparse
import time
from typing import TYPE_CHECKING

from manyheads.cli import backbone_options, options, publish
from manyheads.core.job import Job
from manyheads.data.augmentation_presets import preset_words
from manyheads.errors import SettingError

if TYPE_CHECKING:
    from manyheads.run.fit.fit_record import Fitted
    from manyheads.run.fit.fit_settings import FitSettings

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

_NAMED = ("budget", "class_weight", "balanced_batches", "select", "decode")
"""What a fit from a former run takes over from it unless it is named; `decode` must be its own."""


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
        "--from", dest="from_run", metavar="RUN",
        help="begin from the finished fit or sweep in this run folder, and from DATA as they are "
        "now, with images or classes added, removed or relabelled: its backbone, image size and "
        "division stay, features come from the cache, and the end says whether the new model is "
        "better on images that both held out",
    )  # fmt: skip
    parser.add_argument(
        "--train-on-validation", action="store_true",
        help="with --from a sweep: train on its validation images too, which else stay apart to "
        "judge both models",
    )  # fmt: skip
    parser.add_argument(
        "--budget", metavar="TIME",
        help="time of the whole command, such as 90s, 30m or 1.5h (default: 10m; with --from a "
        "fit, that of RUN)",
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
    images.add_argument(
        "--augment", metavar="NAME",
        help=f"how copies of training images differ, by name: {preset_words()} (default: flip; "
        "with none there are no copies)",
    )  # fmt: skip
    backbone_options.add_depth(images)
    backbone_options.add_decode(images)
    parser.add_argument(
        "--class-weight", metavar="WEIGHTS",
        help="multiply the loss of each image by the weight of its class: balanced, or a file with "
        "a line class,weight for each class (default: none)",
    )  # fmt: skip
    parser.add_argument(
        "--balanced-batches", metavar="WHETHER",
        help="with yes each class has the same share of the batches (default: no)",
    )  # fmt: skip
    parser.add_argument(
        "--select", metavar="RULE",
        help="score that ranks what is tried, by the names of sweep: best_loss (log loss), last "
        "(accuracy), last_balanced_accuracy or last_macro_f1 (default: best_loss)",
    )  # fmt: skip
    options.add_table(parser)
    parser.add_argument(
        "--test-share", default=0.0, metavar="SHARE",
        help="share of images without a given split that is kept for `manyheads test` (default: 0)",
    )  # fmt: skip
    options.add_group_by(parser)
    parser.add_argument(
        "--out",
        metavar="FOLDER",
        help="run folder (default: runs/ and the data set's name with -fit; with --from, RUN and a "
        "number)",
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
    from manyheads.cli.narrow import print_lines
    from manyheads.cli.screen import shown
    from manyheads.data.data_settings import ImageSettings, SplitSettings
    from manyheads.data.several_labels import table_as_it_shows
    from manyheads.run.fit.fit_call import fit_folder
    from manyheads.run.fit.fit_run import planned_fit, run_fit
    from manyheads.run.fit.fit_settings import AUTO, USUAL_BUDGET, FitSettings, seconds_of
    from manyheads.study.study_settings import lasting

    settings = FitSettings(
        data=lasting(args.data),
        backbone=tuple(
            backbone_options.pooled_name(name, args.pooling) for name in args.backbone or [AUTO]
        ),
        preprocessing=args.preprocessing,
        weights=args.weights,
        budget=seconds_of(args.budget or USUAL_BUDGET),
        heads=args.heads,
        folds=args.folds,
        size=args.image_size,
        augment=args.augment,
        depth=args.depth,
        decode=args.decode or ImageSettings.decode,
        class_weight=args.class_weight,
        balanced_batches=args.balanced_batches,
        select=args.select,
        split=SplitSettings(test=args.test_share, group_by=args.group_by),
        table=table_as_it_shows(args.data, options.table_settings(args)),
    )
    publish.require_tracker(args)
    if args.train_on_validation and not args.from_run:
        raise SettingError(
            "`from_run`, with `train_on_validation`", "none", "name the run folder of a sweep"
        )
    if args.from_run:
        fitted = _fit_from(args, settings, began, job)
        if fitted is None:
            return
    else:
        out = args.out or fit_folder(args.data)
        if args.dry_run:
            print_lines(planned_fit(settings, out, job=job).text(in_full=True))
            return
        with shown(job, verbose=args.verbose) as told:
            fitted = run_fit(settings, out, began=began, workers=args.workers, job=told)
    if args.json:
        result_tables.print_json(fit_screen.as_json(fitted))
    else:
        fit_screen.show(fitted)
    publish.publish_at_end(args, fitted.path, job)


def _fit_from(
    args: argparse.Namespace, settings: FitSettings, began: float, job: Job
) -> Fitted | None:
    """The fit that begins from a former run; None where nothing is to be done."""
    from manyheads.cli import result_tables
    from manyheads.cli.narrow import print_lines
    from manyheads.cli.screen import shown
    from manyheads.run.fit.grown_fit import plan_growth, planned_growth, run_growth

    with shown(job, verbose=args.verbose) as told:
        planned = plan_growth(
            args.from_run, settings, args.out,
            named=[name for name in _NAMED if getattr(args, name) is not None],
            train_on_validation=args.train_on_validation, job=told,
        )  # fmt: skip
        if planned.changed and not args.dry_run:
            return run_growth(planned, began=began, workers=args.workers, job=told)
    if not planned.changed:
        words = planned.unchanged_words
        if args.json:
            result_tables.print_json({"run": None, "from": planned.former.name, "said": words})
        else:
            print_lines([words])
    else:
        print_lines(planned_growth(planned, job=job).text(in_full=True))
    return None
