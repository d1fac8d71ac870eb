"""Data sets by name: fetched or written into the cache when they are first asked for."""

from __future__ import annotations

import difflib
import json
import os
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np

from manyheads.core.download import download
from manyheads.core.job import SILENT, Job
from manyheads.core.locks import alone
from manyheads.core.places import cache_dir, disk_errors, make_folder
from manyheads.data.archives import CLOTHING, Archive, unpack
from manyheads.data.name_rules import CATALOG_MARK
from manyheads.data.stored_png import stored_png
from manyheads.errors import DataError, DownloadError

_SERVER = "https://codeload.github.com"
_ARCHIVES = {"clothing": CLOTHING}
_NAMES = ("clothing", "digits")


def names() -> tuple[str, ...]:
    """The names that `locate` and `open_dataset` know."""
    return _NAMES


def nearest(name: str) -> str | None:
    """The known name that `name` was probably meant to be, if one is close."""
    close = difflib.get_close_matches(name.casefold(), _NAMES, n=1)
    return close[0] if close else None


def locate(name: str, *, job: Job = SILENT) -> Path:
    """The folder of a named data set, made complete first if it is not.

    `digits` is written from scikit-learn's own copy; `clothing` is downloaded from
    `MANYHEADS_CATALOG_URL`, or from its home, and checked against its pinned content. Raises
    `DataError` for an unknown name, `DownloadError` and `DiskError`.
    """
    if name not in _NAMES:
        found = repr(name) + (f", which is close to {close!r}" if (close := nearest(name)) else "")
        raise DataError(f"one of the data sets {', '.join(_NAMES)}", found, "choose one of these")
    if name == "digits":
        return _completed(name, _write_digits, job)
    archive = _ARCHIVES[name]
    return _completed(name, lambda folder: _fetch(archive, folder, job), job)


def _fetch(archive: Archive, folder: Path, job: Job) -> None:
    server = os.environ.get("MANYHEADS_CATALOG_URL") or _SERVER
    file = cache_dir() / "downloads" / archive.file
    address = f"{server.rstrip('/')}/{archive.address}"
    download(address, file, step="fetching the data set", job=job)
    try:
        unpack(file, archive, folder, job=job)
    except DownloadError:
        _discard(file)
        raise
    _discard(file)


def _discard(file: Path) -> None:
    with disk_errors(file):
        file.unlink(missing_ok=True)


def _completed(name: str, fill: Callable[[Path], None], job: Job) -> Path:
    """`datasets/name` in the cache, filled by `fill` in a temporary folder and then renamed."""
    target = cache_dir() / "datasets" / name
    if _is_complete(target):
        return target
    with alone(target.with_name(f"{name}.lock"), f"preparing {name}", job):
        if _is_complete(target):
            return target
        for leftover in target.parent.glob(f".{name}-*"):
            shutil.rmtree(leftover, ignore_errors=True)
        with disk_errors(target):
            temporary = Path(tempfile.mkdtemp(dir=target.parent, prefix=f".{name}-"))
        try:
            fill(temporary)
            with disk_errors(target):
                marker = json.dumps({"files": _count(temporary)})
                (temporary / CATALOG_MARK).write_text(marker, encoding="utf-8")
                temporary.chmod(0o755)
                if target.exists():
                    shutil.rmtree(target)
                temporary.rename(target)
        finally:
            shutil.rmtree(temporary, ignore_errors=True)
    return target


def _is_complete(folder: Path) -> bool:
    try:
        marker = json.loads((folder / CATALOG_MARK).read_text(encoding="utf-8"))
        return marker["files"] == _count(folder)
    except (OSError, ValueError, KeyError, TypeError):
        return False


def _count(folder: Path) -> int:
    found = (name for _, _, files in os.walk(folder) for name in files)
    return sum(name != CATALOG_MARK for name in found)


def _write_digits(folder: Path) -> None:
    """Write scikit-learn's 1,797 digits, 8 × 8 grey pixels, into the folders "0" to "9".

    The bytes are the same on every machine, and with them the division by content.
    """
    from sklearn.datasets import load_digits

    images, labels = load_digits(return_X_y=True)
    grey = np.round(images.reshape(-1, 8, 8) * (255 / 16)).astype(np.uint8)
    for number, (pixels, label) in enumerate(zip(grey, labels, strict=True)):
        target = make_folder(folder / str(label)) / f"{number:04d}.png"
        with disk_errors(target):
            target.write_bytes(stored_png(pixels))
