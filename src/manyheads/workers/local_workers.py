"""Workers that are processes of this machine."""

from __future__ import annotations

import atexit
import shutil
import tempfile
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import suppress
from pathlib import Path
from typing import Any

from manyheads.core.machine import cores
from manyheads.core.places import disk_errors
from manyheads.core.text import counted
from manyheads.core.workers import WorkerResources
from manyheads.workers.worker_host import Raised, Reference, Returned
from manyheads.workers.worker_process import WorkerProcess


class LocalCrew:
    """So many processes, which divide the cores that this process may use."""

    patience = 120.0
    here = True

    def __init__(self, places: int) -> None:
        self.places = places
        self._share = max(1, cores() // places)
        each = counted(self._share, "core") + (" each" if places > 1 else "")
        self.words = f"{counted(places, 'process')} of this machine, {each}"
        self._there: dict[int, WorkerProcess] = {}
        self._folder: Path | None = None

    def start(self, place: int) -> Future[WorkerResources]:
        """Start a process."""
        self.end(place)
        name = f"worker {place + 1}"
        self._there[place] = WorkerProcess(name, self._share, str(self._contexts()))
        return self._there[place].ask("introduce")

    def keep(self, number: int, context: object) -> Reference:
        """Write a context to a file, whose arrays the workers map."""
        import joblib

        path = self._contexts() / f"{number}.context"
        with disk_errors(path):
            joblib.dump(context, path)
        return Reference(number, str(path))

    def drop(self, reference: Reference) -> None:
        """Remove the file of a context; workers that have it keep it."""
        with suppress(OSError):
            Path(reference.where).unlink()

    def call(
        self, place: int, reference: Reference, function: Callable[..., Any], *unit: Any
    ) -> Future[Returned | Raised]:
        """Let a process call a function."""
        return self._there[place].ask("call", reference, function, *unit)

    def end(self, place: int) -> None:
        """Kill a process, and those that it has started."""
        if (process := self._there.pop(place, None)) is not None:
            process.end()

    def died(self, error: BaseException) -> bool:
        """A process that has died ends its connection."""
        return isinstance(error, EOFError)

    def require(self) -> None:
        """This machine is always there."""

    def close(self) -> None:
        """Kill all processes, and remove all contexts."""
        atexit.unregister(self.close)
        for place in list(self._there):
            self.end(place)
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)
            self._folder = None

    def _contexts(self) -> Path:
        if self._folder is None:
            with disk_errors(Path(tempfile.gettempdir())):
                self._folder = Path(tempfile.mkdtemp(prefix="manyheads-workers-"))
            atexit.register(self.close)
        return self._folder
