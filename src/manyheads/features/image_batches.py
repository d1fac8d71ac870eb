"""Images, decoded in threads ahead of whoever takes them, in batches."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

import numpy as np
from jaxtyping import UInt8

from manyheads.core.job import SILENT, Job
from manyheads.core.machine import cores
from manyheads.errors import ImageError

Item = TypeVar("Item")
Pixels = UInt8[np.ndarray, "size size 3"]
Batch = tuple[list[Item], UInt8[np.ndarray, "n size size 3"]]
"""Some images by what stands for them, and their pixels in the same order."""


def image_batches(
    items: Iterable[Item],
    load: Callable[[Item], Pixels],
    size: int,
    *,
    refused: Callable[[Item, ImageError], None],
    job: Job = SILENT,
    pool: ThreadPoolExecutor | None = None,
) -> Generator[Batch[Item]]:
    """What `load` makes of `items`, in their order, at most `size` at a time.

    `load` runs in the threads of `pool`, or in one per core. An item for which it raises
    `ImageError` goes to `refused`, and leaves no gap. Once `job` is stopped, no batch follows.
    """
    workers = pool or ThreadPoolExecutor(cores(), "decode")
    batch: list[tuple[Item, Pixels]] = []
    try:
        for item, work in _ahead(items, load, size + cores(), job, workers):
            try:
                batch.append((item, work.result()))
            except ImageError as error:
                refused(item, error)
            if len(batch) == size:
                yield _stacked(batch)
                batch = []
        if batch and not job.stopped:
            yield _stacked(batch)
    finally:
        if pool is None:
            workers.shutdown(wait=True, cancel_futures=True)


def _ahead(
    items: Iterable[Item],
    load: Callable[[Item], Pixels],
    most: int,
    job: Job,
    workers: ThreadPoolExecutor,
) -> Iterator[tuple[Item, Future[Pixels]]]:
    """Each item with its work, of which `most` are begun and not yet taken.

    Whoever takes a batch runs the network on it, and no item is drawn meanwhile. So a whole batch
    is under way beside it, and an item for each thread, for the threads to be busy until the next
    one is drawn; more would fill the memory with pixels that wait.
    """
    waiting: deque[tuple[Item, Future[Pixels]]] = deque()
    for item in items:
        if job.stopped:
            return
        waiting.append((item, workers.submit(load, item)))
        if len(waiting) >= most:
            yield waiting.popleft()
    while waiting and not job.stopped:
        yield waiting.popleft()


def _stacked(batch: list[tuple[Item, Pixels]]) -> Batch[Item]:
    return [item for item, _ in batch], np.stack([pixels for _, pixels in batch])
