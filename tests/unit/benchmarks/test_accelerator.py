"""The benchmark of accelerators keeps every row, and survives what is missing or takes too long."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image

from benchmarks import accelerator
from benchmarks.parts import accelerator_extraction
from benchmarks.parts.accelerator_rows import Row, measured


def test_a_child_yields_its_rows_as_they_are_printed(tmp_path: Path) -> None:
    photographs = accelerator_extraction.written_photographs(tmp_path / "photographs", 8)
    found = list(
        measured(
            "extraction", "decoding", "accelerator_extraction.decoding", 60, {},
            {"data": str(photographs), "size": 32},
        )
    )  # fmt: skip
    assert [(row.part, row.what) for row in found] == [("extraction", "bound by decoding to 32×32")]


def test_a_child_that_fails_or_takes_too_long_is_a_row() -> None:
    def one(seconds: float, function: str) -> Row:
        *_, row = measured("heads", "a rate", f"accelerator_extraction.{function}", seconds, {}, {})
        return row

    assert one(60, "no_such_function").note.startswith("failed: KeyError")
    assert one(0, "machine") == Row("heads", "a rate", "–", "ended after 0 s")


@pytest.mark.when_changed("commands")
def test_copies_of_a_photograph_are_images_of_other_content(tmp_path: Path) -> None:
    count = accelerator_extraction.DISTINCT + 4
    folder = accelerator_extraction.written_photographs(tmp_path / "photographs", count)
    files = sorted(folder.rglob("*.jpg"))
    assert len({file.read_bytes() for file in files}) == count
    with Image.open(files[-1]) as image:
        image.load()


def test_every_row_is_in_the_file_as_soon_as_it_is_known(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    target = tmp_path / "new" / "table.md"

    def rows(part: str, *, quick: bool) -> Iterator[Row]:
        assert quick
        yield Row(part, "first", "1 image/s")
        assert "| first | 1 image/s |" in target.read_text(encoding="utf-8")
        yield Row(part, "second", "not installed")

    monkeypatch.setattr(accelerator, "rows_of", rows)
    monkeypatch.setattr(sys, "argv", ["accelerator", "--quick", "--out", str(target)])
    accelerator.main()
    lines = target.read_text(encoding="utf-8").splitlines()
    assert [line for line in lines if "second" in line] == [
        f"| {part} | second | not installed |  |" for part in accelerator.PARTS
    ]


def test_a_part_that_is_not_there_is_a_row(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(accelerator.importlib.util, "find_spec", lambda _: None)
    (row,) = accelerator.rows_of("heads", quick=True)
    assert row.value == "–"
