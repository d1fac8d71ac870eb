"""The column of what is left out, and its one line."""

from __future__ import annotations

import tracemalloc
from pathlib import Path

import pytest

from manyheads.data.left_out import LeftOut, LeftOutWriter, Reason, singular
from manyheads.data.listing import ListingWriter


@pytest.mark.parametrize(
    ("many", "one"),
    [
        ("rows without a label", "row without a label"),
        ("HEIC images", "HEIC image"),
        ("files that are no images", "file that is no images"),
        ("copies", "copy"),
        ("broken links", "broken link"),
        ("duplicate boxes", "duplicate box"),
        ("rows that have no file", "row that has no file"),
        ("sheep", "sheep"),
    ],
)
def test_a_reason_in_words_knows_a_singular(many: str, one: str) -> None:
    assert singular(many) == one
    assert Reason(many).counted(1) == f"1 {one}"
    assert Reason(many).counted(2_000) == f"2,000 {many}"
    assert Reason(many).counted(0) == f"0 {many}"


def test_a_table_gives_reasons_in_words() -> None:
    writer = ListingWriter()
    writer.add("photos", "a.png", "cat")
    for number in range(3):
        writer.ignore("photos", f"{number}.png", "rows without a label")
    writer.ignore("photos", "b.png", "rows that are there twice")
    ignored = writer.listing("manifest").ignored
    assert ignored.line(1, "rows") == (
        "4 of 5 rows (80.0 %): 3 rows without a label, 1 row that is there twice"
    )
    assert list(ignored.reasons) == ["rows without a label"] * 3 + ["rows that are there twice"]
    assert ignored[-1] == Path("photos/b.png")
    assert len(ignored[:2]) == 2
    assert ignored[:3].line(1, "rows").startswith("3 of 4 rows (75.0 %): 3 rows without a label")


def test_a_small_share_is_not_nothing() -> None:
    writer = LeftOutWriter()
    writer.add("", "x\ny.txt", Reason("files", example=True))
    assert writer.column().line(1_000_000) == r"1 of 1,000,001 files (< 0.1 %): 1 file (x\ny.txt)"
    assert LeftOut.none().line(5) == ""


def test_many_cost_little() -> None:
    tracemalloc.start()
    try:
        writer = LeftOutWriter()
        for number in range(100_000):
            writer.add("/photos/cat", f"IMG_{number:06d}.HEIC", "HEIC images")
        column = writer.column()
        assert tracemalloc.get_traced_memory()[0] < 60 * 100_000  # bytes an entry
        assert column.line(0).startswith("100,000 of 100,000 files (100.0 %): 100,000 HEIC images")
    finally:
        tracemalloc.stop()
