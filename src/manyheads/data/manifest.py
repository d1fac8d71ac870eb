"""Read a manifest: a CSV or Parquet table with `path`, `label` and optional `split`, `group`.

Of features that were computed elsewhere, the `path` is optional too, and only a row's name.
"""

from __future__ import annotations

import csv
import os
from array import array
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from manyheads.data.listing import Listing, ListingWriter
from manyheads.data.splits import split_name
from manyheads.errors import DataError, MissingExtraError

MANIFEST_SUFFIXES = (".csv", ".parquet")

_REQUIRED = ("path", "label")
_COLUMNS = ("path", "label", "split", "group")

Row = tuple[int, dict[str, str]]  # its number, and its cells by column


def read_manifest(path: Path, *, images: bool = True) -> Listing:
    """List the images that the manifest names; paths are relative to the manifest's folder.

    Without `images`, list its rows: by their paths as they stand, or else as "row 0" and so on.
    Rows of a CSV are counted as a spreadsheet shows them, so the first image is in row 2; rows of
    a Parquet file are counted from 1. Raises `DataError` naming the row for an empty path or
    label, a missing file, an unknown split, or one file under two labels; and for a split that
    only some rows give. Raises `MissingExtraError` if Parquet cannot be read here.
    """
    required = _REQUIRED if images else _REQUIRED[1:]
    read = _parquet_rows if path.suffix.lower() == ".parquet" else _csv_rows
    writer = ListingWriter()
    numbers, without_split, with_split = array("q"), 0, 0
    for number, cells in read(path, required):
        split = _add(writer, path, number, cells, required)
        numbers.append(number)
        if split is None:
            without_split = without_split or number
        else:
            with_split = with_split or number
    if not len(writer):
        what = "images" if images else "rows"
        raise DataError(f"{what} in {path}", "no rows", "add a row for each image")
    if with_split and without_split:
        found = f"one in row {with_split} and none in row {without_split}"
        remedy = "fill the column, or empty it to have the images divided"
        raise DataError(f"a split in every row of {path}, or in none", found, remedy)
    listing = writer.listing("manifest" if images else "features")
    if images:
        _refuse_two_labels(path, listing, numbers)
    return listing


def _add(
    writer: ListingWriter,
    manifest: Path,
    number: int,
    cells: dict[str, str],
    required: Sequence[str],
) -> str | None:
    where = f"row {number}"
    for column in required:
        if not cells[column].strip():
            expected = f"a {column} in {where} of {manifest}"
            raise DataError(expected, "an empty cell", "fill it in or remove the row")
    label, group = cells["label"].strip(), cells["group"].strip()
    if "path" not in required:
        name = os.path.split(cells["path"].strip() or f"row {len(writer)}")
        split = _split(manifest, where, cells)
        writer.add(*name, label, split, group)
        return split
    target = str(manifest.parent / cells["path"])
    if not os.path.isfile(target):  # noqa: PTH113 - False for names that no file can have, too
        expected = f"the file that {where} of {manifest} names"
        remedy = f"correct the path, which is relative to {manifest.parent}"
        raise DataError(expected, f"no file {cells['path']!r}", remedy)
    split = _split(manifest, where, cells)
    writer.add(*os.path.split(target), label, split, group)
    return split


def _split(manifest: Path, where: str, cells: dict[str, str]) -> str | None:
    if not cells["split"].strip():
        return None
    split = split_name(cells["split"])
    if split is None:
        raise DataError(
            f"train, validation or test as split in {where} of {manifest}",
            repr(cells["split"]),
            "correct it, or empty the column to have the images divided",
        )
    return split


