"""SHA-256 of files: the name of an image's content."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from functools import partial

import numpy as np

from manyheads.core.job import SILENT, Job
from manyheads.core.machine import cores
from manyheads.core.threads import map_in_threads
from manyheads.data.columns import DIGEST_BYTES, Digests, Rows
from manyheads.data.paths import Paths
from manyheads.errors import DataError

READING = "reading the images"
_CHUNK = 1 << 18
# More read small files no faster, and on a busy machine wait for each other's turns.
_THREADS = min(4, cores())
_AT_ONCE = 64  # files: enough that handing them to a thread costs little beside reading them


def digests_of(paths: Paths, rows: Rows, job: Job = SILENT) -> Iterator[tuple[Rows, Digests]]:
    """SHA-256 of the bytes of the files at these rows of `paths`, some files at a time, in order.

    Raises `DataError` naming a file that the system does not let us read, `Interrupted` when
    `job` is stopped.
    """
    parts = [rows[start : start + _AT_ONCE] for start in range(0, len(rows), _AT_ONCE)]
    one = partial(_digests, paths, job=job)
    found = map_in_threads(one, parts, what=READING, threads=_THREADS, job=job)
    yield from zip(parts, found, strict=True)


def tree_digest(files: Iterable[tuple[str, str]]) -> str:
    """SHA-256 over the sorted pairs of (relative path, digest of the bytes) of many files."""
    total = hashlib.sha256()
    for name, content in sorted(files):
        total.update(f"{name}\0{content}\n".encode())
    return total.hexdigest()


def _digests(paths: Paths, rows: Rows, job: Job) -> Digests:
    buffer = memoryview(bytearray(_CHUNK))
    found = b"".join(_digest(path, buffer, job) for path in paths.take(rows).texts())
    return Digests(np.frombuffer(found, np.uint8).reshape(-1, DIGEST_BYTES))


def _digest(path: str, buffer: memoryview, job: Job) -> bytes:
    total = hashlib.sha256()
    try:
        with open(path, "rb", buffering=0) as file:
            while count := file.readinto(buffer):
                job.check(READING)
                total.update(buffer[:count])
    except OSError as error:
        found = (error.strerror or str(error)).lower()
        remedy = "check the file and its permissions, or take it out of the data set"
        raise DataError(f"to read {path}", found, remedy) from error
    return total.digest()
