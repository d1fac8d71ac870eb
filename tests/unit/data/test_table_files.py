"""Columns by other names, and what the cells of tables with types are as text."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest

from manyheads.data.data_settings import TableSettings
from manyheads.data.table_files import (
    SUGGESTED,
    TableRow,
    cell_text,
    columns_of,
    read_rows,
    unused_columns,
)
from manyheads.errors import DataError, MissingExtraError, SettingError

BOTH = ("path", "label")


def refused(header: list[str], required: tuple[str, ...] = BOTH, **table: Any) -> DataError:
    with pytest.raises(DataError) as caught:
        columns_of(Path("t.csv"), header, TableSettings(**table), required)
    return caught.value


def test_columns_are_found_by_name_or_by_option() -> None:
    header = ["image", "sender_id", "label", "kids"]
    table = TableSettings(path_column="image", group_column="sender_id")
    assert columns_of(Path(), header, table, BOTH) == {"path": 0, "group": 1, "label": 2}
    assert columns_of(Path(), [" Path", "LABEL "], TableSettings(), BOTH) == {"path": 0, "label": 1}
    both = columns_of(Path(), ["Path", "path", "label"], TableSettings(), BOTH)
    assert both == {"path": 1, "label": 2}


def test_the_lessons_table_is_asked_about() -> None:
    error = refused(["image", "sender_id", "label", "kids"])
    assert error.found == "image, sender_id, label, kids"
    assert error.remedy == "did you mean `path_column` image?"
    error = refused(["", "File Name", "Class"])
    assert error.remedy == "did you mean `label_column` Class?"
    error = refused(["id", "Species"])
    assert error.remedy == "did you mean `path_column` id `label_column` Species?"
    assert refused(["data set", "x"], BOTH).remedy.endswith(
        "`path_column` NAME `label_column` NAME"
    )


@pytest.mark.parametrize("role", ["path", "label"])
def test_every_usual_name_is_suggested(role: str) -> None:
    other = {"path": "label", "label": "path"}[role]
    for name in SUGGESTED[role]:
        assert f"`{role}_column`" in refused([other, name]).remedy, name


def test_a_table_without_names_is_said_to_be_one() -> None:
    error = refused(["cats/1.JPG", "cat"])
    assert error.expected.startswith("the names of the columns in the first row")
    assert error.remedy == "put a first row above it: path,label"


def test_columns_that_are_named_must_be_there_once() -> None:
    header = ["path", "label", "a", "a", "Set"]
    assert "`group_column` names" in refused(header, group_column="b").expected
    assert refused(header, split_column="a").found == "2 of that name"
    assert columns_of(Path(), header, TableSettings(split_column="set"), BOTH)["split"] == 4


@pytest.mark.parametrize("name", ["path_column", "images_in"])
def test_an_empty_name_is_refused(name: Any) -> None:
    with pytest.raises(SettingError, match=name):
        TableSettings(**dict[str, Any]({name: " "}))


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, ""), (float("nan"), ""), (7, "7"), (7.0, "7"), (-2.0, "-2"), (0.5, "0.5"),
        (1e300, "1e+300"), (True, "True"), (b"cat", "cat"), ("007", "007"),
    ],
)  # fmt: skip
def test_cells_with_types_as_text(value: Any, text: str) -> None:
    assert cell_text(value) == text


@pytest.mark.parametrize("value", [[1], {"bytes": b""}, b"\xff"])
def test_cells_that_are_no_text(value: Any) -> None:
    with pytest.raises(ValueError, match=r"a list|several values|bytes"):
        cell_text(value)


def test_ids_that_a_spreadsheet_has_shortened_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text("path,label,group\na.png,cat,1.23457E+15\n")
    with pytest.raises(DataError, match=r"a group in row 2 .* a spreadsheet has shortened"):
        list(read_rows(path, TableSettings(), BOTH))
    path.write_text("path,label,group\na.png,2E+1,1.5\n")
    assert len(list(read_rows(path, TableSettings(), BOTH))) == 1


class TestJsonLines:
    def test_an_object_a_line(self, tmp_path: Path) -> None:
        path = tmp_path / "t.jsonl"
        objects = [{"path": "a", "label": 1.0}, {"label": None, "path": "b"}, {"path": "c"}]
        path.write_text("\ufeff" + "\n\n".join(map(json.dumps, objects)), encoding="utf-8")
        rows = list(read_rows(path, TableSettings(), BOTH))
        assert [(row.number, row.cells["path"], row.cells["label"]) for row in rows] == [
            (1, "a", "1"), (3, "b", ""), (5, "c", "")
        ]  # fmt: skip

    def test_a_column_may_come_late(self, tmp_path: Path) -> None:
        path = tmp_path / "t.ndjson"
        path.write_text('{"path": "a"}\n{"path": "b", "label": "cat"}\n')
        assert len(list(read_rows(path, TableSettings(), BOTH))) == 2

    @pytest.mark.parametrize(
        ("text", "told"),
        [
            ("[1, 2]\n", "a JSON object in line 1"),
            ('{"path": "a", "label": "b"}\n{"path":\n', "a JSON object in line 2"),
            ('{"path": "a", "label": ["b"]}\n', "row 1, column 'label', .* found a list"),
            ("[" * 100_000, "a JSON object in line 1"),
            ("", "found no columns"),
            ('{"file": "a", "label": "b"}\n', "`path_column` file"),
        ],
    )
    def test_what_is_none(self, tmp_path: Path, text: str, told: str) -> None:
        path = tmp_path / "t.jsonl"
        path.write_text(text)
        with pytest.raises(DataError, match=told) as caught:
            list(read_rows(path, TableSettings(), BOTH))
        assert len(str(caught.value)) < 400


class TestParquet:
    def read(self, folder: Path, columns: dict[str, Any], **table: Any) -> list[TableRow]:
        parquet = pytest.importorskip("pyarrow.parquet", reason="the extra `parquet` is absent")
        import pyarrow

        parquet.write_table(pyarrow.table(columns), folder / "t.parquet")
        return list(read_rows(folder / "t.parquet", TableSettings(**table), BOTH))

    def test_numbers_that_pandas_made_of_whole_ones(self, tmp_path: Path) -> None:
        columns = {"id": [1.0, 2.0], "y": [3.0, float("nan")], "s": ["x", None]}
        rows = self.read(
            tmp_path, columns, path_column="id", label_column="y", group_column="s"
        )  # fmt: skip
        cells = [(r.cells["path"], r.cells["label"], r.cells["group"]) for r in rows]
        assert cells == [("1", "3", "x"), ("2", "", "")]

    def test_images_inside_the_table_are_refused(self, tmp_path: Path) -> None:
        columns = {"image": [{"bytes": b"x", "path": "a"}], "label": [1]}
        with pytest.raises(DataError, match=r"column 'image', .* several values in one cell"):
            self.read(tmp_path, columns, path_column="image")


def test_only_a_csv_has_an_encoding(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"a CSV to have an `encoding`"):
        list(read_rows(tmp_path / "t.jsonl", TableSettings(encoding="cp1252"), BOTH))


def test_without_openpyxl_the_extra_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "openpyxl", None)
    with pytest.raises(MissingExtraError, match=r"pip install 'manyheads\[xlsx\]'"):
        list(read_rows(tmp_path / "t.xlsx", TableSettings(), BOTH))


@pytest.mark.parametrize("name", ["t.csv", "t.jsonl", "t.xlsx", "t.parquet"])
def test_columns_that_may_be_splits_or_groups_are_known(tmp_path: Path, name: str) -> None:
    columns = {"path": ["a"], "label": ["b"], "Subset": ["train"], "video": ["1"]}
    path = tmp_path / name
    if name == "t.csv":
        path.write_text("path,label,Subset,video\na,b,train,1\n")
    elif name == "t.jsonl":
        path.write_text(json.dumps({key: value[0] for key, value in columns.items()}))
    elif name == "t.xlsx":
        book = pytest.importorskip("openpyxl", reason="the extra `xlsx` is absent").Workbook()
        book.active.append(list(columns))
        book.active.append([value[0] for value in columns.values()])
        book.save(path)
    else:
        parquet = pytest.importorskip("pyarrow.parquet", reason="the extra `parquet` is absent")
        parquet.write_table(__import__("pyarrow").table(columns), path)
    assert unused_columns(path, TableSettings()) == [("split", "Subset"), ("group", "video")]
    both = TableSettings(split_column="subset", group_column="video")
    assert unused_columns(path, both) == []
