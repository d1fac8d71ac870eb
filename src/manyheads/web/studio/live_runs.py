"""A run while it is at work: how far it is, what leads, and its curves, for a page that asks often.

A run is known by its folder, whoever began it: `progress.json` tells how far it is, its stores what
has ended, and the record of a process what the studio itself has started.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import Any

from manyheads.core.text import option
from manyheads.errors import ManyheadsError, RunError
from manyheads.findings.wording import METRIC_WORDS
from manyheads.run.fit.fit_record import read_fit
from manyheads.run.fit.fit_settings import seconds_of
from manyheads.run.progress_file import read_progress
from manyheads.study.folder import RunFolder
from manyheads.study.space import setting_words
from manyheads.study.study_document import read_study
from manyheads.study.study_settings import StudySettings
from manyheads.web.studio.live_curves import StoreView, store_view
from manyheads.web.studio.place_words import PlaceWords
from manyheads.web.studio.run_catalog import CatalogEntry, RunCatalog
from manyheads.web.studio.run_forms import in_words, operand
from manyheads.web.studio.run_processes import RunProcesses, StudioProcess
from manyheads.web.studio.tagged_answers import TaggedAnswer
from manyheads.web.studio.workspace import StudioPlace

TRAINING = ("fit", "sweep")  # kinds of processes that make a run
_LEAST = 0.8  # seconds for which an answer is as good as new
_SHARE = 8  # times what an answer took to find, it holds
_MOST = 64  # runs whose answers, and studies whose settings, are kept


class LiveRuns:
    """The runs of a place, looked at closely; safe to use from several threads."""

    def __init__(
        self,
        desk: StudioPlace,
        catalog: RunCatalog,
        processes: RunProcesses,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._desk, self._catalog, self._processes = desk, catalog, processes
        self._clock, self._words = clock, PlaceWords(desk.place)
        self._lock = threading.Lock()
        self._answers: dict[str, tuple[float, TaggedAnswer]] = {}
        self._settings: dict[Path, tuple[int, StudySettings]] = {}

    def answer(self, name: str) -> TaggedAnswer:
        """What there is to tell of the run of this name; raises `RunError` if there is none.

        An answer holds for a second, or longer if it took long to find.
        """
        with self._lock:
            known = self._answers.get(name)
            began = self._clock()
            if known is not None and began < known[0]:
                return known[1]
            made = TaggedAnswer.of(self._document(name))
            took = self._clock() - began
            self._answers.pop(name, None)
            self._answers[name] = self._clock() + max(_LEAST, _SHARE * took), made
            while len(self._answers) > _MOST:
                del self._answers[next(iter(self._answers))]
            return made

    def forget(self, name: str) -> None:
        """Find the answer for a run anew: something was just done with it."""
        with self._lock:
            self._answers.pop(name, None)

    def process(self, name: str) -> StudioProcess | None:
        """The studio's own process at work on a run, or the last one."""
        return self._processes.of_run(name, *TRAINING)

    def resumption(self, name: str) -> tuple[list[str], Path | None] | None:
        """The words that go on with a run, and the folder to say them in (None: the place).

        They are those of the studio's own process, of the command that was killed, or of the
        study's settings; None if none of these is known.
        """
        if (process := self.process(name)) is not None:
            return process.arguments, None if process.folder is None else Path(process.folder)
        path = self._catalog.path(name)
        progress = read_progress(path)
        if progress is not None and (command := _training_command(progress)):
            folder = Path(str(progress.get("folder")))
            if folder.is_dir():
                return [*command, *option("out", path)], folder
        if RunFolder(path).settings.is_file():
            run = operand(self._desk.name_of(path))
            return ["sweep", *option("config", run), *option("out", run)], None
        return None

    def _document(self, name: str) -> dict[str, Any]:
        process = self.process(name)
        try:
            entry = self._catalog.entry(name)
        except RunError:
            if process is None:
                raise
            return self._to_begin(name, process)
        path = self._catalog.path(name)
        progress = read_progress(path) or {}
        alive = bool(progress.get("alive"))
        at_work = process is not None and process.at_work
        state = _state(entry, at_work=alive or at_work)
        going = alive or not entry.listed.finished
        resume = self._resume(name)
        return {
            **entry.document,
            "state": state,
            "progress": self._progress(progress, process) if alive else None,
            "said": self._said(process) if state != "done" else "",
            "resume": resume if state == "stopped" else None,
            "command": self._command(process, progress) or resume or "",
            "studies": self._studies(path, progress, going=going),
            "fit": self._fitted(path) if entry.listed.kind == "fit" and not going else None,
            "report": RunFolder(path).report.is_file(),
            "model": RunFolder(path).best.is_file(),
        }

    def _to_begin(self, name: str, process: StudioProcess) -> dict[str, Any]:
        """What there is to tell before there is a folder, or where it never came to one."""
        return {
            "name": name, "kind": process.kind, "date": process.begun, "finished": False,
            "alive": process.at_work, "state": "starting" if process.at_work else "stopped",
            "progress": None, "said": self._said(process), "studies": [], "fit": None,
            "resume": None if process.at_work else in_words(process.arguments),
            "command": self._words.told(in_words(process.arguments)),
            "report": False, "model": False, "problem": "",
        }  # fmt: skip

    def _progress(self, found: dict[str, Any], process: StudioProcess | None) -> dict[str, Any]:
        """What `progress.json` tells; where the time is given, what is left of it."""
        told = {key: found.get(key) for key in ("version", "begun", "plan", "steps", "training",
                                                "notes")}  # fmt: skip
        told = self._words.told_all(told)
        command = process.arguments if process is not None else found.get("command") or []
        told["budget"] = budget_of(command)
        begun = found.get("begun")
        with suppress(TypeError, ValueError):
            told["since"] = datetime.fromisoformat(str(begun)).timestamp()
        return told

    def _said(self, process: StudioProcess | None) -> str:
        """The last lines of what the studio's own process wrote."""
        if process is None:
            return ""
        out, err = self._processes.printed(process.number)
        lines = [line for line in (out + err).splitlines() if line.strip()]
        return self._words.told("\n".join(lines[-12:]))

    def _resume(self, name: str) -> str | None:
        found = self.resumption(name)
        return None if found is None else self._words.told(in_words(found[0]))

    def _command(self, process: StudioProcess | None, progress: dict[str, Any]) -> str:
        if process is not None:
            return self._words.told(in_words(process.arguments))
        command = _training_command(progress)
        return self._words.told(in_words(command)) if command else ""

    def _studies(
        self, path: Path, progress: dict[str, Any], *, going: bool
    ) -> list[dict[str, Any]]:
        """The studies of a run, the one that changed last in full: others as counts alone."""
        run = RunFolder(path)
        studies = [run] if run.settings.is_file() else run.searches
        latest = max(studies, key=_last_write, default=None) if going else None
        told: list[dict[str, Any]] = []
        for study in studies:
            with suppress(ManyheadsError):  # one that is just being begun, or is damaged
                in_full = study is latest or study is run
                own = progress if study is run else read_progress(study.path) or {}
                told.append(self._told(study, own, in_full=in_full))
        return told

    def _told(self, study: RunFolder, progress: dict[str, Any], *, in_full: bool) -> dict[str, Any]:
        settings = self._study(study)
        grid = settings.grid
        told: dict[str, Any] = {
            "name": study.path.name,
            "candidates": len(grid),
            "seeds": settings.seeds,
            "heads": settings.seeds * settings.divisions,
            "epochs": settings.epochs,
        }
        if not in_full:
            return told
        view = store_view(study.store, settings)
        running = progress.get("running") or [] if progress.get("alive") else []
        bands = joined_bands(view, running)
        leaders = {each.candidate: each for each in view.leaders}
        every = [*leaders, *(each for each in bands if each not in leaders)]
        return told | {
            "states": view.states,
            "metric": view.metric,
            "waiting": view.waiting,
            "band_seeds": view.seeds,
            "leaders": [
                {
                    "candidate": number,
                    "words": setting_words(grid[number - 1], grid.varying),
                    "mean": leader and leader.mean,
                    "deviation": leader and leader.deviation,
                    "heads": leader.heads if leader else 0,
                    "band": bands.get(number, []),
                }
                for number in every[:20]
                if 0 < number <= len(grid)
                for leader in [leaders.get(number)]
            ],
        }

    def _study(self, study: RunFolder) -> StudySettings:
        """The settings in a folder, which are read again once they have changed."""
        try:
            stamp = study.settings.stat().st_mtime_ns
        except OSError:
            stamp = 0
        known = self._settings.get(study.path)
        if known is None or known[0] != stamp:
            known = stamp, read_study(study.document())[0]
            self._settings.pop(study.path, None)
            self._settings[study.path] = known
            while len(self._settings) > _MOST:
                del self._settings[next(iter(self._settings))]
        return known[1]

    def _fitted(self, path: Path) -> dict[str, Any] | None:
        """What a finished fit came to."""
        with suppress(ManyheadsError):
            if (fitted := read_fit(path)) is not None:
                scores, measured = fitted.expected.measured, fitted.ranked_in
                return {
                    "expected": [
                        [METRIC_WORDS[name], each.value, each.low, each.high]
                        for name, each in fitted.leading_scores.items()
                    ],
                    "columns": [METRIC_WORDS[name] for name in measured],
                    "images": scores.images,
                    "heads": fitted.heads,
                    "chosen": fitted.tried[0].words,
                    "seconds": fitted.seconds,
                    "remarks": list(fitted.remarks),
                    "tried": [
                        {"words": each.words, "folds": each.folds,
                         "scores": [each.scored(name) for name in measured]}
                        for each in fitted.tried[:20]
                    ],
                    "folds": fitted.folds,
                }  # fmt: skip
        return None


