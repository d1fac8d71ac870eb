"""Read a table of images: CSV, TSV, XLSX, JSON lines or Parquet, into rows of texts.

What a row means is the business of `manifest.py`. The rules stand here as data, so that the
documents say what the code does.
"""

from __future__ import annotations

import math
import os
import re
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from manyheads.data.data_settings import TableSettings
from manyheads.data.remote_path import FilePath
from manyheads.errors import DataError

ROLES: tuple[str, ...] = ("path", "label", "split", "group")
"""What a column may be; each is also its usual name."""

TABLE_FORMATS = {
    ".csv": "text: commas, semicolons, tabs or | between cells, as its first row shows",
    ".tsv": "the same, tabs as a rule",
    ".xlsx": "a workbook with one sheet that has the columns (extra `xlsx`)",
    ".jsonl": "JSON lines: an object a line",
    ".ndjson": "the same",
    ".parquet": "Parquet (extra `parquet`)",
}
TABLE_SUFFIXES = tuple(TABLE_FORMATS)
TABLE_WORDS = "table (.csv, .tsv, .xlsx, .jsonl, .parquet)"
NEAR_FORMATS = (".xls", ".xlsm", ".xlsb", ".ods", ".numbers", ".json", ".txt", ".tab", ".feather")
"""Formats of tables that are not read; the error says how to save them."""

ENCODINGS = {
    "UTF-8": "with or without a byte order mark: read",
    "UTF-16, UTF-32": "read by their byte order mark, or by the zeros that ASCII has in them",
    "others": "refused with the line that is no UTF-8, as cp1252 would read it; `encoding` cp1252",
}

MISSING = (
    "nan", "NaN", "NAN", "-nan", "-NaN", "None", "null", "NULL", "<NA>", "NaT", "N/A", "n/a",
    "#N/A", "#NA", "#N/A N/A", "#NULL!", "#REF!", "#VALUE!", "#NAME?", "#DIV/0!", "#NUM!",
)  # fmt: skip
"""Texts that mean no label in a table, beside an empty cell: what pandas, NumPy, databases and
spreadsheets write for none. `NA` and `none` are not among them, for they are classes somewhere."""

SUGGESTED = {
    "path": (
        "image", "images", "img", "image_path", "imagepath", "img_path", "file", "filename",
        "file_name", "filepath", "file_path", "image_name", "image_file", "imagename", "image_id",
        "imageid", "img_id", "photo", "picture", "name", "fname", "uri", "id",
    ),
    "label": (
        "class", "category", "class_name", "classname", "label_name", "category_name", "labels",
        "target", "species", "breed", "diagnosis", "tag", "annotation", "classes", "y",
    ),
    "split": ("set", "subset", "partition", "usage", "phase", "data_set", "data set"),
    "group": (
        "sender_id", "subject", "subject_id", "patient", "patient_id", "person", "person_id",
        "user_id", "video", "video_id", "location", "source_id", "group_id",
    ),
}  # fmt: skip
"""Other names of columns, the likeliest first; they are suggested, never taken by themselves."""

_SHORTENED = re.compile(r"\d[.,]\d+E\+\d\d")
_EXACT = 10**15  # a spreadsheet keeps 15 digits


class TableRow(NamedTuple):
    """A row's number, as its program shows it, and its cells by role; empty where there is none."""

    number: int
    cells: dict[str, str]


def read_rows(
    path: FilePath,
    settings: TableSettings,
    required: Sequence[str],
    header: list[str] | None = None,
) -> Iterator[TableRow]:
    """The rows of a table that are not empty, with a text for each of `ROLES`.

    Rows of a CSV and of a workbook are counted as a spreadsheet shows them, so the first image is
    in row 2; lines of JSON and rows of a Parquet file are counted from 1. The names of all columns
    are appended to `header` before the first row. Raises `DataError` for
    what is no table or lacks a column that is `required`, `MissingExtraError` if an extra is
    needed and not installed.
    """
    suffix = path.suffix.lower()
    if settings.encoding is not None and suffix not in (".csv", ".tsv"):
        raise DataError("a CSV to have an `encoding`", f"{path}, which has its own", "leave it out")
    if suffix == ".parquet":
        from manyheads.data.typed_tables import parquet_rows as rows
    elif suffix == ".xlsx":
        from manyheads.data.workbooks import workbook_rows as rows
    elif suffix == ".npz":  # of features alone
        from manyheads.data.array_tables import npz_rows as rows
    elif suffix in (".jsonl", ".ndjson"):
        from manyheads.data.typed_tables import json_rows as rows
    else:
        from manyheads.data.csv_tables import csv_rows as rows
    for row in rows(path, settings, required, [] if header is None else header):
        _refuse_damaged(path, row)
        yield row


def columns_of(
    path: FilePath | str, header: Sequence[str], settings: TableSettings, required: Sequence[str]
) -> dict[str, int]:
    """Where the columns of each role stand in a table's `header`.

    A column is found by its name, or by it but for case if that is certain. `path` is what errors
    call the table. Raises `DataError` if one that is `required` or named by an option is missing,
    or is there twice.
    """
    found = {role: _places(header, _name(role, settings)) for role in ROLES}
    if settings.label_columns is not None:
        found |= {"label": []} | _label_places(path, header, settings.label_columns)
        required = [role for role in required if role != "label"]
    elif settings.label_separator is not None and not found["label"] and not settings.label_column:
        found["label"] = _places(header, "labels")
    wanted = [role for role in ROLES if role in required or _named(role, settings)]
    if any(len(found[role]) != 1 for role in wanted) or any(len(f) > 1 for f in found.values()):
        raise _missing_columns(path, header, settings, required, found)
    return {role: places[0] for role, places in found.items() if places}


