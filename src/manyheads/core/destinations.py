"""Where results are to go, looked at before the work that makes them and not after it."""

from __future__ import annotations

import errno
import math
import os
import shutil
from pathlib import Path

from manyheads.core.addresses import was_address
from manyheads.core.places import is_writable
from manyheads.core.text import size_words
from manyheads.errors import DiskError, SettingError


def folder_for(path: Path, setting: str = "out") -> Path:
    """`path`, a folder to write into that may be missing; nothing is made.

    `setting` is what names another one. Raises `SettingError` if a file stands there or above it,
    or for an address, and `DiskError` if it cannot be made or written.
    """
    _refuse_address(path, setting)
    if path.exists() and not path.is_dir():
        raise SettingError(f"a folder at {path}", "a file", f"choose another `{setting}`")
    _require_writable(path, path, setting)
    return path


def file_for(path: Path, setting: str = "out", suffixes: tuple[str, ...] = ()) -> Path:
    """`path`, a file to write that may be there, with a name that ends with one of `suffixes`.

    Raises what `folder_for` raises, and `SettingError` for another name or a folder of that name.
    """
    _refuse_address(path, setting)
    if suffixes and path.suffix.lower() not in suffixes:
        raise SettingError(
            f"a file name that ends with {' or '.join(suffixes)}", str(path), "rename it"
        )
    if path.is_dir():
        raise SettingError(f"a file at {path}", "a folder", f"choose another `{setting}`")
    _require_writable(path.parent, path, setting)
    return path


def require_room(path: Path, size: int, setting: str = "out") -> None:
    """Raise `DiskError` unless the disk of `path`, which may be missing, has `size` bytes free."""
    while not path.exists() and path != path.parent:
        path = path.parent
    try:
        free = shutil.disk_usage(path).free
    except OSError:
        return
    if free < size:
        raise DiskError(
            # Rounded apart, so that what is missing shows however little it is.
            f"{size_words(size, math.ceil)} free on the disk of {path}",
            size_words(free, math.floor),
            f"free some space, or name a place on another disk with `{setting}`",
        )  # fmt: skip


def _refuse_address(path: Path, setting: str) -> None:
    if was_address(str(path)):
        address = str(path).replace(":/", "://", 1)  # pathlib has taken a slash away
        raise SettingError(
            f"a place on this machine as `{setting}`", f"the address {address}",
            "choose a folder or a file here; predictions alone are written to addresses",
        )  # fmt: skip


def _require_writable(folder: Path, path: Path, setting: str) -> None:
    folder = folder.absolute()
    while not os.path.lexists(folder) and folder != folder.parent:
        folder = folder.parent
    if not folder.is_dir():
        found = "a link that leads nowhere" if folder.is_symlink() else "a file"
        raise SettingError(f"a folder at {folder}", found, f"choose another `{setting}`")
    if not is_writable(folder):
        reason = os.strerror(errno.EACCES).lower()
        raise DiskError(
            f"to write {path}", reason, f"name a place that you may write with `{setting}`"
        )
