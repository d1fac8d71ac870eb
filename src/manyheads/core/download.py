"""Fetch a file: resumed where it stopped, checked, and in place only when it is whole."""

from __future__ import annotations

import hashlib
import http.client
import os
import re
import threading
import urllib.error
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from manyheads.core.job import SILENT, Job
from manyheads.core.locks import alone
from manyheads.core.places import disk_errors
from manyheads.errors import DownloadError

OFFLINE = "MANYHEADS_OFFLINE"
"""The environment variable by which nothing is fetched."""

_PAUSES = (0.5, 2.0)  # seconds before the second and the third attempt
_PATIENCE = 0.2  # seconds between two looks at the job
_CHUNK = 1 << 16
_SILENCE = 30.0  # seconds without a byte until a connection counts as lost


class StatusError(DownloadError):
    """The server answered with a `status` that says no."""

    def __init__(self, expected: str, found: str, remedy: str, status: int) -> None:
        super().__init__(expected, found, remedy)
        self.status = status

    def __reduce__(self) -> tuple[object, ...]:
        return type(self), (self.expected, self.found, self.remedy, self.status)


class _Lost(Exception):
    """The connection broke; what has arrived is kept and another attempt may go on from there."""


def download(
    url: str,
    target: Path,
    *,
    sha256: str | None = None,
    md5: str | None = None,
    token: str | None = None,
    step: str = "fetching",
    job: Job = SILENT,
) -> Path:
    """`target`, fetched from an http(s) `url` unless it is already there.

    What arrives is kept in `target.part`, so a later call continues where this one ended. A
    digest in hexadecimal, if given, decides whether a file is the right one, also a file that is
    already there. The `token` is shown to the server of the `url` alone, not to one that it
    redirects to. `job` hears of the bytes of this `step`, with a total of 0 where the server does
    not tell it. Raises `DownloadError`, `DiskError`, and `Interrupted` when `job` is stopped.
    """
    if target.exists() and _mismatch(target, sha256, md5) is None:
        return target
    require_network(url)
    with alone(target.with_name(target.name + ".lock"), "the download", job):
        if target.exists() and _mismatch(target, sha256, md5) is None:
            return target
        part = target.with_name(target.name + ".part")
        resumed = part.exists()
        source = _Source(url, token)
        _patiently(source, part, step, job)
        if resumed and _mismatch(part, sha256, md5):
            # Its halves may come from two versions of the file: one more attempt, from the start.
            _remove(part)
            _patiently(source, part, step, job)
        if found := _mismatch(part, sha256, md5):
            _remove(part)
            remedy = "repeat the command; if it happens again, the file at that address has changed"
            raise DownloadError(f"the digest {sha256 or md5} of {url}", found, remedy)
        with disk_errors(part), part.open("rb+") as file:
            os.fsync(file.fileno())
        _finish(part, target)
    return target


def small_file(
    url: str, *, limit: int = 1 << 20, token: str | None = None, job: Job = SILENT
) -> bytes:
    """The bytes of a small file at an http(s) `url`, of at most `limit`.

    Raises `DownloadError` as `download` does, and for a file that is longer; `Interrupted` when
    `job` is stopped.
    """
    require_network(url)
    answers: list[bytes] = []

    def receive() -> None:
        try:
            with urllib.request.urlopen(
                _request(_Source(url, token)), timeout=_SILENCE
            ) as response:
                answers.append(response.read(limit + 1))
        except urllib.error.HTTPError as error:
            error.close()
            raise _of_status(url, error) from error
        except (OSError, http.client.HTTPException) as error:
            raise _Lost(_reason(error)) from error

    _again(receive, url, job)
    if len(answers[-1]) > limit:
        raise DownloadError(f"at most {limit:,} bytes at {url}", "more", "check the address")
    return answers[-1]


def is_offline() -> bool:
    """Whether nothing is to be fetched."""
    return bool(os.environ.get(OFFLINE))


def require_network(source: str) -> None:
    """Raise `DownloadError` if nothing is to be fetched, from this `source` neither."""
    if is_offline():
        raise DownloadError(
            f"to fetch {source}", f"{OFFLINE}, by which no network is to be used",
            "fetch it once without `offline`",
        )  # fmt: skip


@dataclass(frozen=True)
class _Source:
    url: str
    token: str | None


def _patiently(source: _Source, part: Path, step: str, job: Job) -> None:
    _again(lambda: _transfer(source, part, step, job), source.url, job)


def _again(work: Callable[[], None], url: str, job: Job) -> None:
    """Do `work`, and do it again where the connection was lost."""
    for pause in (*_PAUSES, None):
        try:
            _stoppable(work, job)
            return
        except _Lost as error:
            if pause is None:
                remedy = "check the network and repeat the command: it continues where it stopped"
                raise DownloadError(f"to fetch {url}", str(error), remedy) from error
        job.wait(pause)
        _check(job)


