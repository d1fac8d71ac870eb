"""Rows of a workbook (.xlsx): what its cells show, where a spreadsheet has kept that."""

from __future__ import annotations

import datetime
import importlib
import re
import warnings
import zipfile
from collections.abc import Iterator, Sequence
from contextlib import closing
from typing import Any

from manyheads.data.data_settings import TableSettings
from manyheads.data.remote_path import FilePath, readable
from manyheads.data.table_files import ROLES, TableRow, cell_text, columns_of, unreadable
from manyheads.errors import DataError, MissingExtraError

Cells = tuple[int, Sequence[Any]]  # a row's number, and openpyxl's cells

_ZEROS = re.compile(r"0+")
_EXACT = 10**15  # a spreadsheet keeps 15 digits of a number
_DATES = (datetime.date, datetime.time, datetime.timedelta)
_AS_TEXT = "format the column as text in the spreadsheet, enter the cell anew and save again"
# What openpyxl raises for a file that is no workbook, or a damaged one.
_DAMAGED = (
    zipfile.BadZipFile, ValueError, KeyError, TypeError, AttributeError, IndexError, SyntaxError,
    EOFError, NotImplementedError, zipfile.LargeZipFile,
)  # fmt: skip


def workbook_rows(
    path: FilePath, settings: TableSettings, required: Sequence[str], names: list[str]
) -> Iterator[TableRow]:
    """The rows of the one sheet of `path` that has the columns needed.

    Whole numbers are written as such, with the zeros before them that the cell shows. Raises
    `DataError` for a workbook of which no sheet or several have the columns; for a date as path or
    label, which a spreadsheet may have made of an id; for a number longer than it keeps; and for a
    formula whose value was never saved. Raises `MissingExtraError` without openpyxl.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of styles and rules that are no matter here
            rows = _rows(path, settings, required, names)
    except OSError as error:
        raise unreadable(path, error) from error
    except _DAMAGED as error:
        found = " ".join(str(error).split())[:120] or type(error).__name__
        raise DataError(f"{path} to be a workbook (.xlsx)", found, "save it again") from error
    yield from rows


def _rows(
    path: FilePath, settings: TableSettings, required: Sequence[str], names: list[str]
) -> list[TableRow]:
    with closing(_opened(path, values=True)) as book:
        title, places = _sheet(path, book, settings, required)
        (_, header), *body = _filled(book[title])
        names.extend(_text(path, 1, "", cell) for cell in header)
        rows = [_row(path, number, cells, places) for number, cells in body]
    if any(not row.cells[role] for row in rows for role in places):
        with closing(_opened(path, values=False)) as book:
            _refuse_formulas(path, book[title], places, rows)
    return rows


def _opened(path: FilePath, *, values: bool) -> Any:
    try:
        openpyxl = importlib.import_module("openpyxl")  # by name: it may be absent
    except ImportError as error:
        remedy = "run pip install 'manyheads[xlsx]', or save the sheet as CSV"
        raise MissingExtraError(f"openpyxl to read {path}", "none installed", remedy) from error
    return openpyxl.load_workbook(readable(path), read_only=True, data_only=values)


def _sheet(
    path: FilePath, book: Any, settings: TableSettings, required: Sequence[str]
) -> tuple[str, dict[str, int]]:
    """The title of the sheet that is meant, and where its columns are."""
    fitting, refusals = [], []
    for sheet in book.worksheets:
        _, cells = next(_filled(sheet), (0, ()))
        try:
            header = [_text(path, 1, "", cell) for cell in cells]
            fitting.append((sheet.title, columns_of(path, header, settings, required)))
        except DataError as error:
            refusals.append((-len(cells), error))
    if len(fitting) > 1:
        raise DataError(
            f"one sheet with these columns in {path}",
            " and ".join(repr(title) for title, _ in fitting),
            "save the one that is meant as a file of its own",
        )  # fmt: skip
    if not fitting:
        if not refusals:
            raise DataError(f"a sheet with cells in {path}", "none", "save the table as CSV")
        raise min(refusals, key=lambda pair: pair[0])[1]
    return fitting[0]


def _filled(sheet: Any) -> Iterator[Cells]:
    """The rows of a sheet that are not empty."""
    sheet.reset_dimensions()  # what some programs write there is wrong
    for number, cells in enumerate(sheet.iter_rows(), start=1):
        if any(cell.value is not None and str(cell.value).strip() for cell in cells):
            yield number, cells


def _row(path: FilePath, number: int, cells: Sequence[Any], places: dict[str, int]) -> TableRow:
    texts = dict.fromkeys(ROLES, "")
    for role, place in places.items():
        if place < len(cells):
            texts[role] = _text(path, number, role, cells[place])
    return TableRow(number, texts)


def _text(path: FilePath, number: int, role: str, cell: Any) -> str:
    value = cell.value
    where = f"{role or 'the columns names'} in row {number} of {path}"
    if isinstance(value, _DATES):
        if role in ("path", "label"):
            raise DataError(
                f"a text as {where}", f"the date {value}, as a spreadsheet makes of such as 3-4",
                _AS_TEXT,
            )  # fmt: skip
        return str(value)
    if isinstance(value, bool):
        return str(value).upper()
    if isinstance(value, int | float):
        if abs(value) >= _EXACT:
            raise DataError(
                f"a text as {where}", f"{value:g}, of which a spreadsheet keeps 15 digits", _AS_TEXT
            )
        shown = getattr(cell, "number_format", None) or ""
        if _ZEROS.fullmatch(shown) and float(value).is_integer():
            return f"{int(value):0{len(shown)}d}"
    return cell_text(value)


def _refuse_formulas(
    path: FilePath, sheet: Any, places: dict[str, int], rows: list[TableRow]
) -> None:
    """Raise `DataError` for an empty cell that holds a formula: its value was never saved."""
    empty = {row.number: [role for role in places if not row.cells[role]] for row in rows}
    for number, cells in _filled(sheet):
        for role in empty.get(number, ()):
            place = places[role]
            value = cells[place].value if place < len(cells) else None
            if value is not None and str(value).strip():
                raise DataError(
                    f"the value of the formula in row {number}, column {role}, of {path}",
                    "none, for no spreadsheet has computed it",
                    "open it in a spreadsheet and save it, or save it as CSV",
                )  # fmt: skip
