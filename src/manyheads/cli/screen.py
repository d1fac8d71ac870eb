"""What a person sees while a command works: the plan, progress and notes, all on stderr."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from manyheads.cli.narrow import wrapped
from manyheads.cli.parser import with_flags
from manyheads.core.job import Event, Job, Note, Planned, Progress
from manyheads.core.text import clock

if TYPE_CHECKING:
    from rich.console import Console, RenderableType
    from rich.live import Live

    from manyheads.study.events import EpochEnded, TrainingBegun, TrainingProgress, TrialEnded

_QUIET_INTERVAL = 5.0  # seconds between lines where nobody watches a terminal
_MAX_ROWS = 20
_MAX_FAILURES = 20
_UNIMPORTANT = ("reading",)  # steps that are shown only if they take long
_LONG = 2.0  # seconds


@contextmanager
def shown(job: Job) -> Iterator[Job]:
    """A part of `job` that a person sees on stderr, as long as the context lasts."""
    screen = Screen()
    try:
        yield job.heard_by(screen.hear)
    finally:
        screen.close()


class Meter:
    """How far a step is, how fast it goes, and how long it will take."""

    def __init__(self, step: str) -> None:
        self.step = step
        self.done, self.total, self._unit = 0, 0, ""
        self._first: int | None = None
        self._started = time.monotonic()

    def update(self, done: int, total: int, unit: str) -> None:
        """`done` of `total` units are done; what the first update finds done took no time.

        Fewer than before, or another total behind a finished one, are of work that begins anew.
        """
        if unit == "bytes":
            done, total, unit = done // 1_000_000, max(total // 1_000_000, 1), "MB"
        anew = done < self.done or (self.done >= self.total and total != self.total)
        if self._first is None or (anew and self.total):
            self._first, self._started = done, time.monotonic()
        self.done, self.total, self._unit = done, total, unit

    @property
    def seconds(self) -> float:
        """Since the step began."""
        return time.monotonic() - self._started

    @property
    def line(self) -> str:
        """Such as `extracting  320/1,797 images · 44.1/s · 0:33 left`."""
        elapsed = self.seconds
        rate = (self.done - (self._first or 0)) / elapsed if elapsed > 0.5 else 0.0
        of_total = f"/{self.total:,}" if self.total else ""
        words = [f"{self.step}  {self.done:,}{of_total} {self._unit}"]
        if rate:
            words.append(f"{rate:,.1f}/s")
        if rate and self.total:
            words.append(f"{clock((self.total - self.done) / rate)} left")
        return " · ".join(words)


class TrainingMeter:
    """How far training is, in epochs of heads; its time left is told from what they cost."""

    def __init__(self, begun: TrainingBegun) -> None:
        self.now: TrainingProgress | None = None
        self._rows: dict[int, _Row] = {}
        self.begin(begun)

    def begin(self, begun: TrainingBegun) -> None:
        """Training begins, or comes to its next rung."""
        self.begun, self._ended = begun, list(begun.ended)

    @property
    def done(self) -> float:
        """What is done, by its cost."""
        return self.now.cost if self.now else 0.0

    @property
    def total(self) -> float:
        """What is done and left, by its cost."""
        return self.now.total_cost if self.now else 0.0

    @property
    def line(self) -> str:
        """Such as `training  rung 2 of 3 · 7,310/53,280 epochs of heads · 35.1/s · 21:50 left`."""
        now, begun = self.now, self.begun
        if now is None:
            return "training"
        rung = f"rung {begun.rung} of {begun.rungs} · " if begun.rungs > 1 else ""
        words = [f"training  {rung}{now.epochs:,}/{now.total_epochs:,} epochs of heads"]
        if now.epochs_per_second and now.seconds_left is not None:
            words.append(f"{now.epochs_per_second:,.1f}/s")
            words.append(f"{'at most ' if now.at_most else ''}{clock(now.seconds_left)} left")
        return " · ".join(words)

    def epoch(self, event: EpochEnded) -> None:
        """A trial has finished an epoch."""
        row = self._rows.pop(event.candidate, None) or _Row()
        self._rows[event.candidate] = row  # so that the last is the latest heard of
        row.hear(event)

    def end(self, event: TrialEnded) -> None:
        """A trial has ended."""
        self._ended[event.candidate - 1] += 1

    def rows(self) -> Iterator[tuple[str, ...]]:
        """The cells of the candidates that were heard of last."""
        for number in sorted(list(self._rows)[-_MAX_ROWS:]):
            ended = f"{self._ended[number - 1]}/{self.begun.trials}"
            yield self.begun.candidates[number - 1], ended, *self._rows[number].cells()


class Screen:
    """Shows a job's events: a live view in a terminal, a line every few seconds elsewhere."""

    def __init__(self, console: Console | None = None) -> None:
        from rich.console import Console

        self._console = console or Console(stderr=True)
        self._meters: dict[str, Meter] = {}
        self._training: TrainingMeter | None = None
        self._current: Meter | TrainingMeter | None = None
        self._failures = 0
        self._shown = 0.0
        self._live: Live | None = None

    def hear(self, event: Event) -> None:
        """Show what has happened."""
        match event:
            case Progress():
                self._progress(event)
            case Note(text):
                self.note(text)
            case Planned():
                self.close()
                self._current, self._training = None, None
                self._meters.clear()
                for line in [*event.text, ""]:
                    self.note(line)
            case _:
                self._hear_training(event)

    def close(self) -> None:
        """End the live view, leaving its last state on the screen."""
        if self._live is not None:
            self._refresh(force=True)
            self._live.stop()
            self._live = None

    def note(self, text: str) -> None:
        """Print a line between or above what is live, as `narrow.print_lines` prints it."""
        text = with_flags(text)
        if self._console.is_terminal:
            text = "\n".join(
                "\n".join(wrapped(line, self._console.width)) for line in text.split("\n")
            )
        self._console.print(text, highlight=False, markup=False, emoji=False, soft_wrap=True)

    def _progress(self, event: Progress) -> None:
        meter = self._meters.setdefault(event.step, Meter(event.step))
        meter.update(event.done, event.total, event.unit)
        if event.step not in _UNIMPORTANT or meter.seconds > _LONG:
            self._show(meter, force=bool(event.total) and event.done >= event.total)

    def _hear_training(self, event: Event) -> None:
        from manyheads.study.events import EpochEnded, TrainingBegun, TrainingProgress, TrialEnded

        if isinstance(event, TrainingBegun):
            if self._training is None or event.rung == 1:
                self._training = TrainingMeter(event)
            self._training.begin(event)
        training = self._training
        if training is None:
            return
        match event:
            case TrainingProgress():
                ended = event.epochs >= event.total_epochs
                begun, training.now = training.now is not None, event
                if begun or not ended:  # a finished study has nothing to show
                    self._show(training, force=ended)
            case EpochEnded():
                training.epoch(event)
            case TrialEnded():
                training.end(event)
                if event.status == "failed":
                    self._tell_failure(event)

    def _tell_failure(self, event: TrialEnded) -> None:
        self._failures += 1
        if self._failures <= _MAX_FAILURES:
            self.note(f"candidate {event.candidate}, seed {event.seed}: {event.note}")
        if self._failures == _MAX_FAILURES:
            self.note("… heads that diverge from here on are counted in results.csv")

    def _show(self, meter: Meter | TrainingMeter, *, force: bool) -> None:
        if self._current is not None and self._current is not meter:
            self.close()
        self._current = meter
        self._refresh(force=force)

    def _refresh(self, *, force: bool = False) -> None:
        now = time.monotonic()
        interval = 0.1 if self._console.is_terminal else _QUIET_INTERVAL
        if self._current is None or (now - self._shown < interval and not force):
            return
        self._shown = now
        if not self._console.is_terminal:
            self.note(self._current.line)
            return
        # Live redraws its last lines in place. It is refreshed here alone: a thread of its own
        # would draw while notes are printed, and go on after a request to stop.
        if self._live is None:
            from rich.live import Live

            self._live = Live(console=self._console, auto_refresh=False, transient=False)
            self._live.start()
        self._live.update(self._view(self._current), refresh=True)

    def _view(self, meter: Meter | TrainingMeter) -> RenderableType:
        from rich.console import Group
        from rich.progress_bar import ProgressBar
        from rich.table import Table
        from rich.text import Text

        bar = Table.grid(padding=(0, 1))
        bar.add_row(
            ProgressBar(total=meter.total or 1, completed=meter.done, width=30), Text(meter.line)
        )
        if isinstance(meter, Meter):
            return bar
        table = Table(box=None, header_style="bold", pad_edge=False)
        table.add_column("candidate")
        for name in ("trials", "epoch", "val_accuracy", "best"):
            table.add_column(name, justify="right")
        for cells in meter.rows():
            table.add_row(*cells)
        return Group(table, bar)


class _Row:
    """A candidate in the live view: its latest epoch, and the best of all its trials so far."""

    def __init__(self) -> None:
        self.epoch = 0
        self.current = 0.0
        self.best = 0.0

    def hear(self, event: EpochEnded) -> None:
        self.epoch, self.current = event.epoch, event.val_accuracy
        self.best = max(self.best, event.val_accuracy)

    def cells(self) -> tuple[str, ...]:
        return str(self.epoch), f"{self.current:.3f}", f"{self.best:.3f}"
