"""Work in threads: order, the first failure, and stopping."""

from __future__ import annotations

import threading
import time

import pytest

from manyheads.core.job import Job
from manyheads.core.threads import map_in_threads
from manyheads.errors import Interrupted


def test_results_are_in_order():
    def slow_square(number: int) -> int:
        time.sleep(0.002 if number % 7 == 0 else 0)
        return number * number

    results = map_in_threads(slow_square, range(700), what="work")
    assert list(results) == [number * number for number in range(700)]


def test_nothing_to_do():
    assert list(map_in_threads(str, [], what="work")) == []


def test_no_more_is_begun_than_is_soon_needed():
    begun = []
    results = map_in_threads(begun.append, range(100_000), what="work")
    next(results)
    results.close()
    assert len(begun) < 1000


@pytest.mark.parametrize("kind", [ValueError, TimeoutError])
def test_the_first_failure_ends_the_work(kind):
    done = []

    def work(number: int) -> None:
        if number == 5:
            raise kind("five")
        done.append(number)

    with pytest.raises(kind, match="five"):
        list(map_in_threads(work, range(5000), what="work"))
    assert len(done) < 4999


def test_stop_ends_the_work_soon():
    job = Job()
    started = threading.Event()

    def work(_: int) -> None:
        started.set()
        time.sleep(0.02)

    threading.Thread(target=lambda: (started.wait(), job.stop())).start()
    before = time.monotonic()
    with pytest.raises(Interrupted, match="stopped before the work was finished"):
        list(map_in_threads(work, range(100_000), what="the work", job=job))
    assert time.monotonic() - before < 1
