"""`manyheads sweep`: every combination of the listed hyperparameters, or some drawn from ranges."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from manyheads.cli import backbone_options, options, publish
from manyheads.cli.grid import add_draw, add_grid, candidates_asked
from manyheads.cli.study_config import with_config
from manyheads.core.job import Job
from manyheads.study.rungs import USUAL_ETA

if TYPE_CHECKING:
    from manyheads.run.pipeline import Finished
    from manyheads.run.plan import RunOptions
    from manyheads.study.study_settings import StudySettings

_EXAMPLE = (
    "Example: manyheads sweep photos/ --droprate 0 0.2 0.5 0.8 --size-inner 50 100. "
    "--dry-run tells beforehand what a large one takes, and what --prune would save."
)


def add(commands) -> argparse.ArgumentParser:
    """Add the command to the parser's `commands`."""
    parser = commands.add_parser(
        "sweep",
        help="train heads for every combination of hyperparameters and compare them",
        description="Run the backbone once per image, train a head for every combination of the "
        "listed hyperparameters (or for candidates drawn from ranges) and every seed, and write a "
        "report, tables, curves and the best model to a run folder. A sweep that was interrupted "
        "is resumed by the same command.",
        epilog=_EXAMPLE,
    )
    options.add_data(parser)
    parser.stand_ins["data"] = "--config"
    parser.add_argument(
        "--config", metavar="FILE",
        help="take the settings, DATA too, from a study.toml, or from the one in a run folder; "
        "options given here replace them",
    )  # fmt: skip
    parser.add_argument(
        "--features", metavar="FILE", nargs="+",
        help="train on features that were computed elsewhere, no backbone and no images: an array "
        "(.npy, .npz) [rows, features], row i for row i of the table DATA; or columns of numbers, "
        "or one of lists, in DATA itself (.parquet; * in a name stands for anything). A DATA that "
        "is a pack of features (.safetensors), or a .npz with features and labels, has its own",
    )  # fmt: skip
    add_grid(parser)
    add_draw(parser)
    backbone_options.add_images(parser, "the backbone's own", several=True)
    training = options.add_training(parser, seeds=10, select=None)
    training.add_argument(
        "--folds", metavar="K",
        help="K-fold cross-validation over the training and validation images (default: validate "
        "on the validation images)",
    )  # fmt: skip
    training.add_argument(
        "--repeats", metavar="R", help="repeat the cross-validation R times (default: 1)"
    )
    training.add_argument(
        "--patience", metavar="N",
        help="early stopping: end a trial after N epochs without a better one by --select "
        "(default: no early stopping)",
    )  # fmt: skip
    training.add_argument(
        "--prune", nargs="?", const=USUAL_ETA, metavar="ETA",
        help="successive halving: train all candidates for a few epochs, the best 1/ETA of them "
        "for ETA times as many, and so on to the last epoch; what is trained to the end has the "
        f"numbers that it has without --prune (ETA: {USUAL_ETA}; default: no pruning)",
    )  # fmt: skip
    training.add_argument(
        "--until-decided", action="store_true",
        help="add seeds, then repeats of the folds, until the best candidate is known or cannot be "
        "with what is left, beginning with --seeds; interim looks and their levels are fixed in "
        "advance (a group-sequential test), so the family-wise error rate stays at most 5 %%",
    )  # fmt: skip
    training.add_argument(
        "--budget", metavar="TIME",
        help="with --until-decided: time budget, such as 90s, 30m or 2h, over all runs of the same "
        "command; no look begins that would end later (default: no limit)",
    )  # fmt: skip
    run = options.add_run(parser, "runs/ and the data set's name")
    options.add_workers(run)
    run.add_argument(
        "--dry-run", action="store_true", help="print the grid and its cost, and do nothing"
    )
    run.add_argument(
        "--keep-heads", default=100, metavar="N",
        help="save the best heads of at most N candidates (default: %(default)s)",
    )  # fmt: skip
    run.add_argument("--parquet", action="store_true", help="write the tables as Parquet too")
    run.add_argument(
        "--checkpoint-pattern", metavar="PATTERN",
        help="also save a whole network for each of the best candidates (at most 20), under names "
        "such as the lesson's: 'xception_v3_{epoch:02d}_{val_accuracy:.3f}'",
    )  # fmt: skip
    run.add_argument(
        "--baselines", action=argparse.BooleanOptionalAction, default=True,
        help="train standard classifiers on the same features too: the majority class, nearest "
        "neighbours, logistic regression (default: --baselines)",
    )  # fmt: skip
    publish.add_at_end(run)
    return parser


def run(args: argparse.Namespace, job: Job) -> None:
    """Run the command."""
    from manyheads.core.settings import whole
    from manyheads.study.folder import RunFolder

    if args.config is not None:
        args = with_config(args)
    args.keep_heads = whole("keep_heads", args.keep_heads, 1, 100_000)
    budget = _budget(args)
    settings = settings_asked(args)
    publish.require_tracker(args)
    out = args.out or RunFolder.named_after(args.data).path
    if args.dry_run:
        _print_plan(settings, options.run_options(args), out, job)
        return
    if args.until_decided:
        finished = _run_until_decided(args, settings, out, budget, job)
    else:
        finished = run_shown(settings, out, options.run_options(args), job, verbose=args.verbose)
    show(finished, as_json=args.json)
    publish.publish_at_end(args, finished.folder.path, job)


