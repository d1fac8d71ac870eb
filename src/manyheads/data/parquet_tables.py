"""Rows of a Parquet table."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from manyheads.data.data_settings import TableSettings
from manyheads.data.table_files import ROLES, TableRow, cell_text, columns_of, unreadable
from manyheads.errors import DataError, MissingExtraError


def parquet_rows(
    path: Path, settings: TableSettings, required: Sequence[str], names: list[str]
) -> Iterator[TableRow]:
    """The rows of the Parquet file in `path`; raises `DataError` for what is none."""
    with parquet_errors(path) as parquet, parquet.ParquetFile(path) as file:
        header = list(file.schema_arrow.names)
        places = columns_of(path, header, settings, required)
        names.extend(header)
        columns = list(dict.fromkeys(header[place] for place in places.values()))
        number = 0
        for batch in file.iter_batches(columns=columns):
            for row in batch.to_pylist():
                number += 1
                cells = dict.fromkeys(ROLES, "")
                for role, place in places.items():
                    cells[role] = typed_text(path, number, header[place], row.get(header[place]))
                yield TableRow(number, cells)


def typed_text(path: Path, number: int, column: str, value: Any) -> str:
    """A cell as text; raises `DataError` for one that holds more than a text or a number."""
    try:
        return cell_text(value)
    except ValueError as error:
        raise DataError(
            f"a text or a number in row {number}, column {column!r}, of {path}", str(error),
            "write a table whose cells hold paths and labels",
        ) from error  # fmt: skip


@contextmanager
def parquet_errors(path: Path) -> Iterator[Any]:
    """`pyarrow.parquet` to read `path` with; what goes wrong is a `DataError`.

    Raises `MissingExtraError` if it is not installed.
    """
    try:
        from pyarrow import ArrowException, parquet
    except ImportError as error:
        remedy = "run pip install 'manyheads[parquet]', or save the manifest as CSV"
        raise MissingExtraError(f"pyarrow to read {path}", "none installed", remedy) from error
    try:
        yield parquet
    except ArrowException as error:
        found = " ".join(str(error).split())[:120]
        raise DataError(f"{path} to be a Parquet file", found, "write it again") from error
    except OSError as error:
        raise unreadable(path, error) from error
