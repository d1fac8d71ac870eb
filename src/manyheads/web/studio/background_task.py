"""Work in a thread beside the server's loop: how far it is, what it said, and what came of it."""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Callable
from typing import Any, Generic, TypeVar

from manyheads.core.job import Event, Job, Note, Progress
from manyheads.errors import Interrupted, ManyheadsError

Outcome = TypeVar("Outcome")

_NOTES = 20  # the last ones are kept


class BackgroundTask(Generic[Outcome]):
    """One piece of `work`, begun at once in a thread of its own; `what` says what it is.

    What the work raises is kept: a `ManyheadsError` as it is, anything else as a line that says so,
    with the traceback in the log.
    """

    def __init__(self, what: str, work: Callable[[Job], Outcome]) -> None:
        self.what = what
        self.result: Outcome | None = None
        self.error: ManyheadsError | None = None
        self._work = work
        self._lock = threading.Lock()
        self._progress: Progress | None = None
        self._notes: deque[str] = deque(maxlen=_NOTES)
        self._job = Job(self._hear)
        self._thread = threading.Thread(target=self._run, name=what, daemon=True)
        self._thread.start()

    @property
    def running(self) -> bool:
        """Whether it is still at work."""
        return self._thread.is_alive()

    def stop(self) -> None:
        """Ask it to end; it does within about a second."""
        self._job.stop()

    def wait(self, seconds: float | None = None) -> bool:
        """Wait for its end, for so many seconds at most; whether it has ended."""
        self._thread.join(seconds)
        return not self.running

    def finished(self) -> Outcome:
        """Its result, once it is there; raises what the work raised."""
        self.wait()
        if self.error is not None:
            raise self.error
        assert self.result is not None
        return self.result

    @property
    def document(self) -> dict[str, Any]:
        """How far it is, as plain data: `what`, `running`, `progress`, `notes`, `error`."""
        with self._lock:
            progress, notes = self._progress, list(self._notes)
        return {
            "what": self.what,
            "running": self.running,
            "progress": None if progress is None else progress.document,
            "notes": notes,
            "error": None if self.error is None else str(self.error),
            "stopped": isinstance(self.error, Interrupted),
        }

    def _hear(self, event: Event) -> None:
        with self._lock:
            if isinstance(event, Progress):
                self._progress = event
            elif isinstance(event, Note):
                self._notes.append(event.text)

    def _run(self) -> None:
        try:
            self.result = self._work(self._job)
        except ManyheadsError as error:
            self.error = error
        except Exception as error:
            logging.getLogger(__name__).exception("%s failed", self.what)
            self.error = ManyheadsError(
                f"{self.what} to end", type(error).__name__, "see the studio's terminal for more"
            )
