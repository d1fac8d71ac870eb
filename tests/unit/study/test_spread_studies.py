"""Studies whose heads other processes train: the same store, tables and heads."""

from __future__ import annotations

import os
import signal
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from multiprocessing import active_children
from pathlib import Path
from typing import Any

import pytest

from manyheads.core.job import Event, Job
from manyheads.core.workers import Workers
from manyheads.errors import Interrupted
from manyheads.heads.spread_engine import SpreadEngine
from manyheads.study.events import TrialEnded
from manyheads.study.space import Grid
from manyheads.workers.opening import opened_workers
from tests.jobs import StoppingJob
from tests.studies import outcome_of, study_settings, train

GRID = Grid((0.001, 0.01), (0, 4), (0.0, 0.5))
WAYS: dict[str, dict[str, Any]] = {
    "given split": {"seeds": 3},
    "folds, refit": {"seeds": 2, "folds": 3},
    "rungs": {"seeds": 2, "prune": 3, "epochs": 9},
}


@pytest.fixture(scope="module")
def workers() -> Iterator[Workers]:
    """Two processes of this machine."""
    with opened_workers(2) as opened:
        assert opened is not None
        yield opened


def numbers(run: Path) -> list[str]:
    """All that the store of a run holds, in the order of the text."""
    with closing(sqlite3.connect(run / "study.sqlite")) as store:
        return sorted(store.iterdump())


@pytest.mark.when_changed("studies")
@pytest.mark.parametrize("way", WAYS)
def test_a_study_by_processes_is_the_same_study(way: str, tmp_path: Path, workers: Workers) -> None:
    settings = study_settings(grid=GRID, **WAYS[way])
    train(settings, tmp_path / "here")
    train(settings, tmp_path / "there", engine=SpreadEngine("fused", workers))
    assert outcome_of(tmp_path / "there") == outcome_of(tmp_path / "here")
    assert numbers(tmp_path / "there") == numbers(tmp_path / "here")


@pytest.mark.when_changed("studies")
def test_a_study_goes_on_after_a_stop_and_with_other_workers(
    tmp_path: Path, workers: Workers
) -> None:
    settings = study_settings(grid=GRID, seeds=4)
    train(settings, tmp_path / "here")
    with pytest.raises(Interrupted):
        train(
            settings, tmp_path / "there", engine=SpreadEngine("fused", workers),
            job=StoppingJob(TrialEnded, 5),
        )  # fmt: skip
    train(settings, tmp_path / "there")
    assert outcome_of(tmp_path / "there") == outcome_of(tmp_path / "here")
    assert numbers(tmp_path / "there") == numbers(tmp_path / "here")


@pytest.mark.when_changed("studies")
def test_a_worker_that_is_killed_changes_nothing(tmp_path: Path) -> None:
    settings = study_settings(grid=GRID, seeds=8, epochs=20)
    train(settings, tmp_path / "here")
    killed: list[int] = []

    def kill(event: Event) -> None:
        if isinstance(event, TrialEnded) and not killed:
            killed.extend(child.pid or 0 for child in active_children())
            killed[:] = sorted({*killed} - others)
            os.kill(killed[0], signal.SIGKILL)

    others = {child.pid or 0 for child in active_children()}
    with opened_workers(2) as own:
        assert own is not None
        train(settings, tmp_path / "there", engine=SpreadEngine("fused", own), job=Job(kill))
    assert len(killed) == 2
    assert outcome_of(tmp_path / "there") == outcome_of(tmp_path / "here")
    assert numbers(tmp_path / "there") == numbers(tmp_path / "here")


@pytest.mark.slow
@pytest.mark.programs
def test_two_thousand_heads_on_ray_are_the_same_study(tmp_path: Path) -> None:
    pytest.importorskip("ray")
    rates, sizes = (0.001, 0.003, 0.01, 0.03), (2, 3, 4, 8, 16)
    settings = study_settings(grid=Grid(rates, sizes, tuple(n / 10 for n in range(10))), seeds=10)
    train(settings, tmp_path / "here")
    with opened_workers("ray") as ray:
        assert ray is not None
        train(settings, tmp_path / "there", engine=SpreadEngine("fused", ray))
    assert outcome_of(tmp_path / "there") == outcome_of(tmp_path / "here")
    assert numbers(tmp_path / "there") == numbers(tmp_path / "here")
