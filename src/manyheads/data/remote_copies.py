"""Copies of files that lie elsewhere, so that each is fetched once: a bounded folder of the cache.

The content of an image is known by its bytes, so they are fetched before it is decided whether its
features are missing. A copy is of the file as it was when a data set was last opened; who computes
features compares its bytes with their digest.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
import threading
import zlib
from contextlib import suppress
from pathlib import Path

from manyheads.core.job import SILENT, Job
from manyheads.core.places import scratch_dir
from manyheads.data import remote_files
from manyheads.data.image_memory import bytes_in
from manyheads.errors import DiskError

VARIABLE = "MANYHEADS_REMOTE_COPIES"
DEFAULT = 20 << 30  # bytes

_HEAD = 8  # bytes before those of the file: their checksum and their number, modulo 2^32
_SPARE = 1 << 30  # bytes of the disk that stay free


def kept_or_read(address: str, job: Job = SILENT) -> bytes:
    """The bytes of the copy of the file at `address`, or else of the file itself.

    Raises what `remote_files.read` raises.
    """
    data = _load(_place(address))
    return remote_files.read(address, job) if data is None else data


def read_and_keep(address: str, job: Job = SILENT, *, size: int = -1) -> bytes:
    """The bytes of the file at `address`, `size` of them if that is known; they are kept.

    Raises what `remote_files.read` raises, and `SettingError` for a limit that is none.
    """
    data = remote_files.read(address, job, size=size)
    place = _place(address)
    # What was kept is of an earlier version.
    with suppress(OSError):
        place.unlink()
    if _room.take(len(data)):
        with suppress(OSError):
            _save(place, data)
    return data


class _Room:
    """What this process may still keep; the oldest copies have gone before it is asked first."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._left: tuple[Path, int] | None = None

    def take(self, size: int) -> bool:
        with self._lock:
            folder = _folder()
            if self._left is None or self._left[0] != folder:
                self._left = folder, _make_room(folder)
            if size > self._left[1]:
                return False
            self._left = folder, self._left[1] - size
            return True


_room = _Room()


def _make_room(folder: Path) -> int:
    """The bytes that may be added: half of the limit at least, for which the oldest copies go."""
    limit = bytes_in(VARIABLE, DEFAULT, least=0)
    kept: list[tuple[float, int, Path]] = []
    for file in folder.glob("*/*"):
        with suppress(OSError):
            about = file.stat()
            kept.append((about.st_mtime, about.st_size, file))
    kept.sort(key=lambda each: each[0])
    total = sum(size for _, size, _ in kept)
    for _, size, file in kept:
        if total <= limit // 2:
            break
        with suppress(OSError):
            file.unlink()
            total -= size
    return max(0, min(limit - total, _free(folder) - _SPARE))


def _free(folder: Path) -> int:
    while not folder.exists() and folder != folder.parent:
        folder = folder.parent
    try:
        return shutil.disk_usage(folder).free
    except OSError:
        return 0


def _folder() -> Path:
    try:
        return scratch_dir("remote") / "copies"
    except DiskError:
        return Path(os.devnull)  # in which nothing can be kept or found


def _place(address: str) -> Path:
    name = hashlib.blake2b(address.encode("utf-8", "surrogateescape"), digest_size=20).hexdigest()
    return _folder() / name[:2] / name[2:]


def _load(place: Path) -> bytes | None:
    try:
        data = place.read_bytes()
    except OSError:
        return None
    head, data = data[:_HEAD], data[_HEAD:]
    return data if head == _head(data) else None


def _save(place: Path, data: bytes) -> None:
    # Not `atomic_path`, which waits for the disk: what a crash leaves is told by the checksum.
    place.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=place.parent)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(_head(data))
            file.write(data)
        Path(name).replace(place)
    except OSError:
        Path(name).unlink(missing_ok=True)
        raise


def _head(data: bytes) -> bytes:
    return zlib.crc32(data).to_bytes(4, "little") + (len(data) % 2**32).to_bytes(4, "little")
