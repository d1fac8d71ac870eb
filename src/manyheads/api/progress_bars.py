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
called with the step ("extracting", "training", …), what is done of it and its total, often. A job:
it hears every event, and stops the work."""

_log = logging.getLogger("manyheads")
_INTERVAL = 0.2  # seconds between two views of a notebook


def _heard(tell: Callable[[str, int, int], object]) -> Listener:
    """Who tells one function how far each step of any verb is."""

    def hear(event: Event) -> None:
        if isinstance(event, Progress):
            tell(event.step, event.done, event.total)
        elif isinstance(event, TrainingProgress) and event.total_epochs:
            tell("training", event.epochs, event.total_epochs)
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
        yield Job(_heard(progress))
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
def _terminal(console: Console) -> Iterator[Callable[[str, int, int], None]]:
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
    from rich.progress import Progress as Bars

    columns = TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn()
    tasks: dict[str, Any] = {}
    with Bars(*columns, TimeRemainingColumn(), console=console) as bars:

        def show(step: str, done: int, total: int) -> None:
            if step not in tasks:
                tasks[step] = bars.add_task(step, total=total)
            bars.update(tasks[step], completed=done, total=total)

        yield show


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
