"""The content of a million files without reading them again: an index of what was read before.

A file is believed to be the one that was read if its path, size, modification time, inode and
change time are what they were, to the nanosecond. Otherwise it is read. What was written so
recently that a clock's tick could hide one more change is read every time and not remembered.

A file at an address is believed by its size and the version that the server names (its ETag), or
else by its size and modification time; a file of which a server tells neither is read every time.
Where the network is not to be used, what is known of an address is believed as it is.
"""

from __future__ import annotations

import hashlib
import logging
import os
import time
import zlib
from contextlib import suppress
from pathlib import Path

import numpy as np
from jaxtyping import Bool, Shaped

from manyheads.core.addresses import is_address
from manyheads.core.download import is_offline
from manyheads.core.job import SILENT, Job
from manyheads.core.places import atomic_path, cache_dir
from manyheads.data.columns import DIGEST_BYTES, Digests, Rows
from manyheads.data.digests import READING, digests_of
from manyheads.data.paths import Paths
from manyheads.data.remote_files import RemoteFacts
from manyheads.data.remote_path import FilePath, RemoteError
from manyheads.data.remote_sources import facts_of_files
from manyheads.errors import DataError, DiskError

_log = logging.getLogger(__name__)

Records = Shaped[np.ndarray, "files"]

# Of a file at an address, `inode` is a hash of the version that the server names, if it does.
# On Windows `changed` is the time of creation, which says little but harms nothing. The device is
# left out, because its number may change whenever a disk is mounted.
_IDENTITY = [
    ("key", "<u8"),
    ("inode", "<u8"),
    ("size", "<i8"),
    ("modified", "<i8"),
    ("changed", "<i8"),
]
_RECORD = np.dtype([*_IDENTITY, ("digest", "u1", DIGEST_BYTES)])
_MAGIC = b"manyheads files1"
_CHECKSUM_BYTES = 4

_DOUBTFUL = 3_000_000_000  # ns: the coarsest clock of a file system, FAT's, ticks every 2 s
_DOUBTFUL_ELSEWHERE = 60_000_000_000  # ns more, by which a server's clock may be behind
_KEPT = 90 * 86400.0  # seconds that an index is kept unused
_SAVE_EVERY = 60.0  # seconds of reading that a kill may lose
_AT_ONCE = 1024  # files between two looks at the job


def indexed_digests(
    source: FilePath,
    paths: Paths,
    *,
    reread: bool = False,
    job: Job = SILENT,
) -> Digests:
    """SHA-256 of each file's bytes, from the index of `source` where that can be believed.

    With `reread`, every file is read and the index made anew. Where the cache folder cannot be
    read or written there is no index, and every file is read. Raises `DataError` naming a file
    that cannot be read, `Interrupted` when `job` is stopped, and for files at addresses what
    `remote_files.read` raises.
    """
    return _Reading(source, paths, job).digests(reread)


class _Reading:
    """What is known of the files while those that are not known are read."""

    def __init__(self, source: FilePath, paths: Paths, job: Job) -> None:
        self._paths, self._job = paths, job
        name = hashlib.sha256(os.fsencode(str(source))).hexdigest()
        self._file = cache_dir() / "files" / f"{name[:32]}.index"
        started = _now()
        self._records = _identities(paths, job)
        newest = np.maximum(self._records["modified"], self._records["changed"])
        self._sure: Bool[np.ndarray, "files"] = newest < started - _DOUBTFUL
        self._done = np.zeros(len(paths), bool)

    def digests(self, reread: bool) -> Digests:
        before = 0 if reread else self._recall()
        if not self._done.all():
            self._tell()
            self._read(np.flatnonzero(~self._done))
        elif before == len(self._records):
            _mark_used(self._file)
        else:
            self._save()
        return Digests(self._records["digest"])

    def _recall(self) -> int:
        """Take what the index knows; returns how many files it held."""
        known = _load(self._file)
        place = _matches(known, self._records)
        self._done = (place >= 0) & self._sure
        if is_offline():
            place = _same_paths(known, self._records)
            self._done |= (place >= 0) & self._paths.elsewhere
            self._sure |= self._done
        self._records[self._done] = known[place[self._done]]
        return len(known)

    def _read(self, rows: Rows) -> None:
        saved = time.monotonic()
        try:
            sizes = self._records["size"]
            for part, digests in digests_of(self._paths, rows, self._job, sizes):
                self._records["digest"][part] = digests.values
                self._done[part] = True
                self._tell()
                if time.monotonic() - saved > _SAVE_EVERY:
                    self._save()
                    saved = time.monotonic()
        finally:
            self._save()

    def _save(self) -> None:
        try:
            _write(self._file, self._records[self._done & self._sure])
            _drop_unused(self._file.parent)
        except (DiskError, OSError) as error:
            _log.info("the files are read again next time: %s", error)

    def _tell(self) -> None:
        self._job.progress("reading", int(np.count_nonzero(self._done)), len(self._done))


