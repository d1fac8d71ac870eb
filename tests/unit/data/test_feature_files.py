"""Arrays of features: which are taken, and which are refused before a byte of them runs."""

from __future__ import annotations

import pickle
from pathlib import Path

import numpy as np
import pytest

from manyheads.data.feature_files import is_array, read_matrix
from manyheads.errors import DataError

VALUES = np.random.default_rng(0).standard_normal((5, 3)).astype(np.float16)


@pytest.fixture
def saved(tmp_path: Path):
    """Save an array and read it as features."""

    def read(array: object) -> np.ndarray:
        file = tmp_path / "features.npy"
        np.save(file, array, allow_pickle=True)  # pyright: ignore[reportArgumentType]
        return read_matrix(tmp_path / "table.csv", [str(file)])

    return read


@pytest.mark.parametrize("kind", ["<f2", "<f4", "<f8", ">f4", ">f8"])
def test_floats_become_float32(saved, kind: str) -> None:
    found = saved(VALUES.astype(kind))
    assert found.dtype == np.dtype("<f4")
    np.testing.assert_array_equal(found, VALUES.astype(np.float32))


def test_float32_is_mapped(saved) -> None:
    found = saved(VALUES.astype(np.float32))
    assert isinstance(found, np.memmap)
    assert not found.flags.writeable


def test_columns_first_is_read_as_well(saved) -> None:
    np.testing.assert_array_equal(saved(np.asfortranarray(VALUES.astype(np.float32))), VALUES)


@pytest.mark.parametrize(
    "array",
    [VALUES[0], VALUES[None], np.zeros((0, 3)), np.zeros((3, 0)), np.zeros((2, 2), int),
     np.zeros((2, 2), complex), np.array([["a", "b"]])],
)  # fmt: skip
def test_other_arrays_are_refused(saved, array: np.ndarray) -> None:
    with pytest.raises(DataError, match=r"an array of features, \[rows, features\] of floats"):
        saved(array)


class Marker:
    """What unpickling would run."""

    ran = False

    def __reduce__(self):
        return setattr, (Marker, "ran", True)


def test_python_objects_are_refused_and_never_made(tmp_path: Path, saved) -> None:
    with pytest.raises(DataError, match="Python objects, which are not opened"):
        saved(np.array([[Marker()]], object))
    (tmp_path / "pickle.npy").write_bytes(pickle.dumps(Marker()))
    with pytest.raises(DataError, match="Python objects, which are not opened"):
        read_matrix(tmp_path / "table.csv", [str(tmp_path / "pickle.npy")])
    assert not Marker.ran


@pytest.mark.parametrize("kept", [0, 5, 60, 130])
def test_truncated_files_are_refused(tmp_path: Path, kept: int) -> None:
    file = tmp_path / "features.npy"
    np.save(file, VALUES)
    file.write_bytes(file.read_bytes()[:kept])
    with pytest.raises(DataError, match=r"in .*features\.npy, found"):
        read_matrix(tmp_path / "table.csv", [str(file)])


@pytest.mark.parametrize("shape", [(10**12, 3), (10**30, 3), (-1, 3)])
def test_enormous_declared_shapes_are_refused(tmp_path: Path, shape: tuple[int, int]) -> None:
    file = tmp_path / "features.npy"
    header = f"{{'descr': '<f4', 'fortran_order': False, 'shape': {shape}, }}".ljust(117) + "\n"
    file.write_bytes(b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header.encode())
    with pytest.raises(DataError, match=r"in .*features\.npy, found"):
        read_matrix(tmp_path / "table.csv", [str(file)])


def test_several_arrays_in_one_file_are_refused(tmp_path: Path) -> None:
    with (tmp_path / "features.npy").open("wb") as file:
        np.savez(file, VALUES)
    with pytest.raises(DataError, match="several arrays in one file"):
        read_matrix(tmp_path / "table.csv", [str(tmp_path / "features.npy")])


def test_a_missing_file(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no such file"):
        read_matrix(tmp_path / "table.csv", [str(tmp_path / "none.npy")])


def test_what_was_moved_with_its_table_is_found(tmp_path: Path) -> None:
    np.save(tmp_path / "f.npy", VALUES)
    found = read_matrix(tmp_path / "table.csv", [str(tmp_path / "before" / "f.npy")])
    np.testing.assert_array_equal(found, VALUES)


def test_what_names_an_array() -> None:
    assert is_array(["a.npy"])
    assert is_array(["a.npz"])
    assert not is_array(["features"])
    assert not is_array(["a.npy", "b.npy"])


class TestColumns:
    """Features in the table itself."""

    @pytest.fixture
    def table(self, tmp_path: Path):
        pyarrow = pytest.importorskip("pyarrow")
        from pyarrow import parquet

        def write(**columns: object) -> Path:
            parquet.write_table(pyarrow.table(columns), tmp_path / "t.parquet")
            return tmp_path / "t.parquet"

        return write

    def test_lists_and_numbers_lie_side_by_side(self, table) -> None:
        file = table(label=["a", "b"], own=[[1.5, 2.0], [3.0, 4.0]], n=[7, 8])
        np.testing.assert_array_equal(read_matrix(file, ["own", "n"]), [[1.5, 2, 7], [3, 4, 8]])

    def test_a_star_stands_for_anything(self, table) -> None:
        columns = {"label": ["a", "b"]} | {f"e{n}": [n, n + 0.5] for n in (2, 10, 1)}
        file = table(**columns, other=[7, 7])
        np.testing.assert_array_equal(read_matrix(file, ["e*"]), [[2, 10, 1], [2.5, 10.5, 1.5]])
        with pytest.raises(DataError, match=r"one column x\* of features"):
            read_matrix(file, ["x*"])

    @pytest.mark.parametrize(
        ("column", "message"),
        [
            ([[1.0], [2.0, 3.0]], "found 2 of them in row 2, 1 in row 1"),
            ([[1.0], None], "an empty cell in row 2"),
            ([[1.0], [None]], "with empty entries"),
            ([[], []], "empty lists"),
            (["x", "y"], "found (string|large_string)"),
            ([["x"], ["y"]], "found list"),
        ],
    )
    def test_other_columns_are_refused(self, table, column: object, message: str) -> None:
        with pytest.raises(DataError, match=message):
            read_matrix(table(own=column), ["own"])

    def test_columns_that_a_comma_holds_together(self, table) -> None:
        with pytest.raises(DataError, match="separate columns by spaces: `features` own other"):
            read_matrix(table(own=[1.0, 2.0], other=[1.0, 2.0]), ["own,other"])

    def test_a_missing_column(self, table) -> None:
        with pytest.raises(DataError, match=r"one column other of features .* found 0"):
            read_matrix(table(own=[1.0]), ["own", "other"])

    def test_a_csv_has_no_columns_of_features(self, tmp_path: Path) -> None:
        with pytest.raises(DataError, match="save the table as Parquet"):
            read_matrix(tmp_path / "t.csv", ["own"])
