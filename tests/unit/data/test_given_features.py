"""Columns of a table in memory as features: of a data frame, and of Hugging Face."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from manyheads import Study
from manyheads.data.given_features import given_features
from manyheads.errors import DataError

VALUES = np.random.default_rng(0).standard_normal((6, 4)).astype(np.float32)
LABELS = ["b", "a"] * 3


class HuggingFace:
    """What a data set of theirs answers to."""

    def __init__(self, **columns: Any) -> None:
        self.features = dict.fromkeys(columns)
        self.column_names = list(columns)
        self._columns = columns

    def __getitem__(self, name: str) -> Any:
        return self._columns[name]

    def __len__(self) -> int:
        return len(next(iter(self._columns.values())))

    def __iter__(self) -> Iterator[dict[str, Any]]:
        rows = zip(*self._columns.values(), strict=True)
        return (dict(zip(self._columns, row, strict=True)) for row in rows)


@pytest.fixture(autouse=True)
def cache(own_cache: Path) -> Path:
    """A cache that is empty."""
    return own_cache


def read(data: Any, *names: str) -> np.ndarray:
    found = given_features(data, names)
    assert found is not None
    return np.load(found[0])


def test_lists_and_numbers_lie_side_by_side() -> None:
    table = {"label": LABELS, "own": VALUES.tolist(), "n": range(6)}
    wanted = np.column_stack([VALUES, np.arange(6, dtype=np.float32)])
    np.testing.assert_array_equal(read(table, "own", "n"), wanted)
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame({"label": LABELS, "own": list(VALUES), "n": range(6)})
    np.testing.assert_array_equal(read(frame, "own", "n"), wanted)


def test_a_data_set_of_hugging_face_and_its_splits() -> None:
    parts = {"train": HuggingFace(label=LABELS, own=VALUES.tolist()),
             "test": HuggingFace(label=LABELS, own=(VALUES + 1).tolist())}  # fmt: skip
    np.testing.assert_array_equal(read(parts["train"], "own"), VALUES)
    np.testing.assert_array_equal(read(parts, "own"), np.concatenate([VALUES, VALUES + 1]))


def test_the_same_columns_are_the_same_file(cache: Path) -> None:
    table = {"label": LABELS, "own": VALUES.tolist()}
    assert given_features(table, ["own"]) == given_features(table, ["own"])
    assert len(list((cache / "datasets" / "tables").iterdir())) == 1


def test_files_are_left_as_they_are() -> None:
    assert given_features("t.parquet", ["own"]) == ["own"]
    assert given_features({"label": LABELS}, ["own.npy"]) == ["own.npy"]
    assert given_features({"label": LABELS}, None) is None


@pytest.mark.parametrize(
    ("own", "found"),
    [
        ([[1.0], [2.0, 3.0]], "in every row of own, found"),
        (["x", "y"], "in every row of own, found"),
        ([[1.0], None], "in every row of own, found"),
        ([[], []], r"found \[2, 0\]"),
        ([[[1.0]], [[2.0]]], r"found \[2, 1, 1\]"),
    ],
)
def test_other_columns_are_refused(own: Any, found: str) -> None:
    with pytest.raises(DataError, match=found):
        read({"label": ["a", "b"], "own": own}, "own")


def test_a_missing_column_and_what_has_none() -> None:
    with pytest.raises(DataError, match="the column 'own' of features, found label; "):
        read({"label": LABELS}, "own")
    with pytest.raises(DataError, match=r"a table with columns, .* found list"):
        read([("a.jpg", "b")], "own")


def test_a_study_takes_them() -> None:
    table = HuggingFace(label=LABELS, own=VALUES.tolist())
    settings = Study(table, features=["own"]).settings
    assert settings.backbone == "none"
    assert settings.features is not None
    np.testing.assert_array_equal(np.load(settings.features[0]), VALUES)
