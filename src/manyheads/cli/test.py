"""`manyheads test`: the study's model on the test images, once, and on the record."""

from __future__ import annotations

import argparse
from contextlib import closing
from typing import TYPE_CHECKING

from manyheads.core.job import Event, Job

if TYPE_CHECKING:
    from manyheads.run.fit.fit_record import Fitted
    from manyheads.run.test_evaluation import FinalScore
    from manyheads.study.folder import RunFolder


def add(commands) -> argparse.ArgumentParser:
    """Add the command to the parser's `commands`."""
    parser = commands.add_parser(
        "test",
        help="evaluate the selected model of a study on its test images, once",
        description="Evaluate the selected model of a finished study on the test images, which "
        "neither trained nor selected anything, and record when and for which model in "
        "RUN/test.json. The same command again shows the record. Another model of the same study "
        "takes --again, for test images that are used for selection give optimistic scores.",
    )
    parser.add_argument("run_folder", metavar="RUN", help="run folder of a finished study")
    parser.add_argument(
        "--candidate", metavar="N",
        help="the candidate with this number in results.csv (default: the selected one)",
    )  # fmt: skip
    parser.add_argument(
        "--again", action="store_true",
        help="evaluate another model on the test images too; every later report will say so",
    )  # fmt: skip
    parser.add_argument("--data", metavar="DATA", help="where the data set lies, if it was moved")
    parser.add_argument("--json", action="store_true", help="print the record as JSON")
    return parser


def run(args: argparse.Namespace, job: Job) -> None:
    """Run the command."""
    from manyheads.cli import result_tables
    from manyheads.cli.screen import Screen
    from manyheads.core.settings import plain
    from manyheads.findings.test_log import read_test_log, repeat_warning
    from manyheads.run.fit.fit_record import FILE
    from manyheads.run.fit.fit_score import fit_score
    from manyheads.run.test_evaluation import Recording, final_score
    from manyheads.study.folder import RunFolder

    begun = ""

    def begin() -> None:
        """Begin to print before anything is recorded: what cannot be shown is not recorded."""
        nonlocal begun
        if not begun:
            begun = "{" if args.json else "\n"
            print(begun, end="", flush=True)

    screen = Screen()

    def hear(event: Event) -> None:
        if isinstance(event, Recording):
            screen.close()
            begin()
        screen.hear(event)

    folder = RunFolder(args.run_folder)
    fitted = None
    screen.watch()
    with closing(screen):
        job = job.heard_by(hear)
        if (folder.path / FILE).is_file() and args.candidate is None:
            fitted, done = fit_score(folder.path, again=args.again, data=args.data, job=job)
        else:
            done = final_score(
                folder.path, candidate=args.candidate, again=args.again, data=args.data,
                job=job,
            )  # fmt: skip
    begin()
    if args.json:
        warning = repeat_warning(folder)
        told = plain(done) | {"evaluations": len(read_test_log(folder)), "warning": warning}
        result_tables.print_json(told, begun=begun)
    else:
        _print(done, folder, fitted)


def _print(done: FinalScore, folder: RunFolder, fitted: Fitted | None) -> None:
    from manyheads.cli import narrow
    from manyheads.cli.narrow import print_table
    from manyheads.core.text import counted
    from manyheads.findings.held_out_scores import shares_sentence
    from manyheads.findings.label_scores import LabelScores
    from manyheads.findings.score_tables import SCORES, classes_table, model_scores_table
    from manyheads.findings.test_log import day_and_time, repeat_warning

    entry, scores = done.evaluation, done.evaluation.measured
    unreadable = f", {entry.unreadable:,} unreadable left out" if entry.unreadable else ""
    units = f" in {counted(scores.units, 'unit')}" if scores.units < scores.images else ""
    narrow.print_lines(_model_lines(done, folder) if fitted is None else _fit_lines(fitted))
    unused = ", not used for selection" if entry.number == 1 else ""
    when = "recorded now" if done.anew else "on record, no new evaluation"
    narrow.print_lines([
        f"Test       {counted(scores.images, 'image')}{units}{unused}{unreadable}",
        f"Evaluation {entry.number}, on {day_and_time(entry)} ({when})",
        "",
    ])  # fmt: skip
    lines: list[str] = []
    if isinstance(scores, LabelScores):
        print_table(model_scores_table("Scores on the test images", scores.scores))
        print()
        print_table(scores.table)
        print()
        lines.append(
            "A label is said above its threshold, which the validation images chose: F1, accuracy "
            "and exact match are of these answers."
        )
        without = [each.label for each in scores.labels if not each.positives]
        what = "Labels that no test image has, in no mean over labels"
    else:
        shares = {
            "accuracy": scores.accuracy_at_train_shares,
            "log_loss": scores.log_loss_at_train_shares,
        }
        found = {name: getattr(scores, name) for name in SCORES}
        print_table(model_scores_table("Scores on the test images", found, at_train_shares=shares))
        print()
        print_table(classes_table(scores.classes))
        print()
        lines.append(shares_sentence(scores))
        without = [each.name for each in scores.classes if each.recall is None]
        what = "Classes without test images, in no score"
    if without:
        lines.append(f"{what}: {', '.join(without)}.")
    if entry.seen:
        lines.append(
            f"{counted(entry.seen, 'test image')} of a content or group that is also among the "
            "training or validation images: scores are optimistic (`manyheads check` lists them)."
        )
    if done.changed:
        lines.append(
            "Computed again, the scores differ from the record, which is kept: "
            f"{'; '.join(done.changed[:3])}. The machine or its libraries have changed."
        )
    if warning := repeat_warning(folder):
        lines.append(warning)
    narrow.print_lines([*lines, "", f"Record     {folder.test_log}"])


def _model_lines(done: FinalScore, folder: RunFolder) -> list[str]:
    from manyheads.study.space import setting_words
    from manyheads.study.study_document import read_study

    model = done.evaluation.model
    settings, _ = read_study(folder.document())
    words = setting_words(settings.grid[model.candidate - 1], settings.grid.varying)
    chosen = "selected" if model.selected else "not the selected one"
    return [
        f"Model      candidate {model.candidate} ({chosen}): {words}; seed {model.seed}, "
        f"epoch {model.epoch}"
    ]


def _fit_lines(fitted: Fitted) -> list[str]:
    from manyheads.core.text import counted
    from manyheads.findings.score_tables import estimate_words
    from manyheads.findings.wording import METRIC_WORDS

    scores = fitted.leading_scores
    name = next(iter(scores))
    shares = "label" if fitted.expected.label_scores else "class"
    return [
        f"Model      {counted(fitted.heads, 'head')} in one: {fitted.tried[0].words}",
        f"Expected   {METRIC_WORDS[name]} {estimate_words(scores[name])}, at the training {shares} "
        "shares",
    ]