def _identities(paths: Paths, job: Job) -> Records:
    records = np.zeros(len(paths), _RECORD)
    # In one thread: what the system knows already is told faster than threads take turns.
    for start in range(0, len(paths), _AT_ONCE):
        job.check(READING)
        block = slice(start, start + _AT_ONCE)
        _look(paths[block], records[block], job)
    return records


def _look(paths: Paths, records: Records, job: Job) -> None:
    keys: list[bytes] = []
    facts: list[tuple[int, int, int, int]] = []
    told = _told_elsewhere(paths, job) if paths.elsewhere.any() else None
    for path in paths.texts():
        keys.append(_hashed(path))
        facts.append(_facts(path) if told is None or not is_address(path) else _of(told.get(path)))
    records["key"] = np.frombuffer(b"".join(keys), "<u8")
    columns = zip(*facts, strict=True)
    for name, values in zip(("inode", "size", "modified", "changed"), columns, strict=True):
        records[name] = np.array(values, records.dtype[name])


def _facts(path: str) -> tuple[int, int, int, int]:
    """Inode, size and times of a file."""
    try:
        status = os.stat(path)
    except OSError:
        # Whatever it is, reading it will tell; until then it is nothing that was read before.
        return 0, -1, _now(), 0
    return status.st_ino % 2**64, status.st_size, status.st_mtime_ns, status.st_ctime_ns


def _told_elsewhere(paths: Paths, job: Job) -> dict[str, RemoteFacts]:
    try:
        return facts_of_files(filter(is_address, paths.texts()), job)
    except RemoteError as error:
        remedy = f"{error.remedy}, or take it out of the data set"
        raise DataError(f"to read {error.filename}", error.found, remedy) from error


def _of(facts: RemoteFacts | None) -> tuple[int, int, int, int]:
    """The same of a file at an address."""
    size, version, modified = facts or RemoteFacts(-1, "", 0)
    if version:
        return int.from_bytes(_hashed(version), "little"), size, 0, 0
    # A time in the present is that of a file which is not remembered.
    return 0, size, modified or _now(), modified + _DOUBTFUL_ELSEWHERE


def _hashed(text: str) -> bytes:
    return hashlib.blake2b(os.fsencode(text), digest_size=8).digest()


def _matches(known: Records, wanted: Records) -> Rows:
    """Where in `known` each of `wanted` is, unchanged; -1 where it is not."""
    place = _same_paths(known, wanted)
    same = place >= 0
    for name, _ in _IDENTITY if len(known) else ():
        same &= known[name][place] == wanted[name]
    return np.where(same, place, -1)


def _same_paths(known: Records, wanted: Records) -> Rows:
    """Where in `known` the path of each of `wanted` is; -1 where it is not."""
    if not len(known):
        return np.full(len(wanted), -1)
    if np.array_equal(known["key"], wanted["key"]):  # as always when no file came or went
        place = np.arange(len(known))
    else:
        order = np.argsort(known["key"], kind="stable")
        place = np.searchsorted(known["key"], wanted["key"], sorter=order)
        place = order[np.minimum(place, len(known) - 1)]
    return np.where(known["key"][place] == wanted["key"], place, -1)


def _load(file: Path) -> Records:
    """The records of an index; none if there is no index, or not a whole one of this kind."""
    try:
        with file.open("rb") as stream:
            head = stream.read(len(_MAGIC) + _CHECKSUM_BYTES)
            data = stream.read()
    except OSError:
        return np.zeros(0, _RECORD)
    whole = head == _MAGIC + _checksum(data) and len(data) % _RECORD.itemsize == 0
    return np.frombuffer(data if whole else b"", _RECORD)


def _write(file: Path, records: Records) -> None:
    with atomic_path(file) as temporary, temporary.open("wb") as stream:
        stream.write(_MAGIC + _checksum(records.data))
        stream.write(records.data)


def _checksum(data: bytes | memoryview) -> bytes:
    return zlib.crc32(data).to_bytes(_CHECKSUM_BYTES, "little")


def _mark_used(file: Path) -> None:
    with suppress(OSError):
        os.utime(file)


def _drop_unused(folder: Path) -> None:
    """Delete indexes of sources that have not been opened for long, and what kills left behind."""
    for file in folder.iterdir():
        with suppress(OSError):
            if time.time() - file.stat().st_mtime > _KEPT:
                file.unlink()


def _now() -> int:
    return time.time_ns()
