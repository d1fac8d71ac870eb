"""Read a manifest: a table with `path`, `label` and optional `split`, `group`.

Of features that were computed elsewhere, the `path` is optional too, and only a row's name. How a
table becomes rows is the business of `tables.py`.
"""

from __future__ import annotations

import os
from array import array
from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from manyheads.core.addresses import is_address
from manyheads.core.text import counted
from manyheads.data.cell_paths import Finder
from manyheads.data.data_settings import TableSettings
from manyheads.data.listing import Listing, ListingWriter
from manyheads.data.paths import split_path
from manyheads.data.remote_path import FilePath
from manyheads.data.several_labels import PLURAL, LabelCells, separator_words, sniffed
from manyheads.data.split_names import split_name
from manyheads.data.table_files import MISSING, TABLE_SUFFIXES, TableRow, header_of, read_rows
from manyheads.errors import DataError

MANIFEST_SUFFIXES = TABLE_SUFFIXES
NO_LABEL = "rows without a label"
REPEATED = "repeated rows"

_REQUIRED = ("path", "label")
_USUAL = TableSettings()
_INVISIBLE = "\ufeff\u200b\u200e\u200f\u2060"


def read_manifest(path: FilePath, table: TableSettings = _USUAL, *, images: bool = True) -> Listing:
    """List the images that the manifest names, read as `table` says.

    Paths are relative to the manifest's folder, or to the `images_in` of `table`; `cell_paths`
    says how they may be written. Rows without a label are left out, and so is each further row of
    one file; one file under two labels, splits or groups is refused. Without `images`, list the
    rows: by their paths as they stand, or else as "row 0" and so on, and each must have a label.
    Where an image may have several labels, one without any is listed too.
    Raises `DataError` naming the row for an empty path, a missing file or an unknown split; for a
    split that only some rows give; and for a table without labels. Raises what `read_rows` raises.
    """
    table = sniffed(path, table)
    reader = _Images(path, table) if images else _Rows(path, table)
    for row in read_rows(path, table, _REQUIRED if images else _REQUIRED[1:]):
        reader.take(row)
    return reader.listing()


class _Noted:
    """The first of some rows, and how many there are."""

    def __init__(self) -> None:
        self.first, self.count = 0, 0

    def note(self, number: int) -> None:
        self.first, self.count = self.first or number, self.count + 1


class _ManifestReader:
    """Takes the rows of a manifest one after the other, and lists them."""

    def __init__(self, path: FilePath, table: TableSettings) -> None:
        self.path, self.writer = path, ListingWriter()
        self.numbers = array("q")
        self.unlabelled = _Noted()
        self.no_labels: set[str] = set()
        self._missing = missing_texts(table)
        self._several = LabelCells(path, table) if table.several_labels else None
        self._split_missing = missing_texts(_USUAL)
        self._with_split, self._without_split = _Noted(), _Noted()

    def label(self, row: TableRow) -> str | None:
        """The label of a row, or its label set; None, and noted, if it has none."""
        if self._several is not None:
            return self._several.text(row)
        label = label_of(row)
        if label not in self._missing:
            return label
        self.unlabelled.note(row.number)
        self.no_labels |= {label} - {""}
        return None

    def add(self, folder: str, name: str, label: str, row: TableRow) -> None:
        """Append what a row names."""
        split, group = self._split(row), row.cells["group"].strip()
        self.writer.add(folder, name, label, split, "" if group in self._split_missing else group)
        self.numbers.append(row.number)
        (self._without_split if split is None else self._with_split).note(row.number)

    def check(self, what: str) -> None:
        """Raise `DataError` for rows that make no data set together."""
        if not len(self.writer):
            if self.unlabelled.count:
                raise DataError(
                    f"labels in {self.path}",
                    f"none in all its {counted(self.unlabelled.count, 'row')}",
                    "fill in the column, or name the one that has them with `label_column`; what "
                    "means no label can be said with `missing_labels`",
                )  # fmt: skip
            raise DataError(f"{what} in {self.path}", "no rows", "add a row for each image")
        some, none = self._with_split, self._without_split
        if some.count and none.count:
            found = (
                f"one in row {some.first} and none in row {none.first} "
                f"({none.count:,} of {counted(len(self.numbers), 'row')} without)"
            )
            remedy = "fill the column, or empty it to have the images divided"
            raise DataError(f"a split in every row of {self.path}, or in none", found, remedy)

    def read(self, layout: str) -> Listing:
        """What was added."""
        listing = replace(self.writer.listing(layout), missing=tuple(sorted(self.no_labels)))
        if self._several is None:
            words = separator_words(listing.labels.names)
            return replace(listing, remarks=(*listing.remarks, *filter(None, [words])))
        remarks = (*listing.remarks, *self._several.remarks())
        return replace(listing, remarks=remarks, label_names=self._several.names)

    def _split(self, row: TableRow) -> str | None:
        cell = row.cells["split"]
        if cell.strip() in self._split_missing:
            return None
        split = split_name(cell)
        if split is None:
            raise DataError(
                f"train, validation or test as split in row {row.number} of {self.path}",
                repr(cell), "correct it, or empty the column to have the images divided",
            )  # fmt: skip
        return split


