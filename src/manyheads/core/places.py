"""Where files live, and how they are written so that a crash leaves none of them in half."""

from __future__ import annotations

import atexit
import errno
import os
import shutil
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path, PurePosixPath

from platformdirs import user_cache_path

from manyheads.core.machine import limit_threads
from manyheads.errors import DiskError

_REMEDIES = {
    errno.ENOSPC: "free some space and repeat the command; nothing that was finished is lost",
    errno.EDQUOT: "free some of your quota and repeat the command; nothing finished is lost",
    errno.EROFS: "choose a folder on a disk that can be written",
    errno.EACCES: "choose a folder that you may write, or change its permissions",
    errno.EPERM: "choose a folder that you may write, or change its permissions",
}
_AREAS = {"NUMBA_CACHE_DIR": "numba", "KERAS_HOME": "keras", "MPLCONFIGDIR": "matplotlib"}
_HARDLY = 65_536  # bytes: what a file system may keep back
_LITTLE = 1_000_000_000  # bytes: as much as a whole network may take
_NAME = "set MANYHEADS_CACHE to a folder that you may write"


_ELSEWHERE = (errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOENT, errno.ENOTDIR)


def cache_dir() -> Path:
    """The folder for everything that can be made again: `MANYHEADS_CACHE`, or the system's own."""
    given = os.environ.get("MANYHEADS_CACHE")
    found = Path(given) if given else user_cache_path("manyheads", appauthor=False)
    with suppress(RuntimeError):  # a user without a home
        found = found.expanduser()
    # Of a user whom the system does not know, as in some containers, the home is /, as in a shell.
    return Path(os.sep, *found.parts[1:]) if found.parts[:1] == ("~",) else found


def scratch_dir(area: str) -> Path:
    """The folder `area` of the cache, or a temporary one where the cache cannot be written.

    For what is soon made again. It may be missing yet. Raises `DiskError` where neither can be
    written.
    """
    folder = cache_dir() / area
    return folder if is_writable(folder) else _temporary() / area


def is_writable(folder: Path) -> bool:
    """Whether files can be put into `folder`, which may be missing; nothing is made."""
    while not os.path.lexists(folder) and folder != folder.parent:
        folder = folder.parent
    return folder.is_dir() and os.access(folder, os.W_OK | os.X_OK)


@cache
def _temporary() -> Path:
    """A temporary folder that later processes of this user find again, and nobody else can fill."""
    try:
        folder = Path(tempfile.gettempdir()) / f"manyheads-{_user()}"
        with suppress(FileExistsError):
            folder.mkdir(mode=0o700)
        if _is_own(folder):
            return folder
        own = tempfile.mkdtemp(prefix="manyheads-")
    except OSError as error:
        reason = os.strerror(error.errno).lower() if error.errno else str(error)
        raise DiskError(f"to write {cache_dir()} or a temporary folder", reason, _NAME) from error
    atexit.register(shutil.rmtree, own, ignore_errors=True)
    return Path(own)


def _user() -> str:
    return str(os.getuid()) if hasattr(os, "getuid") else "cache"


def _is_own(folder: Path) -> bool:
    # What lies there is loaded, code too: a folder that another user may write is not taken.
    status = folder.lstat()
    if not hasattr(os, "getuid"):
        return stat.S_ISDIR(status.st_mode) and is_writable(folder)
    closed = stat.S_ISDIR(status.st_mode) and not status.st_mode & 0o022
    return closed and status.st_uid == os.getuid() and is_writable(folder)


def stays_below(name: str) -> bool:
    """Whether a file's name, told by somebody else, lies below the folder that it is taken from."""
    path = PurePosixPath(name)
    forbidden = path.is_absolute() or ".." in path.parts or any(c in name for c in "\\\0")
    return bool(path.parts) and not forbidden


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
        if error.errno in _ELSEWHERE and path.is_relative_to(cache_dir()):
            remedy = _NAME
        raise DiskError(f"to write {path}", reason, remedy) from error


def lacks_room(complaint: str, path: Path) -> bool:
    """Whether a library that was to write `path` complains of a full disk, by whatever name."""
    codes = (errno.ENOSPC, errno.EDQUOT)
    signs = [os.strerror(code) for code in codes]
    signs += [f"[Errno {code}]" for code in codes] + [f"errno = {code}" for code in codes]
    if any(sign in complaint for sign in signs):
        return True
    # OpenVINO says no more than this, and takes away what it has written of a file.
    least = _LITTLE if "iostream error" in complaint else _HARDLY
    while not path.exists() and path != path.parent:
        path = path.parent
    try:
        return shutil.disk_usage(path).free < least
    except OSError:
        return False


def full_disk(path: Path) -> DiskError:
    """The error of a write to `path` for which there is no room."""
    reason = os.strerror(errno.ENOSPC).lower()
    return DiskError(f"to write {path}", reason, _REMEDIES[errno.ENOSPC])


def system_problem(error: OSError) -> DiskError:
    """What the operating system refused, where nobody was prepared for it."""
    reason = os.strerror(error.errno).lower() if error.errno else str(error)
    what = "files to be read and written" if error.filename is None else f"to use {error.filename}"
    return DiskError(what, reason, _REMEDIES.get(error.errno or 0, "check the path and the disk"))


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


def _settle_libraries() -> None:
    """Give the caches of libraries a place, before any of them is imported.

    A library keeps the folder that the user has set or that it has already: there may be settings
    in it. Numba's would else lie beside the code, where a container's user may not write.
    """
    home, config = Path("~"), os.environ.get("XDG_CONFIG_HOME") or "~/.config"
    usual = {
        "NUMBA_CACHE_DIR": (),
        "KERAS_HOME": (home / ".keras",),
        "MPLCONFIGDIR": (Path(config, "matplotlib"), home / ".matplotlib"),
    }
    for variable, folders in usual.items():
        if os.environ.get(variable) or any(map(_is_in_use, folders)):
            continue
        with suppress(DiskError):  # which whatever needs the folder then shows
            os.environ[variable] = str(scratch_dir(_AREAS[variable]))


def _is_in_use(folder: Path) -> bool:
    with suppress(RuntimeError, OSError):
        found = folder.expanduser()
        return found.is_dir() and is_writable(found)
    return False


_settle_libraries()
limit_threads(os.environ)
