"""How much of a study's training is done and left, and how long the rest will take.

Heads differ in what an epoch of them costs, so time is told from costs, not from counts. The cost
of an epoch is counted in units: those of the inner layer, which nearly all of its work is
proportional to.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean

from manyheads.heads.head import Hyperparameters
from manyheads.study.rungs import rungs_climbed
from manyheads.study.settings import StudySettings
from manyheads.study.space import Trial
from manyheads.study.store import TrialRecord

_LEAST_UNITS = 32  # a head with fewer costs about as much: gathering a batch does not shrink
_SETTLED = 0.5  # seconds before a rate means something
_CLIMBING = ("pending", "running")


def epoch_cost(setting: Hyperparameters) -> float:
    """What an epoch of a head costs, in units of the inner layer."""
    return float(max(setting.size_inner, _LEAST_UNITS))


@dataclass
class Amount:
    """Epochs of heads, and what they cost: units × epochs."""

    epochs: int = 0
    units: float = 0.0

    def add(self, epochs: int, cost: float) -> None:
        """Count `epochs` of `cost` each (less, if they are negative)."""
        self.epochs += epochs
        self.units += epochs * cost


class Work:
    """What of a study's training is done, in all runs, and what is left.

    `rung` counts from 0; `ended` counts, for each candidate, the trials that have come to the
    rung or ended before. What later rungs will cost is expected from the candidates that may
    reach them, and trials that run out of patience leave less to do than was expected.
    """

    def __init__(self, settings: StudySettings) -> None:
        self.settings = settings
        self._rungs = settings.rungs
        self._costs = [epoch_cost(setting) for setting in settings.grid]
        self._heard: Counter[int] = Counter()
        self._since: tuple[float, int, float] | None = None
        self.count([TrialRecord(trial, "pending") for trial in settings.trials()])

    def count(self, records: Sequence[TrialRecord]) -> None:
        """Count anew, from what is recorded of all trials."""
        self.done, self.left = Amount(), Amount()
        self.ended: Counter[int] = Counter()
        self._heard.clear()
        for record in records:
            for epochs in rungs_climbed(self._rungs, record.epochs):
                self.done.add(epochs, self._cost(record.trial))
        climbing = [record for record in records if record.state in _CLIMBING]
        shortest = min((record.epochs for record in climbing), default=self.settings.epochs)
        last = len(self._rungs) - 1
        self.rung = next(
            (place for place, rung in enumerate(self._rungs) if shortest < rung.epochs), last
        )
        target = self._rungs[self.rung].epochs
        for record in records:
            if record.state in _CLIMBING and record.epochs < target:
                self.left.add(target, self._cost(record.trial))
            else:
                self.ended[record.trial.candidate] += 1
        if climbing:
            self._expect(climbing)

    def epoch(self, trial: Trial) -> None:
        """A trial has finished an epoch."""
        self._heard[trial.number] += 1
        self.done.add(1, self._cost(trial))
        self.left.add(-1, self._cost(trial))
        if self._since is None:  # the clock goes from here: compiling and loading are no training
            self._since = time.monotonic(), self.done.epochs, self.done.units

    def end(self, trial: Trial) -> None:
        """A trial has come to its rung, or has ended before."""
        rest = self._rungs[self.rung].epochs - self._heard.pop(trial.number, 0)
        self.left.add(-rest, self._cost(trial))
        self.ended[trial.candidate] += 1

    @property
    def total(self) -> int:
        """Epochs of heads, done and left."""
        return self.done.epochs + self.left.epochs

    @property
    def seconds(self) -> float:
        """Since this run's first epoch."""
        return time.monotonic() - self._since[0] if self._since else 0.0

    @property
    def epochs_a_second(self) -> float | None:
        """Epochs of heads a second in this run; None before that can be told."""
        return self._rate(1, self.done.epochs)

    @property
    def units_a_second(self) -> float | None:
        """Units × epochs a second in this run; None before that can be told."""
        return self._rate(2, self.done.units)

    @property
    def seconds_left(self) -> float | None:
        """How long the rest will take at this run's rate; None before that can be told."""
        rate = self.units_a_second
        return self.left.units / rate if rate else None

    def _rate(self, place: int, now: float) -> float | None:
        if self._since is None or self.seconds <= _SETTLED:
            return None
        return (now - self._since[place]) / self.seconds or None

    def _expect(self, climbing: Sequence[TrialRecord]) -> None:
        """Add what the rungs after the present one will take, on average over who may climb."""
        trials = Counter(record.trial.candidate for record in climbing)
        each = len(climbing) / len(trials)
        cost = fmean(self._cost(record.trial) for record in climbing)
        for rung in self._rungs[self.rung + 1 :]:
            reach = min(rung.candidates, len(trials))
            self.left.add(round(reach * each) * rung.epochs, cost)

    def _cost(self, trial: Trial) -> float:
        return self._costs[trial.candidate - 1]