class _Images(_ManifestReader):
    """Rows that name image files."""

    def __init__(self, path: FilePath, table: TableSettings) -> None:
        super().__init__(path, table)
        self._finder = Finder(path, table)
        self._finder.check()
        self._keys = array("q")
        self._absent, self._absent_cell = _Noted(), ""

    def take(self, row: TableRow) -> None:
        cell = row.cells["path"]
        label = self.label(row)
        if label is None:
            place = self._finder.plain(cell) if cell.strip() else str(self.path)
            name = f"row {row.number}"
            self.writer.ignore(*(split_path(place) if cell.strip() else (place, name)), NO_LABEL)
            return
        if not cell.strip():
            expected = f"a path in row {row.number} of {self.path}"
            raise DataError(expected, "an empty cell", "fill it in or remove the row")
        found = self._finder.find(cell, row.number)
        if found is None:
            self._absent_cell = self._absent_cell or cell
            self._absent.note(row.number)
            return
        target, known = found
        # Some file systems number no files.
        if known is None:
            key = target
        else:
            key = (known.st_dev, known.st_ino) if known.st_ino else os.path.normpath(target)
        self._keys.append(hash(key))
        self.add(*split_path(target), label, row)

    def listing(self) -> Listing:
        if self._absent.count:
            raise self._no_file()
        self.check("images")
        listing = self.read("manifest")
        repeated = self._repeated(listing)
        return listing.without(repeated, REPEATED) if repeated else listing

    def _no_file(self) -> DataError:
        cell, count, more = self._absent_cell, self._absent.count, ""
        if count > 1:
            more = f", and so for {count:,} of {counted(count + len(self.numbers), 'row')}"
        usual = f"correct the path, which is relative to {self._finder.folder}"
        return DataError(
            f"the file that row {self._absent.first} of {self.path} names",
            f"no file {cell!r}{more}",
            self._finder.advice(cell) or usual,
        )  # fmt: skip

    def _repeated(self, listing: Listing) -> list[int]:
        """The rows that name a file which an earlier row names, by whatever path or link.

        Raises `DataError` if they say something else of it.
        """
        # Only what shares a hash is compared: a dictionary of all paths would outgrow the data set.
        keys = np.frombuffer(self._keys, np.int64)
        order = np.argsort(keys, kind="stable")
        twice = np.flatnonzero(keys[order][1:] == keys[order][:-1]) + 1
        seen: dict[str, int] = {}
        repeated = []
        for row in np.unique(order[np.concatenate([twice - 1, twice])]).tolist():
            text = listing.paths.text(row)
            first = seen.setdefault(text if is_address(text) else os.path.realpath(text), row)
            if first != row:
                self._refuse_two(listing, first, row)
                repeated.append(row)
        return repeated

    def _refuse_two(self, listing: Listing, first: int, row: int) -> None:
        columns = {"label": listing.labels, "split": listing.splits, "group": listing.groups}
        for what, column in columns.items():
            if column is not None and column[row] != column[first]:
                raise DataError(
                    f"one {what} for {listing.paths[row].name} in {self.path}",
                    f"{column[first]!r} in row {self.numbers[first]} and "
                    f"{column[row]!r} in row {self.numbers[row]}",
                    "keep the right row and remove the other",
                )  # fmt: skip


class _Rows(_ManifestReader):
    """Rows of features, which belong to them by their places: none can be left out."""

    def take(self, row: TableRow) -> None:
        label = self.label(row)
        if label is not None:
            name = os.path.split(row.cells["path"].strip() or f"row {len(self.writer)}")
            self.add(*name, label, row)

    def listing(self) -> Listing:
        self.check("rows")
        if none := self.unlabelled.count:
            raise DataError(
                f"a label in row {self.unlabelled.first} of {self.path}, as in every row of "
                "features",
                f"none, and so in {none:,} of {counted(none + len(self.numbers), 'row')}",
                "fill it in, or take the row out of the table and of the features",
            )  # fmt: skip
        return self.read("features")


def label_of(row: TableRow) -> str:
    """The label of a row without white space and invisible signs at its ends."""
    return row.cells["label"].strip().strip(_INVISIBLE).strip()


def missing_texts(table: TableSettings) -> frozenset[str]:
    """The texts that mean no label, an empty one among them."""
    return frozenset(("", *(MISSING if table.missing_labels is None else table.missing_labels)))


def manifest_images(
    path: FilePath, table: TableSettings = _USUAL
) -> Iterator[tuple[str, str | None]]:
    """The path of each row of a manifest and its label, None where it has none.

    A row whose file is missing is kept, by its path as it stands. Raises `DataError` for what is
    no table or lacks the paths, for an empty path, for the address of no file, and behind the last
    row if no file is there and an option would find them.
    """
    finder, missing = Finder(path, table), missing_texts(table)
    finder.check()
    table = sniffed(path, table)
    several = LabelCells(path, table) if table.several_labels else None
    has_labels = several is not None and _has_labels(path, table)
    first, none = "", True
    for row in read_rows(path, table, ("path",)):
        cell = row.cells["path"]
        if not cell.strip():
            expected = f"a path in row {row.number} of {path}"
            raise DataError(expected, "an empty cell", "fill it in or remove the row")
        found = finder.find(cell, row.number)
        first, none = first or cell, none and found is None
        label = label_of(row)
        if several is not None and has_labels:
            label = several.text(row)
        yield finder.plain(cell) if found is None else found[0], None if label in missing else label
    # One missing file is told in its place; where all are, the table may be read in a wrong way.
    if first and none and (advice := finder.advice(first)) is not None:
        raise DataError(f"the files that {path} names", f"no file {first!r}, and no other", advice)


def _has_labels(path: FilePath, table: TableSettings) -> bool:
    """Whether a table has the column of several labels, which images to predict need not have."""
    if table.label_columns is not None:
        return True
    names = [name.casefold() for name in header_of(path, table)]
    return (table.label_column or "label").casefold() in names or (
        table.label_column is None and PLURAL in names
    )
