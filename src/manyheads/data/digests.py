"""SHA-256 of files: the name of an image's content."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from functools import partial

import numpy as np
from jaxtyping import Int64

from manyheads.core.addresses import is_address
from manyheads.core.job import SILENT, Job
from manyheads.core.machine import cores
from manyheads.core.threads import map_in_threads
from manyheads.data.columns import DIGEST_BYTES, Digests, Rows
from manyheads.data.paths import Paths
from manyheads.data.remote_copies import read_and_keep
from manyheads.data.remote_files import READERS
from manyheads.data.remote_path import remedy_of
from manyheads.errors import DataError

READING = "reading the images"
_CHUNK = 1 << 18
# More read small files no faster, and on a busy machine wait for each other's turns.
_THREADS = min(4, cores())
_AT_ONCE = 64  # files: enough that handing them to a thread costs little beside reading them
_FEW = 4  # files at addresses: so that all readers have some


def digests_of(
    paths: Paths,
    rows: Rows,
    job: Job = SILENT,
    sizes: Int64[np.ndarray, "files"] | None = None,
) -> Iterator[tuple[Rows, Digests]]:
    """SHA-256 of the bytes of the files at these rows of `paths`, some files at a time, in order.

    Files at addresses are read many at once, and kept (`remote_copies`). They must have as many
    bytes as `sizes` says; -1 is not known. Raises `DataError` naming a file that cannot be read,
    `Interrupted` when `job` is stopped, and what `remote_files.read` raises.
    """
    waits = bool(paths.take(rows).elsewhere.any())
    many, threads = (_FEW, READERS) if waits else (_AT_ONCE, _THREADS)
    parts = [rows[start : start + many] for start in range(0, len(rows), many)]
    one = partial(_digests, paths, job=job, sizes=sizes)
    found = map_in_threads(one, parts, what=READING, threads=threads, job=job)
    yield from zip(parts, found, strict=True)


def tree_digest(files: Iterable[tuple[str, str]]) -> str:
    """SHA-256 over the sorted pairs of (relative path, digest of the bytes) of many files."""
    total = hashlib.sha256()
    for name, content in sorted(files):
        total.update(f"{name}\0{content}\n".encode())
    return total.hexdigest()


def _digests(
    paths: Paths, rows: Rows, job: Job, sizes: Int64[np.ndarray, "files"] | None
) -> Digests:
    buffer = memoryview(bytearray(_CHUNK))
    known = [-1] * len(rows) if sizes is None else sizes[rows].tolist()
    texts = zip(paths.take(rows).texts(), known, strict=True)
    found = b"".join(_digest(path, size, buffer, job) for path, size in texts)
    return Digests(np.frombuffer(found, np.uint8).reshape(-1, DIGEST_BYTES))


def _digest(path: str, size: int, buffer: memoryview, job: Job) -> bytes:
    total = hashlib.sha256()
    try:
        if is_address(path):
            return hashlib.sha256(read_and_keep(path, job, size=size)).digest()
        with open(path, "rb", buffering=0) as file:
            while count := file.readinto(buffer):
                job.check(READING)
                total.update(buffer[:count])
    except OSError as error:
        found = (error.strerror or str(error)).lower()
        remedy = "check the file and its permissions"
        remedy = f"{remedy_of(error, remedy)}, or take it out of the data set"
        raise DataError(f"to read {path}", found, remedy) from error
    return total.digest()
