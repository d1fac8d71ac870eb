"""A job: how far a piece of work is, what it reports, and whether it is to stop.

Whoever starts the work makes the job and listens to its events: a terminal, a notebook, a web page,
another machine. Events are plain values, so they can be sent as JSON.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from typing import Any, ClassVar

from manyheads.errors import Interrupted


@dataclass(frozen=True)
class Event:
    """Something that happened in a job; subclasses have fields of plain values only."""

    kind: ClassVar[str]

    @property
    def document(self) -> dict[str, Any]:
        """The event as plain data, for JSON: its `kind` and its fields."""
        return {"kind": self.kind, **asdict(self)}


@dataclass(frozen=True)
class Progress(Event):
    """`done` of `total` units of a step are done; a `total` of 0 is unknown.

    `step` is what is being done, such as "extracting"; `unit` is what is counted, such as "images".
    """

    kind = "progress"

    step: str
    done: int
    total: int
    unit: str


@dataclass(frozen=True)
class Note(Event):
    """A message for the user; settings are named in backquotes."""

    kind = "note"

    text: str


@dataclass(frozen=True)
class Planned(Event):
    """What is about to be done, and about how long it will take.

    `lines` are pairs of a label, which may be empty, and a text; `advice` is what might be done
    instead.
    """

    kind = "plan"

    lines: tuple[tuple[str, str], ...]
    heading: str = ""
    advice: str = ""

    @property
    def text(self) -> list[str]:
        """The plan as lines of text."""
        heading = [f"── {self.heading} ──"] if self.heading else []
        lines = [*self.lines, *([("Advice", self.advice)] if self.advice else [])]
        return [*heading, *(f"{label:<10} {text}" for label, text in lines)]


Listener = Callable[[Event], object]


class Job:
    """The progress, the notes and the end of one piece of work.

    Functions that may take long have a parameter `job`. They tell it how far they are, and check
    often whether they are to stop. `listen` gets each event, in the thread that does the work; an
    exception that it raises ends the work.
    """

    def __init__(self, listen: Listener | None = None) -> None:
        self._listen = listen
        self._stop = threading.Event()

    def stop(self) -> None:
        """End the work within about a second, with `Interrupted`; finished work is kept."""
        self._stop.set()

    def heard_by(self, listen: Listener | None) -> Job:
        """A part of this job, stopped with it, whose events `listen` gets instead."""
        part = Job(listen)
        part._stop = self._stop
        return part

    def counting_on(self, before: int, total: int) -> Job:
        """A part of this job that comes after `before` units, of about `total` in all."""

        def listen(event: Event) -> None:
            if isinstance(event, Progress):
                done, all_ = before + event.done, max(total, before + event.total)
                event = replace(event, done=done, total=all_)
            self.tell(event)

        return self.heard_by(listen)

    def tell(self, event: Event) -> None:
        """Pass `event` to who listens."""
        if self._listen is not None:
            self._listen(event)

    def note(self, text: str) -> None:
        """Tell the user `text`."""
        self.tell(Note(text))

    def progress(self, step: str, done: int, total: int, unit: str = "images") -> None:
        """Tell that `done` of `total` units of a step are done."""
        if self._listen is not None:
            self._listen(Progress(step, done, total, unit))

    @property
    def stopped(self) -> bool:
        """Whether the work is to stop."""
        return self._stop.is_set()

    def wait(self, seconds: float) -> bool:
        """Wait, unless the work is to stop; whether it is."""
        return self._stop.wait(seconds)

    def check(self, what: str, remedy: str = "repeat the command to do it") -> None:
        """Raise `Interrupted`, with `what` is being done and the `remedy`, if it is to stop."""
        if self.stopped:
            raise Interrupted(what, remedy)


SILENT = Job()
"""A job that nobody listens to, and nobody stops."""
