"""Files at addresses, through fsspec: listed, read and written, tried again where that may help.

The only module that imports fsspec, and it does so when the first address is met. Credentials are
the business of fsspec's file systems, which take them from the environment or from a profile.
"""

from __future__ import annotations

import asyncio
import os
import random
import re
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

from manyheads.core.addresses import is_web, scheme_of
from manyheads.core.download import require_network
from manyheads.core.job import SILENT, Job
from manyheads.data.remote_errors import NOTHING, asked_pause, problem_of
from manyheads.data.remote_path import RemoteError
from manyheads.errors import DataError, ManyheadsError, MissingExtraError

READERS = 32
"""How many files are read at once: more than there are cores, because readers wait."""
ATTEMPTS = 5
"""How often something is tried that may pass."""

IDENTITIES = {
    "s3://": "size and ETag, which is a hash of the bytes, or another for every writing: sure",
    "gs://, abfs://, az://": "size and ETag, which is another for every writing: sure",
    "hf://": "size and the hash that the repository has of the file: sure",
    "https://, http://": "size and ETag, as sure as the server, which may send a former one. "
    "Without an ETag, or with a weak one (`W/…`), size and Last-Modified: a change within a second "
    "that leaves the size is not noticed",
    "others": "size and time of modification, by the server's clock",
    "no ETag, no time": "the file is read every time",
}
"""By what a file at an address is believed to be the one that was read."""

_Result = TypeVar("_Result")

_FIRST_PAUSE = 0.5  # seconds, at most, before the second attempt; twice that before the third
_CONNECT, _SILENCE = 10.0, 30.0  # seconds until a connection, and between two bytes
_PATIENCE = 0.2  # seconds between two looks at the job
_WHAT = "reading what lies elsewhere"
_VERSIONS = ("ETag", "etag", "blob_id", "generation", "md5Hash", "Content-MD5", "sha", "checksum")
_TIMES = (
    "LastModified", "last_modified", "Last-Modified", "mtime", "updated", "modified", "created",
)  # fmt: skip
# Where an object is there whole or not at all; elsewhere it is written beside its name and moved.
_WHOLE = ("s3", "s3a", "gs", "gcs", "abfs", "abfss", "az", "oss", "hf", "memory")
_WITH_EXTRA = ("s3", "s3a", "gs", "gcs", "http", "https", "hf")
_EXTRA = "run: pip install 'manyheads[remote]'"


class RemoteFacts(NamedTuple):
    """What tells one version of a file from another: -1, "" and 0 where a server does not say.

    `size` in bytes, the `version` that the server names (an ETag as a rule), and the time of the
    last modification in nanoseconds.
    """

    size: int
    version: str
    modified: int


class RemoteEntry(NamedTuple):
    """A file or folder in a folder."""

    name: str
    is_folder: bool
    facts: RemoteFacts


