"""Rows as lines of a file: how each format writes them, reads them, and tells where one ends."""

from __future__ import annotations

import csv
import io
import json
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from typing import Any, BinaryIO

from manyheads.data.spreadsheet_cells import path_cell, row_cells, text_of
from manyheads.models.prediction import Prediction
from manyheads.models.prediction_rows import RowForm, json_text


class Lines(ABC):
    """One format."""

    def header(self, form: RowForm) -> bytes:
        """What comes before the first row."""
        del form
        return b""

    def ends(self, record: bytes) -> bool:
        """Whether what ends with a line's end is a whole record."""
        return record.endswith(b"\n")

    @abstractmethod
    def written(self, form: RowForm, entry: Prediction, given: str | None) -> bytes:
        """A row."""

    @abstractmethod
    def parsed(self, record: bytes, form: RowForm) -> dict[str, Any]:
        """A row by its columns; raises `ValueError` if it is none."""


class JsonLines(Lines):
    """A JSON document a line."""

    def written(self, form: RowForm, entry: Prediction, given: str | None) -> bytes:
        return json_text(form.document(entry, given)).encode() + b"\n"

    def parsed(self, record: bytes, form: RowForm) -> dict[str, Any]:
        del form
        row = json.loads(record)
        if not isinstance(row, dict) or not isinstance(row.get("image"), str):
            raise ValueError("one without an image")
        return row


class CellLines(Lines):
    """A JSON list of the cells a line: the rows of a Parquet file to be."""

    def written(self, form: RowForm, entry: Prediction, given: str | None) -> bytes:
        return json_text(form.cells(entry, given)).encode() + b"\n"

    def parsed(self, record: bytes, form: RowForm) -> dict[str, Any]:
        return dict(zip(form.columns, json.loads(record), strict=True))


class CsvLines(Lines):
    """Comma-separated cells; a cell may hold a line's end, in quotes. None is a formula.

    What was parsed has the path as it is in the file: `path_cell` of the image's.
    """

    def header(self, form: RowForm) -> bytes:
        return csv_line(row_cells(form.columns))

    def ends(self, record: bytes) -> bool:
        return record.endswith(b"\n") and record.count(b'"') % 2 == 0

    def written(self, form: RowForm, entry: Prediction, given: str | None) -> bytes:
        image, *others = form.cells(entry, given)
        return csv_line([path_cell(image), *row_cells(others)])

    def parsed(self, record: bytes, form: RowForm) -> dict[str, Any]:
        text = io.StringIO(record.decode("utf-8", "surrogateescape"), newline="")
        try:
            cells = next(csv.reader(text, strict=True))
        except csv.Error as error:
            raise ValueError(str(error)) from error
        row: dict[str, Any] = dict(zip(form.columns, cells, strict=True))
        words = {name: text_of(row[name]) or None for name in ("label", "error")}
        truths = {name: row.get(name) == "true" for name in ("abstained", "unknown")}
        return row | words | truths


LINES = {".jsonl": JsonLines(), ".csv": CsvLines(), ".parquet": CellLines()}


def csv_line(cells: Sequence[Any]) -> bytes:
    """A line of CSV; what is None is an empty cell, and names that are no text keep their bytes."""
    text = io.StringIO()
    words = [str(cell).lower() if isinstance(cell, bool) else cell for cell in cells]
    csv.writer(text, lineterminator="\n").writerow(words)
    return text.getvalue().encode("utf-8", "surrogateescape")


def whole_records(file: BinaryIO, lines: Lines) -> Iterator[tuple[bytes, int]]:
    """Each record of a file that has its end, and the place behind it."""
    record, end = b"", 0
    for line in io.BufferedReader(_Borrowed(file)):
        record += line
        if lines.ends(record):
            end += len(record)
            yield record, end
            record = b""


class _Borrowed(io.RawIOBase):
    """A file that stays open when its reader is done."""

    def __init__(self, file: Any) -> None:
        self._file = file

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        return self._file.readinto(buffer)
