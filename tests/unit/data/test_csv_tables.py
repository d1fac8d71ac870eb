"""CSV as spreadsheets and other programs write it: separators and encodings."""

from __future__ import annotations

import codecs
from pathlib import Path
from typing import Any

import pytest

from manyheads.data.data_settings import TableSettings
from manyheads.data.table_files import read_rows
from manyheads.errors import DataError, SettingError

TEXT = "path,label,group\na.png,Kätzchen,g 1\nb.png,猫,\n"
ROWS = [("a.png", "Kätzchen", "g 1"), ("b.png", "猫", "")]


def read(path: Path, required: tuple[str, ...] = ("path", "label"), **table: Any) -> list:
    rows = read_rows(path, TableSettings(**table), required)
    return [(r.cells["path"], r.cells["label"], r.cells["group"]) for r in rows]


def written(folder: Path, content: bytes, name: str = "t.csv") -> Path:
    path = folder / name
    path.write_bytes(content)
    return path


@pytest.mark.parametrize("name", ["t.csv", "t.tsv"])
@pytest.mark.parametrize("separator", [",", ";", "\t", "|"])
def test_any_separator_is_told_by_the_columns(tmp_path: Path, name: str, separator: str) -> None:
    text = TEXT.replace(",", separator)
    assert read(written(tmp_path, text.encode(), name)) == ROWS
    stated = f"sep={separator}\r\n{text}"
    assert read(written(tmp_path, stated.encode(), name)) == ROWS


def test_a_comma_in_a_cell_is_no_separator(tmp_path: Path) -> None:
    text = "path;label;size, in cm\na,b.png;cat, small;1,5\n"
    assert read(written(tmp_path, text.encode())) == [("a,b.png", "cat, small", "")]
    text = 'path,label;x\tcm,group\na.png,"cat",g\n'
    with pytest.raises(DataError, match="found path, label;x\tcm, group"):
        read(written(tmp_path, text.encode()))


def test_rows_are_counted_as_a_spreadsheet_shows_them(tmp_path: Path) -> None:
    text = "sep=;\npath;label\na.png;cat\n;\n\nb.png;dog;;\n"
    rows = read_rows(written(tmp_path, text.encode()), TableSettings(), ("path", "label"))
    assert [row.number for row in rows] == [3, 6]


@pytest.mark.parametrize(
    "content",
    [
        TEXT.encode("utf-8-sig"),
        TEXT.encode("utf-16"),
        codecs.BOM_UTF16_BE + TEXT.encode("utf-16-be"),
        TEXT.encode("utf-16-le"),
        TEXT.encode("utf-16-be"),
        TEXT.encode("utf-32"),
        TEXT.replace("\n", "\r\n").encode(),
        TEXT.replace("\n", "\r").encode(),
        TEXT.replace(",", "\t").encode("utf-16"),
    ],
    ids=["bom", "16", "16-be", "16-le bare", "16-be bare", "32", "crlf", "cr", "excel's unicode"],
)
def test_certain_encodings_are_read(tmp_path: Path, content: bytes) -> None:
    assert read(written(tmp_path, content)) == ROWS


def test_another_encoding_is_named_with_the_way_out(tmp_path: Path) -> None:
    text = "path,label\na.png,cat\nb.png,Kätzchen\n"
    path = written(tmp_path, text.encode("cp1252"))
    with pytest.raises(DataError) as caught:
        read(path)
    assert "line 3" in caught.value.found
    assert "'b.png,Kätzchen', give `encoding` cp1252" in caught.value.remedy
    assert read(path, encoding="cp1252")[1][1] == "Kätzchen"
    with pytest.raises(DataError, match=r"to be text in ascii"):
        read(path, encoding="ascii")


@pytest.mark.parametrize("name", ["klingon", "hex", "", "a\0"])
def test_encodings_that_are_none(name: str) -> None:
    with pytest.raises(SettingError, match=r"the name of a text encoding"):
        TableSettings(encoding=name)


def test_a_cut_file_of_utf_16_is_refused_in_one_line(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"UTF-16 text, as its first bytes say"):
        read(written(tmp_path, TEXT.encode("utf-16")[:-1]))


def test_too_many_cells_name_the_separator(tmp_path: Path) -> None:
    text = "path;label\na.png;cat;small\n"
    with pytest.raises(DataError, match=r"2 cells in row 2 .* found 3; .* hold a semicolon"):
        read(written(tmp_path, text.encode()))


@pytest.mark.parametrize(
    ("start", "found"),
    [
        (b"PK\x03\x04", "a workbook"),
        (b"\xd0\xcf\x11\xe0", "old Excel"),
        (b"PAR1", "Parquet"),
        (b"\x1f\x8b", "gzip"),
    ],
)
def test_another_format_by_the_name_of_a_text_is_told(
    tmp_path: Path, start: bytes, found: str
) -> None:
    with pytest.raises(DataError, match=found) as caught:
        read(written(tmp_path, start + bytes(range(256))))
    assert str(caught.value).isprintable()
