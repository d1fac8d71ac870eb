"""Locks between processes: exclusive, patient, and deaf to nobody's request to stop."""

from __future__ import annotations

import threading
import time

import pytest

from manyheads.core.job import Job
from manyheads.core.locks import alone
from manyheads.errors import DiskError, Interrupted


def test_one_at_a_time(tmp_path):
    inside, most = 0, 0

    def enter() -> None:
        nonlocal inside, most
        with alone(tmp_path / "new" / "x.lock", "x"):
            inside += 1
            most = max(most, inside)
            time.sleep(0.25)  # longer than one attempt of the others
            inside -= 1

    threads = [threading.Thread(target=enter) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (inside, most) == (0, 1)


def test_a_failure_inside_frees_the_lock(tmp_path):
    for _ in range(2):
        with pytest.raises(ValueError, match="no"), alone(tmp_path / "x.lock", "x"):
            raise ValueError("no")


def test_a_stop_ends_the_waiting(tmp_path):
    job = Job()
    with alone(tmp_path / "x.lock", "x"):
        threading.Timer(0.1, job.stop).start()
        before = time.monotonic()
        waiting = alone(tmp_path / "x.lock", "the work", job)
        with pytest.raises(Interrupted, match="the work"), waiting:
            pass
        assert time.monotonic() - before < 1


def test_a_lock_that_cannot_be_made(tmp_path):
    (tmp_path / "x.lock").mkdir()
    with pytest.raises(DiskError, match=r"x\.lock"), alone(tmp_path / "x.lock", "x"):
        pass
