"""`manyheads predict`: what a model says of images."""

from __future__ import annotations

import argparse
import sys
from collections import deque
from collections.abc import Iterator
from contextlib import ExitStack, closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

from manyheads.cli import options
from manyheads.cli.parser import with_flags
from manyheads.core.job import Job

if TYPE_CHECKING:
    from manyheads.cli.predict_inputs import Inputs, RowInputs
    from manyheads.cli.predict_printing import Printer
    from manyheads.cli.predict_summary import Tally
    from manyheads.data.data_settings import TableSettings
    from manyheads.data.image_places import PlacedImage
    from manyheads.data.remote_path import FilePath
    from manyheads.models.prediction_files import PredictionFile
    from manyheads.models.prediction_rows import RowForm


def add(commands) -> argparse.ArgumentParser:
    """Add the command to the parser's `commands`."""
    parser = commands.add_parser(
        "predict",
        help="classify images with a trained model",
        description="Classify images with a finished study's best model, or with a .keras or .h5 "
        "file and its side file. The side file says how images are prepared. An image that cannot "
        "be read is reported in its place; only if none can, the command fails.",
    )
    parser.add_argument("model", metavar="MODEL", help="run folder, or .keras or .h5 file")
    parser.add_argument(
        "images", metavar="IMAGE", nargs="+",
        help="files, folders, globs, addresses (s3://…); a table (.csv, .tsv, .xlsx, .jsonl, "
        ".parquet) with the column path and, if wanted, label; - for a list on stdin, one path per "
        "line; for a study of features, a file of them: an array (.npy, .npz) or a pack",
    )  # fmt: skip
    parser.add_argument("-0", "--null", action="store_true", help="paths on stdin end with NUL, "
                        "as `find -print0` writes them")  # fmt: skip
    options.add_table(parser)
    answers = parser.add_argument_group("predictions")
    answers.add_argument("--top", metavar="K", help="name the K most probable classes")
    answers.add_argument(
        "--min-confidence", default=0.0, metavar="P",
        help="abstain where the highest probability is below P; such images are `unsure`",
    )  # fmt: skip
    answers.add_argument(
        "--uncertainty", nargs="?", const=100, metavar="N",
        help="MC dropout with N random subnetworks of the head (N: 100): the interval of 95 %% of "
        "their probabilities for the predicted class, and how many predict another",
    )  # fmt: skip
    answers.add_argument(
        "--unknown", nargs="?", const="5%", metavar="RATE",
        help="call images unknown that are unlike the training images; RATE (5%%) of the images of "
        "the model's own classes are called so as well, measured on held-out images",
    )  # fmt: skip
    answers.add_argument(
        "--no-cache", action="store_true", help="neither use the feature cache nor add to it"
    )
    answers.add_argument(
        "--device", default="cpu", metavar="NAME",
        help="where the network computes: cpu; cuda or cuda:N, an NVIDIA card; gpu or npu, those "
        "of Intel; auto (default: %(default)s, which is ready soonest)",
    )  # fmt: skip
    options.add_workers(answers)
    form = parser.add_argument_group("output").add_mutually_exclusive_group()
    form.add_argument("--json", action="store_true", help="print a JSON array")
    form.add_argument("--jsonl", action="store_true", help="print JSON lines, one per image")
    form.add_argument("--csv", action="store_true", help="print CSV, one column per class")
    form.add_argument(
        "--out", metavar="FILE",
        help="write FILE (.jsonl, .csv or .parquet), here or at an address (s3://…); after an "
        "interruption the same command resumes it",
    )  # fmt: skip
    return parser


def run(args: argparse.Namespace, job: Job) -> None:
    """Run the command."""
    from manyheads.cli.predict_inputs import Inputs, RowInputs
    from manyheads.cli.predict_summary import Tally
    from manyheads.cli.screen import shown
    from manyheads.errors import Interrupted
    from manyheads.models.card import file_digest
    from manyheads.models.classifier import load
    from manyheads.models.feature_classifier import FeatureClassifier
    from manyheads.models.output_places import output_place
    from manyheads.models.prediction_files import opened
    from manyheads.models.prediction_rows import RowForm
    from manyheads.models.unknown_answers import unknown_rule

    top, asked_for = _top(args), _options(args)
    classifier = load(args.model, device=args.device)
    matrix = None
    if isinstance(classifier, FeatureClassifier):
        matrix = classifier.read(args.images)
        if matrix is None:
            with shown(job) as job:
                classifier = classifier.of_images(args.device, job)
    if matrix is None:
        inputs = Inputs(args.images, null=args.null, table=options.table_settings(args))
    else:
        inputs = RowInputs(len(matrix))
    _say_left_out(inputs)
    form = RowForm(
        classes=classifier.classes,
        top=top,
        abstaining=asked_for["min_confidence"] > 0,
        unlike="unknown" in asked_for,
        uncertain=asked_for["uncertainty"] > 0,
        given=inputs.labelled,
        several=classifier.card.several_labels,
    )
    asked, givens = iter(inputs), deque()
    place = None if args.out is None else output_place(args.out, job)
    file = None if place is None else place.path
    with ExitStack() as stack, ExitStack() as until_first:
        # What is printed shows how far it is, from the first answer on.
        watched = (until_first if file is None else stack).enter_context(shown(job))
        rule = unknown_rule(classifier, asked_for.get("unknown"), watched)
        # Of several labels an answer is a set of them, and no class that could be a stranger.
        known = () if classifier.card.several_labels else classifier.classes
        tally = Tally(job if file is None else watched, known, rule)
        sink: PredictionFile | Printer | None = None
        if file is not None:
            model = {"model": file_digest(classifier.path), "classes": list(classifier.classes)}
            model |= {} if args.device == "cpu" else {"device": args.device}
            sink = stack.enter_context(opened(file, form, model | {"top": top} | asked_for))
            _pass_over(sink, file, asked, tally)
        paths = _paths(asked, givens)
        if isinstance(classifier, FeatureClassifier) and matrix is not None:
            first = len(matrix) - len(list(paths))
            found = classifier.stream(
                matrix[first:], **asked_for, workers=args.workers, job=watched, first=first
            )
        else:
            found = classifier.stream(
                paths, **asked_for, cache=not args.no_cache, workers=args.workers, job=watched
            )
        stack.enter_context(closing(found))
        if sink is None:
            sink = _printer(args, form)
        try:
            for entry in found:
                until_first.close()
                given = givens.popleft()
                sink.write(entry, given)
                tally.count(entry.label, entry.error, given, unknown=entry.unknown)
        except Interrupted as error:
            if file is None:
                raise
            raise Interrupted(error.what, "the same command goes on from there") from None
        sink.finish()
        if place is not None:
            place.deliver(watched)
    told = tally.lines(found.passes, found.from_cache, asked_for["min_confidence"])
    for line in (*told, *found.remarks):
        print(with_flags(line), file=sys.stderr)
    _require_an_answer(tally)


