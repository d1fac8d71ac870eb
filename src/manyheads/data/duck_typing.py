"""Tables and tensors of other libraries, told by their interface: none of them is imported."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from manyheads.errors import DataError


def column_names(given: Any) -> list[str] | None:
    """The names of a table's columns; None for what is no table.

    A table is a data frame of pandas or polars, a table of Arrow, a data set of Hugging Face, or a
    dictionary of columns. Raises `DataError` for a table that is not computed yet.
    """
    if isinstance(given, Mapping):
        return list(map(str, given))
    names = getattr(given, "column_names", None)
    if names is None:
        names = getattr(given, "columns", None)
    if names is None or isinstance(names, str) or not isinstance(names, Iterable):
        return None
    if callable(getattr(given, "collect", None)) or callable(getattr(given, "compute", None)):
        raise DataError(
            "a table in memory", f"{type(given).__name__}, which is not computed yet",
            "collect() or compute() it",
        )  # fmt: skip
    return list(map(str, names)) if callable(getattr(given, "__getitem__", None)) else None


def column_values(table: Any, name: str) -> list[Any]:
    """The values of a column of what has `column_names`."""
    keys = table if isinstance(table, Mapping) else getattr(table, "columns", ())
    # A data frame's name may be a number.
    key = next((key for key in keys if isinstance(key, int) and str(key) == name), name)
    column = table[key]
    for method in ("to_pylist", "to_list", "tolist"):
        if callable(getattr(column, method, None)):
            return list(getattr(column, method)())
    return list(column)


def is_tensor(given: Any) -> bool:
    """Whether `given` is an array of another library, such as a tensor of PyTorch or TensorFlow."""
    own = isinstance(given, np.ndarray | np.generic)
    return not own and hasattr(given, "__array__") and hasattr(given, "shape")


def as_array(given: Any) -> Any:
    """A tensor in NumPy, anything else as it is; raises `DataError` for one that is elsewhere."""
    if not is_tensor(given) or column_names(given) is not None or hasattr(given, "iloc"):
        return given
    try:
        return np.asarray(given)
    except (TypeError, ValueError, RuntimeError) as error:
        raise DataError(
            "an array in the main memory", str(error).splitlines()[0],
            "detach it and copy it, as tensor.detach().cpu()",
        ) from error  # fmt: skip
