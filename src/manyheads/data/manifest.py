"""Read a manifest: a CSV or Parquet table with `path`, `label` and optional `split`, `group`."""

from __future__ import annotations

import csv
import os
from collections.abc import Iterator
from pathlib import Path

from manyheads.data.listing import Entry, Listing
from manyheads.data.splits import split_name
from manyheads.errors import DataError, MissingExtraError

MANIFEST_SUFFIXES = (".csv", ".parquet")

_REQUIRED = ("path", "label")
_COLUMNS = ("path", "label", "split", "group")

Row = tuple[str, dict[str, str]]  # where it stands ("row 7"), and its cells by column


def read_manifest(path: Path) -> Listing:
    """List the images that the manifest names; paths are relative to the manifest's folder.

    Rows of a CSV are counted as a spreadsheet shows them, so the first image is in row 2; rows of
    a Parquet file are counted from 1. Raises `DataError` naming the row for an empty path or
    label, a missing file, an unknown split, or one file under two labels; and for a split that
    only some rows give. Raises `MissingExtraError` if Parquet cannot be read here.
    """
    rows = _parquet_rows(path) if path.suffix.lower() == ".parquet" else _csv_rows(path)
    entries: list[Entry] = []
    labels: dict[str, tuple[str, str]] = {}
    without_split = with_split = ""
    for where, cells in rows:
        entry = _entry(path, where, cells)
        _refuse_two_labels(path, where, entry, labels)
        if entry.split is None:
            without_split = without_split or where
        else:
            with_split = with_split or where
        entries.append(entry)
    if not entries:
        raise DataError(f"images in {path}", "no rows", "add a row for each image")
    if with_split and without_split:
        found = f"one in {with_split} and none in {without_split}"
        remedy = "fill the column, or empty it to have the images divided"
        raise DataError(f"a split in every row of {path}, or in none", found, remedy)
    return Listing("manifest", tuple(entries))


def _entry(manifest: Path, where: str, cells: dict[str, str]) -> Entry:
    for column in _REQUIRED:
        if not cells[column].strip():
            expected = f"a {column} in {where} of {manifest}"
            raise DataError(expected, "an empty cell", "fill it in or remove the row")
    target = manifest.parent / cells["path"]
    if not os.path.isfile(target):  # noqa: PTH113 - False for names that no file can have, too
        expected = f"the file that {where} of {manifest} names"
        remedy = f"correct the path, which is relative to {manifest.parent}"
        raise DataError(expected, f"no file {cells['path']!r}", remedy)
    return Entry(
        target, cells["label"].strip(), _split(manifest, where, cells), cells["group"].strip()
    )


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


def _refuse_two_labels(
    manifest: Path, where: str, entry: Entry, seen: dict[str, tuple[str, str]]
) -> None:
    key = os.path.normpath(entry.path)
    label, first = seen.setdefault(key, (entry.label, where))
    if label != entry.label:
        raise DataError(
            f"one label for {entry.path.name} in {manifest}",
            f"{label!r} in {first} and {entry.label!r} in {where}",
            "keep the right row and remove the other",
        )


def _csv_rows(path: Path) -> Iterator[Row]:
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.reader(file, strict=True)
            header = [name.strip() for name in next(reader, [])]
            _require_columns(path, header)
            for number, values in enumerate(reader, start=2):
                if values:
                    yield f"row {number}", _cells(path, number, header, values)
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


def _parquet_rows(path: Path) -> Iterator[Row]:
    try:
        from pyarrow import ArrowException, parquet
    except ImportError as error:
        remedy = "run pip install 'manyheads[parquet]', or save the manifest as CSV"
        raise MissingExtraError(f"pyarrow to read {path}", "none installed", remedy) from error
    try:
        with parquet.ParquetFile(path) as file:
            header = list(file.schema_arrow.names)
            _require_columns(path, header)
            columns = [name for name in _COLUMNS if name in header]
            table = file.read(columns=columns).to_pylist()
    except ArrowException as error:
        found = " ".join(str(error).split())[:120]
        raise DataError(f"{path} to be a Parquet file", found, "write it again") from error
    except OSError as error:
        raise _unreadable(path, error) from error
    for number, row in enumerate(table, start=1):
        texts = {name: str(value) for name, value in row.items() if value is not None}
        yield f"row {number}", dict.fromkeys(_COLUMNS, "") | texts


def _require_columns(path: Path, header: list[str]) -> None:
    missing = [name for name in _REQUIRED if name not in header]
    twice = [name for name in _COLUMNS if header.count(name) > 1]
    if missing or twice:
        remedy = "give the first row these names: path, label and, if you like, split and group"
        found = ", ".join(header)[:120] or "no columns"
        raise DataError(f"the columns path and label, once each, in {path}", found, remedy)


def _unreadable(path: Path, error: OSError) -> DataError:
    found = (error.strerror or str(error)).lower()
    return DataError(f"to read {path}", found, "check the file and its permissions")
