"""The processor engine: a bank's heads trained side by side, one head a thread."""

from __future__ import annotations

import threading
from collections.abc import Generator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from queue import Full, Queue

import numpy as np

from manyheads.core.job import SILENT, Job
from manyheads.core.machine import cores
from manyheads.heads.bank import EpochEnd, Fold, HeadEnd, HeadSettings
from manyheads.heads.fused.fused_head import train_head
from manyheads.heads.hyperparameters import Hyperparameters
from manyheads.heads.random import SeededStreams, StreamsOf

_UNREAD = 256  # events, at most: a head's end holds its parameters


class FusedEngine:
    """Trains a bank on this machine's processor; `threads` heads at a time (default: all cores)."""

    name = "fused"

    def __init__(self, threads: int | None = None) -> None:
        self.threads = threads or cores()

    def train(
        self,
        heads: Sequence[HeadSettings],
        folds: Sequence[Fold],
        *,
        rule: str = "best_accuracy",
        streams: StreamsOf = SeededStreams,
        job: Job = SILENT,
    ) -> Generator[EpochEnd | HeadEnd]:
        """Train `heads` on their `folds`, yielding what happens as it happens."""
        closed = threading.Event()

        def stopped() -> bool:
            return closed.is_set() or (job.stopped)

        events: Queue[EpochEnd | HeadEnd | BaseException | None] = Queue(_UNREAD)

        def tell(event: EpochEnd | HeadEnd | BaseException | None) -> None:
            while not closed.is_set():
                with suppress(Full):
                    events.put(event, timeout=0.1)
                    return

        def work(index: int) -> None:
            head = heads[index]
            try:
                for event in train_head(
                    index, head, folds[head.fold], rule, streams(*head.stream), stopped
                ):
                    tell(event)
                tell(None)
            except BaseException as error:
                tell(error)

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


def compile_kernels() -> None:
    """Compile the kernels, or load them where that was done before, by training a tiny head."""
    fold = Fold(
        matrix=np.zeros((2, 2), np.float32),
        train=np.arange(2),
        train_labels=np.arange(2),
        validation=np.arange(2),
        validation_labels=np.arange(2),
        classes=2,
    )
    head = HeadSettings(
        hyperparameters=Hyperparameters(size_inner=1, batch_size=1), seed=0, fold=0, epochs=1
    )
    for _ in FusedEngine(1).train([head], [fold]):
        pass
