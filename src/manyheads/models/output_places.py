"""Where predictions are written: to a file here, or to an address to which a finished one is sent.

Rows are written here in both cases, so that the work goes on after an interruption as
`prediction_files` says. What is sent is whole: at the address there is the former file or the new.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from manyheads.core.addresses import checked_address, is_address, is_web
from manyheads.core.job import SILENT, Job
from manyheads.core.places import scratch_dir, write_text
from manyheads.data.remote_files import facts_if_there, send
from manyheads.data.remote_path import RemoteError, RemotePath
from manyheads.errors import DataError, DiskError, SettingError
from manyheads.models.prediction_files import SUFFIXES

_KEPT = 90 * 86400.0  # seconds that what was sent stays here, unused
_ANOTHER = "remove it, or choose another `out`"


@dataclass(frozen=True)
class OutputPlace:
    """The file `path` here that is written, and the `address` it is sent to, if there is one."""

    path: Path
    address: str | None = None

    def deliver(self, job: Job = SILENT) -> None:
        """Send the finished file, unless it is there already.

        Raises `DiskError` if it cannot be written there, which the same command then tries again.
        """
        if self.address is None:
            return
        about = {"size": self.path.stat().st_size, "sha256": _digest(self.path)}
        mark = _mark(self.path)
        try:
            there = facts_if_there(self.address, job)
            known = _read(mark)
            if there and known == about | {"version": there.version}:
                return
            # Before it is sent, so that a kill leaves no file of unknown origin.
            write_text(mark, json.dumps(about))
            with job.step(f"sending the predictions to {self.address}"):
                send(self.path, self.address, job)
            there = facts_if_there(self.address, job)
        except RemoteError as error:
            remedy = f"{error.remedy}; the rows are kept, and the same command sends them"
            raise DiskError(f"to write {self.address}", error.found, remedy) from error
        write_text(mark, json.dumps(about | {"version": there.version if there else ""}))


def output_place(given: str | Path, job: Job = SILENT) -> OutputPlace:
    """Where to write predictions for `given`, a path or an address.

    The place is looked at before anything is predicted. Raises `SettingError` for an address that
    cannot be written or a name with a wrong end, `DataError` for a file that is there and was not
    sent from here, `DiskError` for a place that cannot be reached.
    """
    if not is_address(str(given)):
        return OutputPlace(Path(given).expanduser())
    address = checked_address(str(given))
    if is_web(address) or RemotePath(address).suffix not in SUFFIXES:
        expected = f"an address that can be written, and ends with {', '.join(SUFFIXES)}"
        raise SettingError(expected, address, "choose another `out`")
    folder = scratch_dir("outputs")
    _drop_unused(folder)
    name = hashlib.sha256(address.encode("utf-8", "surrogateescape")).hexdigest()[:32]
    path = folder / name / RemotePath(address).name
    try:
        there = facts_if_there(address, job)
    except RemoteError as error:
        raise DiskError(f"to write {address}", error.found, error.remedy) from error
    known = _read(_mark(path))
    if there and (there.size, there.version) != (
        known.get("size"), known.get("version", there.version),
    ):  # fmt: skip
        expected = f"no file at {address}, or one that predict sent from here"
        raise DataError(expected, "another one", _ANOTHER)
    return OutputPlace(path, address)


def _mark(path: Path) -> Path:
    return path.with_name(f"{path.name}.sent.json")


def _read(mark: Path) -> dict[str, Any]:
    with suppress(OSError, ValueError):
        found = json.loads(mark.read_text(encoding="utf-8"))
        return found if isinstance(found, dict) else {}
    return {}


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _drop_unused(folder: Path) -> None:
    with suppress(OSError):
        for each in folder.iterdir():
            if each.is_dir() and time.time() - each.stat().st_mtime > _KEPT:
                shutil.rmtree(each, ignore_errors=True)
