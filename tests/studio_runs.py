"""Run folders that a studio looks at, made without training, and commands that it starts."""

from __future__ import annotations

import json
import os
import sqlite3
import stat
import sys
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from manyheads.backbones.backbone_cost import BackboneCost
from manyheads.core.processes import process_start
from manyheads.run.pipeline import run_study
from manyheads.run.progress_file import PROGRESS_FILE
from manyheads.study.backbone_choices import BackboneCandidates, choices_of
from manyheads.study.folder import RunFolder
from manyheads.study.kept_costs import keep_costs
from manyheads.study.space import Grid
from manyheads.study.store import Store
from manyheads.study.study_document import Resolved, study_document, to_toml
from manyheads.study.study_settings import StudySettings
from tests.small_study import small_images
from tests.studies import free_backbone

RESOLVED = Resolved(content="", weights="", weights_source="", classes=("a", "b"), versions={})


def made_up_settings(rates: int = 4, **changes: Any) -> StudySettings:
    """A study of so many dropout rates with three seeds and five epochs, but for `changes`."""
    grid = Grid((0.001,), (8,), tuple(round(rate / rates, 6) for rate in range(rates)))
    given: dict[str, Any] = {"data": "photos", "grid": replace(grid, epochs=(5,)), "seeds": 3}
    return StudySettings(**given | changes)


def accuracy(candidate: int, seed: int, epoch: int) -> float:
    """A made-up validation accuracy; of the last candidate it is the highest."""
    return round(0.5 + 0.1 * (candidate % 5) + 0.01 * seed - 0.1 / epoch, 6)


def made_up_study(path: Path, settings: StudySettings, ended: int | None = None) -> RunFolder:
    """A study in the folder `path` of which so many trials have ended, in order; None: all."""
    path.mkdir(parents=True, exist_ok=True)
    folder = RunFolder(path)
    folder.settings.write_text(to_toml(study_document(settings, RESOLVED)), "utf-8")
    with Store(folder.store) as store:
        store.prepare(settings.trials())
    with closing(sqlite3.connect(folder.store)) as database, database:
        numbers = [trial for trial in settings.trials() if ended is None or trial.number <= ended]
        database.executemany(
            "UPDATE trials SET state = 'done', epoch = ? WHERE trial = ?",
            ((settings.epochs, trial.number) for trial in numbers),
        )
        database.executemany(
            "INSERT INTO epochs VALUES (?, ?, 0.9, 0.3, ?, 0.5)",
            (
                (trial.number, epoch, accuracy(trial.candidate, trial.seed, epoch))
                for trial in numbers
                for epoch in range(1, settings.epochs + 1)
            ),
        )
    return folder


def write_progress(run: Path, *, alive: bool = True, **more: Any) -> None:
    """A progress.json of this process, or of one that is gone."""
    run.mkdir(parents=True, exist_ok=True)
    started = process_start(os.getpid()) if alive else "once"
    document = {
        "format": 1, "version": "0", "process": {"pid": os.getpid(), "started": started},
        "begun": "2026-01-01T00:00:00+00:00", "command": [], "folder": str(run), "plan": [],
        "steps": [], "training": {}, "notes": [], "running": [],
    }  # fmt: skip
    (run / PROGRESS_FILE).write_text(json.dumps(document | more), encoding="utf-8")


def two_backbones(place: Path, run: str, patch: pytest.MonkeyPatch) -> None:
    """A finished study of two backbones of different cost in a place, with no network at work."""
    choices = choices_of(("mobilenet", "mobilenet_v3_small"), (32,))
    grid = BackboneCandidates(Grid((0.01,), (4,), (0.0,), epochs=(3,)), choices)
    settings = StudySettings(
        data=str(small_images(place / "images")), grid=grid, backbone=choices[0].backbone,
        image=choices[0].image, seeds=3, select="last",
    )  # fmt: skip
    with free_backbone(patch):
        finished = run_study(settings, place / run)
    keep_costs(finished.folder, [BackboneCost(13.0, 0.6, None), BackboneCost(6.0, 0.1, None)])


def stand_in(folder: Path, script: str) -> str:
    """The path of a program that runs `script`, with the words of a command in `words`."""
    program = folder / "stand-in"
    text = f"#!{sys.executable}\nimport signal, sys, time, subprocess\nwords = sys.argv[4:]\n"
    program.write_text(text + script + "\n", encoding="utf-8")
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    return str(program)


def until(condition: Callable[[], Any], seconds: float = 20) -> Any:
    """Wait until a condition holds, and return what it gave."""
    deadline = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < deadline
        time.sleep(0.02)
    return found
