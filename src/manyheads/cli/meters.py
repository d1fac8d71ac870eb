"""How far a step of a command is, how fast it goes, and how long it will take."""

from __future__ import annotations

import math
import time
from collections import deque
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from manyheads.core.text import clock, counted

if TYPE_CHECKING:
    from manyheads.study.events import EpochEnded, TrainingBegun, TrainingProgress, TrialEnded

_TOGETHER = 1.0  # seconds in which the first batches arrive, which were under way at once
_SETTLED = 2.0  # seconds, and
_ENOUGH = 2  # batches, after which a rate means something
_WINDOW = 60.0  # seconds that a rate is taken over
_SMOOTH = 5.0  # seconds in which a rate follows a new one by 63 %


class Pace:
    """The rate at which a count grows, without its first batches, smoothed.

    The first batches wait for what is compiled or loaded only once, so the rate is counted from
    behind them. Batches that are under way at once arrive at once, so those that arrive together
    count together. The rate is None until it means something.
    """

    def __init__(self, done: int) -> None:
        self.rate: float | None = None
        self.last = time.monotonic()
        self._done, self._batches = done, 0
        self._begun: float | None = None  # as the first batch arrived
        self._group = 0.0  # as the first of those arrived that came together
        self._before: tuple[float | None, float] = None, 1.0  # the rate before these; their weight
        self._marks: deque[tuple[float, int]] = deque()

    def update(self, done: int) -> None:
        """So many are done by now."""
        if done <= self._done:
            return
        now = time.monotonic()
        if self._begun is None:
            self._begun = self._group = now
        if now - self._begun < _TOGETHER:
            self._marks.clear()
            self._marks.append((now, done))
        else:
            self._batches += 1
            if now - self._group >= _TOGETHER:
                self._regroup(now)
            self._measure(now, done)
        self.last, self._done = now, done

    def _regroup(self, now: float) -> None:
        self._marks.append((self.last, self._done))
        while len(self._marks) > 1 and now - self._marks[1][0] >= _WINDOW:
            self._marks.popleft()
        self._before = self.rate, 1 - math.exp((self._group - now) / _SMOOTH)
        self._group = now

    def _measure(self, now: float, done: int) -> None:
        since, first = self._marks[0]
        if now - since < _SETTLED or self._batches < _ENOUGH:
            return
        rate, (before, weight) = (done - first) / (now - since), self._before
        self.rate = rate if before is None else before + weight * (rate - before)


class Meter:
    """How far a step is of which something is counted."""

    def __init__(self, step: str) -> None:
        self.step = step
        self.done, self.total, self._unit, self._limit = 0, 0, "", ""
        self._first = 0
        self._pace: Pace | None = None
        self._started = self._updated = time.monotonic()

    def update(self, done: int, total: int, unit: str, limit: str = "") -> None:
        """`done` of `total` units are done; what the first update finds done took no time.

        `limit` is what limits the rate, where that is known.
        Fewer than before, or another total behind a finished one, are of work that begins anew.
        """
        if unit == "bytes":
            # Rounded up, the total is reached with the last byte and not before.
            megabytes = math.ceil(total / 1_000_000)
            done, total, unit = (
                megabytes if done >= total > 0 else done // 1_000_000,
                megabytes,
                "MB",
            )
        anew = done < self.done or (self.done >= self.total and total != self.total)
        self._updated = time.monotonic()
        if self._pace is None or (anew and self.total):
            self._first, self._started = done, self._updated
            self._pace = Pace(done)
        self._pace.update(done)
        self.done, self.total, self._unit, self._limit = done, total, unit, limit

    @property
    def seconds(self) -> float:
        """Since the step began; of a finished one, how long it took."""
        return (self._updated if self.finished else time.monotonic()) - self._started

    @property
    def finished(self) -> bool:
        """Whether all is done."""
        return bool(self.total) and self.done >= self.total

    @property
    def parts(self) -> Sequence[str]:
        """What there is to tell: the count, the rate, the time.

        Such as `extracting  320/1,797 images`, `44.1/s (network)`, `0:33 left`, with what limits
        the rate; what is not known is empty.
        """
        of_total = f"/{self.total:,}" if self.total else ""
        count = f"{self.step}  {self.done:,}{of_total} {self._unit}"
        pace, seconds = self._pace, self.seconds
        if self.finished:
            if seconds < _SETTLED:
                return count, "", ""
            return count, f"{(self.done - self._first) / seconds:,.1f}/s", f"took {clock(seconds)}"
        if pace is None or pace.rate is None:
            return count, "", f"{clock(seconds)} so far" if seconds >= _SETTLED else ""
        if not self.total:
            return count, f"{pace.rate:,.1f}/s", ""
        # It goes on counting down between two batches, but never to the end.
        left = (self.total - self.done) / pace.rate - (time.monotonic() - pace.last)
        limit = f" ({self._limit})" if self._limit else ""
        return count, f"{pace.rate:,.1f}/s{limit}", f"{clock(max(left, 1.0))} left"


