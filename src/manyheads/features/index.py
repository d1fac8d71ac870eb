"""Which content is in which row: the SQLite index of one folder of features."""

from __future__ import annotations

import errno
import os
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, NamedTuple

from manyheads.core.places import disk_errors
from manyheads.errors import DiskError

# The refusals of versions that read fewer images are in a table `failures`, and count no more.
# A rollback journal, not a write-ahead log: the latter does not work on network disks.
_SCHEMA = """
CREATE TABLE IF NOT EXISTS features (
    content TEXT PRIMARY KEY, position INTEGER NOT NULL UNIQUE, checksum INTEGER NOT NULL
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS refusals (content TEXT PRIMARY KEY, reason TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS facts (name TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;
"""
_AT_ONCE = 900  # SQLite's older limit of variables in a statement is 999
_PATIENCE = 60.0  # seconds to wait for another process's transaction
_CHECKED = 64 << 20  # bytes of an index that is looked through at each opening: a quarter second
_NOT_A_DATABASE = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)
_ERRNO = {
    sqlite3.SQLITE_FULL: errno.ENOSPC,
    sqlite3.SQLITE_READONLY: errno.EROFS,
    sqlite3.SQLITE_CANTOPEN: errno.EACCES,
    sqlite3.SQLITE_PERM: errno.EACCES,
    sqlite3.SQLITE_IOERR: errno.EIO,
}


class IndexEntry(NamedTuple):
    """Where a content's features are, and the checksum that they should have."""

    row: int
    checksum: int


class DamagedIndex(Exception):
    """The file is no longer an index."""


class Index:
    """An open index; raises `DamagedIndex` if it is none, `DiskError` where the disk refuses.

    With `read_only`, of a folder in which nobody can write, it needs no lock there. A large index
    is looked through only after `suspect`: its damage shows when it is used.
    """

    def __init__(self, path: Path, *, read_only: bool = False) -> None:
        self.path = path
        self._doubts = path.with_suffix(".suspect")
        name = f"{path.absolute().as_uri()}?immutable=1" if read_only else path
        with self._errors():
            # One thread uses it at a time; but a stream of predictions that is dropped before its
            # end is closed by whichever thread collects it.
            self._database = sqlite3.connect(
                name, timeout=_PATIENCE, isolation_level=None, uri=read_only,
                check_same_thread=False,
            )  # fmt: skip
        try:
            with self._errors():
                if self._doubts.exists() or path.stat().st_size <= _CHECKED:
                    verdict = self._database.execute("PRAGMA quick_check(1)").fetchone()[0]
                    if verdict != "ok":
                        raise DamagedIndex(verdict)
                if read_only:
                    return
                self._doubts.unlink(missing_ok=True)
                self._database.executescript(f"BEGIN IMMEDIATE; {_SCHEMA} COMMIT;")
        except BaseException:
            self._database.close()
            raise

    def suspect(self) -> None:
        """Have the next opening look through the whole index, however large it is."""
        with suppress(OSError):
            self._doubts.touch()

    def find(self, contents: Sequence[str]) -> dict[str, IndexEntry]:
        """The entries of those contents that have one."""
        found = self._select("content, position, checksum FROM features", contents)
        return {content: IndexEntry(row, checksum) for content, row, checksum in found}

    def failures(self, contents: Sequence[str]) -> dict[str, str]:
        """The reasons why some of these contents are no images."""
        return dict(self._select("content, reason FROM refusals", contents))

    def refused(self) -> list[str]:
        """All contents that are no images."""
        with self._errors():
            rows = self._database.execute("SELECT content FROM refusals")
            return [content for (content,) in rows]

    def entries(self) -> Iterator[tuple[str, int]]:
        """All contents and their rows."""
        with self._errors():
            yield from self._database.execute("SELECT content, position FROM features")

    def fact(self, name: str) -> int | None:
        """A number that belongs to the whole folder."""
        with self._errors():
            rows = self._database.execute("SELECT value FROM facts WHERE name = ?", (name,))
            return next((value for (value,) in rows), None)

    def next_row(self) -> int:
        """The first row behind all that are named."""
        with self._errors():
            rows = self._database.execute("SELECT max(position) FROM features")
            last = rows.fetchone()[0]
            return 0 if last is None else last + 1

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """What changes inside comes to be at its end, or not at all; one process at a time."""
        with self._errors():
            self._database.execute("BEGIN IMMEDIATE")
        try:
            yield
            with self._errors():
                self._database.execute("COMMIT")
        except BaseException:
            if self._database.in_transaction:
                self._database.execute("ROLLBACK")
            raise

    def add(self, entries: Mapping[str, IndexEntry]) -> None:
        """Name rows that have been written."""
        rows = [(content, *entry) for content, entry in entries.items()]
        self._change("INSERT INTO features VALUES (?, ?, ?)", rows)

    def add_failure(self, content: str, reason: str) -> None:
        """Remember why a content is no image."""
        self._change("INSERT OR REPLACE INTO refusals VALUES (?, ?)", [(content, reason)])

    def set_fact(self, name: str, value: int) -> None:
        """Set a number that belongs to the whole folder."""
        self._change("INSERT OR REPLACE INTO facts VALUES (?, ?)", [(name, value)])

    def forget(self, entries: Mapping[str, IndexEntry]) -> None:
        """Drop these entries, unless another process has replaced them meanwhile."""
        rows = [(content, *entry) for content, entry in entries.items()]
        self._change(
            "DELETE FROM features WHERE content = ? AND position = ? AND checksum = ?", rows
        )

    def close(self) -> None:
        """Close the file."""
        self._database.close()

    def _select(self, what: str, contents: Sequence[str]) -> Iterator[tuple[Any, ...]]:
        for start in range(0, len(contents), _AT_ONCE):
            wanted = list(contents[start : start + _AT_ONCE])
            marks = ", ".join("?" * len(wanted))
            with self._errors():
                query = f"SELECT {what} WHERE content IN ({marks})"
                rows = self._database.execute(query, wanted).fetchall()
            yield from rows

    def _change(self, statement: str, rows: Sequence[tuple[object, ...]]) -> None:
        with self._errors():
            self._database.executemany(statement, rows)

    @contextmanager
    def _errors(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.DatabaseError as error:
            # The low byte is the kind of error, the others say more about it.
            code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR) & 0xFF
            if code in _NOT_A_DATABASE:
                raise DamagedIndex(str(error)) from error
            if code in _ERRNO:
                with disk_errors(self.path):
                    raise OSError(_ERRNO[code], os.strerror(_ERRNO[code])) from error
            if code == sqlite3.SQLITE_BUSY:
                raise DiskError(
                    f"to write {self.path}",
                    f"it locked by another process for {_PATIENCE:g} seconds",
                    "end that process and repeat the command",
                ) from error
            raise
