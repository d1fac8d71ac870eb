"""Progress of a long call: a bar in a notebook or a terminal, or what the caller passes."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from html import escape
from typing import TYPE_CHECKING, Any

from manyheads.core.job import Event, Job, Listener, Note, Progress
from manyheads.study.events import TrainingProgress

if TYPE_CHECKING:
    from rich.console import Console


ShowProgress = bool | Callable[[str, int, int], object] | Job
"""True: a bar in a notebook or a terminal, nothing elsewhere. False: nothing. A function: it is
called with the step ("extracting", "training", …), what is done of it and its total, often; for a
step in which nothing is counted ("preparing xception"), with 0 of 1 as it begins and 1 of 1 as it
ends. A job: it hears every event, and stops the work."""

_log = logging.getLogger("manyheads")
_INTERVAL = 0.2  # seconds between two views of a notebook

_Show = Callable[[Progress], object]


def _heard(tell: _Show) -> Listener:
    """Who tells one function how far each step of any verb is."""

    def hear(event: Event) -> None:
        if isinstance(event, Progress):
            tell(event)
        elif isinstance(event, TrainingProgress) and event.total_epochs:
            tell(Progress("training", event.epochs, event.total_epochs, "epochs of heads"))
        elif isinstance(event, Note):
            _log.info(event.text)

    return hear


@contextmanager
def reported(progress: ShowProgress) -> Iterator[Job]:
    """The job of a verb, whose progress is shown as long as it is at work."""
    if isinstance(progress, Job):
        yield progress
        return
    if callable(progress):
        tell = progress
        yield Job(_heard(lambda event: tell(event.step, event.done, event.total)))
        return
    from rich.console import Console

    if progress and Console().is_jupyter:
        yield Job(_heard(_Notebook().show))
    elif progress and (console := Console(stderr=True)).is_terminal:
        with _terminal(console) as show:
            yield Job(_heard(show))
    else:
        yield Job(_heard(lambda *_: None))


@contextmanager
def _terminal(console: Console) -> Iterator[_Show]:
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
    from rich.progress import Progress as Bars

    columns = TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn()
    tasks: dict[str, Any] = {}
    with Bars(*columns, TimeRemainingColumn(), console=console) as bars:

        def show(event: Progress) -> None:
            step = event.step
            if not event.unit:  # its bar runs to and fro, and goes away with it
                if event.done and step in tasks:
                    bars.remove_task(tasks.pop(step))
                elif not event.done and step not in tasks:
                    tasks[step] = bars.add_task(step, total=None)
                return
            if step not in tasks:
                tasks[step] = bars.add_task(step, total=event.total)
            bars.update(tasks[step], completed=event.done, total=event.total)

        yield show


class _Notebook:
    """One line of HTML for each step, changed in its place; it needs no widgets."""

    def __init__(self) -> None:
        self._lines: dict[str, str] = {}
        self._handle: Any = None
        self._shown = 0.0

    def show(self, event: Progress) -> None:
        from IPython.display import HTML, display  # pyright: ignore[reportMissingImports]

        step, done, total = escape(event.step), event.done, event.total
        if event.unit:
            bar = f'<progress value="{done}" max="{max(total, 1)}"></progress>'
            self._lines[event.step] = f"{step} {bar} {done:,}/{total:,}"
        elif not done:  # a bar without a value runs to and fro, and goes away with its step
            self._lines[event.step] = f"{step} <progress></progress>"
        else:
            self._lines.pop(event.step, None)
        now = time.monotonic()
        if now - self._shown < _INTERVAL and done < total and event.unit:
            return
        self._shown = now
        page = HTML("<br>".join(self._lines.values()))
        if self._handle is None:
            self._handle = display(page, display_id=True)
        else:
            self._handle.update(page)
