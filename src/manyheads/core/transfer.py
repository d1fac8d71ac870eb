"""One attempt to receive a file over HTTP, appended to the part that is already there."""

from __future__ import annotations

import http.client
import re
import threading
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

from manyheads.core.places import disk_errors
from manyheads.errors import DownloadError, Interrupted

_CHUNK = 1 << 16
_SILENCE = 30.0  # seconds without a byte until a connection counts as lost


class Lost(Exception):
    """The connection broke; what has arrived is kept and another attempt may go on from there."""


def transfer(
    url: str,
    part: Path,
    progress: Callable[[int, int], None] | None = None,
    stop: threading.Event | None = None,
) -> None:
    """Receive `url` into `part`, from where it ends if the server can do that.

    `part.tag` holds what identifies the version at the server, so that no other is appended to
    it. Raises `Lost` where another attempt may help, `DownloadError` where none does,
    `Interrupted` at the next byte after `stop` is set.
    """
    have = part.stat().st_size if part.exists() else 0
    try:
        with urllib.request.urlopen(_request(url, part, have), timeout=_SILENCE) as response:
            start = have if response.status == 206 else 0
            if start and _number(r"bytes (\d+)-", response.headers) != start:
                remove(part)
                raise Lost("another part of the file than was asked for")
            _receive(response, part, start, progress, stop)
    except urllib.error.HTTPError as error:
        error.close()
        if error.code == 416 and _number(r"bytes \*/(\d+)", error.headers) == have:
            return
        raise _refused(url, part, error) from error
    except (OSError, http.client.HTTPException) as error:
        raise Lost(_reason(error)) from error


def remove(part: Path) -> None:
    """Delete the part and what is known of its version."""
    with disk_errors(part):
        part.unlink(missing_ok=True)
        _tag_file(part).unlink(missing_ok=True)


def finish(part: Path, target: Path) -> None:
    """Put the part, which is whole, in the target's place."""
    with disk_errors(target):
        part.replace(target)
        _tag_file(part).unlink(missing_ok=True)


def interrupted() -> Interrupted:
    """What a stopped download raises."""
    return Interrupted("the download", "repeat the command: it continues where it stopped")


def _request(url: str, part: Path, have: int) -> urllib.request.Request:
    if not url.startswith(("http://", "https://")):
        raise DownloadError("an address that begins with https://", url, "correct the address")
    request = urllib.request.Request(
        url, headers={"User-Agent": "manyheads", "Accept-Encoding": "identity"}
    )
    if have:
        request.add_header("Range", f"bytes={have}-")
        tag = _tag_file(part)
        if tag.exists():
            request.add_header("If-Range", tag.read_text(encoding="ascii"))
    return request


def _receive(
    response: Any,
    part: Path,
    start: int,
    progress: Callable[[int, int], None] | None,
    stop: threading.Event | None,
) -> None:
    length = response.headers.get("Content-Length") or ""
    total = start + int(length) if length.isdecimal() else 0
    done = start
    with disk_errors(part):
        _remember_version(part, response.headers)
        file = part.open("ab" if start else "wb")
    with file:
        while chunk := response.read1(_CHUNK):
            if stop is not None and stop.is_set():
                raise interrupted()
            with disk_errors(part):
                file.write(chunk)
                file.flush()
            done += len(chunk)
            if progress is not None:
                progress(done, total)
    if total and done != total:
        raise Lost(f"{done:,} of {total:,} bytes")


def _remember_version(part: Path, headers: Any) -> None:
    etag = headers.get("ETag") or ""
    # RFC 9110, 13.1.5: a weak tag may not be sent in If-Range.
    version = headers.get("Last-Modified") or "" if not etag or etag.startswith("W/") else etag
    if version and version.isascii():
        _tag_file(part).write_text(version, encoding="ascii")
    else:
        _tag_file(part).unlink(missing_ok=True)


def _refused(url: str, part: Path, error: urllib.error.HTTPError) -> Lost | DownloadError:
    found = f"HTTP status {error.code} ({error.reason})"
    if error.code == 416:
        remove(part)
        return Lost("a file shorter than the part that was kept")
    if error.code >= 500 or error.code in (408, 429):
        return Lost(found)
    return DownloadError(f"a file at {url}", found, "check the address")


def _tag_file(part: Path) -> Path:
    return part.with_name(part.name + ".tag")


def _number(pattern: str, headers: Any) -> int | None:
    found = re.match(pattern, headers.get("Content-Range") or "")
    return int(found[1]) if found else None


def _reason(error: Exception) -> str:
    reason = getattr(error, "reason", error)
    text = (getattr(reason, "strerror", None) or str(reason)).lower()
    return " ".join(text.split())[:160] or type(error).__name__
