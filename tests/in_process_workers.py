"""Workers that are none: units run in this process, one after the other."""

from __future__ import annotations

import platform
from collections.abc import Callable, Generator, Iterable
from itertools import islice
from typing import TypeVar

from manyheads.core.job import SILENT, Job
from manyheads.core.workers import WorkerResources
from manyheads.errors import RunError

Context = TypeVar("Context")
Unit = TypeVar("Unit")
Result = TypeVar("Result")


class InProcessWorkers:
    """`count` workers in name, each with so many `cores`; a stop is heard between two units.

    Results come in the reverse order of each two units, as they may of two workers. `units` keeps
    what was drawn.
    """

    asked, words = "these", "this process"

    def __init__(self, count: int = 2, cores: int = 1, *, here: bool = True) -> None:
        self.count, self.cores, self.here = count, cores, here
        self.units: list[object] = []
        self.used: list[WorkerResources] = []

    def map(
        self,
        function: Callable[[Context, Unit], Result],
        context: Context,
        units: Iterable[Unit],
        *,
        check: Callable[[Context], str] | None = None,
        job: Job = SILENT,
    ) -> Generator[tuple[int, Result]]:
        """The result of each unit, two at a time."""
        if check is not None and (reason := check(context)):
            raise RunError("a worker", f"none: {reason}", "use others")
        self.used = self.resources()
        drawn = enumerate(units)
        while two := list(islice(drawn, 2)):
            self.units += [unit for _, unit in two]
            for number, unit in reversed(two):
                if job.stopped:
                    return
                yield number, function(context, unit)

    def cancel(self) -> None:
        """There is nothing to end."""

    def resources(self) -> list[WorkerResources]:
        """The workers, which are all this process."""
        return [
            WorkerResources(f"worker {number}", "here", platform.processor(), {}, self.cores, 1)
            for number in range(1, self.count + 1)
        ]
