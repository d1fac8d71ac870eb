"""Files that are edited, and a clock that can be ahead of their times."""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from manyheads.data import file_index

_HOUR = 3_600_000_000_000


@contextmanager
def an_hour_later() -> Iterator[None]:
    """As if what has been written until now had been written an hour ago."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(file_index, "_now", lambda: time.time_ns() + _HOUR)
        yield


def wait_for_a_tick(folder: Path) -> None:
    """Wait until the file system's clock has moved on, as it has in an hour."""
    probe = folder / ".probe"
    probe.write_bytes(b"")
    before = probe.stat().st_ctime_ns
    while probe.stat().st_ctime_ns == before:
        probe.write_bytes(b"x")
        os.utime(probe)


def read_all(paths: list[Path]) -> list[str]:
    """The digests of files, without any index."""
    return [hashlib.sha256(path.read_bytes()).hexdigest() for path in paths]
