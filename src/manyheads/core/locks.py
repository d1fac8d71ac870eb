"""One process at a time, without making a request to stop wait."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from manyheads.core.places import disk_errors, make_folder
from manyheads.errors import Interrupted

_PATIENCE = 0.2  # seconds between two looks at `stop`


@contextmanager
def alone(path: Path, what: str, stop: threading.Event | None = None) -> Iterator[None]:
    """Hold the lock file `path`, waiting for whoever holds it now.

    Raises `Interrupted`, with `what` in its text, when `stop` is set meanwhile, and `DiskError`.
    """
    make_folder(path.parent)
    # The operating system frees the lock of a process that was killed, so the file, which stays,
    # says nothing. Waiting in short attempts lets `stop` end it.
    lock = FileLock(path)
    while not lock.is_locked:
        if stop is not None and stop.is_set():
            raise Interrupted(what, "repeat the command: it continues where it stopped")
        with disk_errors(path):
            _try(lock)
    try:
        yield
    finally:
        lock.release()


def _try(lock: FileLock) -> None:
    # filelock's Timeout is an OSError too, but not one of the disk.
    try:
        lock.acquire(timeout=_PATIENCE)
    except Timeout:
        return
