"""Rows of a table in JSON lines: an object a line."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from manyheads.data.data_settings import TableSettings
from manyheads.data.parquet_tables import typed_text
from manyheads.data.table_files import ROLES, TableRow, columns_of, unreadable
from manyheads.errors import DataError


def json_rows(
    path: Path, settings: TableSettings, required: Sequence[str], names: list[str]
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
                cells[role] = typed_text(path, number, header[place], row.get(header[place]))
            yield TableRow(number, cells)
    except UnicodeDecodeError as error:
        raise DataError(f"{path} to be UTF-8 text", "other bytes", "save it as UTF-8") from error
    except OSError as error:
        raise unreadable(path, error) from error


def _objects(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
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
                    "write an object a line, such as pandas' to_json(…, orient='records', "
                    "lines=True)",
                )  # fmt: skip
            yield number, row
