"""Workbooks as spreadsheets save them: what a cell shows is what is read."""

from __future__ import annotations

import contextlib
import datetime
import zipfile
from pathlib import Path
from typing import Any

import pytest

from manyheads.data.data_settings import TableSettings
from manyheads.data.table_files import read_rows
from manyheads.errors import DataError

openpyxl = pytest.importorskip("openpyxl", reason="the extra `xlsx` is absent")

Sheet = list[list[Any]]


def written(folder: Path, *sheets: Sheet, shown: str | None = None) -> Path:
    """A workbook of these sheets; numbers in first columns are `shown` in this format."""
    book = openpyxl.Workbook()
    book.remove(book.active)
    for number, rows in enumerate(sheets):
        sheet = book.create_sheet(f"sheet {number}")
        for row in rows:
            sheet.append(row)
        if shown is not None:
            for cell in sheet["A"][1:]:
                cell.number_format = shown
    book.save(folder / "t.xlsx")
    return folder / "t.xlsx"


def read(path: Path, **table: Any) -> list[tuple[int, str, str]]:
    rows = read_rows(path, TableSettings(**table), ("path", "label"))
    return [(row.number, row.cells["path"], row.cells["label"]) for row in rows]


def test_texts_numbers_and_empty_rows(tmp_path: Path) -> None:
    rows = [["path", "label", "x"], ["a.png", "cat"], [], [None, None, None], [1, 2.0], [3.5, True]]
    assert read(written(tmp_path, rows)) == [
        (2, "a.png", "cat"), (5, "1", "2"), (6, "3.5", "TRUE")
    ]  # fmt: skip


def test_zeros_that_are_shown_are_read(tmp_path: Path) -> None:
    rows = [["path", "label"], [7, "cat"], [1234, "cat"], ["007", "dog"]]
    assert [row[1] for row in read(written(tmp_path, rows, shown="000"))] == ["007", "1234", "007"]
    assert [row[1] for row in read(written(tmp_path, rows))] == ["7", "1234", "007"]


def test_a_title_above_the_table_is_a_first_row(tmp_path: Path) -> None:
    rows = [[], ["image", "label"], ["a.png", "cat"]]
    assert read(written(tmp_path, rows), path_column="image") == [(3, "a.png", "cat")]


def test_the_sheet_is_the_one_with_the_columns(tmp_path: Path) -> None:
    table = [["path", "label"], ["a.png", "cat"]]
    notes = [["notes"], ["taken in May"]]
    assert read(written(tmp_path, notes, table, [])) == [(2, "a.png", "cat")]
    with pytest.raises(DataError, match=r"one sheet .* 'sheet 0' and 'sheet 2'"):
        read(written(tmp_path, table, notes, table))
    with pytest.raises(DataError, match=r"the columns path and label"):
        read(written(tmp_path, notes))
    with pytest.raises(DataError, match=r"found no columns"):
        read(written(tmp_path, []))


@pytest.mark.parametrize(
    ("cells", "told"),
    [
        (["a.png", datetime.date(2024, 3, 4)], "a text as label in row 3 .* the date 2024-03-04"),
        ([datetime.datetime(2024, 3, 4), "cat"], "a text as path in row 3"),
        (["a.png", 12345678901234567890], "which a spreadsheet keeps 15 digits"),
        (["a.png", "=A2"], "the formula in row 3, column label, .* found none"),
    ],
)
def test_what_a_spreadsheet_has_changed_is_said(
    tmp_path: Path, cells: list[Any], told: str
) -> None:
    with pytest.raises(DataError, match=told):
        read(written(tmp_path, [["path", "label"], ["b.png", None], cells]))


def test_a_date_may_be_a_group(tmp_path: Path) -> None:
    rows = [["path", "label", "group"], ["a.png", "cat", datetime.date(2024, 3, 4)]]
    found = list(read_rows(written(tmp_path, rows), TableSettings(), ("path", "label")))
    assert found[0].cells["group"].startswith("2024-03-04")


@pytest.mark.parametrize("content", [b"", b"PK\3\4", b"\xd0\xcf\x11\xe0 an encrypted workbook"])
def test_other_files_are_refused_in_one_line(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "t.xlsx").write_bytes(content)
    with pytest.raises(DataError, match=r"to be a workbook"):
        read(tmp_path / "t.xlsx")


def test_any_damage_is_one_line(tmp_path: Path) -> None:
    path = written(tmp_path, [["path", "label"], ["a.png", "cat"]])
    with zipfile.ZipFile(path) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    for damaged in parts:
        for content in (None, b"", b"<a", parts[damaged][: len(parts[damaged]) // 2]):
            with zipfile.ZipFile(path, "w") as archive:
                for name, data in parts.items():
                    given = content if name == damaged else data
                    if given is not None:
                        archive.writestr(name, given)
            with contextlib.suppress(DataError):
                assert read(path) == [(2, "a.png", "cat")]
