"""A table of labels beside features: row i of one belongs to row i of the other."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from manyheads.data.feature_files import open_features
from manyheads.errors import DataError, Interrupted
from tests.jobs import stopped_job

VALUES = np.random.default_rng(0).standard_normal((6, 4)).astype(np.float32)
SPLITS = ["train"] * 4 + ["val"] * 2
TABLE = "label,split\n" + "".join(f"{'ab'[n % 2]},{split}\n" for n, split in enumerate(SPLITS))


@pytest.fixture
def given(tmp_path: Path):
    """Write a table and an array, and open them."""

    def write(values: np.ndarray = VALUES, table: str = TABLE, **options: Any):
        np.save(tmp_path / "f.npy", values)
        (tmp_path / "t.csv").write_text(table)
        return open_features(tmp_path / "t.csv", [str(tmp_path / "f.npy")], **options)

    return write


def test_rows_are_a_data_set(given) -> None:
    dataset = given()
    assert (dataset.name, dataset.layout, len(dataset)) == ("t", "features", 6)
    assert dataset.classes == ("a", "b")
    assert dataset.rows("validation").tolist() == [4, 5]
    assert dataset.name_of(3) == "row 3"


def test_the_content_of_a_row_is_its_bytes_as_float32(given) -> None:
    contents = list(given().digests)
    assert contents == [hashlib.sha256(row.tobytes()).hexdigest() for row in VALUES]
    assert list(given(VALUES.astype(np.float64)).digests) == contents


def test_equal_rows_are_one_unit(given) -> None:
    values = VALUES.copy()
    values[3] = values[1]
    units = given(values).units
    assert units[3] == units[1]
    assert len(set(units.tolist())) == 5


def test_paths_only_name_rows_and_groups_hold(given) -> None:
    dataset = given(VALUES[:2], "path,label,group\nno/such.jpg,a,x\n,b,x\n")
    assert [dataset.name_of(n) for n in (0, 1)] == ["no/such.jpg", "row 1"]
    assert dataset.units[0] == dataset.units[1]


def test_without_splits_rows_are_divided_by_content(given) -> None:
    labels = "label\n" + "a\nb\n" * 60
    values = np.random.default_rng(1).standard_normal((120, 4)).astype(np.float32)
    dataset = given(values, labels)
    assert {*dataset.splits} == {"train", "validation", "test"}
    turned = given(values[::-1], labels)
    assert list(turned.splits)[::-1] == list(dataset.splits)


@pytest.mark.parametrize("rows", [5, 7])
def test_another_number_of_rows_is_refused(given, rows: int) -> None:
    with pytest.raises(DataError, match=f"each of the 6 rows of t.csv, found {rows}"):
        given(np.zeros((rows, 4), np.float32))


@pytest.mark.parametrize(
    ("value", "kind", "shown"),
    [(np.nan, "f4", "nan"), (-np.inf, "f4", "-inf"), (1e300, "f8", "inf")],
)  # fmt: skip
def test_what_is_not_finite_is_refused_by_its_row(
    given, value: float, kind: str, shown: str
) -> None:
    values = VALUES.astype(kind)
    values[4, 1] = value
    with pytest.raises(DataError, match=f"in row 4 of the features, .* found {shown};"):
        given(values)


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ("path\na\n", "the column label, once"),
        ("label\n", "rows in"),
        ('label\na\n""\n', "a label in row 3"),
        ("label\n" + "a\n" * 6, "two or more classes"),
    ],
)
def test_tables_that_do_not_do(given, table: str, message: str) -> None:
    with pytest.raises(DataError, match=message):
        given(table=table)


def test_a_folder_is_no_table(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="a label for each row of features, found the folder"):
        open_features(tmp_path, ["f.npy"])


def test_a_stop_is_heard(given) -> None:
    job = stopped_job()
    with pytest.raises(Interrupted):
        given(job=job)
