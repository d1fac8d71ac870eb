"""Rows of tables whose cells have types: Parquet, and JSON lines, one object per line."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from manyheads.data.data_settings import TableSettings
from manyheads.data.remote_path import FilePath, readable
from manyheads.data.table_files import ROLES, TableRow, cell_text, columns_of, unreadable
from manyheads.errors import DataError, MissingExtraError


def parquet_rows(
    path: FilePath, settings: TableSettings, required: Sequence[str], names: list[str]
) -> Iterator[TableRow]:
    """The rows of the Parquet file in `path`; raises `DataError` for what is none."""
    with parquet_errors(path) as parquet, parquet.ParquetFile(readable(path)) as file:
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
                    cells[role] = _typed_text(path, number, header[place], row.get(header[place]))
                yield TableRow(number, cells)


def json_rows(
    path: FilePath, settings: TableSettings, required: Sequence[str], names: list[str]
) -> Iterator[TableRow]:
    """The objects of the JSON lines in `path`, a row each; raises `DataError` for what is none.

    An object may leave out what it has not: a column is one that any of them has.
    """
    try:
        header = list(dict.fromkeys(key for _, row in _objects(path) for key in row))
        places = columns_of(path, header, settings, required)
        names.extend(header)
        for number, row in _objects(path):
            cells = dict.fromkeys(ROLES, "")
            for role, place in places.items():
                cells[role] = _typed_text(path, number, header[place], row.get(header[place]))
            yield TableRow(number, cells)
    except UnicodeDecodeError as error:
        raise DataError(f"{path} to be UTF-8 text", "other bytes", "save it as UTF-8") from error
    except OSError as error:
        raise unreadable(path, error) from error


@contextmanager
def parquet_errors(path: FilePath) -> Iterator[Any]:
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


def _typed_text(path: FilePath, number: int, column: str, value: Any) -> str:
    """A cell as text; raises `DataError` for one that holds more than a text or a number."""
    try:
        return cell_text(value)
    except ValueError as error:
        raise DataError(
            f"a text or a number in row {number}, column {column!r}, of {path}", str(error),
            "write a table whose cells hold paths and labels",
        ) from error  # fmt: skip


def _objects(path: FilePath) -> Iterator[tuple[int, dict[str, Any]]]:
    with path.open(encoding="utf-8-sig") as file:
        for number, line in enumerate(file, start=1):
            if not line.strip():
                continue
            try:
                row = json.loads(line)
            except (ValueError, RecursionError):
                row = None
            if not isinstance(row, dict):
                raise DataError(
                    f"a JSON object in line {number} of {path}", repr(line.strip()[:40]),
                    "write an object per line, such as pandas' to_json(…, orient='records', "
                    "lines=True)",
                )  # fmt: skip
            yield number, row
