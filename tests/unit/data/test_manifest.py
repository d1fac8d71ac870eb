"""Manifests: what a row may hold, and which row is wrong in which way."""

from __future__ import annotations

import csv
import sys
import unicodedata
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from manyheads.data.data_settings import TableSettings
from manyheads.data.manifest import NO_LABEL, REPEATED, read_manifest
from manyheads.data.table_files import MISSING
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


def rows(path, **table):
    listing = read_manifest(path, TableSettings(**table))
    names = [Path(str(file)).relative_to(path.parent).as_posix() for file in listing.paths]
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


def left_out(path, **table):
    """What is left out, by its name in the table's folder."""
    ignored = read_manifest(path, TableSettings(**table)).ignored
    return [Path(str(file)).relative_to(path.parent).as_posix() for file in ignored]


MARKERS = ("", " ", "nan", "NaN", "None", "null", "NULL", "#N/A", "<NA>", "NaT", "N/A", "#REF!")


@pytest.mark.parametrize("marker", MARKERS)
def test_rows_without_a_label_are_left_out_and_counted(manifest, marker):
    path = manifest(f"path,label\na.png,cat\nb.png,{marker}\ndeep/c d.png,dog\n")
    assert [row[:2] for row in rows(path)] == [("a.png", "cat"), ("deep/c d.png", "dog")]
    assert left_out(path) == ["b.png"]


@pytest.mark.parametrize("name", ["NA", "none", "na", "unknown", "0", "-"])
def test_what_may_be_a_class_is_one(manifest, name):
    assert rows(manifest(f"path,label\na.png,{name}\n"))[0][1] == name


@pytest.mark.parametrize("text", [" cat ", "cat\u00a0", "\u200bcat\ufeff ", "\tcat"])
def test_what_is_not_seen_at_the_ends_of_a_label_is_not_part_of_it(manifest, text):
    assert rows(manifest(f"path,label\na.png,{text}\n"))[0][1] == "cat"


def test_what_means_no_label_can_be_said(manifest):
    text = "path,label\na.png,NA\nb.png,None\ndeep/c d.png,\n"
    assert rows(manifest(text), missing_labels=("NA",)) == [("b.png", "None", None, "")]
    assert left_out(manifest(text), missing_labels=("NA",)) == ["a.png", "deep/c d.png"]


def test_an_image_without_a_label_need_not_be_there(manifest):
    assert left_out(manifest("path,label\nabsent.png,\na.png,cat\n,\n,nan\n")) == [
        "absent.png", "data.csv/row 5"
    ]  # fmt: skip


def test_missing_groups_and_splits_are_none(manifest):
    text = "path,label,split,group\na.png,cat,nan,nan\nb.png,dog,,g\ndeep/c d.png,dog,None,None\n"
    assert rows(manifest(text)) == [
        ("a.png", "cat", None, ""), ("b.png", "dog", None, "g"), ("deep/c d.png", "dog", None, "")
    ]  # fmt: skip


def test_a_file_listed_twice_counts_once(manifest, tmp_path):
    (tmp_path / "link.png").symlink_to("a.png")
    (tmp_path / "around").symlink_to("deep", target_is_directory=True)
    paths = ["a.png", "deep/c d.png", "./a.png", "deep/../a.png", "link.png", "around/c d.png"]
    paths += [str(tmp_path / "a.png"), " a.png", "deep\\c d.png"]
    path = manifest("path,label,group\n" + "".join(f"{text},cat,g\n" for text in paths))
    assert rows(path) == [("a.png", "cat", None, "g"), ("deep/c d.png", "cat", None, "g")]
    assert len(left_out(path)) == len(paths) - 2


def test_files_of_equal_bytes_are_not_one_file(manifest, tmp_path):
    (tmp_path / "hard.png").hardlink_to(tmp_path / "a.png")
    assert len(rows(manifest("path,label\na.png,cat\nhard.png,dog\nb.png,dog\n"))) == 3


def test_what_is_left_out_has_its_reason(manifest):
    left = read_manifest(manifest("path,label\na.png,cat\na.png,cat\nb.png,nan\n")).ignored
    found = [(path.name, reason) for path, reason in zip(left, left.reasons, strict=True)]
    assert found == [("b.png", NO_LABEL), ("a.png", REPEATED)]


def test_spellings_of_an_accent_are_one_class(manifest):
    one, two = "caf\u00e9", "cafe\u0301"
    text = f"path,label\na.png,{two}\nb.png,{one}\ndeep/c d.png,{two}\n"
    assert [row[1] for row in rows(manifest(text))] == [one] * 3
    assert [row[1] for row in rows(manifest(f"path,label\na.png,{two}\n"))] == [one]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "found no columns"),
        ("path,label\n", "found no rows"),
        ("file,label\na.png,cat\n", "found file, label"),
        ("path,label,label\na.png,cat,dog\n", "path and label, once each"),
        ("path,label\na.png, \nb.png\n", "labels in .* none in all its 2 rows; .*`label_column`"),
        ("path,label\n,cat\n", "a path in row 2 of"),
        ("path,label\na.png,cat\n\nc.png,cat\n", r"row 4 of .* no file 'c\.png'"),
        (f"path,label\n{'x' * 5000},cat\n", "row 2 of .* no file 'xxx"),
        ("path,label\ndeep,cat\n", "row 2 of .* no file 'deep'"),
        ("path,label,split\na.png,cat,trian\n", "as split in row 2 of .*'trian'"),
        ("path,label,split\na.png,c,train\nb.png,d,\n", "one in row 2 and none in row 3"),
        ("path,label,split\na.png,c,\nb.png,d,test\n", "one in row 3 and none in row 2"),
        ("path,label\na.png,cat\n./a.png,dog\n", "'cat' in row 2 and 'dog' in row 3"),
        ("path,label,split\na.png,c,train\na.png,c,test\n", "'train' in row 2 and 'test' in row 3"),
        ("path,label,group\na.png,c,g\na.png,c,h\n", "one group for a.png .* 'g' in row 2"),
        ("path,label\na.png,c\nx.png,c\ny.png,c\n", "'x.png', and so for 2 of 3 rows"),
        ("path,label,split\na.png,c,train\nb.png,d,nan\n", r"\(1 of 2 rows without\)"),
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


def is_kept(name: str) -> bool:
    """Whether a name means a class, and has no invisible signs at its ends."""
    return name not in MISSING and name.strip("\ufeff\u200b\u200e\u200f\u2060").strip() == name


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(class_names().filter(is_kept), min_size=1, max_size=3))
def test_any_class_name_survives(manifest, labels):
    path = manifest("")
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["path", "label"])
        names = ["a.png", "b.png", "deep/c d.png"]
        writer.writerows(zip(names, labels, strict=False))
    composed = [unicodedata.normalize("NFC", label) for label in labels]
    assert read_manifest(path).labels == composed


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
        with pytest.raises(DataError, match="a path in row 2 of"):
            read_manifest(table({"path": ["a.png", None], "label": ["cat", "dog"]}))

    def test_missing_columns(self, table):
        with pytest.raises(DataError, match="found path"):
            read_manifest(table({"path": ["a.png"]}))

    def test_without_pyarrow_the_extra_is_named(self, tmp_path, monkeypatch):
        monkeypatch.setitem(sys.modules, "pyarrow", None)
        with pytest.raises(MissingExtraError, match=r"pip install 'manyheads\[parquet\]'"):
            read_manifest(tmp_path / "data.parquet")
