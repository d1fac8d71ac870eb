"""How many trials of a study are in which state, read without touching anything of the study."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path

from manyheads.errors import RunError

ENDED = ("done", "failed", "pruned")


def trial_counts(path: Path) -> Mapping[str, int]:
    """The number of trials by state in the store at `path`, of any format; none if it is not there.

    Unlike `Store`, this brings no older format up to date and writes no file beside it, so that it
    may look at any folder, also while another process trains. Raises `RunError` for a file that is
    no store.
    """
    if not path.is_file():
        return {}
    with only_read(path) as database:
        return dict(database.execute("SELECT state, count(*) FROM trials GROUP BY state"))


@contextmanager
def only_read(path: Path) -> Iterator[sqlite3.Connection]:
    """The store at `path`, which is there, to be asked and not changed, nor locked for its writer.

    Raises `RunError` for a file that is no store, also where a question shows that.
    """
    # SQLite's log is there while a process has the store open, or was killed with it. Without one
    # nothing is being written, and `immutable` keeps SQLite from making it.
    log = path.with_name(f"{path.name}-wal")
    access = "mode=ro" if log.exists() else "immutable=1"
    try:
        with closing(sqlite3.connect(f"{path.absolute().as_uri()}?{access}", uri=True)) as database:
            yield database
    except sqlite3.Error as error:
        raise RunError(
            f"the record of a study in {path}", str(error),
            "restore the file, or begin the study anew in another run folder",
        ) from error  # fmt: skip
