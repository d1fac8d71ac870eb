"""docs/data.md says what the code does."""

from __future__ import annotations

import pytest

from manyheads.data.name_rules import is_hidden, is_system
from tests.data_page import PAGE, SECTIONS, page


def test_the_page_is_what_the_rules_say() -> None:
    written = PAGE.read_text(encoding="utf-8")
    assert written == page(), "write it anew: python -m tests.data_page"


def test_every_section_is_on_the_page() -> None:
    text = page()
    assert len({heading for heading, _ in SECTIONS}) == len(SECTIONS)
    for heading, section in SECTIONS:
        assert (f"\n## {heading}\n" in text) == bool(section())


@pytest.mark.parametrize(
    ("names", "folder"),
    [
        ("__MACOSX @eaDir #recycle $RECYCLE.BIN lost+found .ipynb_checkpoints .Trash-1000", True),
        ("thumbs.db DESKTOP.INI .DS_Store ._cat.jpg IMG.jpg:Zone.Identifier", False),
    ],
)
def test_systems_names(names: str, folder: bool) -> None:
    assert all(is_system(name, folder=folder) for name in names.split())
    assert not any(is_system(name, folder=not folder) for name in names.split() if "._" not in name
                   and "Trash" not in name and ":" not in name)  # fmt: skip
    assert not any(is_system(name, folder=folder) for name in ("cat", "photos", "recycle", "x.jpg"))
    assert is_hidden(".x")
