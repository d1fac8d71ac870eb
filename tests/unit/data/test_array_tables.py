"""Arrays under their names: features with what is known of their rows, in one `.npz` file."""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from manyheads.data.data_settings import TableSettings
from manyheads.data.feature_files import open_features, own_features, read_matrix
from manyheads.errors import DataError

VALUES = np.random.default_rng(0).standard_normal((6, 4)).astype(np.float32)
LABELS = ["b", "a"] * 3


def saved(folder: Path, **arrays: Any) -> Path:
    np.savez(folder / "own.npz", **arrays)
    return folder / "own.npz"


@pytest.mark.parametrize("many", ["", "s"])
def test_arrays_are_a_data_set(tmp_path: Path, many: str) -> None:
    splits, groups = ["train"] * 4 + ["val"] * 2, [7, 7, 0, 1, 2, 3]
    named = {f"label{many}": LABELS, f"split{many}": splits, f"group{many}": groups}
    file = saved(tmp_path, features=VALUES, names=list("uvwxyz"), **named)
    dataset = open_features(file, ["features"])
    assert (dataset.name, len(dataset), dataset.classes) == ("own", 6, ("a", "b"))
    assert dataset.rows("validation").tolist() == [4, 5]
    assert (dataset.name_of(2), len(set(dataset.units.tolist()))) == ("w", 5)
    np.testing.assert_array_equal(read_matrix(file, ["features"]), VALUES)


def test_another_array_may_have_the_features_or_the_labels(tmp_path: Path) -> None:
    file = saved(tmp_path, clip=VALUES.astype(np.float16), labels=LABELS, coarse=[0, 1] * 3)
    columns = TableSettings(label_column="coarse")
    assert open_features(file, ["clip"], columns=columns).classes == ("0", "1")
    columns = TableSettings(label_column="labels")
    assert open_features(file, ["clip"], columns=columns).classes == ("a", "b")


def test_beside_a_table_the_only_array_is_taken_or_that_of_the_name(tmp_path: Path) -> None:
    table = tmp_path / "t.csv"
    for arrays in ({"clip": VALUES}, {"features": VALUES, "more": LABELS}):
        found = read_matrix(table, [str(saved(tmp_path, **arrays))])
        np.testing.assert_array_equal(found, VALUES)
    file = saved(tmp_path, clip=VALUES, dino=VALUES)
    with pytest.raises(DataError, match=r"an array 'features' in .* found clip, dino"):
        read_matrix(table, [str(file)])


def test_what_has_features_of_its_own() -> None:
    assert own_features("a.npz") == own_features(Path("b.safetensors")) == ("features",)
    assert own_features("a.npy") is own_features("photos") is own_features({"a": 1}) is None


@pytest.mark.parametrize(
    ("arrays", "found"),
    [
        ({"features": VALUES}, "the column label, once"),
        ({"features": VALUES, "label": LABELS[:5]}, "each of the 5 rows of own.npz, found 6"),
        ({"features": VALUES, "label": LABELS, "split": ["train"]}, "6 of label, 1 of split"),
        ({"features": VALUES, "label": np.eye(6)}, "a text or a number for each row as label"),
        ({"features": VALUES, "label": np.array(LABELS, object)}, "Python objects, which are not"),
        ({"features": VALUES[0], "label": LABELS}, r"found float32 \[4\]"),
        ({"features": VALUES.astype(int), "label": LABELS}, "found int64"),
        ({"features": VALUES * np.nan, "label": LABELS}, "finite numbers in row 0"),
    ],
)
def test_other_arrays_are_refused(tmp_path: Path, arrays: dict[str, Any], found: str) -> None:
    with pytest.raises(DataError, match=found):
        open_features(saved(tmp_path, **arrays), ["features"])


@pytest.mark.parametrize("kept", [0, 30, 200, -30])
def test_truncated_files(tmp_path: Path, kept: int) -> None:
    file = saved(tmp_path, features=VALUES, label=LABELS)
    file.write_bytes(file.read_bytes()[:kept])
    with pytest.raises(DataError, match=r"arrays of NumPy in .*own\.npz"):
        open_features(file, ["features"])


@pytest.mark.parametrize("shape", [(10**12, 3), (10**30, 3), (-1, 3)])
def test_an_enormous_stated_shape(tmp_path: Path, shape: tuple[int, int]) -> None:
    header = f"{{'descr': '<f4', 'fortran_order': False, 'shape': {shape}, }}".ljust(117) + "\n"
    stated = b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header.encode()
    with zipfile.ZipFile(tmp_path / "own.npz", "w") as archive:
        archive.writestr("features.npy", stated)
    with pytest.raises(DataError, match=r"arrays of NumPy in .*own\.npz"):
        read_matrix(tmp_path / "own.npz", ["features"])


def test_a_single_array_under_the_name(tmp_path: Path) -> None:
    with (tmp_path / "own.npz").open("wb") as file:
        np.save(file, VALUES)
    with pytest.raises(DataError, match="found one array without a name"):
        read_matrix(tmp_path / "own.npz", ["features"])
