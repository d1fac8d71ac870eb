"""SHA-256 of files: the name of an image's content."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Iterable, Sequence
from functools import partial
from pathlib import Path

from manyheads.data.threads import Progress, check_stop, map_in_threads
from manyheads.errors import DataError

_WHAT = "reading the images"
_CHUNK = 1 << 20


def file_digests(
    paths: Sequence[Path],
    *,
    progress: Progress | None = None,
    stop: threading.Event | None = None,
) -> tuple[str, ...]:
    """SHA-256 of each file's bytes, in hexadecimal, in the order of `paths`.

    Raises `DataError` naming a file that the system does not let us read, `Interrupted` when
    `stop` is set.
    """
    one = partial(_digest, stop=stop)
    return tuple(map_in_threads(one, paths, what=_WHAT, progress=progress, stop=stop))


def tree_digest(files: Iterable[tuple[str, str]]) -> str:
    """SHA-256 over the sorted pairs of (relative path, digest of the bytes) of many files."""
    total = hashlib.sha256()
    for name, content in sorted(files):
        total.update(f"{name}\0{content}\n".encode())
    return total.hexdigest()


def _digest(path: Path, stop: threading.Event | None) -> str:
    total = hashlib.sha256()
    try:
        with path.open("rb") as file:
            while chunk := file.read(_CHUNK):
                check_stop(_WHAT, stop)
                total.update(chunk)
    except OSError as error:
        found = (error.strerror or str(error)).lower()
        remedy = "check the file and its permissions, or take it out of the data set"
        raise DataError(f"to read {path}", found, remedy) from error
    return total.hexdigest()
