"""Apply a function to many items in threads, in order, with a way to stop."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

from manyheads.core.job import SILENT, Job
from manyheads.core.machine import cores

Item = TypeVar("Item")
Result = TypeVar("Result")

_IN_FLIGHT = 256
_PATIENCE = 0.1  # seconds between two looks at the job


def map_in_threads(
    function: Callable[[Item], Result],
    items: Iterable[Item],
    *,
    what: str,
    threads: int | None = None,
    job: Job = SILENT,
) -> Generator[Result, None, None]:
    """`map(function, items)`, computed in threads, a bounded number of items ahead.

    The first exception ends the work and is raised. Raises `Interrupted`, with `what` in its
    text, within a tenth of a second and the few items under way once `job` is stopped.
    """
    waiting: deque[Future[Result]] = deque()
    pool = ThreadPoolExecutor(threads or min(16, cores() * 2))
    try:
        for item in items:
            if len(waiting) == _IN_FLIGHT:
                yield _next(waiting, what, job)
            waiting.append(pool.submit(function, item))
        while waiting:
            yield _next(waiting, what, job)
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def _next(waiting: deque[Future[Result]], what: str, job: Job) -> Result:
    while True:
        job.check(what)
        try:
            result = waiting[0].result(timeout=_PATIENCE)
        except TimeoutError:
            if waiting[0].done():
                raise
            continue
        waiting.popleft()
        return result