def _stoppable(work: Callable[[], None], job: Job) -> None:
    """Run `work`, but do not wait for a silent server once `job` is stopped."""
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
        if job.stopped:
            thread.join(_PATIENCE)
            _check(job)
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


def _transfer(source: _Source, part: Path, step: str, job: Job) -> None:
    """Receive `source` into `part`, from where it ends if the server can do that.

    `part.tag` holds what identifies the version at the server, so that no other is appended to
    it. Raises `_Lost` where another attempt may help, `DownloadError` where none does,
    `Interrupted` at the next byte after `job` is stopped.
    """
    have = part.stat().st_size if part.exists() else 0
    try:
        asked = _request(source, part, have)
        with urllib.request.urlopen(asked, timeout=_SILENCE) as response:
            # A server that ignores Range, or whose file has changed (If-Range), answers 200 with
            # the whole file: the part is then begun anew, never appended to.
            start = have if response.status == 206 else 0
            if start and _number(r"bytes (\d+)-", response.headers) != start:
                _remove(part)
                raise _Lost("another part of the file than was asked for")
            _receive(response, part, start, step, job)
    except urllib.error.HTTPError as error:
        error.close()
        # 416: nothing lies beyond the end of the part. If the file has exactly its size, the part
        # is whole: the process was killed between the last byte and the rename.
        if error.code == 416 and _number(r"bytes \*/(\d+)", error.headers) == have:
            return
        raise _refused(source.url, part, error) from error
    except (OSError, http.client.HTTPException) as error:
        raise _Lost(_reason(error)) from error


def _request(source: _Source, part: Path | None = None, have: int = 0) -> urllib.request.Request:
    url = source.url
    if not url.startswith(("http://", "https://")):
        raise DownloadError("an address that begins with https://", url, "correct the address")
    request = urllib.request.Request(
        url, headers={"User-Agent": "manyheads", "Accept-Encoding": "identity"}
    )
    if source.token:
        request.add_unredirected_header("Authorization", f"Bearer {source.token}")
    if have and part is not None:
        request.add_header("Range", f"bytes={have}-")
        tag = _tag_file(part)
        if tag.exists():
            request.add_header("If-Range", tag.read_text(encoding="ascii"))
    return request


def _receive(response: Any, part: Path, start: int, step: str, job: Job) -> None:
    length = response.headers.get("Content-Length") or ""
    total = start + int(length) if length.isdecimal() else 0
    done = start
    # The version goes to disk before the first byte: a part without one may be appended to another.
    with disk_errors(part):
        _remember_version(part, response.headers)
        file = part.open("ab" if start else "wb")
    with file:
        # read1 returns what has arrived, so that a stop and progress do not wait for a full chunk.
        while chunk := response.read1(_CHUNK):
            _check(job)
            with disk_errors(part):
                file.write(chunk)
                file.flush()
            done += len(chunk)
            job.progress(step, done, total, "bytes")
    if total and done != total:
        raise _Lost(f"{done:,} of {total:,} bytes")


def _remember_version(part: Path, headers: Any) -> None:
    etag = headers.get("ETag") or ""
    # RFC 9110, 13.1.5: a weak tag may not be sent in If-Range.
    version = headers.get("Last-Modified") or "" if not etag or etag.startswith("W/") else etag
    if version and version.isascii():
        _tag_file(part).write_text(version, encoding="ascii")
    else:
        _tag_file(part).unlink(missing_ok=True)


def _refused(url: str, part: Path, error: urllib.error.HTTPError) -> _Lost | DownloadError:
    if error.code == 416:
        _remove(part)
        return _Lost("a file shorter than the part that was kept")
    return _of_status(url, error)


def _of_status(url: str, error: urllib.error.HTTPError) -> _Lost | DownloadError:
    found = f"HTTP status {error.code} ({error.reason})"
    # Overload and timeouts pass; any other status would be the same at the next attempt.
    if error.code >= 500 or error.code in (408, 429):
        return _Lost(found)
    return StatusError(f"a file at {url}", found, "check the address", error.code)


def _tag_file(part: Path) -> Path:
    return part.with_name(part.name + ".tag")


def _number(pattern: str, headers: Any) -> int | None:
    found = re.match(pattern, headers.get("Content-Range") or "")
    return int(found[1]) if found else None


def _reason(error: Exception) -> str:
    reason = getattr(error, "reason", error)
    text = (getattr(reason, "strerror", None) or str(reason)).lower()
    return " ".join(text.split())[:160] or type(error).__name__


def _remove(part: Path) -> None:
    """Delete the part and what is known of its version."""
    with disk_errors(part):
        part.unlink(missing_ok=True)
        _tag_file(part).unlink(missing_ok=True)


def _finish(part: Path, target: Path) -> None:
    """Put the part, which is whole, in the target's place."""
    with disk_errors(target):
        part.replace(target)
        _tag_file(part).unlink(missing_ok=True)


def _check(job: Job) -> None:
    job.check("the download", "repeat the command: it continues where it stopped")