def image_files(given: list[str], table: TableSettings | None = None) -> list[FilePath]:
    """The images that are meant by arguments such as this command's, for one that takes few.

    Raises `DataError` if something given leads to no image.
    """
    from manyheads.cli.predict_inputs import Inputs
    from manyheads.data.remote_path import file_path

    inputs = Inputs(given, table=table)
    _say_left_out(inputs)
    return [file_path(image.path) for image in inputs]


def _say_left_out(inputs: Inputs | RowInputs) -> None:
    if inputs.left_out:
        print(f"Left out  {inputs.left_out}", file=sys.stderr)


def _options(args: argparse.Namespace) -> dict[str, Any]:
    from manyheads.core.settings import number, whole
    from manyheads.errors import SettingError
    from manyheads.models.unknown_answers import rate_of

    masks = 0
    if args.uncertainty is not None:
        try:
            masks = whole("uncertainty", args.uncertainty, 2, 10_000)
        except SettingError as error:
            remedy = "name the images before it, or give the number of subnetworks"
            raise SettingError(error.expected, error.found, remedy) from None
    least = number("min_confidence", args.min_confidence, 0.0, 1.0)
    asked: dict[str, Any] = {"min_confidence": least, "uncertainty": masks}
    try:
        rate = rate_of(args.unknown)
    except SettingError as error:
        remedy = "name the images before it, or give a rate such as 5%"
        raise SettingError(error.expected, error.found, remedy) from None
    return asked if rate is None else asked | {"unknown": rate}


def _top(args: argparse.Namespace) -> int | None:
    from manyheads.core.settings import whole

    return None if args.top is None else whole("top", args.top, 1, 1_000_000)


def _pass_over(
    file: PredictionFile, path: Path, asked: Iterator[PlacedImage], tally: Tally
) -> None:
    """Take the rows that the output holds already for what they are: the first images' answers."""
    from manyheads.data.spreadsheet_cells import path_cell
    from manyheads.errors import DataError

    remedy = "repeat the former command, remove the file, or choose another --out"
    for number, row in enumerate(file.kept(), start=1):
        image = next(asked, None)
        if image is None or row["image"] not in (image.path, path_cell(image.path)):
            expected = f"the images of {path} first: {row['image']} as image {number}"
            found = "no more images" if image is None else image.path
            raise DataError(expected, found, remedy)
        found = {"unknown": bool(row.get("unknown")), "before": True}
        tally.count(row["label"], row.get("error"), image.label, **found)
    if file.finished and (more := next(asked, None)) is not None:
        raise DataError(f"the images of {path}, which is finished", more.path, remedy)


def _paths(asked: Iterator[PlacedImage], givens: deque[str | None]) -> Iterator[str]:
    for image in asked:
        givens.append(image.label)
        yield image.path


def _printer(args: argparse.Namespace, form: RowForm) -> Printer:
    from manyheads.cli.predict_printing import ArrayPrinter, LinePrinter, TablePrinter
    from manyheads.models.row_lines import LINES

    if args.json:
        return ArrayPrinter(form)
    if args.jsonl or args.csv:
        return LinePrinter(form, LINES[".jsonl" if args.jsonl else ".csv"])
    return TablePrinter(form)


def _require_an_answer(tally: Tally) -> None:
    from manyheads.errors import DataError

    if not tally.images:
        raise DataError("an image to predict", "an empty list", "name some")
    if not tally.answered:
        count = f"{tally.images:,} that cannot" if tally.images > 1 else "one that cannot"
        raise DataError("an image that can be read", f"{count}: {tally.reason}", "check the files")