def joined_bands(view: StoreView, running: Sequence[dict[str, Any]]) -> dict[int, list[list[Any]]]:
    """Curves of ended trials with those of trials at work, by candidate and epoch.

    Each point is (epoch, seeds, mean, least, greatest); means are weighted by how many they are of.
    """
    bands = {candidate: list(band) for candidate, band in view.bands.items()}
    for each in running:
        known = {point[0]: point for point in bands.get(each["candidate"], [])}
        for epoch, trials, mean, low, high in each["epochs"]:
            if (point := known.get(epoch)) is not None:
                seeds = point[1] + trials
                mean = (point[1] * point[2] + trials * mean) / seeds
                trials, low, high = seeds, min(low, point[3]), max(high, point[4])
            known[epoch] = [epoch, trials, mean, low, high]
        bands[each["candidate"]] = [known[epoch] for epoch in sorted(known)]
    return bands


def budget_of(command: Sequence[str]) -> float | None:
    """The seconds that a command was given as `budget`, if it was."""
    for place, word in enumerate(command):
        name, _, value = word.partition("=")
        if [name] == option("budget"):
            with suppress(ManyheadsError, IndexError):
                return seconds_of(value or command[place + 1])
    return None


def _training_command(progress: dict[str, Any]) -> list[str]:
    command = progress.get("command")
    if isinstance(command, list) and command[:1] and command[0] in TRAINING:
        return [str(word) for word in command]
    return []


def _state(entry: CatalogEntry, *, at_work: bool) -> str:
    if at_work:
        return "running"
    if entry.listed.problem:
        return "unreadable"
    return "done" if entry.listed.finished else "stopped"


def _last_write(study: RunFolder) -> float:
    files = study.store, study.store.with_name(f"{study.store.name}-wal"), study.settings
    times = [0.0]
    for file in files:
        with suppress(OSError):
            times.append(file.stat().st_mtime)
    return max(times)
