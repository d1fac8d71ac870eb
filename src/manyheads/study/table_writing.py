"""Tidy tables as CSV files, whole or not at all."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Sequence
from pathlib import Path

from manyheads.core.places import atomic_path
from manyheads.errors import MissingExtraError


def write_table(path: Path, columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Write `rows` under `columns`; what is None is an empty cell."""
    with atomic_path(path) as temporary, temporary.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(columns)
        writer.writerows(rows)


def require_parquet(otherwise: str = "leave out --parquet") -> None:
    """Raise `MissingExtraError`, with what to do `otherwise`, if Parquet cannot be written here."""
    try:
        import pyarrow  # noqa: F401 - asked for, not used
    except ImportError as error:
        remedy = f"run pip install 'manyheads[parquet]', or {otherwise}"
        raise MissingExtraError("pyarrow to write Parquet", "none installed", remedy) from error


def write_parquet(table: Path) -> Path:
    """Write the CSV file `table` once more beside it, as Parquet; returns the new file."""
    from pyarrow import csv, parquet

    target = table.with_suffix(".parquet")
    with atomic_path(target) as temporary:
        parquet.write_table(csv.read_csv(table), temporary)
    return target
