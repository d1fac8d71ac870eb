"""What a person sees while a command works: the plan, progress and notes, all on stderr."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from manyheads.cli.meters import Meter, TrainingMeter, UncountedStep
from manyheads.cli.narrow import wrapped
from manyheads.cli.output import is_unicode, printable
from manyheads.cli.parser import with_flags
from manyheads.core.job import Event, Job, Note, Planned, Progress
from manyheads.core.text import clock

if TYPE_CHECKING:
    from rich.console import Console, RenderableType
    from rich.live import Live
    from rich.spinner import Spinner

    from manyheads.study.events import TrialEnded

_REDRAWN = 0.1  # seconds between two views in a terminal
_COUNTED = 1.0  # seconds between two views while nothing but time goes on
_QUIET_INTERVAL = 5.0  # seconds between lines where nobody watches a terminal
_MAX_ROWS = 20
_FEW_ROWS = 3
_OTHER_LINES = 6  # of a terminal, beside the candidates at work
_MAX_FAILURES = 20
_UNIMPORTANT = ("reading",)  # steps that are shown only if they take long
_LONG = 2.0  # seconds
_FLASH = 0.3  # seconds that a step takes at least to be shown
_IDLE = 1.0  # seconds without a word, after which it is shown that work goes on
_GOES_ON = " …"  # how a note ends that announces a step
_BAR, _LEAST_BAR = 30, 8  # columns


@contextmanager
def shown(job: Job, *, verbose: bool = False) -> Iterator[Job]:
    """A part of `job` that a person sees on stderr, as long as the context lasts.

    Plans are shown in brief; `verbose` shows them in full.
    """
    screen, lasting = Screen(verbose=verbose, stopped=lambda: job.stopped), True
    screen.watch()
    try:
        yield job.heard_by(lambda event: screen.hear(event) if lasting else None)
    finally:
        lasting = False
        screen.close()


class Screen:
    """Shows a job's events: a live view in a terminal, a line every few seconds elsewhere.

    A step in which nothing is counted has a spinner with its time, for which a thread redraws the
    view; elsewhere it has a line once it takes long. So has what a note announces, which ends with
    `…`, up to the next event. The thread ends with `close`, and draws nothing once the job has
    `stopped`.
    """

    def __init__(
        self,
        console: Console | None = None,
        *,
        verbose: bool = False,
        stopped: Callable[[], bool] = lambda: False,
    ) -> None:
        from rich.console import Console

        self._console = console or Console(stderr=True)
        # A terminal without a cursor that can be moved is written to like a file.
        self._redraws = self._console.is_terminal and not self._console.is_dumb_terminal
        self._verbose, self._stopped = verbose, stopped
        self._meters: dict[str, Meter] = {}
        self._training: TrainingMeter | None = None
        self._current: Meter | TrainingMeter | None = None
        self._steps: list[UncountedStep] = []
        self._announced: UncountedStep | None = None
        self._idle = UncountedStep("working")
        self._failures = 0
        self._heard = self._drawn = 0.0
        self._live: Live | None = None
        self._in_live: Meter | TrainingMeter | UncountedStep | None = None
        self._spinner: Spinner | None = None
        self._bar = _BAR
        # Whoever prints or draws holds the lock: the job's thread, and the one that redraws.
        self._lock = threading.RLock()
        self._closed = threading.Event()
        self._watcher: threading.Thread | None = None

    def hear(self, event: Event) -> None:
        """Show what has happened."""
        with self._lock:
            if self._in_live is self._idle:
                self._leave()
            self._idle = UncountedStep("working")
            if isinstance(event, Progress) and not event.unit:
                self._step(event.step, begins=not event.done)
                return
            if self._announced is not None:
                self._end(self._announced)
            match event:
                case Progress():
                    self._progress(event)
                case Note(text) if text.endswith(_GOES_ON):
                    self._announce(text)
                case Note(text):
                    self.note(text)
                case Planned():
                    self._plan(event)
                case _:
                    self._hear_training(event)

    def close(self) -> None:
        """End the live view, leaving the last state of what was counted on the screen."""
        self._closed.set()
        with self._lock:
            self._leave()
            self._steps.clear()
            self._announced = None
        if self._watcher is not None:
            self._watcher.join(_LONG)
        self._watcher, self._closed = None, threading.Event()

    def note(self, text: str) -> None:
        """Print a line between or above what is live, as `narrow.print_lines` prints it."""
        text = printable(with_flags(text), sys.stderr)
        if self._console.is_terminal:
            text = "\n".join(
                "\n".join(wrapped(line, self._console.width)) for line in text.split("\n")
            )
        with self._lock:
            self._console.print(text, highlight=False, markup=False, emoji=False, soft_wrap=True)

    def _plan(self, event: Planned) -> None:
        self._leave()
        self._current, self._training = None, None
        self._meters.clear()
        for line in [*event.text(in_full=self._verbose), ""]:
            self.note(line)

    def _step(self, name: str, *, begins: bool) -> None:
        if begins:
            self._steps.append(UncountedStep(name))
            self.watch()
            return
        # The last of that name, of steps that may lie within one another.
        for step in reversed(self._steps):
            if step.name == name:
                self._end(step)
                return

    def _announce(self, text: str) -> None:
        if not self._redraws:
            self.note(text)
        self._announced = UncountedStep(text.removesuffix(_GOES_ON), told=True)
        self._steps.append(self._announced)
        self.watch()

    def _end(self, step: UncountedStep) -> None:
        self._steps.remove(step)
        if self._announced is step:
            self._announced = None
        if self._in_live is step:
            self._leave()

    def _progress(self, event: Progress) -> None:
        meter = self._meters.setdefault(event.step, Meter(event.step))
        meter.update(event.done, event.total, event.unit, event.limit)
        if event.step not in _UNIMPORTANT or meter.seconds > _LONG:
            self._show(meter, force=meter.finished)

    def _hear_training(self, event: Event) -> None:
        from manyheads.study.events import EpochEnded, TrainingBegun, TrainingProgress, TrialEnded

        if isinstance(event, TrainingBegun):
            if self._training is None or event.rung == 1:
                room = self._console.height - _OTHER_LINES
                self._training = TrainingMeter(event, min(_MAX_ROWS, max(room, _FEW_ROWS)))
            self._training.begin(event)
        training = self._training
        if training is None:
            return
        match event:
            case TrainingProgress():
                begun = training.now is not None
                training.progress(event)
                if begun or not training.finished:  # a finished study has nothing to show
                    self._show(training, force=training.finished)
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
        self._heard = time.monotonic()
        if self._redraws:
            self.watch()
        if self._current is not meter:
            self._leave()
        self._current = meter
        interval = _REDRAWN if self._redraws else _QUIET_INTERVAL
        new = self._redraws and self._in_live is not meter
        if force or new or self._heard - self._drawn >= interval:
            if self._redraws:
                self._draw(meter)
            else:
                self._drawn = self._heard
                self.note(" · ".join(filter(None, meter.parts)))

    def watch(self) -> None:
        """Show steps, times that go on, and that work goes on, while no event arrives."""
        if self._watcher is None:
            # Daemonic: a terminal that takes nothing must not keep the process.
            self._watcher = threading.Thread(target=self._tick_on, name="screen", daemon=True)
            self._watcher.start()

    def _tick_on(self) -> None:
        closed = self._closed
        while not closed.wait(_REDRAWN):
            with self._lock:
                if not closed.is_set() and not self._stopped():
                    self._tick()

    def _tick(self) -> None:
        step, meter = self._steps[0] if self._steps else None, self._current
        # What was counted last gives way to a step that began after it.
        gives_way = meter is None or meter.finished
        if step is not None and (gives_way or self._steps[-1].began > self._heard):
            if self._redraws and step.seconds > _FLASH:
                self._draw(step)
            elif not self._redraws and step.seconds > _LONG and not step.told:
                step.told = True
                self.note(f"{step.name} …")
            return
        if not self._redraws:
            return
        due = time.monotonic() - self._drawn >= _COUNTED
        if gives_way and self._idle.seconds > _IDLE:
            self._draw(self._idle)
        elif due and isinstance(counted := self._in_live, Meter | TrainingMeter):
            self._draw(counted)

    def _draw(self, shown: Meter | TrainingMeter | UncountedStep) -> None:
        if self._in_live is not shown:
            self._leave()
            self._in_live = shown
        if self._live is None:
            from rich.live import Live

            # It has no thread of its own, which would draw while notes are printed, and go on
            # after a request to stop. What is printed on stdout appears above it, or in its file.
            to_terminal = sys.stdout is not None and sys.stdout.isatty()
            self._live = Live(
                console=self._console, auto_refresh=False, redirect_stdout=to_terminal
            )
            self._live.start()
        self._drawn = time.monotonic()
        self._live.update(self._view(shown), refresh=True)

    def _leave(self) -> None:
        """End the live view: of what was counted its last state stays, of a step nothing."""
        if self._live is None:
            return
        if isinstance(self._in_live, UncountedStep):
            self._live.transient = True
        elif self._in_live is not None:
            self._live.update(self._line(self._in_live), refresh=True)
        self._live.stop()
        self._live = self._in_live = self._spinner = None
        self._bar = _BAR

    def _view(self, shown: Meter | TrainingMeter | UncountedStep) -> RenderableType:
        from rich.console import Group

        if isinstance(shown, UncountedStep):
            return self._spinning(shown)
        if isinstance(shown, TrainingMeter):
            return Group(self._candidates(shown), self._line(shown))
        return self._line(shown)

    def _spinning(self, step: UncountedStep) -> RenderableType:
        from rich.spinner import Spinner
        from rich.table import Table
        from rich.text import Text

        if self._spinner is None:
            name = "dots" if is_unicode(sys.stderr) else "line"
            self._spinner = Spinner(name)
        line = Table.grid(padding=(0, 1))
        line.add_column(no_wrap=True)
        line.add_column(no_wrap=True, overflow="ellipsis")
        line.add_row(self._spinner, Text(f"{step.name}  {clock(step.seconds)}"))
        return line

    def _line(self, meter: Meter | TrainingMeter) -> RenderableType:
        """A bar and what there is to tell, on one line: both as long as there is room for."""
        from rich.progress_bar import ProgressBar
        from rich.table import Table
        from rich.text import Text

        room = self._console.width - 1
        count, rate, left = meter.parts
        parts = (count, rate, left), (count, left), (count,)
        texts = [" · ".join(filter(None, each)) for each in parts]
        found = [text for text in texts if len(text) + 1 + _LEAST_BAR <= room]
        line = Table.grid(padding=(0, 1))
        if not found or not meter.total:
            text = next((each for each in texts if len(each) <= room), texts[-1])
            line.add_row(Text(text, no_wrap=True, overflow="ellipsis"))
            return line
        # Texts differ in length from one view to the next; bars that did, too, would flicker.
        self._bar = min(self._bar, room - 1 - len(found[0]))
        line.add_row(
            ProgressBar(total=meter.total, completed=meter.done, width=self._bar),
            Text(found[0], no_wrap=True),
        )
        return line

    def _candidates(self, meter: TrainingMeter) -> RenderableType:
        """The candidates at work; where there is little room, fewer numbers of each."""
        from rich.table import Table

        score = meter.begun.score_name
        titles = ["candidate", "trials", "epoch", score, "best"]
        rows = [dict(zip(titles, cells, strict=True)) for cells in meter.rows()]
        for least in ("epoch", "trials", score):
            widths = [max(len(row[name]) for row in [{name: name}, *rows]) for name in titles]
            if sum(widths) + 2 * len(widths) < self._console.width:
                break
            titles.remove(least)
        table = Table(box=None, header_style="bold", pad_edge=False)
        table.add_column(titles[0])
        for name in titles[1:]:
            table.add_column(name, justify="right", no_wrap=True)
        for row in rows:
            table.add_row(*(row[name] for name in titles))
        return table
