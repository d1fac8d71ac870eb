"""Write a data set as a manifest, which `manifest.py` reads as the same images."""

from __future__ import annotations

import csv
import io
import os
from pathlib import Path

from manyheads.core.label_sets import labels_in
from manyheads.core.places import write_text
from manyheads.data.columns import Categorical
from manyheads.data.dataset import Dataset
from manyheads.data.spreadsheet_cells import path_cell, row_cells
from manyheads.data.table_files import MISSING
from manyheads.errors import DataError

_SUFFIX = ".csv"


def check_manifest_path(path: Path) -> None:
    """Raise `DataError` unless `path` is a name that ends in .csv and is not taken."""
    if path.suffix.lower() != _SUFFIX:
        raise DataError(
            f"a manifest whose name ends in {_SUFFIX}", str(path), "give it such a name"
        )
    if os.path.lexists(path):
        raise DataError(
            f"no file at {path}, for nothing is overwritten", "one", "move it, or name another"
        )


def write_manifest(path: Path, dataset: Dataset, *, divided: bool = False) -> None:
    """Write the images of `dataset` to the new file `path`, whole or not at all.

    One row per image, in their order: `path`, `label`, `split` if the data set gives splits,
    and `group`, empty for none. A validation split that was carved from training is training
    here, for opening the manifest carves it anew; with `divided`, splits are written that were not
    given too. Images below the manifest's folder have paths
    from there, others full paths. Raises what `check_manifest_path` raises, and `DataError` for a
    label or a path that a manifest cannot hold. No cell is a formula to a spreadsheet.
    """
    check_manifest_path(path)
    write_text(path, manifest_text(path, dataset, divided=divided))


def manifest_text(path: Path, dataset: Dataset, *, divided: bool = False) -> str:
    """What `write_manifest` writes to `path`."""
    splits = dataset.splits if divided else given_splits(dataset)
    folder = f"{Path(path).expanduser().absolute().parent}{os.sep}"
    table = io.StringIO(newline="")
    writer = csv.writer(table, lineterminator="\n")
    writer.writerow(["path", "label", *(["split"] if splits is not None else []), "group"])
    for image, text in enumerate(dataset.paths.texts()):
        place = text.removeprefix(folder)
        label = dataset.classes[dataset.labels[image]]
        group = "" if dataset.groups is None else dataset.groups[image]
        _check_cells(place, labels_in(label) if dataset.label_names else [label])
        others = [label, *([splits[image]] if splits is not None else []), group]
        writer.writerow([path_cell(place), *row_cells(others)])
    return table.getvalue()


def given_splits(dataset: Dataset) -> Categorical | None:
    """The splits that the data set's source gives, before any were divided; None for none."""
    if dataset.carved:
        return Categorical.of(
            "train" if split == "validation" else split for split in dataset.splits
        )
    return dataset.splits if dataset.divided is None else None


def _check_cells(place: str, labels: list[str]) -> None:
    try:
        f"{place}{''.join(labels)}".encode()
    except UnicodeEncodeError as error:
        raise DataError(
            "names that can be written as UTF-8 text", repr(place), "rename the file or its folder"
        ) from error
    for label in labels:
        _check_label(label)


def _check_label(label: str) -> None:
    if label in MISSING:
        raise DataError(
            "labels that mean one in a table", f"{label!r}, which means none there",
            "rename the class's folder",
        )  # fmt: skip
    if label != label.strip():
        raise DataError(
            "labels without white space at their ends", repr(label), "rename the class's folder"
        )
