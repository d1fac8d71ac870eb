"""Where files live, and how they are written so that a crash leaves none of them in half."""

from __future__ import annotations

import errno
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from platformdirs import user_cache_path

from manyheads.errors import DiskError

_REMEDIES = {
    errno.ENOSPC: "free some space and repeat the command; nothing that was finished is lost",
    errno.EDQUOT: "free some of your quota and repeat the command; nothing finished is lost",
    errno.EROFS: "choose a folder on a disk that can be written",
    errno.EACCES: "choose a folder that you may write, or change its permissions",
    errno.EPERM: "choose a folder that you may write, or change its permissions",
}


def cache_dir() -> Path:
    """The folder for everything that can be made again: `MANYHEADS_CACHE`, or the system's own."""
    given = os.environ.get("MANYHEADS_CACHE")
    return Path(given).expanduser() if given else user_cache_path("manyheads", appauthor=False)


def make_folder(path: Path) -> Path:
    """Create `path` and its parents if they are missing; raises `DiskError` if that fails."""
    with disk_errors(path):
        path.mkdir(parents=True, exist_ok=True)
    return path


@contextmanager
def disk_errors(path: Path) -> Iterator[None]:
    """Turn the operating system's refusals to write below `path` into `DiskError`."""
    try:
        yield
    except OSError as error:
        reason = os.strerror(error.errno).lower() if error.errno else str(error)
        remedy = _REMEDIES.get(error.errno or 0, "check the path and the disk")
        raise DiskError(f"to write {path}", reason, remedy) from error


@contextmanager
def atomic_path(path: Path) -> Iterator[Path]:
    """Yield a temporary path beside `path` that replaces it on success and vanishes on failure.

    The temporary name ends like `path` does, because many writers choose their format by it.
    A reader sees the old file or the new one, whole, even across a crash or a full disk.
    """
    make_folder(path.parent)
    with disk_errors(path):
        handle, name = tempfile.mkstemp(
            dir=path.parent, prefix=f".{path.stem}-", suffix=path.suffix
        )
        os.close(handle)
    temporary = Path(name)
    try:
        with disk_errors(path):
            yield temporary
            _flush(temporary)
            temporary.chmod(0o666 & ~_umask())
            temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def write_text(path: Path, text: str) -> None:
    """Write `text` to `path` as UTF-8, whole or not at all."""
    with atomic_path(path) as temporary:
        temporary.write_text(text, encoding="utf-8", newline="\n")


def _flush(path: Path) -> None:
    with path.open("rb+") as file:
        os.fsync(file.fileno())


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
