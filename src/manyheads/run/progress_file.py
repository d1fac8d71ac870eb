"""How far a run is, in a file of its folder, for whoever watches from another process.

`progress.json` is there while a process is at work in the folder, and is replaced whole at most
once a second. A process that was killed leaves it: `process` then names one that is gone. No
result depends on it, and a run goes on where it cannot be written.
"""

from __future__ import annotations

import json
import math
import os
import sys
import threading
import time
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import Any

from manyheads import __version__
from manyheads.core.job import Event, Job, Note, Planned, Progress
from manyheads.core.processes import is_same_process, process_start
from manyheads.study.events import EpochEnded, TrainingBegun, TrainingProgress, TrialEnded
from manyheads.study.folder import PASSING

PROGRESS_FILE, DRAFT = PASSING  # it is written as a draft
FORMAT = 1
_INTERVAL = 1.0  # seconds between two writes
_NOTES = 20  # that are kept
_CURVES = 20  # candidates whose unfinished curves are kept
_LARGEST = 4_000_000  # bytes: a larger file is not ours


class ProgressFile:
    """Hears what a job tells, and keeps it in `progress.json` of `folder` while that is `held`.

    `job` is the part of the whole job to work with. With `curves`, the epochs of trials that have
    not ended are kept too: mean, least and greatest validation score of a candidate in the metric
    that the study selects by.
    """

    def __init__(self, folder: str | Path, whole: Job, *, curves: bool = True) -> None:
        self.folder = Path(folder)
        self.job = whole.heard_by(self._hear)
        self._whole, self._curves = whole, curves
        self._lock = threading.Lock()
        self._changed = False
        self._plan: list[str] = []
        self._notes: deque[str] = deque(maxlen=_NOTES)
        self._steps: dict[str, dict[str, Any]] = {}
        self._training: dict[str, Any] = {}
        self._metric = "accuracy"  # that the study selects by
        self._running: dict[tuple[int, int, int], tuple[int, list[float]]] = {}
        self._begun = datetime.now().astimezone().isoformat(timespec="seconds")

    @contextmanager
    def held(self, *, wanted: bool = True) -> Iterator[None]:
        """Keep the file as long as the context lasts; nothing is written if it is not `wanted`."""
        if not wanted:
            yield
            return
        ended = threading.Event()
        self._write()
        # Events may be far apart, so that the last one is written by a thread and not by the next.
        writer = threading.Thread(
            target=self._write_on, args=(ended,), name="progress", daemon=True
        )
        writer.start()
        try:
            yield
        finally:
            ended.set()
            writer.join()
            for name in (PROGRESS_FILE, DRAFT):
                with suppress(OSError):
                    (self.folder / name).unlink(missing_ok=True)

    def _hear(self, event: Event) -> None:
        with self._lock:
            self._keep(event)
            self._changed = True
        self._whole.tell(event)

    def _keep(self, event: Event) -> None:
        match event:
            case EpochEnded():
                score = event.score(self._metric)
                if self._curves and math.isfinite(score):
                    trial = event.candidate, event.seed, event.fold
                    _, curve = self._running.setdefault(trial, (event.epoch, []))
                    curve.append(score)
            case TrialEnded():
                self._running.pop((event.candidate, event.seed, event.fold), None)
            case TrainingProgress():
                self._training |= asdict(event)
            case TrainingBegun():
                self._running.clear()
                self._metric = event.metric
                self._training = {"rung": event.rung, "rungs": event.rungs}
            case Progress():
                self._steps.pop(event.step, None)  # the latest is the last
                began = {"at": time.time()} if not event.unit else {}
                self._steps[event.step] = asdict(event) | began
                if not event.unit and event.done:
                    del self._steps[event.step]
            case Planned():
                self._plan = event.text(in_full=True)
            case Note(text):
                self._notes.append(text)
            case _:
                pass

    def _write_on(self, ended: threading.Event) -> None:
        while not ended.wait(_INTERVAL):
            if self._changed:
                self._write()

    def _write(self) -> None:
        with suppress(OSError, ValueError):  # no run ends because nobody can watch it
            with self._lock:
                self._changed = False
                document = self._document()
            draft = self.folder / DRAFT
            draft.write_text(json.dumps(document, ensure_ascii=False), encoding="utf-8")
            draft.replace(self.folder / PROGRESS_FILE)

    def _document(self) -> dict[str, Any]:
        pid = os.getpid()
        return {
            "format": FORMAT,
            "version": __version__,
            "process": {"pid": pid, "started": process_start(pid)},
            "begun": self._begun,
            "command": sys.argv[1:] if is_own_command(sys.argv) else [],
            "folder": str(Path.cwd()),
            "plan": self._plan,
            "steps": list(self._steps.values()),
            "training": {name: _plain(value) for name, value in self._training.items()},
            "notes": list(self._notes),
            "running": self._bands(),
        }

    def _bands(self) -> list[dict[str, Any]]:
        """Of the best candidates at work, by epoch: mean, least and greatest over their trials."""
        by_candidate: dict[int, list[tuple[int, list[float]]]] = {}
        for (candidate, _, _), curve in self._running.items():
            by_candidate.setdefault(candidate, []).append(curve)
        sign = 1 if self._metric == "log_loss" else -1
        best = sorted(by_candidate, key=lambda e: min(sign * c[-1] for _, c in by_candidate[e]))
        return [
            {"candidate": candidate, "trials": len(by_candidate[candidate]),
             "epochs": _band(by_candidate[candidate])}
            for candidate in best[:_CURVES]
        ]  # fmt: skip


def _band(curves: Sequence[tuple[int, list[float]]]) -> list[tuple[int, int, float, float, float]]:
    """(epoch, trials, mean, least, greatest) of curves that begin at different epochs."""
    found: dict[int, list[float]] = {}
    for first, curve in curves:
        for epoch, value in enumerate(curve, start=first):
            found.setdefault(epoch, []).append(value)
    return [
        (epoch, len(values), sum(values) / len(values), min(values), max(values))
        for epoch, values in sorted(found.items())
    ]


def is_own_command(words: Sequence[str]) -> bool:
    """Whether the words of a process's command line are those of manyheads itself."""
    path = Path(words[0]) if words else Path()
    return path.stem == "manyheads" or (path.name == "__main__.py" and "manyheads" in path.parts)


def _plain(value: Any) -> Any:
    return None if isinstance(value, float) and not math.isfinite(value) else value


def read_progress(folder: Path) -> dict[str, Any] | None:
    """What `progress.json` in `folder` says, with `alive`, whether its process is still at work.

    None where there is none, or one that cannot be read or is of another format.
    """
    file = folder / PROGRESS_FILE
    try:
        if file.stat().st_size > _LARGEST:
            return None
        found = json.loads(file.read_text(encoding="utf-8"))
        if not isinstance(found, dict) or found.get("format") != FORMAT:
            return None
        process = found["process"]
        alive = is_same_process(int(process["pid"]), process["started"])
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return found | {"alive": alive}
