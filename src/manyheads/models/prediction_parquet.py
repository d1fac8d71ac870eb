"""Rows of predictions as a Parquet file, a group of rows in memory at a time."""

from __future__ import annotations

import json
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

from manyheads.core.places import atomic_path
from manyheads.errors import DataError
from manyheads.models.prediction_rows import RowForm

_GROUP = 10_000  # rows
_TEXTS = ("image", "label", "given", "error")


def write(path: Path, form: RowForm, rows: Path) -> None:
    """Write the lists of cells in the file `rows` as `path`, whole or not at all."""
    import pyarrow
    from pyarrow import parquet

    schema = pyarrow.schema([(name, _type(name, form)) for name in form.columns])
    with (
        atomic_path(path) as temporary,
        rows.open(encoding="utf-8") as lines,
        parquet.ParquetWriter(temporary, schema) as writer,
    ):
        while group := [
            [_text(cell) for cell in json.loads(line)] for line in islice(lines, _GROUP)
        ]:
            columns = dict(zip(form.columns, map(list, zip(*group, strict=True)), strict=True))
            writer.write_table(pyarrow.table(columns, schema=schema))


def rows_of(path: Path) -> Iterator[dict[str, Any]]:
    """The rows of a Parquet file by column; raises `DataError` if it is none."""
    from pyarrow import ArrowException, parquet

    try:
        with parquet.ParquetFile(path) as file:
            for batch in file.iter_batches():
                yield from batch.to_pylist()
    except (ArrowException, OSError) as error:
        found = " ".join(str(error).split())[:120]
        raise DataError(f"{path} to be a Parquet file", found, "remove it") from error


def _type(name: str, form: RowForm) -> Any:
    import pyarrow

    if name in _TEXTS or (form.top is not None and name.startswith("class_")):
        return pyarrow.string()
    return pyarrow.bool_() if name == "abstained" else pyarrow.float64()


def _text(cell: Any) -> Any:
    # A name of a file that is no text has bytes that Parquet's text cannot hold.
    if isinstance(cell, str):
        return cell.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
    return cell
