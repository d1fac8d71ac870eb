"""`manyheads test`: the study's model on the test images, once, and on the record."""

from __future__ import annotations

import argparse
import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.table import Table

    from manyheads.findings.held_out_scores import HeldOutScores
    from manyheads.run.fit.fit_record import Fitted
    from manyheads.run.test_evaluation import FinalScore
    from manyheads.stats.intervals import Estimate
    from manyheads.study.folder import RunFolder

_SCORES = (
    ("accuracy", "accuracy", "accuracy_at_train_shares"),
    ("balanced accuracy", "balanced_accuracy", None),
    ("macro F1", "macro_f1", None),
    ("log loss", "log_loss", "log_loss_at_train_shares"),
    ("Brier score", "brier", None),
    ("expected calibration error", "ece", None),
)


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


def run(args: argparse.Namespace, stop: threading.Event) -> None:
    """Run the command."""
    from manyheads.cli import result_tables
    from manyheads.cli.screen import Screen
    from manyheads.core.settings import plain
    from manyheads.findings.test_log import opening_warning, openings
    from manyheads.run.fit.fit_record import FILE
    from manyheads.run.fit.fit_score import fit_score
    from manyheads.run.test_evaluation import final_score
    from manyheads.study.folder import RunFolder

    class Opening(Screen):
        """Begins to print before an opening is recorded, which is there to be told."""

        begun = ""

        def opening(self) -> None:
            self.close()
            self.begin()

        def begin(self) -> None:
            if not self.begun:
                self.begun = "{" if args.json else "\n"
                print(self.begun, end="", flush=True)

    folder = RunFolder(args.run_folder)
    fitted = None
    with Opening() as screen:
        if (folder.path / FILE).is_file() and args.candidate is None:
            fitted, done = fit_score(
                folder.path, again=args.again, data=args.data, listener=screen, stop=stop
            )
        else:
            done = final_score(
                folder.path, candidate=args.candidate, again=args.again, data=args.data,
                listener=screen, stop=stop,
            )  # fmt: skip
    screen.begin()
    if args.json:
        warning = opening_warning(folder)
        told = plain(done) | {"openings": len(openings(folder)), "warning": warning}
        result_tables.print_json(told, begun=screen.begun)
    else:
        _print(done, folder, fitted)


def _print(done: FinalScore, folder: RunFolder, fitted: Fitted | None) -> None:
    from manyheads.cli import result_tables
    from manyheads.findings.held_out_scores import shares_sentence
    from manyheads.findings.test_log import day_and_time, opening_warning
    from manyheads.study.space import counted

    entry, scores = done.opening, done.opening.scores
    unreadable = f", {entry.unreadable:,} unreadable left out" if entry.unreadable else ""
    units = f" in {counted(scores.units, 'unit')}" if scores.units < scores.images else ""
    for line in _model_lines(done, folder) if fitted is None else _fit_lines(fitted):
        print(line)
    innocent = " that chose nothing" if entry.number == 1 else ""
    print(f"Test       {counted(scores.images, 'image')}{units}{innocent}{unreadable}")
    when = "opened now" if done.anew else "opened before, nothing is opened anew"
    print(f"Opening    {entry.number}, on {day_and_time(entry)} ({when})")
    print()
    result_tables.print_table(_overall(scores))
    print()
    result_tables.print_table(_classes(scores))
    print()
    print(shares_sentence(scores))
    without = [each.name for each in scores.classes if each.recall is None]
    if without:
        print(f"Without test images, and in no score: {', '.join(without)}.")
    if entry.seen:
        print(
            f"{counted(entry.seen, 'test image')} of a content or group that is also among the "
            "training or validation images: the scores are too good (`manyheads check` names them)."
        )
    if done.changed:
        print(
            "Computed once more, the scores differ from the record, which stands as it is: "
            f"{'; '.join(done.changed[:3])}. The machine or its libraries have changed."
        )
    if warning := opening_warning(folder):
        print(warning)
    print(f"\nRecord     {folder.openings}")


def _model_lines(done: FinalScore, folder: RunFolder) -> list[str]:
    from manyheads.heads.hyperparameters import Hyperparameters
    from manyheads.study.space import setting_words
    from manyheads.study.study_settings import read_study

    model = done.opening.model
    settings, _ = read_study(folder.document())
    words = setting_words(Hyperparameters(**model.hyperparameters), settings.grid.varying)
    chosen = "selected" if model.selected else "not the selected one"
    return [
        f"Model      candidate {model.candidate} ({chosen}): {words}; seed {model.seed}, "
        f"epoch {model.epoch}"
    ]


def _fit_lines(fitted: Fitted) -> list[str]:
    from manyheads.study.space import counted

    accuracy = fitted.expected.scores.accuracy
    return [
        f"Model      {counted(fitted.heads, 'head')} in one: {fitted.tried[0].words}",
        f"Expected   accuracy {' '.join(_cells(accuracy))}, at the training class shares",
    ]


def _overall(scores: HeldOutScores) -> Table:
    from rich import box
    from rich.table import Table

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False)
    table.add_column("")
    for title in ("test", "95 % interval", "at the training\nclass shares", "95 % interval"):
        table.add_column(title, justify="right", no_wrap=True)
    for title, name, at_shares in _SCORES:
        cells = _cells(getattr(scores, name))
        if at_shares is not None:
            cells += _cells(getattr(scores, at_shares))
        table.add_row(title, *cells)
    return table


def _classes(scores: HeldOutScores) -> Table:
    from rich import box
    from rich.table import Table
    from rich.text import Text

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False)
    table.add_column("class")
    for title in ("images", "share", "of training", "recall", "95 % interval"):
        table.add_column(title, justify="right", no_wrap=True)
    for entry in scores.classes:
        table.add_row(
            Text(entry.name), f"{entry.images:,}", f"{100 * entry.share:.1f} %",
            f"{100 * entry.train_share:.1f} %", *_cells(entry.recall),
        )  # fmt: skip
    return table


def _cells(estimate: Estimate | None) -> list[str]:
    if estimate is None:
        return ["–", ""]
    if estimate.low is None or estimate.high is None:
        return [f"{estimate.value:.3f}", "–"]
    return [f"{estimate.value:.3f}", f"{estimate.low:.3f} – {estimate.high:.3f}"]
