"""Commands that a studio starts as processes of their own, which outlive it if it is killed.

Each has a record in a folder, with the process's number and start, so that the next studio finds
it; what it prints goes to files beside the record. Nothing passes through a shell.
"""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

from manyheads.core.places import disk_errors, make_folder
from manyheads.core.processes import is_same_process, process_start
from manyheads.core.records import read_record, write_record
from manyheads.errors import InputError, ManyheadsError, WorldError

PYTHON = sys.executable
MOST_AT_WORK = 4  # commands at a time: each takes all cores
_KEPT = 200  # records
_SHOWN = 20_000  # bytes of what a command printed
_PATIENCE = 8.0  # seconds in which a command ends that is asked to: it gives itself four
_GLANCE = 0.05
_NUMBER = re.compile(r"\d{14}-\d{6}")


@dataclass(frozen=True, kw_only=True)
class StudioProcess:
    """A command that was started: its words after `manyheads`, and the run that it is about.

    `folder` is where it works if that is not the place.
    `code` is its exit code, None while it is at work and where nobody was there to hear it.
    """

    number: str
    kind: str
    arguments: list[str]
    run: str
    begun: str
    pid: int
    started: str | None
    folder: str | None = None
    code: int | None = None

    @property
    def at_work(self) -> bool:
        """Whether it has not ended."""
        return self.code is None and is_same_process(self.pid, self.started)


class RunProcesses:
    """The processes of the folder `records`, started in the folder `place`; for several threads."""

    def __init__(self, records: Path, place: Path) -> None:
        self._records, self._place = records, place
        self._lock = threading.Lock()
        self._children: dict[str, subprocess.Popen[bytes]] = {}
        self._known: dict[str, StudioProcess] = {}
        for file in sorted(records.glob("*.json")):
            if _NUMBER.fullmatch(file.stem):
                with suppress(ManyheadsError):  # one that is damaged
                    found = _read(file)
                    if found is not None:
                        self._known[found.number] = found

    def start(
        self, kind: str, arguments: Sequence[str], run: str, *, folder: Path | None = None
    ) -> StudioProcess:
        """Start `manyheads ARGUMENTS` in the place, or in a `folder`.

        Raises `InputError` while too many are at work, and `DiskError`.
        """
        with self._lock:
            if sum(each.at_work for each in self._known.values()) >= MOST_AT_WORK:
                raise InputError(
                    f"at most {MOST_AT_WORK} commands at work", "as many already",
                    "wait for one of them, or stop it",
                )  # fmt: skip
            self._forget_old()
            make_folder(self._records)
            number = datetime.now().strftime("%Y%m%d%H%M%S-%f")
            child = self._child(number, arguments, folder or self._place)
            made = StudioProcess(
                number=number, kind=kind, arguments=list(arguments), run=run,
                begun=datetime.now().astimezone().isoformat(timespec="seconds"),
                pid=child.pid, started=process_start(child.pid),
                folder=None if folder is None else str(folder),
            )  # fmt: skip
            self._children[number] = child
            self._keep(made)
        return made

    def all(self) -> list[StudioProcess]:
        """All that are recorded, newest first."""
        with self._lock:
            for number, child in list(self._children.items()):
                if (code := child.poll()) is not None:
                    del self._children[number]
                    self._keep(replace(self._known[number], code=code))
            return sorted(self._known.values(), key=lambda each: each.number, reverse=True)

    def get(self, number: str) -> StudioProcess:
        """The one of this number; raises `InputError` if there is none."""
        for each in self.all():
            if each.number == number:
                return each
        raise InputError("the number of a command", repr(number), "choose one from the list")

    def of_run(self, run: str, *kinds: str) -> StudioProcess | None:
        """The newest one about a run, of one of the `kinds` if any are named."""
        of_kind = (each for each in self.all() if not kinds or each.kind in kinds)
        return next((each for each in of_kind if each.run == run), None)

    def printed(self, number: str) -> tuple[str, str]:
        """The end of what a command wrote on stdout and on stderr."""
        return _tail(self._file(number, "out")), _tail(self._file(number, "err"))

    def stop(self, number: str) -> None:
        """Ask a command to end in good order, as Ctrl-C does."""
        process = self.get(number)
        if process.at_work:
            interrupt_group(process.pid)

    def close(self) -> list[StudioProcess]:
        """Ask all to end, wait for them, and end what does not; returns those that were at work."""
        ended = [each for each in self.all() if each.at_work]
        for each in ended:
            interrupt_group(each.pid)
        until = time.monotonic() + _PATIENCE
        while any(each.at_work for each in self.all()) and time.monotonic() < until:
            time.sleep(_GLANCE)
        for each in ended:
            # Also of one that has ended in good order, a process that it had started may be left.
            if process_start(each.pid) in (None, each.started):
                _signal_group(each.pid, hard=True)
        self.all()
        return ended

    def _child(
        self, number: str, arguments: Sequence[str], folder: Path
    ) -> subprocess.Popen[bytes]:
        # -P: what lies in the place is the user's, and no module of Python's.
        command = [PYTHON, "-P", "-m", "manyheads", *arguments]
        with (
            disk_errors(self._records),
            self._file(number, "out").open("wb") as out,
            self._file(number, "err").open("wb") as err,
        ):
            return subprocess.Popen(
                command, cwd=folder, stdin=subprocess.DEVNULL, stdout=out, stderr=err,
                start_new_session=True,
            )  # fmt: skip

    def _keep(self, process: StudioProcess) -> None:
        self._known[process.number] = process
        write_record(self._records / f"{process.number}.json", process)

    def _forget_old(self) -> None:
        old = [each for each in sorted(self._known) if not self._known[each].at_work]
        for number in old[: max(0, len(self._known) - _KEPT)]:
            del self._known[number]
            for ending in ("json", "out", "err"):
                self._file(number, ending).unlink(missing_ok=True)

    def _file(self, number: str, ending: str) -> Path:
        return self._records / f"{number}.{ending}"


def interrupt_group(pid: int) -> None:
    """Send what Ctrl-C sends to a process, and to those that it has started if it leads a group.

    Raises `WorldError` if the system does not allow it; one that has ended in the meantime is fine.
    """
    try:
        _signal_group(pid, hard=False)
    except OSError as error:
        raise WorldError(
            f"to stop the process {pid}", str(error.strerror).lower(), "stop it where it was begun"
        ) from error


def _signal_group(pid: int, *, hard: bool) -> None:
    with suppress(ProcessLookupError):
        if not hasattr(os, "killpg"):
            if process_start(pid) is not None:
                os.kill(pid, signal.SIGTERM)
            return
        number = signal.SIGKILL if hard else signal.SIGINT
        if hard or os.getpgid(pid) == pid:
            os.killpg(pid, number)
        else:  # one of a terminal's, beside others
            os.kill(pid, number)


def _read(file: Path) -> StudioProcess | None:
    return read_record(
        file, StudioProcess, what="the record of a command", remedy="remove the file"
    )


def _tail(file: Path) -> str:
    with suppress(OSError), file.open("rb") as opened:
        opened.seek(0, os.SEEK_END)
        opened.seek(max(0, opened.tell() - _SHOWN))
        return opened.read().decode("utf-8", errors="replace")
    return ""
