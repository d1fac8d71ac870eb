"""Fetch a file: resumed where it stopped, checked, and in place only when it is whole."""

from __future__ import annotations

import hashlib
import os
import threading
import time
from collections.abc import Callable
from pathlib import Path

from manyheads.core.locks import alone
from manyheads.core.places import disk_errors
from manyheads.core.transfer import Lost, finish, interrupted, remove, transfer
from manyheads.errors import DownloadError

Progress = Callable[[int, int], None]

_PAUSES = (0.5, 2.0)  # seconds before the second and the third attempt
_PATIENCE = 0.2  # seconds between two looks at `stop`


def download(
    url: str,
    target: Path,
    *,
    sha256: str | None = None,
    md5: str | None = None,
    progress: Progress | None = None,
    stop: threading.Event | None = None,
) -> Path:
    """`target`, fetched from an http(s) `url` unless it is already there.

    What arrives is kept in `target.part`, so a later call continues where this one ended. A
    digest in hexadecimal, if given, decides whether a file is the right one, also a file that is
    already there. `progress` gets bytes, with a total of 0 where the server does not tell it.
    Raises `DownloadError`, `DiskError`, and `Interrupted` when `stop` is set.
    """
    if target.exists() and _mismatch(target, sha256, md5) is None:
        return target
    with alone(target.with_name(target.name + ".lock"), "the download", stop):
        if target.exists() and _mismatch(target, sha256, md5) is None:
            return target
        part = target.with_name(target.name + ".part")
        resumed = part.exists()
        _patiently(url, part, progress, stop)
        if resumed and _mismatch(part, sha256, md5):
            # Its halves may come from two versions of the file: one more attempt, from the start.
            remove(part)
            _patiently(url, part, progress, stop)
        if found := _mismatch(part, sha256, md5):
            remove(part)
            remedy = "repeat the command; if it happens again, the file at that address has changed"
            raise DownloadError(f"the digest {sha256 or md5} of {url}", found, remedy)
        with disk_errors(part), part.open("rb+") as file:
            os.fsync(file.fileno())
        finish(part, target)
    return target


def _patiently(
    url: str, part: Path, progress: Progress | None, stop: threading.Event | None
) -> None:
    for pause in (*_PAUSES, None):
        try:
            _stoppable(lambda: transfer(url, part, progress, stop), stop)
            return
        except Lost as error:
            if pause is None:
                remedy = "check the network and repeat the command: it continues where it stopped"
                raise DownloadError(f"to fetch {url}", str(error), remedy) from error
        if stop is None:
            time.sleep(pause)
        elif stop.wait(pause):
            raise interrupted()


def _stoppable(work: Callable[[], None], stop: threading.Event | None) -> None:
    """Run `work`, but do not wait for a silent server once `stop` is set."""
    if stop is None:
        work()
        return
    failures: list[BaseException] = []

    def run() -> None:
        try:
            work()
        except BaseException as error:
            failures.append(error)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    while thread.is_alive():
        thread.join(_PATIENCE)
        if stop.is_set():
            thread.join(_PATIENCE)
            raise interrupted()
    if failures:
        raise failures[0]


def _mismatch(path: Path, sha256: str | None, md5: str | None) -> str | None:
    """The digest that `path` has instead of the one it should have, None if it is right."""
    for name, expected in (("sha256", sha256), ("md5", md5)):
        if expected is None:
            continue
        with path.open("rb") as file:
            found = hashlib.file_digest(file, name).hexdigest()
        if found != expected.lower():
            return found
    return None
