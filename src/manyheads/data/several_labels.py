"""Several labels per image in a table: what separates them in a cell, or a column for each.

A cell holds the labels of an image with a separator between them, in any order; spaces around a
label and empty parts do not count. A column for each label holds 0 or 1. An image with none is an
example without any label.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from manyheads.core.label_sets import JOINER, NO_LABELS, set_text
from manyheads.core.text import counted
from manyheads.data.data_settings import TableSettings
from manyheads.data.feature_packs import has_several_labels, is_pack
from manyheads.data.remote_path import FilePath
from manyheads.data.table_files import (
    MISSING,
    TABLE_SUFFIXES,
    TableRow,
    header_of,
    label_role,
    read_rows,
)
from manyheads.errors import DataError, ManyheadsError

SEPARATORS = (";", "|", ",")
PLURAL = "labels"
"""The name of a column that says by itself that an image may have several."""

_YES, _NO = ("1", "1.0", "true", "yes"), ("0", "0.0", "false", "no")
_INVISIBLE = "\ufeff\u200b\u200e\u200f\u2060"


class LabelCells:
    """Reads the labels of rows, and counts what is worth a remark."""

    def __init__(self, path: FilePath | str, table: TableSettings) -> None:
        self._path, self._table = path, table
        self._missing = MISSING if table.missing_labels is None else table.missing_labels
        self._names = set[str](table.label_columns or ())
        self._without = self._images = 0
        for name in table.label_columns or ():
            self._check(name, 1)

    def text(self, row: TableRow) -> str:
        """The label set of a row; raises `DataError` for a cell that is none of 0 and 1."""
        columns = self._table.label_columns
        if columns is not None:
            found = [name for name in columns if self._is_set(row, name)]
        else:
            found = split_labels(row.cells["label"], self._table.label_separator or JOINER)
            found = [label for label in found if label not in (*self._missing, NO_LABELS)]
            for label in found:
                if label not in self._names:
                    self._check(label, row.number)
            self._names.update(found)
        self._images += 1
        self._without += not found
        return set_text(found)

    @property
    def names(self) -> tuple[str, ...]:
        """All labels, sorted."""
        return tuple(sorted(self._names))

    def remarks(self) -> list[str]:
        """How many images have no label; nothing where each has one."""
        if not self._without:
            return []
        have = "has" if self._without == 1 else "have"
        return [
            f"{self._without:,} of {counted(self._images, 'image')} {have} no label: an example "
            "without any"
        ]

    def _is_set(self, row: TableRow, name: str) -> bool:
        cell = row.cells[label_role(name)].strip()
        if cell.lower() in _YES:
            return True
        if cell.lower() not in _NO:
            raise DataError(
                f"0 or 1 in the column {name!r}, row {row.number} of {self._path}",
                repr(cell) if cell else "an empty cell",
                "fill in 0 or 1, or leave the column out of `label_columns`",
            )
        return False

    def _check(self, label: str, number: int) -> None:
        if JOINER in label or label == NO_LABELS:
            raise DataError(
                f"labels without {JOINER!r}, none called {NO_LABELS}, in {self._path}",
                f"{label!r} in row {number}",
                f"rename it, or give {JOINER!r} as `label_separator`",
            )


def split_labels(cell: str, separator: str) -> list[str]:
    """The labels in a cell; spaces around each and empty parts do not count."""
    parts = (part.strip().strip(_INVISIBLE).strip() for part in cell.split(separator))
    return [part for part in parts if part]


def sniffed(path: FilePath, table: TableSettings) -> TableSettings:
    """`table` with the separator that the cells of a column `labels` show, if they show one.

    That is certain where no column is called label, one is called labels, and of the separators
    exactly one stands in its cells. Then the column holds several labels per image; else `table`
    is as it was. Raises what `read_rows` raises.
    """
    if table.label_column or table.label_columns or table.label_separator:
        return table
    names = [name.strip().casefold() for name in header_of(path, table)]
    if "label" in names or names.count(PLURAL) != 1:
        return table
    named = replace(table, label_column=PLURAL)
    separator = _only_separator(row.cells["label"] for row in read_rows(path, named, ("label",)))
    return table if separator is None else replace(named, label_separator=separator)


def table_as_it_shows(data: str | Path, table: TableSettings) -> TableSettings:
    """`table` as `sniffed` for the data set at `data`; as it was where that is no such table."""
    with suppress(ManyheadsError, OSError, RuntimeError, ValueError):  # a home that is not there
        path = Path(data).expanduser()
        if path.suffix.lower() in TABLE_SUFFIXES and path.is_file():
            return sniffed(path, table)
    return table


def may_have_several(data: str | Path, table: TableSettings) -> bool:
    """Whether an image of `data` may have several labels, by the `table` settings or as a pack."""
    return table.several_labels or (is_pack(data) and has_several_labels(Path(data).expanduser()))


def _only_separator(cells: Iterable[str]) -> str | None:
    found = {mark for cell in cells for mark in SEPARATORS if mark in cell}
    return found.pop() if len(found) == 1 else None


def separator_words(names: Sequence[str]) -> str:
    """A line on class names that look like several labels; "" where none do.

    They do if one separator is in some names, and all parts of two of these come again in others.
    """
    separator = _only_separator(names)
    if separator is None:
        return ""
    parts = Counter(part for name in names for part in split_labels(name, separator))
    joined = [name for name in names if separator in name]
    again = [
        name for name in joined if all(parts[each] > 1 for each in split_labels(name, separator))
    ]
    if len(again) < 2:
        return ""
    return (
        f"{counted(len(joined), 'class', 'es')} such as {again[0]!r} may be several labels of an "
        f"image: if so, give `label_separator` {separator!r}"
    )
