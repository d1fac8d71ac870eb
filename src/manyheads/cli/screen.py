"""What a person sees while a command works: progress and notes, all on stderr."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Self

from manyheads.cli.narrow import wrapped
from manyheads.cli.parser import with_flags
from manyheads.run.pipeline import PlanListener

if TYPE_CHECKING:
    from rich.console import Console, RenderableType
    from rich.live import Live

    from manyheads.heads.bank import HeadEnd, Metrics
    from manyheads.study.space import Trial
    from manyheads.study.work import Work

_QUIET_INTERVAL = 5.0  # seconds between lines where nobody watches a terminal
_MAX_ROWS = 20
_MAX_FAILURES = 20


class Meter:
    """How far some work is, how fast it goes, and how long it will take."""

    def __init__(self, what: str, unit: str) -> None:
        self.what, self.unit = what, unit
        self.done, self.total, self._first = 0, 0, 0
        self._started = time.monotonic()

    def update(self, done: int, total: int) -> None:
        """`done` of `total` units are done; what the first update finds done took no time.

        Fewer than before, or another total behind a finished one, are of work that begins anew.
        """
        if done < self.done or (self.done >= self.total and total != self.total):
            self._first, self._started = min(done, total), time.monotonic()
        self.done, self.total = done, total

    @property
    def line(self) -> str:
        """Such as `extracting  320/1,797 images · 44.1/s · 0:33 left`."""
        elapsed = time.monotonic() - self._started
        rate = (self.done - self._first) / elapsed if elapsed > 0.5 else 0.0
        words = [f"{self.what}  {self.done:,}/{self.total:,} {self.unit}"]
        if rate:
            words.append(f"{rate:,.1f}/s")
            words.append(f"{clock((self.total - self.done) / rate)} left")
        return " · ".join(words)


class TrainingMeter:
    """How far training is, in epochs of heads; its time left is told from what they cost."""

    def __init__(self, work: Work) -> None:
        self._work = work

    @property
    def done(self) -> float:
        """What is done, by its cost."""
        return self._work.done.units

    @property
    def total(self) -> float:
        """What is done and left, by its cost."""
        return self._work.done.units + self._work.left.units

    @property
    def line(self) -> str:
        """Such as `training  rung 2 of 3 · 7,310/53,280 epochs of heads · 35.1/s · 21:50 left`."""
        work, rungs = self._work, len(self._work.settings.rungs)
        rung = f"rung {work.rung + 1} of {rungs} · " if rungs > 1 else ""
        words = [f"training  {rung}{work.done.epochs:,}/{work.total:,} epochs of heads"]
        if work.epochs_per_second and work.seconds_left is not None:
            words.append(f"{work.epochs_per_second:,.1f}/s")
            most = "at most " if work.settings.patience is not None and work.left.epochs else ""
            words.append(f"{most}{clock(work.seconds_left)} left")
        return " · ".join(words)


def clock(seconds: float) -> str:
    """Seconds as 0:07, 12:30 or 1:05:00."""
    whole = round(seconds)
    hours, rest = divmod(whole, 3600)
    minutes, rest = divmod(rest, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"


def basis_words(measured: bool) -> str:
    """What an estimate of time rests on."""
    return "measured on this machine" if measured else "assumed until measured here"


class Screen(PlanListener):
    """Shows a study at work: a live view in a terminal, a line every few seconds elsewhere."""

    def __init__(self, console: Console | None = None) -> None:
        from rich.console import Console

        self._console = console or Console(stderr=True)
        self._download = Meter("fetching the backbone's weights", "MB")
        self._checking = Meter("checking", "images")
        self._extraction = Meter("extracting", "images")
        self._explanation = Meter("explaining", "images")
        self._drawing = Meter("drawing", "images")
        self._comparison = Meter("comparing", "blocks")
        self._judgement = Meter("judging labels", "heads")
        self._epochs = Meter("training", "epochs of heads")
        self._training: TrainingMeter | None = None
        self._work: Work | None = None
        self._current: Meter | TrainingMeter | None = None
        self._rows: dict[int, _Row] = {}
        self._failures = 0
        self._said = 0.0
        self._live: Live | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

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

    def downloading(self, done: int, total: int) -> None:
        self._update(self._download, done // 1_000_000, max(total // 1_000_000, 1))

    def checking(self, done: int, total: int) -> None:
        """`done` of `total` images are looked at."""
        self._update(self._checking, done, total)

    def extracting(self, done: int, total: int) -> None:
        self._update(self._extraction, done, total)

    def explaining(self, done: int, total: int) -> None:
        """Of `total` images, `done` have their maps."""
        self._update(self._explanation, done, total)

    def drawing(self, done: int, total: int) -> None:
        """Of `total` images, `done` have their overlays."""
        self._update(self._drawing, done, total)

    def comparing(self, done: int, total: int) -> None:
        """`done` of `total` blocks of images are compared with others."""
        self._update(self._comparison, done, total)

    def judging(self, done: int, total: int) -> None:
        """`done` of `total` heads have said what they think of the labels."""
        self._update(self._judgement, done, total)

    def training_epochs(self, done: int, total: int) -> None:
        """`done` of `total` epochs of heads are trained, of arms that are no study."""
        self._update(self._epochs, done, total)

    def training(self, work: Work) -> None:
        if self._work is not work:
            self._work, self._training = work, TrainingMeter(work)
        self._train()

    def epoch(self, trial: Trial, epoch: int, metrics: Metrics) -> None:
        row = self._rows.pop(trial.candidate, None) or _Row()
        self._rows[trial.candidate] = row  # so that the last is the latest heard of
        row.hear(epoch, metrics)
        self._train()

    def ended(self, trial: Trial, end: HeadEnd) -> None:
        self._train(ended=True)
        if end.status == "failed":
            self._failures += 1
            if self._failures <= _MAX_FAILURES:
                self.note(f"candidate {trial.candidate}, seed {trial.seed}: {end.note}")
            if self._failures == _MAX_FAILURES:
                self.note("… heads that diverge from here on are counted in results.csv")

    def _train(self, *, ended: bool = False) -> None:
        if self._training is None or self._work is None:
            return
        left = self._work.left.epochs
        if left or ended:
            self._show(self._training, force=not left)

    def _update(self, meter: Meter, done: int, total: int) -> None:
        meter.update(done, total)
        self._show(meter, force=done >= total)

    def _show(self, meter: Meter | TrainingMeter, *, force: bool) -> None:
        if self._current is not None and self._current is not meter:
            self.close()
        self._current = meter
        self._refresh(force=force)

    def _refresh(self, *, force: bool = False) -> None:
        now = time.monotonic()
        interval = 0.1 if self._console.is_terminal else _QUIET_INTERVAL
        if self._current is None or (now - self._said < interval and not force):
            return
        self._said = now
        if not self._console.is_terminal:
            self.note(self._current.line)
            return
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
        if self._work is None or meter is not self._training:
            return bar
        return Group(self._candidates(self._work), bar)

    def _candidates(self, work: Work) -> RenderableType:
        from rich.table import Table

        from manyheads.study.space import setting_words

        grid = work.settings.grid
        table = Table(box=None, header_style="bold", pad_edge=False)
        table.add_column("candidate")
        for name in ("trials", "epoch", "val_accuracy", "best"):
            table.add_column(name, justify="right")
        for number in sorted(list(self._rows)[-_MAX_ROWS:]):
            words = setting_words(grid[number - 1], grid.varying)
            done = f"{work.ended[number]}/{work.settings.seeds}"
            table.add_row(words, done, *self._rows[number].cells())
        return table


class _Row:
    """A candidate in the live view: its latest epoch, and the best of all its trials so far."""

    def __init__(self) -> None:
        self.epoch = 0
        self.current = 0.0
        self.best = 0.0

    def hear(self, epoch: int, metrics: Metrics) -> None:
        self.epoch, self.current = epoch, metrics.val_accuracy
        self.best = max(self.best, metrics.val_accuracy)

    def cells(self) -> tuple[str, ...]:
        return str(self.epoch), f"{self.current:.3f}", f"{self.best:.3f}"
