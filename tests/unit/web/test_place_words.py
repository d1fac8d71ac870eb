"""Texts for a page do not tell where on the machine things lie."""

from __future__ import annotations

from pathlib import Path

import pytest

from manyheads.web.studio.place_words import PlaceWords

PLACE = Path("/somewhere/of/mine/project")


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("found none at /somewhere/of/mine/project/photos/cat", "found none at photos/cat"),
        ("in /somewhere/of/mine/project, nothing", "in project, nothing"),
        ("/somewhere/of/mine/project-2/x", "…/x"),
        ("File '/usr/lib/python/x.py', line 3", "File '…/x.py', line 3"),
        ("see /openapi.json", "see /openapi.json"),
        ("train/validation and 3/4 of it", "train/validation and 3/4 of it"),
        ("https://example.org/a/b", "https://example.org/a/b"),
        ("~/photos/cat and ../x/y", "~/photos/cat and ../x/y"),
        ("", ""),
    ],
)
def test_paths_are_told_as_they_are_seen_from_the_place(text: str, told: str) -> None:
    assert PlaceWords(PLACE).told(text) == told


def test_the_cache_is_called_so(own_cache: Path) -> None:
    assert PlaceWords(PLACE).told(f"to write {own_cache}/weights/x") == "to write CACHE/weights/x"


def test_texts_within_lists_and_dictionaries_are_told_too() -> None:
    found = PlaceWords(PLACE).told_all({"plan": [f"{PLACE}/photos", 3, None], "more": (1.5,)})
    assert found == {"plan": ["photos", 3, None], "more": [1.5]}


def test_a_place_at_the_root_leaves_paths_readable() -> None:
    assert PlaceWords(Path("/")).told("/photos/cat") == "…/cat"