def _refuse_two_labels(manifest: Path, listing: Listing, numbers: Sequence[int]) -> None:
    # Only what shares a hash is compared: a dictionary of all paths would outgrow the data set.
    paths, labels = listing.paths, listing.labels
    keys = np.fromiter((hash(os.path.normpath(path)) for path in paths.texts()), np.int64)
    order = np.argsort(keys, kind="stable")
    repeated = np.flatnonzero(keys[order][1:] == keys[order][:-1]) + 1
    seen: dict[str, int] = {}
    for row in np.unique(order[np.concatenate([repeated - 1, repeated])]).tolist():
        first = seen.setdefault(os.path.normpath(paths.text(row)), row)
        if labels[row] != labels[first]:
            raise DataError(
                f"one label for {paths[row].name} in {manifest}",
                f"{labels[first]!r} in row {numbers[first]} and "
                f"{labels[row]!r} in row {numbers[row]}",
                "keep the right row and remove the other",
            )


def _csv_rows(path: Path, required: Sequence[str]) -> Iterator[Row]:
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.reader(file, strict=True)
            header = [name.strip() for name in next(reader, [])]
            _require_columns(path, header, required)
            for number, values in enumerate(reader, start=2):
                if values:
                    yield number, _cells(path, number, header, values)
    except UnicodeDecodeError as error:
        found = f"other bytes at position {error.start}"
        raise DataError(f"{path} to be UTF-8 text", found, "save it as CSV in UTF-8") from error
    except csv.Error as error:
        raise DataError(f"{path} to be a CSV table", str(error), "save it as CSV again") from error
    except OSError as error:
        raise _unreadable(path, error) from error


def _cells(path: Path, number: int, header: list[str], values: list[str]) -> dict[str, str]:
    if len(values) > len(header):
        expected = f"{len(header)} cells in row {number} of {path}"
        remedy = 'put cells that hold a comma into double quotes (")'
        raise DataError(expected, f"{len(values)}", remedy)
    return dict.fromkeys(_COLUMNS, "") | dict(zip(header, values, strict=False))


def _parquet_rows(path: Path, required: Sequence[str]) -> Iterator[Row]:
    with parquet_errors(path) as parquet, parquet.ParquetFile(path) as file:
        header = list(file.schema_arrow.names)
        _require_columns(path, header, required)
        columns = [name for name in _COLUMNS if name in header]
        number = 0
        for batch in file.iter_batches(columns=columns):
            for row in batch.to_pylist():
                number += 1
                texts = {name: str(cell) for name, cell in row.items() if cell is not None}
                yield number, dict.fromkeys(_COLUMNS, "") | texts


@contextmanager
def parquet_errors(path: Path) -> Iterator[Any]:
    """`pyarrow.parquet` to read `path` with; what goes wrong is a `DataError`.

    Raises `MissingExtraError` if it is not installed.
    """
    try:
        from pyarrow import ArrowException, parquet
    except ImportError as error:
        remedy = "run pip install 'manyheads[parquet]', or save the manifest as CSV"
        raise MissingExtraError(f"pyarrow to read {path}", "none installed", remedy) from error
    try:
        yield parquet
    except ArrowException as error:
        found = " ".join(str(error).split())[:120]
        raise DataError(f"{path} to be a Parquet file", found, "write it again") from error
    except OSError as error:
        raise _unreadable(path, error) from error


def _require_columns(path: Path, header: list[str], required: Sequence[str]) -> None:
    missing = [name for name in required if name not in header]
    twice = [name for name in _COLUMNS if header.count(name) > 1]
    if missing or twice:
        remedy = "give the first row these names: path, label and, if you like, split and group"
        found = ", ".join(header)[:120] or "no columns"
        if "path" not in required:
            remedy = "give the first row the name label and, if you like, split, group and path"
            raise DataError(f"the column label, once, in {path}", found, remedy)
        raise DataError(f"the columns path and label, once each, in {path}", found, remedy)


def _unreadable(path: Path, error: OSError) -> DataError:
    found = (error.strerror or str(error)).lower()
    return DataError(f"to read {path}", found, "check the file and its permissions")


def manifest_rows(path: Path, required: Sequence[str] = _REQUIRED) -> Iterator[Row]:
    """Each row of a manifest: its number, and its cells by column, empty where there is none.

    Raises `DataError` for what is no table or lacks a column that is `required`.
    """
    read = _parquet_rows if path.suffix.lower() == ".parquet" else _csv_rows
    return read(path, required)
