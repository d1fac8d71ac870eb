"""Requests' images → batches of the network: what waits is batched, and nothing waits for a batch.

Images are decoded in a few threads, as they come. One thread begins passes of the network and
hands out the answers: a full batch whenever the processor has room for it, and what is there, be
it one image, when the processor would otherwise be idle. So batches grow with the load alone, and
an answer is the same in each of them.
"""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import NamedTuple, Protocol

import numpy as np
from jaxtyping import UInt8

from manyheads.core.machine import cores
from manyheads.models.prediction import Prediction

log = logging.getLogger("manyheads.web")

Pixels = UInt8[np.ndarray, "size size 3"]
Batch = UInt8[np.ndarray, "n size size 3"]
Decode = Callable[[bytes], Pixels]


class QueueFullError(Exception):
    """No more images may wait."""


class ClosedError(Exception):
    """The model takes no more images: it has been replaced, or the server ends."""


class Pass(Protocol):
    """A batch on its way through the network."""

    @property
    def over(self) -> bool:
        """Whether there are answers, or there is an error."""
        ...

    def predictions(self) -> Sequence[Prediction]:
        """The answers in the order of the images, once it is over; raises what went wrong."""
        ...


class Passes(Protocol):
    """A model as batches need it; for one thread."""

    batch: int
    """How many images a pass takes, at most."""

    @property
    def slots(self) -> int:
        """How many passes at a time keep the processor busy."""
        ...

    def begin(self, pixels: Batch, over: Callable[[], object]) -> Pass:
        """Begin a pass; `over` may be called from any thread once it is over."""
        ...


class _WaitingImage(NamedTuple):
    pixels: Pixels
    answer: Future[Prediction]


class _Started(NamedTuple):
    work: Pass
    asked: list[_WaitingImage]


class Batcher:
    """Answers images through `passes`; at most `queue` images are held at a time.

    Each image is decoded by `decode`. `begun` hears how many images each pass has.
    """

    def __init__(
        self,
        passes: Passes,
        decode: Decode,
        *,
        queue: int,
        max_batch: int | None = None,
        begun: Callable[[int], object] = lambda _: None,
    ) -> None:
        self._passes, self._decode, self._queue, self._begun = passes, decode, queue, begun
        self._most = min(passes.batch, max_batch or passes.batch)
        self._changed = threading.Condition()
        self._waiting: deque[_WaitingImage] = deque()
        self._started: list[_Started] = []
        self._held, self._closed = 0, False
        self._pool = ThreadPoolExecutor(cores(), "decode")
        self._worker = threading.Thread(target=self._work, name="batches", daemon=True)
        self._worker.start()

    @property
    def held(self) -> int:
        """How many images wait, are decoded, or are in a pass."""
        return self._held

    def submit(self, images: Sequence[bytes]) -> list[Future[Prediction]]:
        """The answers to come of these images; an `ImageError` for one that cannot be read.

        One that is cancelled before its pass has begun takes no pass. Raises `QueueFullError` if
        not all of them have a place, and `ClosedError`.
        """
        with self._changed:
            if self._closed:
                raise ClosedError
            if self._held + len(images) > self._queue:
                raise QueueFullError
            self._held += len(images)
            # Within the lock, so that a pool that is to end has all of them.
            answers: list[Future[Prediction]] = [Future() for _ in images]
            for image, answer in zip(images, answers, strict=True):
                self._pool.submit(self._decoded, image, answer)
        return answers

    def close(self) -> None:
        """Take no more images; return when those that are held have their answers."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
        self._pool.shutdown(wait=True)
        if threading.current_thread() is not self._worker:
            self._worker.join()

    def _decoded(self, image: bytes, answer: Future[Prediction]) -> None:
        if answer.cancelled():
            self._release(1)
            return
        try:
            pixels = self._decode(image)
        except Exception as error:
            if answer.set_running_or_notify_cancel():
                answer.set_exception(error)
            self._release(1)
            return
        with self._changed:
            self._waiting.append(_WaitingImage(pixels, answer))
            self._changed.notify_all()

    def _release(self, count: int) -> None:
        with self._changed:
            self._held -= count
            self._changed.notify_all()

    def _work(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._may_begin or self._over or self._done)
                if self._done:
                    return
                asked = self._taken() if self._may_begin else []
            if asked:  # first, so that the processor is busy while answers are made
                self._begin(asked)
            for started in [each for each in self._started if each.work.over]:
                self._started.remove(started)
                self._finish(started)

    @property
    def _may_begin(self) -> bool:
        busy = len(self._started)
        if not self._waiting or busy >= self._passes.slots:
            return False
        return len(self._waiting) >= self._most or 2 * busy < self._passes.slots

    @property
    def _over(self) -> bool:
        return any(each.work.over for each in self._started)

    @property
    def _done(self) -> bool:
        return self._closed and not self._held

    def _taken(self) -> list[_WaitingImage]:
        """Up to a batch of those that wait; who does not want an answer any more has none."""
        asked: list[_WaitingImage] = []
        while self._waiting and len(asked) < self._most:
            each = self._waiting.popleft()
            if each.answer.set_running_or_notify_cancel():
                asked.append(each)
            else:
                self._held -= 1
        return asked

    def _begin(self, asked: list[_WaitingImage]) -> None:
        self._begun(len(asked))
        try:
            work = self._passes.begin(np.stack([each.pixels for each in asked]), self._wake)
        except Exception as error:
            self._fail(asked, error)
            return
        self._started.append(_Started(work, asked))

    def _finish(self, started: _Started) -> None:
        try:
            found = started.work.predictions()
        except Exception as error:
            self._fail(started.asked, error)
            return
        for each, prediction in zip(started.asked, found, strict=True):
            each.answer.set_result(prediction)
        self._release(len(started.asked))

    def _fail(self, asked: list[_WaitingImage], error: Exception) -> None:
        log.error("a batch of %d images failed", len(asked), exc_info=error)
        for each in asked:
            each.answer.set_exception(error)
        self._release(len(asked))

    def _wake(self) -> None:
        with self._changed:
            self._changed.notify_all()
