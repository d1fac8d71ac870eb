"""Predictions of the validation images by any program, compared with those of a study's model.

The file is a table as `predict` writes it (.csv): a column `image` and one for each class, with its
probability. So a network that was fine-tuned in plain Keras is judged as candidates are. Where an
image may have several labels, there is a column for each label, whose probability is its own.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from jaxtyping import Float32

from manyheads.core.text import counted
from manyheads.data.spreadsheet_cells import text_of
from manyheads.errors import DataError, ModelError, RunError
from manyheads.findings.prediction_comparison import ComparedPredictions
from manyheads.findings.reading import read_images, read_validated
from manyheads.models.card import read_card
from manyheads.models.prediction_rows import RowForm
from manyheads.stats import label_metrics
from manyheads.stats.paired import Margins
from manyheads.stats.two_models import compare_models
from manyheads.study.finished import finished_result
from manyheads.study.folder import RunFolder
from manyheads.study.image_list import kept_images
from manyheads.study.study_document import read_study

SUFFIX = ".csv"
_MARGINS = Margins()
_APART = 1e-3  # of the sum of probabilities from 1: rounding in a file, and no more

Probabilities = Float32[np.ndarray, "images classes"]


def compare_with_run(
    folder: RunFolder, path: Path, *, margins: Margins = _MARGINS
) -> ComparedPredictions:
    """Compare predictions in a file with those of a study's best model, image by image.

    `folder` is that of a finished study with a validation split of its own, and `path` a .csv with
    a column `image` and one for each class, which holds all of the study's validation images;
    others are left out. An image is found by its path, or by as much of the path's end as the
    study's list has. Where an image may have several labels, there is a column for each label, and
    no probability counts as nearer to 0 or 1 than a float32 can be to 1, of either model. Raises
    `RunError` for a study with folds, whose model has trained on every image, and `DataError` for a
    file that does not fit.
    """
    settings, resolved = read_study(folder.document())
    if settings.folds is not None:
        raise RunError(
            "a study with a validation split, to compare predictions with",
            f"one with {counted(settings.folds, 'fold')}, whose model has trained on every image",
            "run a study without folds, or compare on images of your own",
        )  # fmt: skip
    card = read_card(folder.best)
    validated = read_validated(
        folder.store, settings, finished_result(folder, settings), resolved.classes,
        resolved.label_names,
    )  # fmt: skip
    kept = kept_images(folder)
    if kept is None:
        raise RunError(
            f"a list of the study's images in {folder.path}", "none",
            "an earlier version ran it: run it anew in another run folder",
        )  # fmt: skip
    wanted = [kept.names[int(row)] for row in read_images(folder.store, None)]
    several = card.several_labels
    second, left_out = _read(path, wanted, validated.outputs, several=several)
    selected = card.selected
    if "candidate" not in selected or "seed" not in selected:
        raise ModelError(
            f"the trial of the best model in {folder.best.name}.json", "none", "run the study anew"
        )
    first = validated.log_probabilities(int(selected["candidate"]))[int(selected["seed"]), 0]
    if several:
        # The study's own go the same way, so that neither is nearer to 0 or 1 than the other.
        first, second = (
            label_metrics.log_odds_of(each) for each in (label_metrics.probabilities(first), second)
        )
    else:
        with np.errstate(divide="ignore"):
            second = np.log(second)
    found = compare_models(
        first, second, validated.labels, units=validated.units, margins=margins,
        label_sets=validated.label_sets, thresholds=card.thresholds or (),
    )  # fmt: skip
    return ComparedPredictions(folder.path.resolve().name, path.name, found, left_out, several)


def _read(
    path: Path, wanted: Sequence[str], classes: tuple[str, ...], *, several: bool
) -> tuple[Probabilities, int]:
    """The probabilities of the images `wanted`, in that order, and how many others there are."""
    places = {name: place for place, name in enumerate(wanted)}
    found = np.full((len(wanted), len(classes)), np.nan, np.float32)
    lines = np.zeros(len(wanted), np.int64)
    others = 0
    for number, image, row in _rows(path, classes, several=several):
        place = _place(image, places)
        if place is None:
            others += 1
        elif lines[place]:
            raise DataError(
                f"each image once in {path}",
                f"{image} in line {lines[place]} and in line {number}", "leave one of them out",
            )  # fmt: skip
        elif row is not None:
            found[place], lines[place] = row, number
    missing = np.flatnonzero(lines == 0)
    if len(missing):
        raise DataError(
            f"a row for each of the study's {counted(len(wanted), 'validation image')} in {path}",
            f"no row for {counted(len(missing), 'image')}, such as {wanted[missing[0]]}",
            "predict them too",
        )  # fmt: skip
    return found, others


def _place(image: str, places: dict[str, int]) -> int | None:
    """The place of the image whose name the path ends with: the longest one that there is."""
    parts = image.replace("\\", "/").split("/")
    for start in range(len(parts)):
        if (place := places.get("/".join(parts[start:]))) is not None:
            return place
    return None


def _rows(
    path: Path, classes: tuple[str, ...], *, several: bool
) -> Iterator[tuple[int, str, np.ndarray | None]]:
    """The number of each row's line, its image, and its probabilities; None for an error's."""
    columns = RowForm(classes=classes).columns[3:-1]  # of the classes, as `predict` names them
    kind, read = ("label", _of_labels) if several else ("class", _of_classes)
    try:
        with path.open(encoding="utf-8-sig", errors="surrogateescape", newline="") as file:
            table = csv.DictReader(file)
            table.fieldnames = [text_of(name) for name in table.fieldnames or ()]
            missing = [name for name in ("image", *columns) if name not in (table.fieldnames or ())]
            if missing:
                raise DataError(
                    f"a column for the image and one for each {kind} in {path}",
                    f"none called {missing[0]!r}",
                    f"write it as `manyheads predict` does: image, then the name of each {kind}",
                )  # fmt: skip
            for row in table:
                number = table.line_num
                if row.get("error"):
                    yield number, row["image"], None
                    continue
                yield number, row["image"], read([row[name] for name in columns], path, number)
    except (OSError, csv.Error) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise DataError(f"a table of predictions at {path}", reason.lower(),
                        "name a .csv file") from error  # fmt: skip


def _of_classes(cells: Sequence[str | None], path: Path, number: int) -> np.ndarray:
    """The probabilities of the classes of a row, which add up to 1."""
    what = "probabilities that add up to 1"
    row = _numbers(cells, path, number, what)
    if not (np.isfinite(row).all() and (row >= 0).all()):
        raise _wrong(path, number, what, "negative or infinite numbers")
    if abs(row.sum() - 1) > _APART:
        raise _wrong(path, number, what, f"numbers that add up to {row.sum():.4g}")
    return row / row.sum()


def _of_labels(cells: Sequence[str | None], path: Path, number: int) -> np.ndarray:
    """The probability of each label of a row, by itself."""
    what = "a probability for each label, from 0 to 1,"
    row = _numbers(cells, path, number, what)
    wrong = row[~((row >= 0) & (row <= 1))]  # NaN too
    if len(wrong):
        raise _wrong(path, number, what, f"{wrong[0]:.4g}")
    return row


def _numbers(cells: Sequence[str | None], path: Path, number: int, what: str) -> np.ndarray:
    try:
        return np.array([float(cell or "") for cell in cells])
    except ValueError:
        found = next(cell for cell in cells if not _is_number(cell))
        raise _wrong(path, number, what, repr(found)) from None


def _is_number(cell: str | None) -> bool:
    try:
        float(cell or "")
    except ValueError:
        return False
    return True


def _wrong(path: Path, number: int, what: str, found: str) -> DataError:
    return DataError(
        f"{what} in line {number} of {path}", found,
        "write probabilities, not logits, as numbers with a decimal point",
    )  # fmt: skip
