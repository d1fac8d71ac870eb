"""What a job hears of a study while it trains, as plain values."""

from __future__ import annotations

import time
from dataclasses import dataclass

from manyheads.core.job import Event, Job
from manyheads.heads.bank import HeadEnd, Metrics
from manyheads.heads.epoch_rules import metric_of
from manyheads.study.space import Trial, setting_words
from manyheads.study.work import Work

_INTERVAL = 0.1  # seconds between two words on how far training is


@dataclass(frozen=True)
class TrainingBegun(Event):
    """Training begins, or comes to its next rung (counted from 1).

    `candidates` are all candidates in words, in order; `trials` is how many each has, and `ended`
    how many of each have come to the rung already, or have ended before. `metric` is what the study
    selects by: accuracy, log_loss, balanced_accuracy or macro_f1.
    """

    kind = "training begun"

    candidates: tuple[str, ...]
    trials: int
    ended: tuple[int, ...]
    rung: int
    rungs: int
    metric: str = "accuracy"

    @property
    def score_name(self) -> str:
        """What an epoch's score in that metric is called: `val_accuracy`, `val_loss`, …."""
        return f"val_{'loss' if self.metric == 'log_loss' else self.metric}"


@dataclass(frozen=True)
class TrainingProgress(Event):
    """How far training is, in epochs of heads and in what they cost (see `Work`).

    With `at_most`, trials may end before their last epoch. The rate and the time left are None as
    long as they cannot be told.
    """

    kind = "training"

    epochs: int
    total_epochs: int
    cost: float
    total_cost: float
    epochs_per_second: float | None
    seconds_left: float | None
    at_most: bool


@dataclass(frozen=True)
class EpochEnded(Event):
    """A trial has finished an epoch (counted from 1); candidates are counted from 1.

    `val_score` is the metric that the study selects by, where that is a score of classes; else 0.
    """

    kind = "epoch"

    candidate: int
    seed: int
    fold: int
    epoch: int
    accuracy: float
    loss: float
    val_accuracy: float
    val_loss: float
    val_score: float = 0.0

    def score(self, metric: str) -> float:
        """The validation score in the `metric` that the study selects by."""
        known = {"accuracy": self.val_accuracy, "log_loss": self.val_loss}
        return known.get(metric, self.val_score)


@dataclass(frozen=True)
class TrialEnded(Event):
    """A trial has ended, or has come to its rung; if its `status` is "failed", `note` says why."""

    kind = "trial"

    candidate: int
    seed: int
    fold: int
    status: str
    note: str


class TrainingReporter:
    """Tells a job how the training of a study goes, and counts it in `work`."""

    def __init__(self, job: Job, work: Work) -> None:
        self._job, self._work = job, work
        self._told = 0.0

    def begin(self) -> None:
        """Training begins, or comes to its next rung."""
        work, grid = self._work, self._work.settings.grid
        self._job.tell(
            TrainingBegun(
                candidates=tuple(setting_words(each, grid.varying) for each in grid),
                trials=len(work.settings.trials()) // len(grid),
                ended=tuple(work.ended[number] for number in range(1, len(grid) + 1)),
                rung=work.rung + 1,
                rungs=len(work.settings.rungs),
                metric=metric_of(work.settings.select),
            )
        )
        self._tell_progress()

    def epoch(self, trial: Trial, epoch: int, metrics: Metrics) -> None:
        """A trial has finished an epoch."""
        self._work.epoch(trial)
        self._job.tell(EpochEnded(trial.candidate, trial.seed, trial.fold, epoch, *metrics))
        # To tell more often costs more than an epoch of a small head.
        if time.monotonic() - self._told > _INTERVAL:
            self._tell_progress()

    def end(self, trial: Trial, end: HeadEnd, chosen: Metrics | None) -> None:
        """A trial has ended, or has come to its rung; `chosen` are its best epoch's metrics."""
        self._work.end(trial, chosen)
        self._job.tell(TrialEnded(trial.candidate, trial.seed, trial.fold, end.status, end.note))
        if time.monotonic() - self._told > _INTERVAL or not self._work.left.epochs:
            self._tell_progress()

    def _tell_progress(self) -> None:
        work, left = self._work, self._work.left
        self._told = time.monotonic()
        self._job.tell(
            TrainingProgress(
                epochs=work.done.epochs,
                total_epochs=work.total,
                cost=work.done.units,
                total_cost=work.done.units + left.units,
                epochs_per_second=work.epochs_per_second,
                seconds_left=work.seconds_left,
                at_most=work.settings.patience is not None and left.epochs > 0,
            )
        )
