"""Tidy tables as CSV and Parquet files, whole or not at all."""

from __future__ import annotations

import csv
import math
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from manyheads.core.places import atomic_path
from manyheads.data.spreadsheet_cells import row_cells
from manyheads.errors import MissingExtraError

if TYPE_CHECKING:
    import pyarrow


def write_table(path: Path, columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Write `rows` under `columns`; what is None is an empty cell, and no text is a formula."""
    with atomic_path(path) as temporary, temporary.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(columns)
        writer.writerows(map(row_cells, rows))


def finite(number: float) -> float | None:
    """A number for a cell; the open end of an interval, which is infinite, is an empty cell."""
    return None if math.isinf(number) else number


def require_parquet(otherwise: str = "leave out `parquet`") -> None:
    """Raise `MissingExtraError`, with what to do `otherwise`, if Parquet cannot be written here."""
    try:
        import pyarrow  # noqa: F401 - asked for, not used
    except ImportError as error:
        remedy = f"run pip install 'manyheads[parquet]', or {otherwise}"
        raise MissingExtraError("pyarrow to write Parquet", "none installed", remedy) from error


def write_parquet(target: Path, schema: pyarrow.Schema, parts: Iterable[pyarrow.Table]) -> None:
    """Write tables of `schema`, one below the other, as the Parquet file `target`, or nothing."""
    from pyarrow import parquet

    with (
        atomic_path(target) as temporary,
        parquet.ParquetWriter(temporary, schema) as writer,
    ):
        for part in parts:
            writer.write_table(part)


def csv_as_parquet(table: Path) -> Path:
    """Write the CSV file `table` once more beside it, as Parquet; returns the new file."""
    from pyarrow import csv

    target, whole = table.with_suffix(".parquet"), csv.read_csv(table)
    write_parquet(target, whole.schema, [whole])
    return target
