"""A tracker's database written in bulk: its tables as they are found there, in one transaction.

MLflow and Optuna take 10 to 25 ms for a row by their own calls, minutes for ten thousand. Both keep
rows in a few plain tables, which their migrations hold stable. Where these are not as expected,
nothing is written here, and the caller falls back on the tracker's own calls.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from manyheads.publish.trackers import library

_AT_ONCE = 5_000  # rows of a table in one statement
_NAMED = 500  # keys that one statement names: databases bound the number of parameters
_PATIENCE = 30  # seconds to wait for another program that writes


class TrackerTables:
    """The tables of an open database by name; all that is written is one transaction."""

    def __init__(self, connection: Any, tables: Mapping[str, Any]) -> None:
        self._connection, self._tables = connection, tables

    def insert(self, table: str, rows: Iterable[Mapping[str, Any]]) -> None:
        """Add rows, which all have the same columns."""
        block: list[Mapping[str, Any]] = []
        for row in rows:
            block.append(row)
            if len(block) == _AT_ONCE:
                self._connection.execute(self._tables[table].insert(), block)
                block = []
        if block:
            self._connection.execute(self._tables[table].insert(), block)

    def update(self, table: str, key: str, rows: Sequence[Mapping[str, Any]]) -> None:
        """Change the rows that have the same `key`; all have the same columns."""
        if not rows:
            return
        sql, found = library("sqlalchemy"), self._tables[table]
        query = found.update().where(found.c[key] == sql.bindparam("_key"))
        self._connection.execute(
            query.values({name: sql.bindparam(f"_{name}") for name in rows[0] if name != key}),
            [{f"_{name}" if name != key else "_key": v for name, v in row.items()} for row in rows],
        )

    def select(self, table: str, columns: Sequence[str], **where: Any) -> list[tuple[Any, ...]]:
        """The `columns` of the rows whose columns `where` have these values."""
        found = self._tables[table]
        query = library("sqlalchemy").select(*(found.c[name] for name in columns))
        for name, value in where.items():
            query = query.where(found.c[name] == value)
        return [tuple(row) for row in self._connection.execute(query)]

    def greatest(self, table: str, column: str) -> int:
        """The greatest number in a column; 0 in an empty table."""
        sql = library("sqlalchemy")
        query = sql.select(sql.func.max(self._tables[table].c[column]))
        return int(self._connection.execute(query).scalar() or 0)

    def delete(self, table: str, column: str, values: Sequence[Any], **where: Any) -> None:
        """Take away the rows whose `column` is one of `values`, and that are as `where` says."""
        found = self._tables[table]
        for start in range(0, len(values), _NAMED):
            query = found.delete().where(found.c[column].in_(values[start : start + _NAMED]))
            for name, named in where.items():
                query = query.where(found.c[name].in_(named))
            self._connection.execute(query)


@contextmanager
def tracker_tables(uri: str, needed: Mapping[str, Sequence[str]]) -> Iterator[TrackerTables | None]:
    """The tables of the database at `uri`, committed when the context ends without an error.

    `needed` are the columns that rows will have, by table. None where a table lacks one of these,
    or asks for another one.
    """
    sql = library("sqlalchemy")
    waits = {"connect_args": {"timeout": _PATIENCE}} if uri.startswith("sqlite:") else {}
    engine = sql.create_engine(uri, **waits)
    try:
        with engine.begin() as connection:
            tables = _found(sql, connection, needed)
            yield None if tables is None else TrackerTables(connection, tables)
    finally:
        engine.dispose()


def _found(sql: Any, connection: Any, needed: Mapping[str, Sequence[str]]) -> dict[str, Any] | None:
    names = set(sql.inspect(connection).get_table_names())
    if not needed.keys() <= names:
        return None
    metadata = sql.MetaData()
    tables = {name: sql.Table(name, metadata, autoload_with=connection) for name in needed}
    for name, columns in needed.items():
        for column in tables[name].columns:
            optional = column.nullable or column.server_default is not None or column.primary_key
            if column.name not in columns and not optional:
                return None
        if not set(columns) <= set(tables[name].columns.keys()):
            return None
    return tables
