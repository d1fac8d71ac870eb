"""Rows of a CSV, whatever separates its cells and in whichever encoding that is certain."""

from __future__ import annotations

import codecs
import csv
import re
from collections.abc import Iterator, Sequence
from typing import IO

from manyheads.data.data_settings import TableSettings
from manyheads.data.remote_path import FilePath
from manyheads.data.spreadsheet_cells import text_of
from manyheads.data.table_files import ROLES, TableRow, columns_of, unreadable
from manyheads.errors import DataError

SEPARATORS = {",": "comma", ";": "semicolon", "\t": "tab", "|": "|"}

_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),  # before UTF-16, whose mark it begins with
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_OTHERS = (  # what has been given the name of a text, by its first bytes
    (b"PK\x03\x04", "a workbook (.xlsx), or another archive", "name it .xlsx, or unpack it"),
    (b"\xd0\xcf\x11\xe0", "a workbook of old Excel (.xls)", "save it as .xlsx or CSV"),
    (b"PAR1", "a Parquet table", "name it .parquet"),
    (b"\x1f\x8b", "a packed file (gzip)", "unpack it"),
)
_HEAD = 1 << 16  # bytes or characters that the encoding and the separator are told by
_STATED = re.compile(r"sep=(.)\r?\n?")


def csv_rows(
    path: FilePath, settings: TableSettings, required: Sequence[str], names: list[str]
) -> Iterator[TableRow]:
    """The rows of the text table in `path`; raises `DataError` for what is none."""
    encoding = "utf-8"
    try:
        encoding = settings.encoding or _encoding(path)
        with path.open(encoding=encoding, newline="") as file:
            separator, before = _separator(path, file, settings, required)
            file.seek(0)
            for _ in range(before):
                file.readline()
            yield from _rows(path, file, separator, before, settings, required, names)
    except UnicodeError as error:
        raise _other_encoding(path, encoding, settings) from error
    except csv.Error as error:
        raise DataError(f"{path} to be a CSV table", str(error), "save it as CSV again") from error
    except OSError as error:
        raise unreadable(path, error) from error


def _encoding(path: FilePath) -> str:
    with path.open("rb") as file:
        head = file.read(_HEAD)
    for start, found, remedy in _OTHERS:
        if head.startswith(start):
            raise DataError(f"{path} to be text", found, remedy)
    for mark, name in _MARKS:
        if head.startswith(mark):
            return name
    # The names of the columns are ASCII, so every other byte of UTF-16 without a mark is zero.
    first = head[: max(8, len(head.split(b"\n")[0]) // 2 * 2)]
    if len(first) >= 8 and not any(first[1::2]) and all(first[::2]):
        return "utf-16-le"
    if len(first) >= 8 and not any(first[::2]) and all(first[1::2]):
        return "utf-16-be"
    return "utf-8"


def _separator(
    path: FilePath, file: IO[str], settings: TableSettings, required: Sequence[str]
) -> tuple[str, int]:
    """What separates the cells, and how many lines stand before the columns' names.

    Excel may say it in a line of its own; else it is what makes the columns that are needed of the
    first row. Where none does, the one that makes most columns of it, for the error to show.
    """
    line = file.readline(_HEAD)
    if stated := _STATED.fullmatch(line.removeprefix("\ufeff")):
        return stated[1], 1
    while line and not line.strip():
        line = file.readline(_HEAD)
    usual = "\t" if path.suffix.lower() == ".tsv" else ","
    counts: dict[str, int] = {}
    fitting: list[str] = []
    for separator in sorted(SEPARATORS, key=lambda each: each != usual):
        header = next(csv.reader([line], delimiter=separator), [])
        counts[separator] = len(header)
        try:
            columns_of(path, header, settings, required)
        except DataError:
            continue
        fitting.append(separator)
    return max(fitting or counts, key=counts.__getitem__), 0


def _rows(
    path: FilePath,
    file: IO[str],
    separator: str,
    before: int,
    settings: TableSettings,
    required: Sequence[str],
    names: list[str],
) -> Iterator[TableRow]:
    reader = enumerate(csv.reader(file, delimiter=separator, strict=True), start=1 + before)
    header = next((values for _, values in reader if any(map(str.strip, values))), [])
    places = columns_of(path, header, settings, required)
    names.extend(header)
    empty = dict.fromkeys(ROLES, "")
    for number, values in reader:
        # Spreadsheets leave rows of empty cells; in a table of features each row has its place.
        if not values or ("path" in required and not any(map(str.strip, values))):
            continue
        if any(map(str.strip, values[len(header) :])):
            raise DataError(
                f"{len(header)} cells in row {number} of {path}", f"{len(values)}",
                f"put cells that hold a {SEPARATORS.get(separator, separator)} into double "
                'quotes (")',
            )  # fmt: skip
        cells = {role: values[place] for role, place in places.items() if place < len(values)}
        texts = {role: cell if role == "path" else text_of(cell) for role, cell in cells.items()}
        yield TableRow(number, empty | texts)


def _other_encoding(path: FilePath, encoding: str, settings: TableSettings) -> DataError:
    if settings.encoding is not None:
        return DataError(
            f"{path} to be text in {encoding}", "other bytes", "give its own `encoding`"
        )
    if not encoding.startswith("utf-8"):
        return DataError(
            f"{path} to be {encoding.upper()} text, as its first bytes say", "other bytes",
            "save it as CSV in UTF-8",
        )  # fmt: skip
    number, line = _first_other(path)
    shown = " ".join(line.decode("cp1252", "replace").split())[:80]
    return DataError(
        f"{path} to be UTF-8 text", f"other bytes in line {number}",
        f"if that line should read {shown!r}, give `encoding` cp1252; else give its encoding, or "
        "save it as CSV in UTF-8",
    )  # fmt: skip


def _first_other(path: FilePath) -> tuple[int, bytes]:
    """The first line that is no UTF-8."""
    with path.open("rb") as file:
        for number, line in enumerate(file, start=1):
            try:
                line.decode()
            except UnicodeDecodeError:
                return number, line
    return 1, b""  # the file has changed