def label_role(name: str) -> str:
    """The role of the column `name` where each label has one."""
    return f"label {name}"


def _label_places(
    path: FilePath | str, header: Sequence[str], columns: Sequence[str]
) -> dict[str, list[int]]:
    found = {label_role(name): _places(header, name) for name in columns}
    for name, places in zip(columns, found.values(), strict=True):
        if len(places) != 1:
            shown = ", ".join(map(_plain, header))[:160] or "no columns"
            raise DataError(
                f"one column {name!r}, which `label_columns` names, in {path}", shown,
                "give the names of columns of 0 and 1",
            )  # fmt: skip
    return found


def header_of(path: FilePath, settings: TableSettings) -> list[str]:
    """The names of a table's columns; raises what `read_rows` raises."""
    header: list[str] = []
    next(read_rows(path, settings, (), header), None)
    return [_plain(name) for name in header]


def unused_columns(path: FilePath, settings: TableSettings) -> list[tuple[str, str]]:
    """Columns that may be splits or groups, and are not taken for such: role and name.

    Raises what `read_rows` raises.
    """
    names = header = header_of(path, settings)
    found = {role: _places(header, _name(role, settings)) for role in ROLES}
    near = ((role, _suggestion(role, names, found)) for role in ("split", "group"))
    return [(role, name) for role, name in near if not found[role] and name is not None]


def cell_text(value: Any) -> str:
    """A cell of a table with types as text: nothing for none and not-a-number, 7 for 7.0.

    Raises `ValueError` for what is no text and no number.
    """
    if value is None:
        return ""
    if isinstance(value, float):
        if math.isnan(value):
            return ""
        return str(int(value)) if value.is_integer() and abs(value) < _EXACT else repr(value)
    if isinstance(value, bytes):
        try:
            return value.decode()
        except UnicodeDecodeError as error:
            raise ValueError("bytes") from error
    if isinstance(value, list | dict | tuple | set):
        raise ValueError("a list" if not isinstance(value, dict) else "several values in one cell")
    return str(value)


def _name(role: str, settings: TableSettings) -> str:
    return getattr(settings, f"{role}_column") or role


def _named(role: str, settings: TableSettings) -> bool:
    return getattr(settings, f"{role}_column") is not None


def _places(header: Sequence[str], name: str) -> list[int]:
    names = [_plain(each) for each in header]
    exact = [place for place, each in enumerate(names) if each == _plain(name)]
    if exact:
        return exact
    return [place for place, each in enumerate(names) if each.casefold() == _plain(name).casefold()]


def _plain(name: str) -> str:
    # A byte order mark that was written twice would make another name of the first column's.
    return name.replace("\ufeff", "").strip()


def _missing_columns(
    path: FilePath | str,
    header: Sequence[str],
    settings: TableSettings,
    required: Sequence[str],
    found: dict[str, list[int]],
) -> DataError:
    names = [_plain(name) for name in header]
    shown = ", ".join(names)[:160] or "no columns"
    for role in ROLES:
        if _named(role, settings) and len(found[role]) != 1:
            name = _name(role, settings)
            if len(found[role]) > 1:
                return DataError(
                    f"one column {name!r} in {path}", f"{len(found[role])} of that name",
                    "rename the others",
                )  # fmt: skip
            return DataError(
                f"the column {name!r}, which `{role}_column` names, in {path}", shown,
                "give the name of one of these",
            )  # fmt: skip
    columns = "path and label, once each," if "path" in required else "label, once,"
    columns = f"the column{'s' if 'path' in required else ''} {columns} in {path}"
    if "label" not in required:
        columns = f"the column path, once, in {path}"
    from manyheads.data.name_rules import IMAGE_SUFFIXES

    if any(name.lower().endswith(IMAGE_SUFFIXES) for name in names):
        return DataError(
            f"the names of the columns in the first row of {path}", f"data ({shown})",
            f"put a first row above it: {','.join(required)}",
        )  # fmt: skip
    asked = [
        f"`{role}_column` {_quoted(near)}"
        for role in required
        if not found[role] and (near := _suggestion(role, names, found)) is not None
    ]
    if asked:
        return DataError(columns, shown, f"did you mean {' '.join(asked)}?")
    first = "path, label and, if you like, split and group"
    if "path" not in required:
        first = "label and, if you like, split, group and path"
    named = " ".join(f"`{role}_column` NAME" for role in required)
    return DataError(
        columns, shown, f"give the first row these names: {first}; or name the columns: {named}"
    )


def _suggestion(role: str, names: Sequence[str], found: dict[str, list[int]]) -> str | None:
    taken = {place for places in found.values() for place in places}
    free = {name.casefold(): name for place, name in enumerate(names) if place not in taken}
    return next((free[near] for near in SUGGESTED[role] if near in free), None)


def _quoted(name: str) -> str:
    return f'"{name}"' if " " in name else name


def _refuse_damaged(path: FilePath, row: TableRow) -> None:
    try:
        "".join(row.cells[role] for role in ROLES[1:]).encode()
        os.fsencode(row.cells["path"])
    except UnicodeEncodeError as error:
        raise DataError(
            f"text in row {row.number} of {path}", f"{error.object[error.start]!r}, half a letter",
            "write the table anew",
        ) from error  # fmt: skip
    for role in ("label", "group"):
        cell = row.cells[role]
        if _SHORTENED.fullmatch(cell):
            raise DataError(
                f"a {role} in row {row.number} of {path}",
                f"{cell!r}, a long number that a spreadsheet has shortened",
                "format the column as text in the spreadsheet, enter it anew and save again",
            )


def unreadable(path: FilePath, error: OSError) -> DataError:
    """What to raise for a table that the system does not let one read."""
    found = (error.strerror or str(error)).lower()
    return DataError(f"to read {path}", found, "check the file and its permissions")
