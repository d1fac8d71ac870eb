"""progress.json: what it says of a run at work, that it goes, and that it ends no run."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from manyheads.core.job import Event, Job
from manyheads.core.processes import is_same_process, process_start
from manyheads.run.fit.fit_record import require_ours
from manyheads.run.fit.fit_settings import FitSettings
from manyheads.run.progress_file import (
    DRAFT,
    PROGRESS_FILE,
    ProgressFile,
    is_own_command,
    read_progress,
)
from manyheads.run.run_folders import run_folders
from manyheads.run.run_list import listed_run
from manyheads.study.events import EpochEnded, TrainingBegun, TrainingProgress, TrialEnded
from manyheads.study.folder import RunFolder


def written(progress: ProgressFile) -> dict[str, Any]:
    """What is in the file after what was told last."""
    progress._write()
    found = read_progress(progress.folder)
    assert found is not None
    return found


def epoch(candidate: int, seed: int, number: int, value: float) -> EpochEnded:
    return EpochEnded(candidate, seed, 0, number, 0.5, 1.0, value, 1.0)


def test_it_says_what_was_told_and_goes_at_the_end(tmp_path: Path) -> None:
    heard: list[Event] = []
    progress = ProgressFile(tmp_path, Job(heard.append))
    progress.job.note("begun before it is held")
    assert not (tmp_path / PROGRESS_FILE).exists()
    with progress.held():
        progress.job.progress("extracting", 3, 10)
        with progress.job.step("writing the report"):
            found = written(progress)
            assert [each["step"] for each in found["steps"]] == ["extracting", "writing the report"]
        found = written(progress)
    assert found["notes"] == ["begun before it is held"]
    assert [(each["step"], each["done"]) for each in found["steps"]] == [("extracting", 3)]
    assert found["process"]["pid"] == os.getpid()
    assert found["alive"] is True
    assert list(tmp_path.iterdir()) == []
    assert len(heard) == 4


def test_its_last_event_is_written_though_no_other_follows(tmp_path: Path) -> None:
    progress = ProgressFile(tmp_path, Job())
    with progress.held():
        progress.job.progress("extracting", 1, 2)
        until = time.monotonic() + 5
        while not (read_progress(tmp_path) or {}).get("steps"):
            assert time.monotonic() < until
            time.sleep(0.05)


def test_curves_of_trials_at_work_are_bands_over_seeds(tmp_path: Path) -> None:
    progress = ProgressFile(tmp_path, Job())
    progress.job.tell(TrainingBegun(("a", "b"), 2, (0, 0), 1, 1))
    for seed, value in enumerate((0.5, 0.7)):
        progress.job.tell(epoch(1, seed, 1, value))
    progress.job.tell(epoch(1, 0, 2, 0.8))
    progress.job.tell(epoch(2, 0, 1, 0.9))
    progress.job.tell(epoch(2, 1, 1, float("nan")))  # one that diverges
    first, second = written(progress)["running"]
    assert (first["candidate"], second["candidate"]) == (2, 1)
    assert second["epochs"] == [
        [1, 2, pytest.approx(0.6), 0.5, 0.7],
        [2, 1, pytest.approx(0.8), 0.8, 0.8],
    ]
    progress.job.tell(TrialEnded(2, 0, 0, "done", ""))
    assert [each["candidate"] for each in written(progress)["running"]] == [1]


def test_curves_are_of_the_score_that_selects(tmp_path: Path) -> None:
    progress = ProgressFile(tmp_path, Job())
    progress.job.tell(TrainingBegun(("a", "b"), 1, (0, 0), 1, 1, "log_loss"))
    progress.job.tell(EpochEnded(1, 0, 0, 1, 0.5, 1.0, 0.9, 0.4))
    progress.job.tell(EpochEnded(2, 0, 0, 1, 0.5, 1.0, 0.8, 0.3))
    first, second = written(progress)["running"]
    assert (first["candidate"], first["epochs"][0][2]) == (2, 0.3)  # the least loss is first
    assert second["epochs"][0][2] == 0.4
    progress.job.tell(TrainingBegun(("a", "b"), 1, (0, 0), 1, 1, "macro_f1"))
    progress.job.tell(EpochEnded(1, 0, 0, 1, 0.5, 1.0, 0.9, 0.4, 0.7))
    assert written(progress)["running"][0]["epochs"][0][2] == 0.7


def test_numbers_that_json_has_not_are_null(tmp_path: Path) -> None:
    progress = ProgressFile(tmp_path, Job())
    progress.job.tell(TrainingProgress(1, 2, 1.0, float("inf"), None, None, at_most=False))
    assert written(progress)["training"]["total_cost"] is None


def test_a_folder_that_cannot_be_written_stops_no_run(tmp_path: Path) -> None:
    progress = ProgressFile(tmp_path / "missing", Job())
    with progress.held():
        progress.job.progress("extracting", 1, 2)
        progress._write()
    assert not (tmp_path / "missing").exists()


def test_of_a_finished_run_nothing_is_written(tmp_path: Path) -> None:
    with ProgressFile(tmp_path, Job()).held(wanted=False):
        assert list(tmp_path.iterdir()) == []


def test_what_a_killed_process_leaves_is_not_alive_and_in_nobodys_way(tmp_path: Path) -> None:
    folder = tmp_path / "fit"
    folder.mkdir()
    document = {"format": 1, "process": {"pid": os.getpid(), "started": "another time"}}
    (folder / PROGRESS_FILE).write_text(json.dumps(document), encoding="utf-8")
    (folder / DRAFT).write_text("{", encoding="utf-8")
    found = read_progress(folder)
    assert found is not None
    assert found["alive"] is False
    RunFolder(folder).require_no_strangers()
    assert require_ours(folder, FitSettings(data="photos")) is None
    assert list(run_folders(tmp_path)) == [folder]
    assert listed_run(folder).problem == ""


@pytest.mark.parametrize("text", ["", "[]", "{", '{"format": 2}', '{"format": 1}', "null", "\0"])
def test_a_file_of_something_else_is_none(tmp_path: Path, text: str) -> None:
    (tmp_path / PROGRESS_FILE).write_text(text, encoding="utf-8")
    assert read_progress(tmp_path) is None


def test_a_process_is_known_by_its_number_and_its_start() -> None:
    child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    started = process_start(child.pid)
    assert started is not None
    assert is_same_process(child.pid, started)
    assert not is_same_process(child.pid, started + "0")
    child.communicate(b"\n")
    assert process_start(child.pid) is None
    assert not is_same_process(child.pid, None)
    assert process_start(-1) is None


def test_only_a_command_of_ours_is_kept() -> None:
    assert is_own_command(["bin/manyheads", "fit", "photos"])
    assert is_own_command([str(Path("src", "manyheads", "__main__.py")), "fit"])
    assert not is_own_command(["bin/pytest"])
    assert not is_own_command([])