class TrainingMeter:
    """How far training is, in heads and in what they cost; what is left is told from that."""

    def __init__(self, begun: TrainingBegun, rows: int) -> None:
        self.now: TrainingProgress | None = None
        self._rows: dict[int, _Row] = {}
        self._most = rows
        self._started = self._updated = time.monotonic()
        self.begin(begun)

    def begin(self, begun: TrainingBegun) -> None:
        """Training begins, or comes to its next rung."""
        self.begun, self._ended = begun, list(begun.ended)

    def progress(self, event: TrainingProgress) -> None:
        """So much is done."""
        self.now, self._updated = event, time.monotonic()

    @property
    def done(self) -> float:
        """What is done, by its cost."""
        return self.now.cost if self.now else 0.0

    @property
    def total(self) -> float:
        """What is done and left, by its cost."""
        return self.now.total_cost if self.now else 0.0

    @property
    def finished(self) -> bool:
        """Whether all heads are trained and have ended, which takes them a moment."""
        if self.now is None or self.now.epochs < self.now.total_epochs:
            return False
        return sum(self._ended) >= self.begun.trials * len(self._ended)

    @property
    def parts(self) -> Sequence[str]:
        """What there is to tell, such as `training  12/40 heads`, `35 %`, `0:23 left`."""
        now, begun = self.now, self.begun
        rung = f"rung {begun.rung} of {begun.rungs} · " if begun.rungs > 1 else ""
        heads = f"{sum(self._ended):,}/{counted(begun.trials * len(self._ended), 'head')}"
        count = f"training  {rung}{heads}"
        if now is None:
            return count, "", ""
        if self.finished:
            seconds = self._updated - self._started
            return count, "", f"took {clock(seconds)}" if seconds >= _SETTLED else ""
        share = f"{math.floor(100 * now.cost / now.total_cost)} %" if now.total_cost else ""
        if now.seconds_left is None:
            return count, share, ""
        most = "at most " if now.at_most else ""
        return count, share, f"{most}{clock(max(now.seconds_left, 1.0))} left"

    def epoch(self, event: EpochEnded) -> None:
        """A trial has finished an epoch."""
        row = self._rows.pop(event.candidate, None) or _Row()
        self._rows[event.candidate] = row  # so that the last is the latest heard of
        row.hear(event.epoch, event.score(self.begun.metric), self.begun.metric)

    def end(self, event: TrialEnded) -> None:
        """A trial has ended."""
        self._ended[event.candidate - 1] += 1

    def rows(self) -> Iterator[tuple[str, ...]]:
        """The cells of the candidates that were heard of last, for which there is room."""
        for number in sorted(list(self._rows)[-self._most :]):
            ended = f"{self._ended[number - 1]}/{self.begun.trials}"
            yield self.begun.candidates[number - 1], ended, *self._rows[number].cells()


class _Row:
    """A candidate in the live view: its latest epoch, and the best of all its trials so far."""

    def __init__(self) -> None:
        self.epoch = 0
        self.current = 0.0
        self.best: float | None = None

    def hear(self, epoch: int, score: float, metric: str) -> None:
        self.epoch, self.current = epoch, score
        better = min if metric == "log_loss" else max
        self.best = score if self.best is None else better(self.best, score)

    def cells(self) -> tuple[str, ...]:
        return str(self.epoch), f"{self.current:.3f}", f"{self.best or 0.0:.3f}"


class UncountedStep:
    """A step in which nothing is counted: its name, and since when it is at work."""

    def __init__(self, name: str, *, told: bool = False) -> None:
        self.name, self.told = name, told
        self.began = time.monotonic()

    @property
    def seconds(self) -> float:
        """Since the step began."""
        return time.monotonic() - self.began
