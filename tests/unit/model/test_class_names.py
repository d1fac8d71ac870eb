"""Names of classes, from wherever a user has them."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from manyheads.errors import DataError
from manyheads.model.class_names import read_names


def test_a_folder_is_read_as_loaders_number_it(image_folder: Callable[..., Path]) -> None:
    counts = {"train/hat": 1, "train/dress": 1, "validation/hat": 1}
    assert read_names(image_folder(counts)) == ("dress", "hat")


def test_lines_of_text(tmp_path: Path) -> None:
    (tmp_path / "names.txt").write_bytes(b"\xef\xbb\xbfred panda\r\n\r\n cat \n")
    assert read_names(tmp_path / "names.txt") == ("red panda", "cat")


@pytest.mark.parametrize(
    "document",
    [["b", "a"], {"a": 1, "b": 0}, {"classes": ["b", "a"], "backbone": "x"}],
)
def test_json(tmp_path: Path, document: Any) -> None:
    (tmp_path / "names.json").write_text(json.dumps(document), encoding="utf-8")
    assert read_names(tmp_path / "names.json") == ("b", "a")


@pytest.mark.parametrize(
    "text",
    ["", "{", "1", "[1, 2]", '{"a": 0, "b": 2}', '{"a": 0, "b": "x"}', "[" * 10**5, '{"a": [0]}'],
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
