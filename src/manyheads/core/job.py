"""A job: how far a piece of work is, what it reports, and whether it is to stop.

Whoever starts the work makes the job and listens to its events: a terminal, a notebook, a web page,
another machine. Events are plain values, so they can be sent as JSON.
"""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
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
    A step in which nothing is counted has no `unit`: 0 of 1 is done as it begins, 1 as it ends.
    `limit` is the part of the work that takes the most time, such as "decoding"; "" if not known.
    """

    kind = "progress"

    step: str
    done: int
    total: int
    unit: str
    limit: str = ""


@dataclass(frozen=True)
class Note(Event):
    """A message for the user; settings are named in backquotes."""

    kind = "note"

    text: str


@dataclass(frozen=True)
class Planned(Event):
    """What is about to be done, and about how long it will take.

    `lines` are pairs of a label, which may be empty, and a text: the plan in brief, and whatever
    warns. `details` are further ones, for those who ask for them. `advice` is what might be done
    instead.
    """

    kind = "plan"

    lines: tuple[tuple[str, str], ...]
    details: tuple[tuple[str, str], ...] = ()
    heading: str = ""
    advice: str = ""

    def text(self, *, in_full: bool = False) -> list[str]:
        """The plan as lines of text, in brief or `in_full`, with the details."""
        heading = [f"── {self.heading} ──"] if self.heading else []
        advice = [("Advice", self.advice)] if self.advice else []
        lines = [*self.lines, *(self.details if in_full else ()), *advice]
        return [*heading, *(f"{label:<10} {text}" for label, text in lines)]


Listener = Callable[[Event], object]
Clock = Callable[[], float]
"""Seconds since some moment, as `time.monotonic` tells them."""

_GLANCE = 0.1  # seconds between two looks at a stop that may come with time alone


class _Stop:
    """A request to stop: made once, or come with that of a `whole`, or with the time `ends`."""

    def __init__(
        self, whole: _Stop | None = None, ends: float = math.inf, clock: Clock = time.monotonic
    ) -> None:
        self._own = threading.Event()
        self._whole, self._ends, self._clock = whole, ends, clock

    def set(self) -> None:
        self._own.set()

    def is_set(self) -> bool:
        whole = self._whole is not None and self._whole.is_set()
        return whole or self._own.is_set() or self._clock() >= self._ends

    def wait(self, seconds: float) -> bool:
        if self._whole is None:
            return self._own.wait(seconds)
        until = time.monotonic() + seconds
        while not self.is_set() and (left := until - time.monotonic()) > 0:
            self._own.wait(min(left, _GLANCE))
        return self.is_set()


class Job:
    """The progress, the notes and the end of one piece of work.

    Functions that may take long have a parameter `job`. They tell it how far they are, and check
    often whether they are to stop. `listen` gets each event, in the thread that does the work; an
    exception that it raises ends the work.
    """

    def __init__(self, listen: Listener | None = None) -> None:
        self._listen = listen
        self._stop = _Stop()

    def stop(self) -> None:
        """End the work within about a second, with `Interrupted`; finished work is kept."""
        self._stop.set()

    def heard_by(self, listen: Listener | None) -> Job:
        """A part of this job, stopped with it, whose events `listen` gets instead."""
        part = Job(listen)
        part._stop = self._stop
        return part

    def limited(
        self, listen: Listener | None, ends: float = math.inf, clock: Clock = time.monotonic
    ) -> Job:
        """A part of this job that may be stopped alone, and stops itself once `clock` says `ends`.

        It stops with this job too; its events `listen` gets.
        """
        part = Job(listen)
        part._stop = _Stop(self._stop, ends, clock)
        return part

    def counting_on(self, before: int, total: int) -> Job:
        """A part of this job that comes after `before` units, of about `total` in all."""

        def listen(event: Event) -> None:
            if isinstance(event, Progress) and event.unit:
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

    def progress(
        self, step: str, done: int, total: int, unit: str = "images", limit: str = ""
    ) -> None:
        """Tell that `done` of `total` units of a step are done, and what limits the rate."""
        if self._listen is not None:
            self._listen(Progress(step, done, total, unit, limit))

    @contextmanager
    def step(self, name: str) -> Iterator[None]:
        """Tell that a step in which nothing is counted is at work, as long as the context lasts.

        `name` is what is being done, such as "preparing xception".
        """
        self.progress(name, 0, 1, unit="")
        try:
            yield
        finally:
            self.progress(name, 1, 1, unit="")

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
