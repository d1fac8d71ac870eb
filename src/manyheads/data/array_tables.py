"""Arrays of NumPy under their names, in one `.npz` file: features, and what is known of their rows.

Nothing in a file is executed: arrays of Python objects are refused.
"""

from __future__ import annotations

import zipfile
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np

from manyheads.data.data_settings import TableSettings
from manyheads.data.remote_path import FilePath
from manyheads.data.table_files import ROLES, TableRow, cell_text, columns_of, unreadable
from manyheads.errors import DataError

ARRAYS_SUFFIX = ".npz"
FEATURES = "features"
_PLURALS = {"paths": "path", "names": "path", "labels": "label", "splits": "split",
            "groups": "group"}  # fmt: skip
_REMEDY = "save it with np.savez(file, features=…, labels=…), one row per image"


def npz_rows(
    path: FilePath, settings: TableSettings, required: Sequence[str], names: list[str]
) -> Iterator[TableRow]:
    """The rows of the arrays that say something of features: labels, splits, groups, names.

    An array may be called `label` or `labels`, and so on. Raises `DataError` for what is no such
    file, and for arrays that are not equally long.
    """
    with _opened(path) as archive:
        known = [_usual(name, archive.files, settings) for name in archive.files]
        places = columns_of(path, known, settings, required)
        names.extend(archive.files)
        columns = {role: _column(path, archive, archive.files[n]) for role, n in places.items()}
    lengths = {role: len(column) for role, column in columns.items()}
    if len(set(lengths.values())) > 1:
        found = ", ".join(f"{length:,} of {role}" for role, length in lengths.items())
        raise DataError(f"equally long arrays in {path}", found, _REMEDY)
    for number, values in enumerate(zip(*columns.values(), strict=True), start=1):
        cells = dict(zip(columns, map(cell_text, values), strict=True))
        yield TableRow(number, dict.fromkeys(ROLES, "") | cells)


def read_named(path: FilePath, name: str | None) -> np.ndarray[Any, Any]:
    """The array `name` in a `.npz` file; with None the one called features, or the only one.

    Raises `DataError` if there is none, or for what is no such file.
    """
    with _opened(path) as archive:
        files: list[str] = archive.files
        if name is None:
            name = files[0] if len(files) == 1 else FEATURES
        if name not in files:
            shown = ", ".join(files)[:160] or "no arrays"
            raise DataError(f"an array {name!r} in {path}", shown, _REMEDY)
        return archive[name]


def _usual(name: str, names: Sequence[str], settings: TableSettings) -> str:
    """A column's usual name in place of its plural, unless that is taken, or asked for."""
    usual = _PLURALS.get(name, name)
    return name if usual in names or name in settings.given.values() else usual


def _column(path: FilePath, archive: Any, name: str) -> list[Any]:
    array = archive[name]
    if array.ndim != 1 or array.dtype.kind not in "biufUS":
        raise DataError(
            f"a text or a number for each row as {name} in {path}",
            f"{array.dtype} {list(array.shape)}", _REMEDY,
        )  # fmt: skip
    return array.tolist()


@contextmanager
def _opened(path: FilePath) -> Iterator[Any]:
    try:
        with path.open("rb") as file:  # NumPy leaves it open where the archive is damaged
            archive: Any = np.load(file, allow_pickle=False)
            if isinstance(archive, np.ndarray):
                raise ValueError("one array without a name")
            with archive:
                yield archive
    except OSError as error:
        raise unreadable(path, error) from error
    except (  # what NumPy and zipfile make of damage, NotImplementedError of unknown compression
        ValueError, TypeError, EOFError, KeyError, SyntaxError, OverflowError, MemoryError,
        NotImplementedError, RuntimeError, zipfile.BadZipFile, zlib.error,
    ) as error:  # fmt: skip
        found = " ".join(str(error).split())[:160] or "another file"
        if "pickle" in found or "Python objects" in found:
            found = "Python objects, which are not opened because they can run code"
        raise DataError(f"arrays of NumPy in {path}", found, _REMEDY) from error
