"""Names of classes, from wherever a user has them."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from manyheads.errors import DataError
from manyheads.models.importing.class_names import read_names


def test_a_folder_is_read_as_loaders_number_it(image_folder: Callable[..., Path]) -> None:
    counts = {"train/hat": 1, "train/dress": 1, "validation/hat": 1}
    assert read_names(image_folder(counts)) == ("dress", "hat")


def test_lines_of_text(tmp_path: Path) -> None:
    (tmp_path / "names.txt").write_bytes(b"\xef\xbb\xbfred panda\r\n\r\n cat \n")
    assert read_names(tmp_path / "names.txt") == ("red panda", "cat")


@pytest.mark.parametrize(
    "document",
    [
        ["b", "a"],
        {"a": 1, "b": 0},
        {"a": "1", "b": "0"},
        {"classes": ["b", "a"], "backbone": "x"},
        {"labels": ["b", "a"], "imageSize": 224},
        {"1": "a", "0": "b"},
        {"id2label": {"0": "b", "1": "a"}, "label2id": {"b": 0, "a": 1}},
        {"0": ["n01440764", "b"], "1": ["n01443537", "a"]},
    ],
)
def test_json(tmp_path: Path, document: Any) -> None:
    (tmp_path / "names.json").write_text(json.dumps(document), encoding="utf-8")
    assert read_names(tmp_path / "names.json") == ("b", "a")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "1",
        "{}",
        '{"0": "a", "2": "b"}',
        '{"0": "a", "1": 1}',
        "[1, 2]",
        '{"a": 0, "b": 2}',
        '{"a": 0, "b": "x"}',
        "[" * 10**5,
        '{"a": [0]}',
    ],
)
def test_json_without_names(tmp_path: Path, text: str) -> None:
    (tmp_path / "names.json").write_text(text, encoding="utf-8")
    with pytest.raises(DataError, match=r"the names of classes in .*names\.json"):
        read_names(tmp_path / "names.json")


def test_no_text(tmp_path: Path) -> None:
    (tmp_path / "names.txt").write_bytes(b"\xff\xfe\x00")
    for file in ("names.txt", "absent.txt"):
        with pytest.raises(DataError, match="the names of classes in"):
            read_names(tmp_path / file)


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("0 cat\n1 dog\n", ("cat", "dog")),
        ("\ufeff0 cat\r\n1 red panda\r\n\r\n", ("cat", "red panda")),
        ("1 dog\n0 cat\n", ("cat", "dog")),
        ("0,cat\n1,dog", ("cat", "dog")),
        ("0: cat\n1: dog", ("cat", "dog")),
        ("0\tcat\n1\tdog", ("cat", "dog")),
        ("0 7 up\n1 cola\n", ("7 up", "cola")),
        ("7 up\ncola\n", ("7 up", "cola")),
        ("7 up\n3 musketeers\n", ("7 up", "3 musketeers")),
        ("0\n1\n10\n", ("0", "1", "10")),
        ("00 cat\n01 dog\n", ("cat", "dog")),
        ("dog 1\ncat 0\n", ("cat", "dog")),  # as a loop over `class_indices` prints them
        ("red panda: 0\ndog: 1\n", ("red panda", "dog")),
        ("photo 0\nphoto 1\n", ("photo 0", "photo 1")),
        ("route 66\nbeetle 53\n", ("route 66", "beetle 53")),
        ('{"dog": 1, "cat": 0}\n', ("cat", "dog")),
        ('["cat",\n "dog"]', ("cat", "dog")),
    ],
)
def test_numbers_before_names(tmp_path: Path, text: str, names: tuple[str, ...]) -> None:
    (tmp_path / "labels.txt").write_bytes(text.encode())
    assert read_names(tmp_path / "labels.txt") == names


def test_text_as_windows_saves_it(tmp_path: Path) -> None:
    (tmp_path / "labels.txt").write_text("0 Füchse\n1 猫\n", encoding="utf-16")
    assert read_names(tmp_path / "labels.txt") == ("Füchse", "猫")


@pytest.mark.parametrize(
    "text",
    ["0,cat\n1,dog\n", "index,name\n1,dog\n0,cat\n", "name;id\r\ncat;0\r\ndog;1\r\n", "cat\ndog",
     "label\ncat\ndog\n", '\ufeff"0","cat"\n"1","dog"\n'],
)  # fmt: skip
def test_tables(tmp_path: Path, text: str) -> None:
    (tmp_path / "names.csv").write_bytes(text.encode())
    assert read_names(tmp_path / "names.csv") == ("cat", "dog")


@pytest.mark.parametrize(
    ("name", "text", "reason"),
    [
        ("a.txt", "0 cat\n0 dog\n", "the number 0 of two classes"),
        ("a.txt", "0 cat\n2 dog\n", "no class with the number 1 among 2 classes"),
        ("a.txt", "1 cat\n2 dog\n", "classes numbered from 1 to 2, where outputs count from 0"),
        ("a.txt", "{0: 'cat', 1: 'dog'}", "property name"),
        ("a.yaml", "- cat\n- dog\n", "a file of another kind"),
        ("a.json", '{"cat": 0, "dog": 2}', "no class with the number 1"),
        ("a.json", '{"cat": 1, "dog": 1}', "the number 1 of two classes"),
        ("a.json", '{"cat": -1, "dog": 0}', "the number -1 among 2 classes"),
        ("a.json", '{"0": "cat", "0": "dog"}', "'0' twice in one object"),
        ("a.json", '{"cat": 0.5, "dog": 1}', "neither from numbers to names"),
        ("a.csv", "0,cat\n3,dog\n", "no class with the number 1"),
        ("a.csv", "0,cat,x\n1,dog,y\n", "rows of other than one column"),
        ("a.csv", "a,cat\nb,dog\n", "no column of whole numbers"),
    ],
)
def test_numbers_that_do_not_count(tmp_path: Path, name: str, text: str, reason: str) -> None:
    (tmp_path / name).write_text(text, encoding="utf-8")
    with pytest.raises(DataError, match=reason):
        read_names(tmp_path / name)
