"""Progress of a long call: a bar in a notebook or a terminal, or what the caller passes."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from html import escape
from typing import TYPE_CHECKING, Any

from manyheads.lesson.shortcut.shortcut_check import ShortcutListener
from manyheads.run.fit.fit_listener import FitListener
from manyheads.run.opened_study import ClaimListener

if TYPE_CHECKING:
    from rich.console import Console

    from manyheads.heads.bank import HeadEnd, Metrics
    from manyheads.study.space import Trial
    from manyheads.study.work import Work

Progress = bool | Callable[[str, int, int], object]
"""True: a bar in a notebook or a terminal, nothing elsewhere. False: nothing. A function: it is
called with the step ("extracting", "training", …), what is done of it and its total, often."""

_log = logging.getLogger("manyheads")
_INTERVAL = 0.2  # seconds between two views of a notebook


class Reporter(FitListener, ClaimListener, ShortcutListener):
    """Tells one function how far each step of any verb is."""

    def __init__(self, tell: Callable[[str, int, int], object]) -> None:
        self._tell = tell
        self._work: Work | None = None

    def downloading(self, done: int, total: int, /) -> None:
        self._tell("fetching weights", done, total)

    def checking(self, done: int, total: int, /) -> None:
        """`done` of `total` images are looked at."""
        self._tell("checking", done, total)

    def extracting(self, done: int, total: int, /) -> None:
        self._tell("extracting", done, total)

    def comparing(self, done: int, total: int, /) -> None:
        """`done` of `total` blocks of images are compared with others."""
        self._tell("comparing", done, total)

    def judging(self, done: int, total: int, /) -> None:
        """`done` of `total` heads have judged the labels."""
        self._tell("judging labels", done, total)

    def training(self, work: Work, /) -> None:
        self._work = work
        self._trained()

    def epoch(self, _trial: Trial, _epoch: int, _metrics: Metrics, /) -> None:
        self._trained()

    def ended(self, _trial: Trial, _end: HeadEnd, /) -> None:
        self._trained()

    def retraining(self, done: int, total: int, /) -> None:
        self._tell("training", done, total)

    averaging = training_epochs = retraining

    def note(self, text: str, /) -> None:
        _log.info(text)

    def _trained(self) -> None:
        if self._work is not None and self._work.total:
            self._tell("training", self._work.done.epochs, self._work.total)


@contextmanager
def reported(progress: Progress) -> Iterator[Reporter]:
    """What a verb may tell its progress to, as long as it is at work."""
    if callable(progress):
        yield Reporter(progress)
        return
    from rich.console import Console

    if progress and Console().is_jupyter:
        yield Reporter(_Notebook().show)
    elif progress and (console := Console(stderr=True)).is_terminal:
        with _terminal(console) as reporter:
            yield reporter
    else:
        yield Reporter(lambda *_: None)


@contextmanager
def _terminal(console: Console) -> Iterator[Reporter]:
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
    from rich.progress import Progress as Bars

    columns = TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn()
    tasks: dict[str, Any] = {}
    with Bars(*columns, TimeRemainingColumn(), console=console) as bars:

        def show(step: str, done: int, total: int) -> None:
            if step not in tasks:
                tasks[step] = bars.add_task(step, total=total)
            bars.update(tasks[step], completed=done, total=total)

        yield Reporter(show)


class _Notebook:
    """One line of HTML for each step, changed in its place; it needs no widgets."""

    def __init__(self) -> None:
        self._lines: dict[str, str] = {}
        self._handle: Any = None
        self._shown = 0.0

    def show(self, step: str, done: int, total: int) -> None:
        from IPython.display import HTML, display  # pyright: ignore[reportMissingImports]

        self._lines[step] = (
            f'{escape(step)} <progress value="{done}" max="{max(total, 1)}"></progress> '
            f"{done:,}/{total:,}"
        )
        now = time.monotonic()
        if now - self._shown < _INTERVAL and done < total:
            return
        self._shown = now
        page = HTML("<br>".join(self._lines.values()))
        if self._handle is None:
            self._handle = display(page, display_id=True)
        else:
            self._handle.update(page)
