"""An output that was ended anywhere goes on to the same bytes, and as nothing else."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import pytest

from manyheads.errors import DataError, ManyheadsError, SettingError
from manyheads.models.prediction_files import opened
from manyheads.models.prediction_rows import RowForm
from tests.unit.models.outputs import FULL, PLAIN, entries

pytestmark = pytest.mark.usefixtures("own_cache")
SUFFIXES = ("jsonl", "csv", "parquet")
ASKED = {"model": "abc", "top": None}


def write(path: Path, form: RowForm, until: int = 9, *, finish: bool = True) -> list[str]:
    """Write the rows that are not there yet; returns the images of those that were."""
    with opened(path, form, ASKED) as file:
        before = [row["image"] for row in file.kept()]
        for entry in entries(until)[len(before) :]:
            file.write(entry, "dog")
        if finish:
            file.finish()
    return before


@pytest.mark.parametrize("form", [PLAIN, FULL], ids=["plain", "full"])
@pytest.mark.parametrize("suffix", SUFFIXES)
def test_it_goes_on_behind_the_last_whole_row(tmp_path: Path, suffix: str, form: RowForm) -> None:
    whole, path = tmp_path / f"whole.{suffix}", tmp_path / f"part.{suffix}"
    assert write(whole, form) == []
    write(path, form, 5, finish=False)
    rows = path.with_name("part.parquet.rows") if suffix == "parquet" else path
    begun = rows.read_bytes()
    # What a kill leaves may end anywhere; also in the header, and in a quoted cell.
    for size in range(0, len(begun) + 1, 7):
        rows.write_bytes(begun[:size])
        if suffix == "parquet":
            path.unlink(missing_ok=True)
        images = [entry.image for entry in entries(5)]
        before = write(path, form)
        assert before == images[: len(before)]
        assert path.read_bytes() == whole.read_bytes()
    assert write(path, form) == [entry.image for entry in entries()]
    assert path.read_bytes() == whole.read_bytes()
    assert not list(tmp_path.glob("*.rows"))


def test_what_is_in_them(tmp_path: Path) -> None:
    from pyarrow import parquet

    for suffix in SUFFIXES:
        write(tmp_path / f"out.{suffix}", FULL)
    with (tmp_path / "out.csv").open(encoding="utf-8", newline="") as file:
        from_csv = list(csv.DictReader(file))
    lines = (tmp_path / "out.jsonl").read_text(encoding="utf-8").splitlines()
    documents = [json.loads(line) for line in lines]
    table = parquet.read_table(tmp_path / "out.parquet").to_pylist()
    assert list(table[0]) == FULL.columns
    for row, cells, document, entry in zip(table, from_csv, documents, entries(), strict=True):
        assert document == FULL.document(entry, "dog")
        assert list(row.values()) == FULL.cells(entry, "dog")
        written = ["" if value is None else str(value) for value in FULL.cells(entry, "dog")]
        assert list(cells.values()) == [
            word.lower() if word in ("True", "False") else word for word in written
        ]


@pytest.mark.parametrize("suffix", ["jsonl", "csv"])
def test_a_damaged_last_row_is_cut_and_another_is_an_error(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"out.{suffix}"
    write(path, PLAIN)
    whole = path.read_bytes()
    path.write_bytes(whole + b"\0\0\0\n")
    write(path, PLAIN)
    assert path.read_bytes() == whole
    lines = whole.splitlines(keepends=True)
    path.write_bytes(b"".join([*lines[:-1], b"{]\n", lines[-1]]))
    with pytest.raises(DataError, match=r"a whole row \d+ in .*out"):
        write(path, PLAIN)


@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize(
    ("changes", "told"),
    [({"model": "xyz"}, "model: abc → xyz"), ({"top": 3}, "top: none → 3")],
)
def test_another_output_is_refused(
    tmp_path: Path, suffix: str, changes: dict[str, Any], told: str
) -> None:
    path = tmp_path / f"out.{suffix}"
    write(path, PLAIN)
    before = path.read_bytes()
    with pytest.raises(DataError, match=told), opened(path, PLAIN, ASKED | changes):
        pass
    assert path.read_bytes() == before


def test_a_file_of_the_users_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "out.csv"
    path.write_text("mine")
    with pytest.raises(DataError, match=r"without out\.csv\.asked\.json"), opened(path, PLAIN, {}):
        pass
    assert path.read_text() == "mine"
    path.unlink()
    write(path, PLAIN)
    path.write_text("another,header\n")
    with pytest.raises(DataError, match="the columns of this output"):
        write(path, PLAIN)


def test_after_its_file_is_removed_it_begins_anew_with_other_options(tmp_path: Path) -> None:
    path = tmp_path / "out.csv"
    write(path, PLAIN)
    path.unlink()
    with opened(path, PLAIN, {"model": "xyz"}) as file:
        assert list(file.kept()) == []


def test_one_process_at_a_time(tmp_path: Path) -> None:
    path = tmp_path / "out.csv"
    with opened(path, PLAIN, ASKED), pytest.raises(DataError, match="another manyheads at work"):
        write(path, PLAIN)
    assert write(path, PLAIN) == []


@pytest.mark.parametrize("name", ["out", "out.txt", "out.json"])
def test_a_name_of_no_format(tmp_path: Path, name: str) -> None:
    with (
        pytest.raises(SettingError, match=r"ends with \.jsonl, \.csv, \.parquet"),
        opened(tmp_path / name, PLAIN, {}),
    ):
        pass


def test_a_folder_that_cannot_be(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ManyheadsError), opened(tmp_path / "file" / "out.csv", PLAIN, {}):
        pass
