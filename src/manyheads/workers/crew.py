"""What a kind of workers has to be able to do, for units to be given to them."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future
from typing import Any, Protocol

from manyheads.core.workers import WorkerResources
from manyheads.workers.worker_host import Raised, Reference, Returned


class Crew(Protocol):
    """Workers of one kind, in numbered `places`; a worker works on what it is given in order.

    An exception of a future is a worker's death if `died` says so. What is given to a worker that
    is ended dies too.
    """

    places: int
    patience: float
    """Seconds within which one worker has to be there."""
    here: bool
    """Whether all of them are on this machine, and use this process's cache."""
    words: str
    """What they are."""

    def start(self, place: int) -> Future[WorkerResources]:
        """Start a worker, which says what it is once it is there."""
        ...

    def keep(self, number: int, context: object) -> Reference:
        """Put a context where all workers find it, until it is dropped."""
        ...

    def drop(self, reference: Reference) -> None:
        """Take a context away."""
        ...

    def call(
        self, place: int, reference: Reference, function: Callable[..., Any], *unit: Any
    ) -> Future[Returned | Raised]:
        """Let the worker in a place call `function(context, *unit)`, after what it has to do."""
        ...

    def end(self, place: int) -> None:
        """End the worker in a place, at once."""
        ...

    def died(self, error: BaseException) -> bool:
        """Whether an exception says that a worker is no longer there."""
        ...

    def require(self) -> None:
        """Raise `RunError` if none of them can be reached any more; does not wait."""
        ...

    def close(self) -> None:
        """End everything, and leave nothing behind."""
        ...
