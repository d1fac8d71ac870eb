"""The processor engine: a bank's heads trained side by side, one head a thread."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from queue import SimpleQueue

from manyheads.heads.bank import EpochEnd, Fold, HeadEnd, HeadSettings
from manyheads.heads.fused_head import train_head
from manyheads.heads.streams import SeededStreams, StreamsOf


class FusedEngine:
    """Trains a bank on this machine's processor; `threads` heads at a time (default: all cores)."""

    name = "fused"

    def __init__(self, threads: int | None = None) -> None:
        self.threads = threads or _cores()

    def train(
        self,
        heads: Sequence[HeadSettings],
        folds: Sequence[Fold],
        *,
        rule: str = "best_accuracy",
        streams: StreamsOf = SeededStreams,
        stop: threading.Event | None = None,
    ) -> Iterator[EpochEnd | HeadEnd]:
        """Train `heads` on their `folds`, yielding what happens as it happens."""
        closed = threading.Event()

        def stopped() -> bool:
            return closed.is_set() or (stop is not None and stop.is_set())

        events: SimpleQueue[EpochEnd | HeadEnd | BaseException | None] = SimpleQueue()

        def work(index: int) -> None:
            head = heads[index]
            try:
                for event in train_head(
                    index, head, folds[head.fold], rule, streams(head.seed, head.fold), stopped
                ):
                    events.put(event)
                events.put(None)
            except BaseException as error:
                events.put(error)

        with ThreadPoolExecutor(self.threads) as pool:
            for index in range(len(heads)):
                pool.submit(work, index)
            try:
                unfinished = len(heads)
                while unfinished:
                    event = events.get()
                    if isinstance(event, BaseException):
                        raise event
                    if event is None:
                        unfinished -= 1
                    else:
                        yield event
            finally:
                closed.set()
                pool.shutdown(wait=True, cancel_futures=True)


def _cores() -> int:
    """The cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
