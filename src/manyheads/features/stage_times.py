"""Where the time of an extraction goes: reading files, decoding, the network, writing."""

from __future__ import annotations

import threading
import time
from collections.abc import Generator, Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import TypeVar

from manyheads.core.text import decimal, joined

READ, DECODE, NETWORK, WRITE = STAGES = ("reading", "decoding", "network", "writing")

_SETTLED = 2.0  # seconds after which it means something what has taken the most
_SHOWN = 0.005  # share of the time from which on a stage is named

Item = TypeVar("Item")


class StageTimes:
    """The seconds that an extraction waited for each of its stages.

    Images are read and decoded in threads, ahead of the network, so that only what it waits for
    them counts: that time is divided between the two as the threads' own time is.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._threads: dict[str, float] = {READ: 0.0, DECODE: 0.0}
        self._waited: dict[str, float] = {"images": 0.0, NETWORK: 0.0, WRITE: 0.0}

    @contextmanager
    def in_thread(self, stage: str) -> Iterator[None]:
        """Time that a thread reads or decodes; an image that cannot be used counts as well."""
        started = time.perf_counter()
        try:
            yield
        finally:
            with self._lock:
                self._threads[stage] += time.perf_counter() - started

    @contextmanager
    def writing(self) -> Iterator[None]:
        """Time that features are written."""
        started = time.perf_counter()
        yield
        self._waited[WRITE] += time.perf_counter() - started

    def images(self, batches: Iterable[Item]) -> Generator[Item]:
        """`batches`, with the time until each is there."""
        yield from self._timed("images", batches)

    def network(self, features: Iterable[Item]) -> Generator[Item]:
        """What a backbone yields for `images`, with the time until each is there, less theirs."""
        before = self._waited["images"]
        for each in self._timed(NETWORK, features):
            waited = self._waited["images"]
            self._waited[NETWORK] -= waited - before
            before = waited
            yield each
        self._waited[NETWORK] -= self._waited["images"] - before

    def include(self, seconds: Mapping[str, float]) -> None:
        """Add the seconds of each stage that another extraction, in another process, took."""
        for stage in (READ, DECODE):
            self._threads[stage] += seconds[stage]
            self._waited["images"] += seconds[stage]
        for stage in (NETWORK, WRITE):
            self._waited[stage] += seconds[stage]

    @property
    def seconds(self) -> dict[str, float]:
        """The seconds of each stage."""
        threads, images = self._threads, self._waited["images"]
        both = sum(threads.values())
        read = images * threads[READ] / both if both else 0.0
        network = max(self._waited[NETWORK], 0.0)
        values = (read, images - read, network, self._waited[WRITE])
        return dict(zip(STAGES, values, strict=True))

    @property
    def bottleneck(self) -> str:
        """The stage that took the most time so far; "" before that means something."""
        seconds = self.seconds
        return max(seconds, key=seconds.__getitem__) if sum(seconds.values()) > _SETTLED else ""

    def _timed(self, what: str, items: Iterable[Item]) -> Generator[Item]:
        waiting = iter(items)
        while True:
            started = time.perf_counter()
            try:
                item = next(waiting)
            except StopIteration:
                return
            finally:
                self._waited[what] += time.perf_counter() - started
            yield item


def stage_words(seconds: dict[str, float]) -> str:
    """Such as `network 81 %, decoding 15 % and writing 4 % of the time`; "" for no time."""
    total = sum(seconds.values())
    if total <= 0:
        return ""
    largest = sorted(seconds.items(), key=lambda each: -each[1])
    parts = [f"{name} {decimal(100 * each / total, 0)} %" for name, each in largest
             if each / total >= _SHOWN]  # fmt: skip
    return f"{joined(parts)} of the time"
