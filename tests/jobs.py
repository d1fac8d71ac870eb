"""Jobs whose events a test looks at."""

from __future__ import annotations

import time
from collections.abc import Callable

from manyheads.core.job import Event, Job, Note, Progress


class HeardJob(Job):
    """A job that keeps its events, and calls `then` after each."""

    def __init__(self, then: Callable[[Event], object] | None = None) -> None:
        super().__init__(self._hear)
        self.events: list[Event] = []
        self._then = then

    def _hear(self, event: Event) -> None:
        self.events.append(event)
        if self._then is not None:
            self._then(event)

    @property
    def notes(self) -> list[str]:
        """The texts of its notes."""
        return [event.text for event in self.events if isinstance(event, Note)]

    def steps(self, *names: str) -> list[tuple[int, int]]:
        """What was done of how much, at each word on the named steps, or on any counted one."""
        return [
            (event.done, event.total)
            for event in self.events
            if isinstance(event, Progress) and (event.step in names if names else event.unit)
        ]


def stopped_job() -> Job:
    """A job that was stopped before it began."""
    job = Job()
    job.stop()
    return job


class StoppingJob(HeardJob):
    """A job that stops itself at the `after`th event of a type, or once so much of a step is done.

    `asked` is when that was, by `time.monotonic`.
    """

    def __init__(self, at: type[Event] | str, after: int = 1) -> None:
        super().__init__(self._count)
        self._at, self._after, self.asked = at, after, 0.0

    def _count(self, _: Event) -> None:
        if isinstance(self._at, str):
            done = max((done for done, _ in self.steps(self._at)), default=0)
        else:
            done = sum(isinstance(each, self._at) for each in self.events)
        if done >= self._after and not self.stopped:
            self.asked = time.monotonic()
            self.stop()
