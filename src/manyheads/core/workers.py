"""Work given to other processes, on this machine or on others: what each way to do so promises."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable
from dataclasses import dataclass
from typing import Protocol, TypeVar

from manyheads.core.job import SILENT, Job

Context = TypeVar("Context")
Unit = TypeVar("Unit")
Result = TypeVar("Result")


@dataclass(frozen=True)
class WorkerResources:
    """A worker: its `name`, the `node` it runs on, and what may decide the bits that it computes.

    `processor` is the model and its vector instructions; `versions` are those of the libraries that
    compute, by name. `cores` and `memory` (bytes) are what the worker may use.
    """

    name: str
    node: str
    processor: str
    versions: dict[str, str]
    cores: int
    memory: int


class Workers(Protocol):
    """Processes that work on units: shards of images, banks of heads.

    Laws, held by one conformance suite over every implementation:

    - the result of a unit depends on the function, the context and the unit alone, whatever the
      number of workers and their order;
    - each unit gives one result, which is yielded as it comes, with the unit's number from 0; if
      two workers have computed it, the first counts;
    - what a worker that dies had in flight is given to another one; a unit that three workers died
      of ends the map with `RunError`, which names it;
    - an exception that the function raises ends the map, and is raised as it is;
    - when `job` is stopped, or the generator closed, nothing is in flight within seconds, and no
      result follows; the map ends, and whoever called it asks the job why; the workers are there
      for the next map;
    - at most two units for each worker are drawn and not yet yielded;
    - a worker that `check` refuses gets no unit.
    """

    @property
    def here(self) -> bool:
        """Whether all of them are on this machine, and use the cache that this process uses."""
        ...

    @property
    def asked(self) -> str:
        """How they were asked for: `4`, `ray`, the address of a cluster."""
        ...

    @property
    def used(self) -> list[WorkerResources]:
        """Those that were admitted to a map until now, also if they are gone since."""
        ...

    @property
    def words(self) -> str:
        """What they are, such as `4 processes of this machine, 2 cores each`."""
        ...

    def map(
        self,
        function: Callable[[Context, Unit], Result],
        context: Context,
        units: Iterable[Unit],
        *,
        check: Callable[[Context], str] | None = None,
        job: Job = SILENT,
    ) -> Generator[tuple[int, Result]]:
        """The result of `function(context, unit)` for each unit, with the unit's number.

        The functions are those of a module. The context goes to each worker once; it, the units and
        the results are plain data and arrays. `check(context)` is called first on each worker, also
        on one that is started again: it returns why the worker cannot be used, or "". The job hears
        of those that cannot; if none is left, the map ends with `RunError`. Only one map is under
        way at a time.
        """
        ...

    def cancel(self) -> None:
        """End what is in flight, and the workers."""
        ...

    def resources(self) -> list[WorkerResources]:
        """The workers that there are now; they are started if they have not been yet."""
        ...
