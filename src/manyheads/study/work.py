"""How much of a study's training is done and left, and how long the rest will take.

Heads differ in what an epoch of them costs, so time is told from costs, not from counts. The cost
of an epoch is counted in units of the inner layer, which most of its work is proportional to.
"""

from __future__ import annotations

import time
from bisect import insort
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean

from manyheads.heads.bank import Metrics
from manyheads.heads.epoch_rules import rank_epoch
from manyheads.heads.hyperparameters import epoch_cost
from manyheads.study.rungs import rungs_climbed
from manyheads.study.space import Trial
from manyheads.study.store import TrialRecord
from manyheads.study.study_settings import StudySettings

_SETTLED = 0.5  # seconds before a rate means something
_ENOUGH_BEST = 5  # heads, before what they cost means something
_ANEW = 1.02  # times as many heads have come to a rung: what the next will cost is expected anew
_CLIMBING = ("pending", "running")


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
    rung or ended before. How many heads later rungs will train is known; what these cost is
    expected: as much as the others, then as much more or less as the best so far do. Trials that
    run out of patience leave less to do than was expected.
    """

    def __init__(self, settings: StudySettings) -> None:
        self.settings = settings
        self._rungs = settings.rungs
        every = list(settings.grid)
        self._costs = [epoch_cost(setting) for setting in every]
        self._last = [setting.epochs for setting in every]
        self._trained_epochs: Counter[int] = Counter()
        self._standings: list[tuple[tuple[float, ...], float]] = []
        self._since: tuple[float, int, float] | None = None
        self.count([TrialRecord(trial, "pending") for trial in settings.trials()])

    def count(self, records: Sequence[TrialRecord]) -> None:
        """Count anew, from what is recorded of all trials."""
        self.done, self._now, self._later = Amount(), Amount(), Amount()
        self._standings.clear()
        self._expected_at = 0
        self.ended: Counter[int] = Counter()
        self._trained_epochs.clear()
        # Heads train anew from their beginning at every rung: each rung climbed was paid in full.
        for record in records:
            for epochs in rungs_climbed(self._rungs, record.epochs):
                self.done.add(epochs, self._cost(record.trial))
        climbing = [record for record in records if record.state in _CLIMBING]
        shortest = min((record.epochs for record in climbing), default=self.settings.epochs)
        last = len(self._rungs) - 1
        self.rung = next(
            (place for place, rung in enumerate(self._rungs) if shortest < rung.epochs), last
        )
        for record in records:
            target = self._target(record.trial)
            if record.state in _CLIMBING and record.epochs < target:
                self._now.add(target, self._cost(record.trial))
            else:
                self.ended[record.trial.candidate] += 1
        self._climbing = len(climbing)
        self._candidates = len({record.trial.candidate for record in climbing})
        self._mean_cost = fmean([self._cost(record.trial) for record in climbing] or [0.0])
        self._expect()

    def epoch(self, trial: Trial) -> None:
        """A trial has finished an epoch."""
        self._trained_epochs[trial.number] += 1
        self.done.add(1, self._cost(trial))
        self._now.add(-1, self._cost(trial))
        if self._since is None:  # the clock goes from here: compiling and loading are no training
            self._since = time.monotonic(), self.done.epochs, self.done.units

    def end(self, trial: Trial, chosen: Metrics | None = None) -> None:
        """A trial has come to its rung, or has ended before; `chosen` are its best epoch's."""
        rest = self._target(trial) - self._trained_epochs.pop(trial.number, 0)
        self._now.add(-rest, self._cost(trial))
        self.ended[trial.candidate] += 1
        if chosen is not None and self.rung + 1 < len(self._rungs):
            key = rank_epoch(self.settings.select, 0, chosen)
            insort(self._standings, (key, self._cost(trial)))
            # Expecting anew sums all costs; after every head that would be quadratic.
            if len(self._standings) > _ANEW * self._expected_at:
                self._expect()

    @property
    def left(self) -> Amount:
        """What is left, of the present rung and those after it."""
        now, later = self._now, self._later
        return Amount(now.epochs + later.epochs, now.units + later.units)

    @property
    def total(self) -> int:
        """Epochs of heads, done and left."""
        return self.done.epochs + self.left.epochs

    @property
    def seconds(self) -> float:
        """Since this run's first epoch."""
        return time.monotonic() - self._since[0] if self._since else 0.0

    @property
    def epochs_per_second(self) -> float | None:
        """Epochs of heads per second in this run; None before that can be told."""
        return self._rate(1, self.done.epochs)

    @property
    def units_per_second(self) -> float | None:
        """Units × epochs per second in this run; None before that can be told."""
        return self._rate(2, self.done.units)

    @property
    def seconds_left(self) -> float | None:
        """How long the rest will take at this run's rate; None before that can be told."""
        rate = self.units_per_second
        return self.left.units / rate if rate else None

    def _rate(self, place: int, now: float) -> float | None:
        if self._since is None or self.seconds <= _SETTLED:
            return None
        return (now - self._since[place]) / self.seconds or None

    def _expect(self) -> None:
        """Expect anew what the rungs after the present one will take."""
        self._later, self._expected_at = Amount(), len(self._standings)
        for rung in self._rungs[self.rung + 1 :]:
            reach = min(rung.candidates, self._candidates)
            heads = round(reach * self._climbing / max(1, self._candidates))
            self._later.add(heads * rung.epochs, self._mean_cost * self._best_to_all(reach))

    def _best_to_all(self, reach: int) -> float:
        """What the best that have come to the rung cost, to what all of them do."""
        # Standings ascend, so the best are the last; they may be systematically larger heads.
        costs = [cost for _, cost in self._standings]
        best = costs[-round(len(costs) * reach / max(1, self._candidates)) :]
        return fmean(best) / fmean(costs) if len(costs) > len(best) >= _ENOUGH_BEST else 1.0

    def _target(self, trial: Trial) -> int:
        """To which epoch a trial trains now: the rung's, or its own last."""
        return min(self._rungs[self.rung].epochs, self._last[trial.candidate - 1])

    def _cost(self, trial: Trial) -> float:
        return self._costs[trial.candidate - 1]
