"""`manyheads predict`: what a model says of images."""

from __future__ import annotations

import argparse
import csv
import glob
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from manyheads.model.classifier import Predictions


def add(commands) -> argparse.ArgumentParser:
    """Add the command to the parser's `commands`."""
    parser = commands.add_parser(
        "predict",
        help="classify images with the best model of a study",
        description="Classify images with a finished study's best model, or with a .keras or .h5 "
        "file and its side file. The side file says how images are prepared.",
    )
    parser.add_argument("model", metavar="MODEL", help="run folder, or .keras or .h5 file")
    parser.add_argument(
        "images", metavar="IMAGE", nargs="+",
        help="files, folders or globs; for a study of features, a .npy file of them",
    )  # fmt: skip
    form = parser.add_mutually_exclusive_group()
    form.add_argument("--json", action="store_true", help="print JSON")
    form.add_argument("--csv", action="store_true", help="print CSV, a column a class")
    return parser


def run(args: argparse.Namespace, stop: threading.Event) -> None:
    """Run the command."""
    from manyheads.model.classifier import load
    from manyheads.model.feature_classifier import FeatureClassifier

    model = load(args.model)
    given = model.read(args.images) if isinstance(model, FeatureClassifier) else None
    predictions = model.predict(image_files(args.images) if given is None else given, stop=stop)
    if args.json:
        _print_json(predictions)
    elif args.csv:
        _print_csv(predictions)
    else:
        _print_table(predictions)


def image_files(given: list[str]) -> list[Path]:
    """The image files that are meant: files as they are, folders searched, globs expanded.

    Raises `DataError` if something given leads to no file.
    """
    from manyheads.errors import DataError

    files: list[Path] = []
    for text in given:
        try:
            found = _meant(text) if text.strip() else []
        except (OSError, ValueError, RuntimeError):  # a name too long, no user of that name, …
            found = []
        if not found:
            raise DataError(
                "an image, a folder of images or a glob", f"nothing at {text!r}", "check the path"
            )
        files += found
    return list(dict.fromkeys(files))


def _meant(text: str) -> list[Path]:
    from manyheads.data.images import IMAGE_SUFFIXES

    path = Path(text).expanduser()
    if path.is_dir():
        inside = sorted(path.rglob("*"))
        return [p for p in inside if p.suffix.lower() in IMAGE_SUFFIXES and p.is_file()]
    if path.exists():
        return [path]
    return [Path(p) for p in sorted(glob.glob(str(path), recursive=True))]  # noqa: PTH207 - may be absolute


def _print_json(predictions: Predictions) -> None:
    from manyheads.cli import tables

    tables.print_json(
        [
            {
                "image": entry.image,
                "label": entry.label,
                "confidence": entry.confidence,
                "probabilities": entry.probabilities,
                **({"error": entry.error} if entry.error else {}),
            }
            for entry in predictions
        ]
    )


def _print_csv(predictions: Predictions) -> None:
    writer = csv.writer(sys.stdout, lineterminator="\n")
    writer.writerow(["image", "label", "confidence", *predictions.classes, "error"])
    for entry in predictions:
        numbers = [entry.probabilities.get(name, "") for name in predictions.classes]
        confidence = entry.confidence if entry.label is not None else ""
        writer.writerow([entry.image, entry.label or "", confidence, *numbers, entry.error or ""])


def _print_table(predictions: Predictions) -> None:
    from rich import box
    from rich.table import Table
    from rich.text import Text

    from manyheads.cli import tables

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False)
    table.add_column("image", overflow="fold")
    table.add_column("class")
    table.add_column("probability", justify="right")
    table.add_column("next")
    for entry in predictions:
        if entry.label is None:
            table.add_row(Text(entry.image), Text(f"unreadable: {entry.error}"), "", "")
            continue
        order = sorted(entry.probabilities.items(), key=lambda item: -item[1])[1:3]
        others = ", ".join(f"{name} {value:.3f}" for name, value in order)
        table.add_row(Text(entry.image), Text(entry.label), f"{entry.confidence:.3f}", Text(others))
    tables.print_table(table)