def settings_asked(args: argparse.Namespace) -> StudySettings:
    """The study that `args` ask for, of one backbone or of several."""
    from manyheads.study.backbone_choices import BackboneCandidates, choices_of

    backbones, sizes = _listed(args.backbone), _listed(args.image_size)
    if len(backbones) < 2 and len(sizes) < 2:
        args.backbone, args.image_size = (next(iter(each), None) for each in (backbones, sizes))
        image = backbone_options.image_settings(args)
        return options.study_settings(args, image, grid=candidates_asked(args))
    backbone_options.features(args)  # raises where there are features, which have no backbone
    names = backbones or [backbone_options.BACKBONE]
    choices = choices_of(
        [backbone_options.pooled_name(each, args.pooling) for each in names], sizes,
        preprocessing=args.preprocessing, interpolation=args.interpolation, resize=args.resize,
        exif=args.exif is not False, depth=args.depth, decode=args.decode,
    )  # fmt: skip
    first = choices[0]
    args.backbone, args.preprocessing = first.backbone, first.preprocessing
    grid = BackboneCandidates(candidates_asked(args), choices)
    return options.study_settings(args, first.image, grid=grid, backbone=first.backbone)


def _listed(given: object) -> list[Any]:
    return [] if given is None else list(given) if isinstance(given, list | tuple) else [given]


def run_shown(
    settings: StudySettings,
    out: str | Path,
    run_options: RunOptions,
    job: Job,
    *,
    verbose: bool = False,
) -> Finished:
    """Run a study on the screen: its plan, its progress, its notes."""
    from manyheads.cli.screen import shown
    from manyheads.run.pipeline import run_study

    with shown(job, verbose=verbose) as job:
        return run_study(settings, out, options=run_options, job=job)


def _budget(args: argparse.Namespace) -> float | None:
    from manyheads.errors import SettingError
    from manyheads.run.fit.fit_settings import seconds_of

    if args.budget is None:
        return None
    if not args.until_decided:
        raise SettingError(
            "--until-decided with --budget", "--budget alone", "add it, or leave out --budget"
        )
    return seconds_of(args.budget)


def _run_until_decided(
    args: argparse.Namespace,
    settings: StudySettings,
    out: str | Path,
    budget: float | None,
    job: Job,
) -> Finished:
    from manyheads.cli.screen import shown
    from manyheads.run.until_decided import run_until_decided

    run_options = options.run_options(args)
    with shown(job, verbose=args.verbose) as job:
        return run_until_decided(settings, out, budget=budget, options=run_options, job=job)


def show(finished: Finished, *, as_json: bool = False) -> None:
    """Print what a finished study came to and what to do with it."""
    from manyheads.cli import narrow, result_tables
    from manyheads.cli.closing import closing_lines

    if as_json:
        result_tables.print_json(result_tables.results_json(finished))
        return
    narrow.print_lines(["", _scores_words(finished)])
    if (count := len(finished.settings.grid)) > result_tables.MAX_ROWS:
        print(f"The best {result_tables.MAX_ROWS} of {count:,} candidates, best first")
    if finished.settings.patience is not None:
        narrow.print_lines(
            ["A trial's last epochs are those before its patience ended, not the same for all"]
        )
    print()
    result_tables.print_results(finished.result, finished.settings.grid.varying)
    narrow.print_lines(result_tables.unshown(finished.result))
    result_tables.print_backbones(finished.findings)
    result_tables.print_baselines(finished.findings)
    narrow.print_lines(closing_lines(finished))


def _scores_words(finished: Finished) -> str:
    from manyheads.findings.score_tables import MAX_ROWS
    from manyheads.study.division import validation_counts
    from manyheads.study.space import counted

    settings = finished.settings
    images = validation_counts(settings.folds, finished.dataset)[1]
    repeats = settings.repeats or 1
    trials = [counted(settings.seeds, "seed")] if settings.seeds > 1 else []
    trials += [counted(repeats, "repeat")] if repeats > 1 else []
    mean = "mean"
    if settings.folds is not None:
        # How hard a fold is, all candidates share: it is no reason to doubt their differences.
        mean = f"mean over {counted(settings.folds, 'fold')}"
    spread = "one seed each" if settings.folds is None else f"{mean}, one seed each"
    if trials:
        spread = f"{mean} ± standard deviation over {' × '.join(trials)}"
    if 1 < len(settings.grid) <= MAX_ROWS:
        spread += ", best first"
    if settings.folds is not None:
        where = "for training and validation, each when it was left out"
        return f"Scores on the {counted(images, 'image')} {where}, {spread}"
    return f"Scores on the {counted(images, 'validation image')}, {spread}"


def _print_plan(
    settings: StudySettings, run_options: RunOptions, out: str | Path, job: Job
) -> None:
    from manyheads.cli.narrow import print_lines
    from manyheads.run.plan import plan_study
    from manyheads.run.planned_study import study_planned

    plan = plan_study(settings, run_options, out, job=job)
    print_lines(study_planned(plan).text(in_full=True))
