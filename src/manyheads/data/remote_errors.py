"""What the exceptions of a dozen libraries mean for whoever asked for a file at an address."""

from __future__ import annotations

import errno
import re
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

from manyheads.data.remote_path import RemoteError

NOTHING = "nothing there"
"""What is found where a bucket or a server has no such file."""

_LONGEST_PAUSE = 20.0  # seconds that a server may ask for
_NO_BUCKET = re.compile(r"NoSuchBucket|bucket does not exist", re.IGNORECASE)
_FINAL = (errno.EINVAL, errno.EPERM, errno.ENOSYS, errno.EISDIR, errno.ENOTDIR)
_ACCESS = (
    "set the provider's credentials in the environment or a profile (for public data on S3: "
    "FSSPEC_S3_ANON=true)"
)
_GONE = (404, 410)
_TRANSIENT_STATUSES = (408, 425, 429, 500, 502, 503, 504)
# By name, because the libraries that raise them need not be installed.
_NO_CREDENTIALS = ("NoCredentialsError", "PartialCredentialsError", "DefaultCredentialsError")
_TRANSIENT = re.compile(
    r"Client(Connection|Connector|OS|Payload)\w*|ServerDisconnected\w*|ServerTimeout\w*|\w*Timeout"
    r"(Error)?|EndpointConnectionError|HTTPClientError|ConnectionClosedError|IncompleteRead\w*|"
    r"ResponseParserError|ResponseStreamingError|SSLError|ConnectError|ReadError|"
    r"RemoteProtocolError"
)


def problem_of(address: str, error: Exception) -> RemoteError:
    """What an exception means that a request for `address` ended with, as an error to be raised.

    It is told by a status of HTTP, its kind, and those of its causes.
    """
    causes = list(_causes(error))
    status = next(filter(None, map(_status, causes)), 0)
    names = [type(each).__name__ for each in causes]
    if any(name in _NO_CREDENTIALS for name in names):
        return RemoteError(address, "no credentials", _ACCESS)
    if status in (401, 403) or any(isinstance(each, PermissionError) for each in causes):
        return RemoteError(address, "no access with these credentials", _ACCESS)
    if status in _TRANSIENT_STATUSES:
        return RemoteError(address, f"HTTP status {status}", "repeat the command later", True)
    if status >= 400 and status not in _GONE:
        return RemoteError(address, f"HTTP status {status}", "check the address")
    transient = any(
        _TRANSIENT.fullmatch(name) or isinstance(each, ConnectionError | TimeoutError)
        for name, each in zip(names, causes, strict=True)
    )
    if transient:
        found = f"no answer, or no whole one ({_words(error)})"
        return RemoteError(address, found, "check the network and repeat the command", True)
    if status in _GONE or any(isinstance(each, FileNotFoundError) for each in causes):
        bucket = any(_NO_BUCKET.search(str(each)) for each in causes)
        found = "no such bucket" if bucket else NOTHING
        return RemoteError(address, found, "check the address")
    if isinstance(error, NotImplementedError):
        return RemoteError(address, "a place that cannot be written", "choose another place")
    # What a server answers for reasons of its own may pass; what a library raises does not.
    transient = isinstance(error, OSError) and error.errno not in _FINAL
    return RemoteError(address, _words(error), "check the address", transient)


def _status(error: BaseException) -> int:
    """The status of HTTP in an exception, as each library keeps it; 0 if there is none."""
    response: Any = getattr(error, "response", None)
    if isinstance(response, dict):
        found = response.get("ResponseMetadata", {}).get("HTTPStatusCode")
    else:
        found = getattr(response, "status_code", None)
    # Of others than gcsfs, a code may be anything.
    name = "code" if type(error).__name__ == "HttpError" else "status"
    found = found or getattr(error, name, None)
    return found if isinstance(found, int) and 300 <= found < 600 else 0


def _causes(error: BaseException) -> Iterator[BaseException]:
    seen: set[int] = set()
    each: BaseException | None = error
    while each is not None and id(each) not in seen:
        seen.add(id(each))
        yield each
        each = each.__cause__ or (None if each.__suppress_context__ else each.__context__)


def asked_pause(error: Exception) -> float:
    """The seconds that a server asks to be left alone for; 0 if it does not say."""
    for each in _causes(error):
        with suppress(TypeError, ValueError, AttributeError, KeyError):
            headers: Any = getattr(each, "headers", None)
            return min(float(headers["Retry-After"]), _LONGEST_PAUSE)
    return 0.0


def _words(error: Exception) -> str:
    """What an exception says, without addresses: one that a server leads to may hold a secret."""
    text = " ".join(re.sub(r"[A-Za-z][A-Za-z0-9+.-]+://\S+", "…", str(error)).split())
    return text[:160] or type(error).__name__
