"""One process at a time, without making a request to stop wait."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from manyheads.core.job import SILENT, Job
from manyheads.core.places import disk_errors, make_folder

_PATIENCE = 0.2  # seconds between two looks at the job


@contextmanager
def alone(path: Path, what: str, job: Job = SILENT) -> Iterator[None]:
    """Hold the lock file `path`, waiting for whoever holds it now.

    `what` says what is to be done. Raises `Interrupted`, with it in its text, when `job` is stopped
    meanwhile, and `DiskError`.
    """
    make_folder(path.parent)
    # The operating system frees the lock of a process that was killed, so the file, which stays,
    # says nothing. Waiting in short attempts lets a stop end it.
    lock = FileLock(path)
    job.check(what, "repeat the command: it continues where it stopped")
    with disk_errors(path):
        _try(lock)
    if not lock.is_locked:
        with job.step(f"waiting for another process: {what}"):
            while not lock.is_locked:
                job.check(what, "repeat the command: it continues where it stopped")
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
