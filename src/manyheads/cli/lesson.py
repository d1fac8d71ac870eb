"""`manyheads lesson`: learning rate, then inner layer, then dropout rate, as the lesson goes."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from manyheads.cli import backbone_options, options
from manyheads.cli.parser import Values
from manyheads.core.job import Job

if TYPE_CHECKING:
    from manyheads.lesson.stages import Stage


def add(commands) -> argparse.ArgumentParser:
    """Add the command to the parser's `commands`."""
    parser = commands.add_parser(
        "lesson",
        help="run the lesson in stages: learning rate, inner layer, dropout rate",
        description="Run the lesson in three stages: learning rates without an inner layer (10 "
        "epochs), sizes of the inner layer (10 epochs), dropout rates (30 epochs). Each stage "
        "takes over the winner of the one before, chosen on validation images.",
    )
    options.add_data(parser)
    group = parser.add_argument_group("what the stages try")
    for name, default in (
        ("--learning-rate", "0.0001 0.001 0.01 0.1"),
        ("--size-inner", "0 10 100 1000"),
        ("--droprate", "0.0 0.2 0.5 0.8"),
    ):
        group.add_argument(
            name, nargs="+", action=Values, default=default.split(), metavar="X",
            help=f"(default: {default})",
        )  # fmt: skip
    group.add_argument(
        "--epochs", default=10, metavar="N",
        help="epochs of the first two stages (default: %(default)s)",
    )  # fmt: skip
    group.add_argument(
        "--droprate-epochs", default=30, metavar="N",
        help="epochs of the dropout stage (default: %(default)s)",
    )  # fmt: skip
    backbone_options.add_images(parser, f"{options.LESSON_SIZE}, as in the lesson")
    training = options.add_training(parser, seeds=10, select="best_accuracy")
    training.add_argument(
        "--batch-size", default=32, metavar="N", help="images per step (default: %(default)s)"
    )
    options.add_run(parser, "runs/lesson")
    parser.set_defaults(interpolation="nearest")
    return parser


def run(args: argparse.Namespace, job: Job) -> None:
    """Run the command."""
    from manyheads.cli import narrow, result_tables
    from manyheads.cli.closing import closing_lines
    from manyheads.cli.screen import shown
    from manyheads.lesson.lesson_report import finish_lesson, lesson_report_file
    from manyheads.lesson.stages import LessonSettings, run_stages
    from manyheads.study.space import Grid, setting_words

    lesson = LessonSettings(
        tuple(args.learning_rate),
        tuple(args.size_inner),
        tuple(args.droprate),
        args.epochs,
        args.droprate_epochs,
    )
    image = backbone_options.image_settings(args, options.LESSON_SIZE)
    grid = Grid((0.001,), (0,), (0.0,), batch_size=(args.batch_size,))
    base = options.study_settings(args, image, grid=grid)
    out = Path(args.out or "runs/lesson")
    with shown(job, verbose=args.verbose) as job:
        stages = list(run_stages(base, lesson, out, options=options.run_options(args), job=job))
        finish_lesson(out, stages, job)
    if args.json:
        result_tables.print_json([result_tables.results_json(stage.finished) for stage in stages])
        return
    _print(stages)
    result_tables.print_baselines(stages[-1].finished.findings)
    winners = (setting_words(each.winner, each.finished.settings.grid.varying) for each in stages)
    narrow.print_lines(["", f"Winners  {', '.join(winners)}"])
    narrow.print_lines(closing_lines(stages[-1].finished, report=lesson_report_file(out))[1:])


def _print(stages: list[Stage]) -> None:
    from manyheads.cli import narrow, result_tables
    from manyheads.core.text import counted
    from manyheads.study.select import rule_words
    from manyheads.study.space import setting_words

    validation = len(stages[0].finished.dataset.rows("validation"))
    seeds = stages[0].finished.settings.seeds
    images = counted(validation, "validation image")
    narrow.print_lines([
        "",
        f"Scores on the {images}, {counted(seeds, 'seed')} a candidate",
        f"Winner of a stage: {rule_words(stages[0].finished.settings.select)}",
        "",
    ])  # fmt: skip
    for stage in stages:
        finished = stage.finished
        words = setting_words(stage.winner, finished.settings.grid.varying)
        epochs = counted(finished.settings.epochs, "epoch")
        narrow.print_lines([f"{stage.name}, {epochs} → {words} ({stage.rule})", ""])
        result_tables.print_results(finished.result, finished.settings.grid.varying)
        if stage is not stages[-1]:
            print()
