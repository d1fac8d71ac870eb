"""Features in columns of a table in memory, as the file of an array that a study reads."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from manyheads.core.places import atomic_path, cache_dir
from manyheads.data.duck_typing import column_names, column_values
from manyheads.data.feature_files import is_array
from manyheads.data.split_names import split_name
from manyheads.errors import DataError

_REMEDY = "name columns of numbers, or one of equally long lists of them, with `features`"


def given_features(data: Any, features: Sequence[str] | None) -> Sequence[str] | None:
    """`features`; where they name columns of a table in memory, the array's file that has them.

    A table is what has `column_names`, such as a data frame or a data set of Hugging Face, or a
    dictionary of these by split. The array is written to the cache, named by its content, float32.
    Raises `DataError` for a column that is missing or holds no numbers.
    """
    if features is None or is_array(features) or isinstance(data, str | os.PathLike):
        return features
    parts = data.values() if _by_split(data) else [data]
    matrix = np.concatenate([_side_by_side(part, features) for part in parts])
    digest = hashlib.sha256(matrix.tobytes()).hexdigest()
    target = cache_dir() / "datasets" / "tables" / f"features-{digest[:16]}.npy"
    if not target.is_file():
        with atomic_path(target) as temporary:
            np.save(temporary, matrix)
    return (str(target),)


def _by_split(data: Any) -> bool:
    if not isinstance(data, Mapping) or not data:
        return False
    return all(isinstance(key, str) and split_name(key) is not None for key in data)


def _side_by_side(table: Any, features: Sequence[str]) -> np.ndarray[Any, Any]:
    names = column_names(table)
    if names is None:
        raise DataError(
            "a table with columns, for `features` names some", type(table).__name__,
            "give a data frame, or the file of an array as `features`",
        )  # fmt: skip
    for name in features:
        if name not in names:
            raise DataError(f"the column {name!r} of features", ", ".join(names)[:160], _REMEDY)
    columns = [_numbers(name, column_values(table, name)) for name in features]
    return np.ascontiguousarray(np.concatenate(columns, axis=1))


def _numbers(name: str, values: list[Any]) -> np.ndarray[Any, Any]:
    expected = f"numbers, or equally long lists of them, in every row of {name}"
    try:
        with np.errstate(over="ignore"):  # what becomes infinite is refused by its row
            column = np.asarray(values, np.float32)
    except (ValueError, TypeError) as error:  # lists of several lengths, texts, empty cells
        raise DataError(expected, " ".join(str(error).split())[:120], _REMEDY) from error
    if column.ndim not in (1, 2) or 0 in column.shape:
        raise DataError(expected, f"{list(column.shape)}", _REMEDY)
    return column.reshape(len(column), -1)
