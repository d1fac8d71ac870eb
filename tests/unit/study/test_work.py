"""What is done and left of a study, and how long the rest will take."""

from __future__ import annotations

import pytest

from manyheads.heads.bank import Metrics
from manyheads.heads.hyperparameters import epoch_cost
from manyheads.study import work as module
from manyheads.study.space import Grid, Trial
from manyheads.study.store import TrialRecord
from manyheads.study.study_settings import StudySettings
from manyheads.study.work import Work
from tests.studies import study_settings


class Machine:
    """A machine on which an epoch takes as long as it costs, whose clock says so."""

    def __init__(self, settings: StudySettings, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now, self.settings = 100.0, settings
        monkeypatch.setattr(module.time, "monotonic", lambda: self.now)
        self.work = Work(settings)
        self.said: list[tuple[float, float | None]] = []

    def train(self, trial: Trial, epochs: int) -> None:
        """Train a trial to a rung; the more units, the better it is."""
        setting = self.settings.grid[trial.candidate - 1]
        for _ in range(epochs):
            self.now += epoch_cost(setting)
            self.work.epoch(trial)
            self.said.append((self.now, self.work.seconds_left))
        self.work.end(trial, Metrics(0.5, 1.0, setting.size_inner / 1000, 1.0))

    def climb(self) -> None:
        """Train all rungs of the study."""
        trials = list(self.settings.trials())
        epochs = dict.fromkeys([trial.number for trial in trials], 0)
        for rung in self.settings.rungs:
            best = sorted(trials, key=lambda t: -self.settings.grid[t.candidate - 1].size_inner)
            trials = sorted(
                best[: rung.candidates * self.settings.seeds], key=lambda trial: trial.number
            )
            climbing = {trial.number for trial in trials}
            self.work.count(
                [
                    TrialRecord(t, "pending" if t.number in climbing else "pruned",
                                epochs=epochs[t.number])
                    for t in self.settings.trials()
                ]
            )  # fmt: skip
            for trial in trials:
                self.train(trial, rung.epochs)
                epochs[trial.number] = rung.epochs


MIXED = Grid(tuple(0.001 * n for n in range(1, 11)), (50, 100, 400), (0.0, 0.5))


@pytest.mark.parametrize(("prune", "start"), [(None, 0.02), (3, 0.25)])
def test_the_time_left_is_right_also_where_heads_differ(
    monkeypatch: pytest.MonkeyPatch, prune: int | None, start: float
) -> None:
    """With pruning all large heads survive, which is learnt while the first rung is trained."""
    settings = study_settings(grid=MIXED, epochs=18, seeds=5, prune=prune)
    machine = Machine(settings, monkeypatch)
    machine.climb()
    first, last = machine.said[0][0], machine.said[-1][0]
    looks = [(now, left) for now, left in machine.said if now >= first + start * (last - first)]
    assert len(looks) > 1000
    for now, left in looks:
        assert left == pytest.approx(last - now, rel=0.1, abs=1e-6 * last)
    assert (machine.work.left.epochs, machine.work.left.units) == (0, 0)
    expected = sum(rung.candidates * rung.epochs * 5 for rung in settings.rungs)
    assert machine.work.done.epochs == expected


def test_nothing_can_be_said_before_the_first_epoch(monkeypatch: pytest.MonkeyPatch) -> None:
    machine = Machine(study_settings(), monkeypatch)
    machine.now += 1000
    assert (machine.work.seconds, machine.work.seconds_left) == (0.0, None)
    machine.work.epoch(machine.settings.trials()[0])
    assert machine.work.units_per_second is None


def test_what_ends_early_is_not_left(monkeypatch: pytest.MonkeyPatch) -> None:
    work = Machine(study_settings(epochs=10), monkeypatch).work
    assert work.left.epochs == 40
    trial = work.settings.trials()[0]
    for _ in range(3):
        work.epoch(trial)
    work.end(trial)
    assert (work.done.epochs, work.left.epochs, work.total) == (3, 30, 33)
    assert work.ended[1] == 1


def test_a_resumed_study_counts_what_all_runs_have_done() -> None:
    settings = study_settings(grid=Grid((0.01,), (4,), (0.0, 0.3, 0.6)), epochs=9, prune=3)
    states = [("pruned", 3), ("pruned", 3), ("pending", 3), ("running", 3), ("failed", 1)]
    records = [
        TrialRecord(trial, state, epochs=epochs)
        for trial, (state, epochs) in zip(settings.trials(), [*states, ("pruned", 3)], strict=True)
    ]
    work = Work(settings)
    work.count(records)
    assert (work.rung, work.done.epochs, work.left.epochs) == (1, 16, 18)
    assert work.ended == {1: 2, 3: 2}
