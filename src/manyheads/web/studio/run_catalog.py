"""The runs of a place as a list that costs nothing while nothing changes."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from manyheads.errors import ManyheadsError, RunError
from manyheads.run.fit import fit_record
from manyheads.run.progress_file import PROGRESS_FILE, read_progress
from manyheads.run.run_folders import last_change, run_folders
from manyheads.run.run_list import ListedRun, listed_run
from manyheads.study.folder import RunFolder
from manyheads.web.studio.workspace import StudioPlace

_SEARCHED = 5.0  # seconds for which the folders that were found are those that are there
_AT_WORK = 2.0  # seconds between two readings of a run that changes all the time
_PARTS = 8  # of a fit's studies, whose stores are looked at

Stamp = tuple[tuple[int, int], ...]


@dataclass(frozen=True)
class CatalogEntry:
    """A run by its name in the place; `alive`: a process is at work in it."""

    name: str
    listed: ListedRun
    alive: bool
    changed: float

    @property
    def document(self) -> dict[str, Any]:
        """The entry for a page."""
        run = self.listed
        return {
            "name": self.name, "kind": run.kind, "date": run.date, "data": run.data,
            "candidates": run.candidates, "seeds": run.seeds, "done": run.done,
            "trials": run.trials, "state": run.state, "finished": run.finished,
            "alive": self.alive, "best": run.best, "score": run.score, "words": run.score_words,
            "verdict": run.verdict, "problem": run.problem,
        }  # fmt: skip


class RunCatalog:
    """The runs below the place of a `desk`; safe to use from several threads.

    A run is read again once one of its files has changed, as `run.run_list` reads it.
    """

    def __init__(self, desk: StudioPlace, clock: Callable[[], float] = time.monotonic) -> None:
        self._desk, self._clock = desk, clock
        self._lock = threading.Lock()
        self._folders: list[Path] = []
        self._searched: float | None = None
        self._read: dict[Path, tuple[Stamp, float, CatalogEntry]] = {}

    def entries(self) -> list[CatalogEntry]:
        """All runs, the latest change first."""
        with self._lock:
            if self._searched is None or self._clock() - self._searched > _SEARCHED:
                self._folders = list(run_folders(self._desk.place))
                self._searched = self._clock()
                known = set(self._folders)
                self._read = {path: each for path, each in self._read.items() if path in known}
            found = [self._entry(path) for path in self._folders if path.is_dir()]
        return sorted(found, key=lambda each: (-each.changed, each.name))

    def entry(self, name: str) -> CatalogEntry:
        """The run of this name; raises `RunError` if there is none."""
        path = self.path(name)
        with self._lock:
            return self._entry(path)

    def path(self, name: str) -> Path:
        """The run folder of this name; "." is the place itself. Raises `RunError` if it is none."""
        with suppress(OSError, ManyheadsError):  # what is no name, or too long for one
            path = self._desk.place if name == "." else self._desk.run(name)
            if path in self._folders or path in run_folders(path, 0):
                return path
        raise RunError(
            "the name of a run in this place", repr(name[:100]), "choose one from the list"
        )

    def look_again(self) -> None:
        """Search the folders again at the next question: a run was begun."""
        self._searched = None

    def _entry(self, path: Path) -> CatalogEntry:
        former = self._read.get(path)
        now = self._clock()
        # A process at work replaces a file of the folder each second, which changes the folder.
        at = _changed_at(path)
        if former is not None and former[0][:1] == (at,) and not former[2].alive:
            return former[2]
        stamp = at, *_stamp(path)
        if former is not None and former[2].alive and now - former[1] < _AT_WORK:
            return former[2]
        progress = read_progress(path)
        alive = bool(progress and progress["alive"])
        if former is not None and former[0][1:] == stamp[1:]:
            entry = replace(former[2], alive=alive)
        else:
            name = self._desk.name_of(path)
            listed = replace(listed_run(path), run=name)
            if listed.problem:  # which may name the folder
                listed = replace(listed, problem=listed.problem.replace(str(path), name))
            entry = CatalogEntry(name, listed, alive, last_change(path))
        self._read[path] = stamp, now, entry
        return entry


def _changed_at(path: Path) -> tuple[int, int]:
    with suppress(OSError):
        return path.stat().st_mtime_ns, 0
    return 0, 0


def _stamp(path: Path) -> Stamp:
    """Changes with whatever the list tells of a run."""
    run = RunFolder(path)
    files = [path / fit_record.FILE, path / PROGRESS_FILE, run.settings, run.results]
    for study in [run, *run.searches[:_PARTS]]:
        files += [study.store, study.store.with_name(f"{study.store.name}-wal"), study.comparisons]
    found: list[tuple[int, int]] = []
    for file in files:
        with suppress(OSError):
            status = file.stat()
            found.append((status.st_mtime_ns, status.st_size))
            continue
        found.append((0, 0))
    return tuple(found)
