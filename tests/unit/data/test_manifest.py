"""Manifests: what a row may hold, and which row is wrong in which way."""

from __future__ import annotations

import csv
import sys

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from manyheads.data.manifest import read_manifest
from manyheads.errors import DataError, MissingExtraError
from tests.strategies import class_names


@pytest.fixture
def manifest(tmp_path):
    """Write a manifest beside the files a.png, b.png and "deep/c d.png"."""
    (tmp_path / "deep").mkdir()
    for name in ("a.png", "b.png", "deep/c d.png"):
        (tmp_path / name).write_bytes(b"x")

    def write(text: str, encoding: str = "utf-8"):
        path = tmp_path / "data.csv"
        path.write_bytes(text.encode(encoding))
        return path

    return write


def rows(path):
    listing = read_manifest(path)
    names = [file.relative_to(path.parent).as_posix() for file in listing.paths]
    splits = listing.splits or [None] * len(names)
    groups = listing.groups or [""] * len(names)
    return list(zip(names, listing.labels, splits, groups, strict=True))


def test_path_and_label_are_enough(manifest):
    path = manifest("path,label\na.png,cat\ndeep/c d.png, T-shirt & co. / 🐈\n")
    assert rows(path) == [
        ("a.png", "cat", None, ""),
        ("deep/c d.png", "T-shirt & co. / 🐈", None, ""),
    ]


def test_split_group_and_other_columns(manifest):
    path = manifest("group,colour,split,path,label\ng 1,red,val,a.png,cat\n,blue,TRAIN,b.png,dog\n")
    assert rows(path) == [
        ("a.png", "cat", "validation", "g 1"),
        ("b.png", "dog", "train", ""),
    ]


def test_what_spreadsheets_do_is_tolerated(manifest):
    text = '\ufeffpath , label,split\r\n"a.png","c,\r\nat",\r\n\r\nb.png,dog\r\n'
    assert rows(manifest(text)) == [("a.png", "c,\r\nat", None, ""), ("b.png", "dog", None, "")]


def test_absolute_paths_are_taken_as_they_are(manifest, tmp_path):
    path = manifest(f"path,label\n{tmp_path / 'a.png'},cat\n")
    assert rows(path)[0][0] == "a.png"


def test_a_repeated_row_is_kept(manifest):
    assert len(rows(manifest("path,label\na.png,cat\na.png,cat\n"))) == 2


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "found no columns"),
        ("path,label\n", "found no rows"),
        ("file,label\na.png,cat\n", "found file, label"),
        ("path;label\na.png;cat\n", "found path;label"),
        ("path,label,label\na.png,cat,dog\n", "path and label, once each"),
        ("path,label\na.png,cat\nb.png, \n", "a label in row 3 of .* an empty cell"),
        ("path,label\na.png\n", "a label in row 2 of"),
        ("path,label\n,cat\n", "a path in row 2 of"),
        ("path,label\na.png,cat\n\nc.png,cat\n", r"row 4 of .* no file 'c\.png'"),
        (f"path,label\n{'x' * 5000},cat\n", "row 2 of .* no file 'xxx"),
        ("path,label\ndeep,cat\n", "row 2 of .* no file 'deep'"),
        ("path,label,split\na.png,cat,trian\n", "as split in row 2 of .*'trian'"),
        ("path,label,split\na.png,c,train\nb.png,d,\n", "one in row 2 and none in row 3"),
        ("path,label,split\na.png,c,\nb.png,d,test\n", "one in row 3 and none in row 2"),
        ("path,label\na.png,cat\n./a.png,dog\n", "'cat' in row 2 and 'dog' in row 3"),
        ("path,label\na.png,shirt, red\n", "2 cells in row 2 of .* found 3"),
        ('path,label\na.png,"cat\nb.png,dog\n', "a CSV table, found unexpected end of data"),
        ("path,label\na\0.png,cat\n", r"row 2 of .* no file 'a\\x00\.png'"),
        ('path,label\n"a\nb.png",cat\n', r"row 2 of .* no file 'a\\nb\.png'"),
    ],
)
def test_what_is_wrong_is_said_with_its_row(manifest, text, message):
    path = manifest(text)
    with pytest.raises(DataError, match=message) as caught:
        read_manifest(path)
    assert "\n" not in str(caught.value)
    assert caught.value.remedy


def test_other_encodings_are_refused(manifest):
    with pytest.raises(DataError, match="to be UTF-8 text"):
        read_manifest(manifest("path,label\na.png,Kätzchen\n", "latin-1"))


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(class_names(), min_size=1, max_size=3))
def test_any_class_name_survives(manifest, labels):
    path = manifest("")
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["path", "label"])
        names = ["a.png", "b.png", "deep/c d.png"]
        writer.writerows(zip(names, labels, strict=False))
    assert read_manifest(path).labels == labels


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.binary(max_size=80))
def test_any_bytes_are_refused_in_one_line(tmp_path, data):
    for name in ("any.csv", "any.parquet"):
        path = tmp_path / name
        path.write_bytes(data)
        with pytest.raises(DataError) as caught:
            read_manifest(path)
        assert "\n" not in str(caught.value)


class TestParquet:
    @pytest.fixture
    def table(self, manifest):
        parquet = pytest.importorskip("pyarrow.parquet", reason="the extra `parquet` is absent")
        import pyarrow

        def write(columns: dict[str, list]):
            path = manifest("").with_suffix(".parquet")
            parquet.write_table(pyarrow.table(columns), path)
            return path

        return write

    def test_the_same_columns_as_csv(self, table):
        path = table(
            {
                "path": ["a.png", "deep/c d.png"],
                "label": ["🐈", "a/b"],
                "split": ["train", "test"],
                "group": [None, "g"],
                "extra": [1.0, 2.0],
            }
        )
        assert rows(path) == [
            ("a.png", "🐈", "train", ""),
            ("deep/c d.png", "a/b", "test", "g"),
        ]

    def test_numbers_may_be_labels(self, table):
        assert rows(table({"path": ["a.png"], "label": [7]}))[0][1] == "7"

    def test_rows_are_counted_from_1(self, table):
        with pytest.raises(DataError, match="a label in row 2 of"):
            read_manifest(table({"path": ["a.png", "b.png"], "label": ["cat", None]}))

    def test_missing_columns(self, table):
        with pytest.raises(DataError, match="found path"):
            read_manifest(table({"path": ["a.png"]}))

    def test_without_pyarrow_the_extra_is_named(self, tmp_path, monkeypatch):
        monkeypatch.setitem(sys.modules, "pyarrow", None)
        with pytest.raises(MissingExtraError, match=r"pip install 'manyheads\[parquet\]'"):
            read_manifest(tmp_path / "data.parquet")
