"""The folder that a studio is opened on: its runs and its data by name, and which data are open.

Names come from a page and are never trusted: each is resolved, and refused if it leads elsewhere.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, TypeVar

from manyheads.core.job import Job
from manyheads.core.places import stays_below, write_text
from manyheads.errors import DataError, ManyheadsError, RunError
from manyheads.web.studio.background_task import BackgroundTask
from manyheads.web.studio.opened_data import OpenedData, decisions_file

OWN_FOLDER = ".manyheads-studio"
"""The hidden folder in which a studio keeps its own files."""

Outcome = TypeVar("Outcome")

_STATE = "data.json"
_PATIENCE = 5.0  # seconds in which work that was stopped ends


class StudioPlace:
    """The folder `place`, with what is open in it; safe to use from several threads.

    Which data are open is kept in a file, so that another studio on the same folder begins where
    this one ended. Raises `DataError` unless `place` is a folder.
    """

    def __init__(self, place: Path) -> None:
        self.place = place.expanduser().absolute()
        if not self.place.is_dir():
            raise DataError("a folder to open", f"none at {place}", "name one that exists")
        self._real = self.place.resolve()
        self._lock = threading.RLock()
        self._names = self._read()
        self._opening: BackgroundTask[OpenedData] | None = None
        self._tasks: list[BackgroundTask[Any]] = []

    @property
    def own(self) -> Path:
        """The hidden folder with the studio's own files; it may be missing yet."""
        return self.place / OWN_FOLDER

    @property
    def current(self) -> Path | None:
        """The opened data, a folder or a manifest below the place; None if none are open."""
        return self._known("current")

    @property
    def manifest(self) -> Path | None:
        """The manifest with the decisions, which runs use as data; None if nothing was decided.

        It is written now if these decisions are in none yet. Raises what `OpenedData.manifest`
        raises, and what opening the data raises.
        """
        current = self.current
        # Data about which nobody decided need not be opened to know that.
        if current is None or not decisions_file(self.own, self.name_of(current)).is_file():
            return self._known("manifest")
        opened = self.opened()
        return None if opened is None else opened.manifest()

    @property
    def opening(self) -> BackgroundTask[OpenedData] | None:
        """The opening of the data, ended or not; None if none are open."""
        with self._lock:
            if self._opening is None and (current := self.current) is not None:
                self._begin(current)
            return self._opening

    def open(self, name: str) -> BackgroundTask[OpenedData]:
        """Begin to open the data of this name, in place of those that were open.

        Raises what `data` raises.
        """
        path = self.data(name)
        with self._lock:
            if self._opening is not None:
                self._opening.stop()
            self._remember({"current": name})
            return self._begin(path)

    def use(self, current: Path, manifest: Path | None = None) -> None:
        """Take data for open that are opened once they are asked for.

        A `manifest` stands for decisions that were made elsewhere, until some are made here.
        """
        paths = {"current": current, "manifest": manifest}
        with self._lock:
            self._opening = None
            self._remember({k: self.name_of(path) for k, path in paths.items() if path is not None})

    def opened(self) -> OpenedData | None:
        """The opened data, once they are, or None if none are; raises what opening them raises."""
        opening = self.opening
        return None if opening is None else opening.finished()

    def begin(self, what: str, work: Callable[[Job], Outcome]) -> BackgroundTask[Outcome]:
        """Begin `work` in a thread that ends with this place; `what` says what it is."""
        task = BackgroundTask(what, work)
        with self._lock:
            self._tasks = [each for each in self._tasks if each.running] + [task]
        return task

    def close(self) -> None:
        """Stop what is at work, and wait some seconds for its end; finished work is kept."""
        with self._lock:
            tasks = list(self._tasks)
        for task in tasks:
            task.stop()
        for task in tasks:
            task.wait(_PATIENCE)

    def run(self, name: str) -> Path:
        """The run folder of this name, relative to the place.

        Raises `RunError` for a name that leads elsewhere, also by a link, and for one of nothing.
        """
        found = self._below(name)
        if found is None or not found.is_dir():
            raise RunError(
                "the name of a run in this place", repr(name), "choose one from the list"
            )
        return found

    def data(self, name: str) -> Path:
        """The folder or manifest of this name, relative to the place; "." is the place itself.

        Raises `DataError` for a name that leads elsewhere, also by a link, and for one of nothing.
        """
        found = self.place if name == "." else self._below(name)
        if found is None:
            raise DataError(
                "the name of a folder or a manifest in this place",
                repr(name),
                "choose one from the list",
            )
        return found

    def name_of(self, path: Path) -> str:
        """The name of a path below the place, with slashes; "." for the place itself."""
        return path.relative_to(self.place).as_posix()

    def _remember(self, names: dict[str, str]) -> None:
        write_text(self.own / _STATE, json.dumps(names) + "\n")
        self._names = names

    def _known(self, key: str) -> Path | None:
        with self._lock:
            name = self._names.get(key)
        if name is None:
            return None
        with suppress(ManyheadsError):  # what was moved or removed in the meantime
            return self.data(name)
        return None

    def _begin(self, path: Path) -> BackgroundTask[OpenedData]:
        name = self.name_of(path)
        self._opening = self.begin(
            f"opening {name}", lambda job: OpenedData.opened(name, path, self.own, job)
        )
        return self._opening

    def _below(self, name: str) -> Path | None:
        """The path of a name, unless it leads out of the place."""
        if not stays_below(name) or OWN_FOLDER in Path(name).parts:
            return None
        path = self.place / name
        # A name that is too long, or a loop of links.
        with suppress(OSError, ValueError, RuntimeError):
            if path.resolve().is_relative_to(self._real) and path.exists():
                return path
        return None

    def _read(self) -> dict[str, str]:
        """What another studio had open; a file that is damaged says nothing."""
        with suppress(OSError, ValueError, AttributeError):
            found = json.loads((self.own / _STATE).read_text(encoding="utf-8"))
            return {key: name for key, name in found.items() if isinstance(name, str)}
        return {}