class _Systems:
    """The file systems of this process, one of each kind and server, for all its threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._known: dict[tuple[str, int], Any] = {}

    def of(self, address: str) -> Any:
        scheme = scheme_of(address)
        start = address.index("://") + 3
        server = "" if scheme in _WITH_EXTRA else address[start:].partition("/")[0]
        with self._lock:
            # A forked process has none of its parent's connections.
            key = f"{scheme}://{server}", os.getpid()
            if key not in self._known:
                self._known[key] = _opened(address, scheme)
            return self._known[key]

    def forget(self) -> None:
        with self._lock:
            self._known.clear()


_systems = _Systems()


def forget_connections() -> None:
    """Connect anew, with the credentials that the environment has now."""
    _systems.forget()


def read(address: str, job: Job = SILENT, *, size: int = -1) -> bytes:
    """The bytes of the file at `address`, which are `size` if that is known.

    Raises `RemoteError`, `MissingExtraError`, `DataError` for a scheme that is not known,
    `DownloadError` if no network is to be used, and `Interrupted` once `job` is stopped.
    """

    def whole() -> bytes:
        data = _asked(address, "cat_file", address, job=job)
        if 0 <= size != len(data):
            found = f"{len(data):,} of {size:,} bytes"
            raise RemoteError(address, found, "repeat the command", transient=True)
        return data

    return _patiently(address, whole, job)


def facts_of(address: str, job: Job = SILENT) -> RemoteFacts:
    """What the server says of the file at `address`; raises as `read`."""
    return _patiently(address, lambda: _facts(_asked(address, "info", address, job=job)), job)


def facts_if_there(address: str, job: Job = SILENT) -> RemoteFacts | None:
    """The same, or None where there is no such file in a place that can be read."""
    try:
        return facts_of(address, job)
    except RemoteError as error:
        if error.found != NOTHING:
            raise
        return None


def list_folder(address: str, job: Job = SILENT) -> list[RemoteEntry]:
    """The files and folders in the folder at `address`, in no order; raises as `read`."""
    # Servers redirect to the address with a slash; to ask for it at once saves that.
    asked = f"{address}/" if is_web(address) else address
    found = _patiently(address, lambda: _asked(address, "ls", asked, True, job=job), job)
    return list(_entries(address, found))


def send(file: Path, address: str, job: Job = SILENT) -> None:
    """Write `file` to `address`, whole or not at all; raises as `read`."""
    whole = scheme_of(address) in _WHOLE
    beside = address if whole else f"{address}.part-{os.getpid()}"

    def put() -> None:
        _asked(address, "put_file", str(file), beside, job=job)
        if not whole:
            _asked(address, "mv", beside, address, job=job)

    _patiently(address, put, job)
    sent = facts_of(address, job).size
    if 0 <= sent != file.stat().st_size:
        found = f"{sent:,} of {file.stat().st_size:,} bytes"
        raise RemoteError(address, found, "repeat the command, and let no other write there")


def _opened(address: str, scheme: str) -> Any:
    try:
        from fsspec.core import url_to_fs
        from fsspec.registry import get_filesystem_class, known_implementations, registry
    except ImportError as error:
        raise MissingExtraError(f"fsspec to use {address}", "none installed", _EXTRA) from error
    if scheme not in known_implementations and scheme not in registry:
        raise DataError(
            "an address of a kind that fsspec knows", f"{scheme}:// in {address}",
            "give one of s3://, gs://, https://, hf:// or another that fsspec reads",
        )  # fmt: skip
    try:
        get_filesystem_class(scheme)
    except ImportError as error:
        told = " ".join(str(known_implementations.get(scheme, {}).get("err", error)).split())
        remedy = _EXTRA if scheme in _WITH_EXTRA else told[:1].lower() + told[1:]
        expected = f"what fsspec needs to read {scheme}://"
        raise MissingExtraError(expected, "not installed", remedy) from error
    try:
        system, _ = url_to_fs(address, skip_instance_cache=True, **_options(scheme))
    except ManyheadsError:
        raise
    except Exception as error:  # of every kind: it is another project's for each scheme
        raise problem_of(address, error) from error
    # Its own attempts would multiply with those made here.
    if scheme in ("s3", "s3a"):
        system.retries = 1
    return system


def _options(scheme: str) -> dict[str, Any]:
    """Listings are kept by `remote_sources`, in a tenth of the memory; no answer is waited for
    without an end."""
    if scheme in ("s3", "s3a"):
        timeouts = {"connect_timeout": _CONNECT, "read_timeout": _SILENCE}
        config = {**timeouts, "retries": {"max_attempts": 0}, "max_pool_connections": READERS}
        # More than one at a time in a file, and its size would be asked for before it is read.
        return {"use_listings_cache": False, "max_concurrency": 1, "config_kwargs": config}
    if scheme in ("http", "https"):
        from aiohttp import ClientTimeout

        timeout = ClientTimeout(total=None, sock_connect=_CONNECT, sock_read=_SILENCE)
        return {"use_listings_cache": False, "client_kwargs": {"timeout": timeout}}
    return {"use_listings_cache": False} if scheme in ("gs", "gcs") else {}


def _asked(address: str, method: str, *arguments: Any, job: Job) -> Any:
    """What a method of the address's file system answers; a stopped job does not wait for it."""
    system = _systems.of(address)
    if not getattr(system, "async_impl", False):
        return getattr(system, method)(*arguments)
    # fsspec's asynchronous systems run in its one thread; there a request can be given up.
    work = asyncio.run_coroutine_threadsafe(getattr(system, f"_{method}")(*arguments), system.loop)
    while True:
        try:
            return work.result(timeout=_PATIENCE)
        except TimeoutError:
            if work.done():
                raise
            if job.stopped:
                work.cancel()
                job.check(_WHAT)


def _patiently(address: str, work: Callable[[], _Result], job: Job) -> _Result:
    """Do `work`, and do it again after a growing random pause where that may help."""
    for attempt in range(1, ATTEMPTS + 1):
        require_network(address)
        try:
            return work()
        except ManyheadsError:
            raise
        except Exception as error:  # each of a dozen libraries has kinds of its own
            problem = error if isinstance(error, RemoteError) else problem_of(address, error)
            if not problem.transient or attempt == ATTEMPTS:
                raise problem from error
            pause = asked_pause(error) or _FIRST_PAUSE * 2 ** (attempt - 1)
        # Random, so that many readers that were refused together do not come back together.
        job.wait(pause * random.uniform(0.5, 1.0))
        job.check(_WHAT)
    raise AssertionError("the last attempt returns or raises")


def _entries(address: str, found: list[dict[str, Any]]) -> Iterator[RemoteEntry]:
    above = address.rpartition("://")[2].rstrip("/")
    for each in found:
        path = str(each["name"]).rpartition("://")[2].rstrip("/")
        # Some stores name the folder itself, as an object of no bytes.
        if path.lstrip("/") == above.lstrip("/"):
            continue
        name = path.rpartition("/")[2]
        # A page that lists files links to itself in other orders, too.
        if name and not (is_web(address) and re.search(r"[?#]", path)):
            yield RemoteEntry(name, each.get("type") == "directory", _facts(each))


def _facts(info: dict[str, Any]) -> RemoteFacts:
    size = info.get("size")
    versions = (str(info[name]) for name in _VERSIONS if info.get(name))
    # A weak ETag (RFC 9110, 8.8.1) stays the same for bytes that differ.
    version = next((each for each in versions if not each.startswith("W/")), "")
    modified = next((info[name] for name in _TIMES if info.get(name)), None)
    return RemoteFacts(size if isinstance(size, int) else -1, version, _nanoseconds(modified))


def _nanoseconds(value: Any) -> int:
    with suppress(ValueError, TypeError, OverflowError):
        if isinstance(value, str):
            web = re.match(r"[A-Za-z]{3},", value)
            value = parsedate_to_datetime(value) if web else datetime.fromisoformat(value)
        if isinstance(value, datetime):
            value = (value if value.tzinfo else value.replace(tzinfo=UTC)).timestamp()
        return max(0, int(float(value) * 1e9))
    return 0
