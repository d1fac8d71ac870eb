"""The engine of several processes: a bank is cut into smaller ones, which workers train."""

from __future__ import annotations

import hashlib
import math
import time
from collections.abc import Generator, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, replace

import numpy as np

from manyheads.core.job import SILENT, Job
from manyheads.core.settings import choice
from manyheads.core.workers import Workers
from manyheads.heads.bank import (
    ENGINES,
    EpochEnd,
    HeadEnd,
    HeadSettings,
    chosen_engine,
    engine_named,
)
from manyheads.heads.epoch_rules import check_rule
from manyheads.heads.fold import Fold
from manyheads.heads.hyperparameters import Hyperparameters, epoch_cost
from manyheads.heads.random import SeededStreams, StreamsOf
from manyheads.heads.sent_folds import SentFolds

_PROBE_SAMPLES, _PROBE_FEATURES = 70, 1100  # more than a batch, and than a tile of the kernels
_SECONDS = 4.0  # that a unit shall take: long beside what a unit costs, short beside a progress bar


class SpreadEngine:
    """Trains a bank on `workers`, each of which trains a part of it at a time on the named engine.

    A part (a unit) is some heads that follow each other. The first ones are small; those after them
    take about four seconds, by the rate of those that ended, and the last ones less, so that no
    worker waits for long. None has fewer heads than its worker has cores, or than two, unless there
    are not so many heads for each worker. The events of a unit come all together, at its end, so
    for some seconds there are none; a stop loses what the units in flight have done. Of the
    features, workers get the rows that the folds use, once: on the way these are in memory.

    On other machines a small head is trained first, and a worker where it comes out otherwise than
    here trains none.

    Raises `SettingError` for an engine that is none of `ENGINES`, and `MissingExtraError` for one
    that is not installed here.
    """

    def __init__(self, engine_name: str, workers: Workers) -> None:
        self.name = chosen_engine(choice("engine", engine_name, ENGINES))
        engine_named(self.name)
        self._workers = workers

    def train(
        self,
        heads: Sequence[HeadSettings],
        folds: Sequence[Fold],
        *,
        rule: str = "best_accuracy",
        streams: StreamsOf = SeededStreams,
        job: Job = SILENT,
    ) -> Generator[EpochEnd | HeadEnd]:
        """Train `heads` on their `folds`, yielding what happens, unit by unit.

        `streams` are those of a class, or of a function, of a module.
        """
        check_rule(rule)
        if not heads or job.stopped:
            return
        costs = [
            head.epochs * epoch_cost(head.hyperparameters) * len(folds[head.fold].train)
            for head in heads
        ]
        workers = self._workers.resources()
        cutting = _Cutting(costs, len(workers), max(worker.cores for worker in workers))
        context = BankContext(self.name, SentFolds.of(folds), rule, streams)
        check = None
        if not self._workers.here:  # processes of this machine compute as this one does
            check, context = other_bits, replace(context, probe=_probe(self.name))
        units = (BankUnit(part.start, heads[part.start : part.stop]) for part in cutting.parts())
        trained = self._workers.map(train_unit, context, units, check=check, job=job)
        with closing(trained):
            for _, unit in trained:
                cutting.measured(unit.heads, unit.seconds)
                yield from unit.events


@dataclass(frozen=True)
class BankContext:
    """What all units of a bank are trained with.

    `probe` is the digest of a small head of the engine where the driver trains it.
    """

    engine: str
    folds: SentFolds
    rule: str
    streams: StreamsOf
    probe: str = ""


@dataclass(frozen=True)
class BankUnit:
    """Some heads of a bank, of which the first has the number `first` there."""

    first: int
    heads: Sequence[HeadSettings]


@dataclass(frozen=True)
class _TrainedUnit:
    """The events of some heads of a bank, and the seconds that their training took."""

    heads: range
    events: list[EpochEnd | HeadEnd]
    seconds: float


def train_unit(context: BankContext, unit: BankUnit) -> _TrainedUnit:
    """Train the heads of a unit; its events have their numbers in the whole bank."""
    engine = engine_named(context.engine)
    folds = context.folds.folds()
    started = time.perf_counter()
    events = [
        replace(event, head=unit.first + event.head)
        for event in engine.train(unit.heads, folds, rule=context.rule, streams=context.streams)
    ]
    heads = range(unit.first, unit.first + len(unit.heads))
    return _TrainedUnit(heads, events, time.perf_counter() - started)


def other_bits(context: BankContext) -> str:
    """Why a worker cannot train this bank: heads are others here than the driver's; or ""."""
    same = _probe(context.engine) == context.probe
    return "" if same else f"a head that {context.engine} trains there has other numbers than here"


def _probe(engine: str) -> str:
    """The digest of a head with an inner layer, on numbers that are the same on every machine."""
    random = np.random.default_rng(0)
    features = random.random((_PROBE_SAMPLES, _PROBE_FEATURES), dtype=np.float32)
    rows, labels = np.arange(_PROBE_SAMPLES), np.arange(_PROBE_SAMPLES) % 3
    fold = Fold(features, rows, labels, rows, labels, 3)
    setting = Hyperparameters(size_inner=24)
    head = HeadSettings(hyperparameters=setting, seed=0, fold=0, epochs=2)
    digest = hashlib.sha256()
    for event in engine_named(engine, 1).train([head], [fold], rule="last"):
        if isinstance(event, EpochEnd):
            digest.update(event.batch_losses.tobytes())
        else:
            digest.update(b"".join(array.tobytes() for array in event.parameters or ()))
    return digest.hexdigest()


class _Cutting:
    """Where a bank is cut, while parts of it are trained; `costs` are those of its heads."""

    def __init__(self, costs: Sequence[float], workers: int, cores: int) -> None:
        self._costs, self._workers = costs, workers
        self._least = min(max(2, cores), max(1, len(costs) // workers))
        self._left = math.fsum(costs)
        self._rate = 0.0  # cost in a second, of the part that ended last

    def measured(self, heads: range, seconds: float) -> None:
        """The part of these `heads` has ended, and took so many `seconds`."""
        if seconds > 0:
            self._rate = math.fsum(self._costs[head] for head in heads) / seconds

    def parts(self) -> Iterator[range]:
        """The parts, in order; each is cut as it is drawn."""
        start, every = 0, len(self._costs)
        while start < every:
            # Half of what is left, shared out, leaves the other half to level workers out.
            most = min(self._rate * _SECONDS, self._left / (2 * self._workers))
            stop, cost = start, 0.0
            while stop < every and (stop - start < self._least or cost < most):
                cost += self._costs[stop]
                stop += 1
            if every - stop < self._least:  # too few to be a part
                stop, cost = every, self._left
            self._left -= cost
            yield range(start, stop)
            start = stop
