"""Apply a function to many items in threads, in order, with progress and a way to stop."""

from __future__ import annotations

import os
import threading
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

from manyheads.errors import Interrupted

Progress = Callable[[int, int], None]
Item = TypeVar("Item")
Result = TypeVar("Result")

_IN_FLIGHT = 256
_PATIENCE = 0.1  # seconds between two looks at `stop`


def map_in_threads(
    function: Callable[[Item], Result],
    items: Sequence[Item],
    *,
    what: str,
    progress: Progress | None = None,
    stop: threading.Event | None = None,
) -> list[Result]:
    """`[function(item) for item in items]`, computed in threads.

    The first exception ends the work and is raised. Raises `Interrupted`, with `what` in its
    text, within a tenth of a second and the few items under way once `stop` is set.
    """
    results: list[Result] = []
    waiting: deque[Future[Result]] = deque()
    pool = ThreadPoolExecutor(max_workers=min(16, (os.cpu_count() or 1) * 2))
    try:
        for item in items:
            if len(waiting) == _IN_FLIGHT:
                results.append(_next(waiting, what, stop))
                _tell(progress, len(results), len(items))
            waiting.append(pool.submit(function, item))
        while waiting:
            results.append(_next(waiting, what, stop))
            _tell(progress, len(results), len(items))
    finally:
        pool.shutdown(wait=True, cancel_futures=True)
    return results


def check_stop(what: str, stop: threading.Event | None) -> None:
    """Raise `Interrupted` if `stop` is set."""
    if stop is not None and stop.is_set():
        raise Interrupted(what, "repeat the command to do it")


def _next(waiting: deque[Future[Result]], what: str, stop: threading.Event | None) -> Result:
    while True:
        check_stop(what, stop)
        try:
            result = waiting[0].result(timeout=_PATIENCE)
        except TimeoutError:
            if waiting[0].done():
                raise
            continue
        waiting.popleft()
        return result


def _tell(progress: Progress | None, done: int, total: int) -> None:
    if progress is not None:
        progress(done, total)
