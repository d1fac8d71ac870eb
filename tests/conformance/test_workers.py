"""The laws of `Workers`, over every way to have them."""

from __future__ import annotations

import gc
import os
import random
import signal
import subprocess
import sys
import time
import warnings
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from importlib.util import find_spec
from multiprocessing import active_children
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from manyheads.core.workers import WorkerResources, Workers
from manyheads.errors import DataError, ManyheadsError, RunError
from manyheads.workers.local_workers import LocalCrew
from manyheads.workers.unit_dispatch import DispatchedWorkers
from tests import worker_tasks
from tests.jobs import HeardJob, StoppingJob, stopped_job

ROOT = Path(__file__).parents[2]
COUNT = 2
KINDS = ["local", pytest.param("ray", marks=[pytest.mark.slow, pytest.mark.programs])]
SOON = 5.0  # seconds within which nothing is left of what was stopped


@pytest.fixture(scope="module", params=KINDS)
def workers(request: pytest.FixtureRequest) -> Iterator[Workers]:
    """Two workers of each kind."""
    if request.param == "ray":
        if find_spec("ray") is None:
            pytest.skip("Ray is not installed")
        from manyheads.workers.ray_workers import RayCrew

        opened = DispatchedWorkers(RayCrew("ray", COUNT))
    else:
        opened = DispatchedWorkers(LocalCrew(COUNT))
    yield opened
    opened.cancel()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        gc.collect()  # Ray leaves files and processes to the collector


def processes(workers: Workers) -> set[int]:
    """The processes of the workers, once all are there."""
    workers.resources()
    found = {pid for _, (_, pid) in workers.map(worker_tasks.with_pid, 0.02, range(12))}
    assert len(found) == COUNT
    return found


def is_alive(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state != "Z"


def wait_until(condition: Callable[[], bool], seconds: float = SOON) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def require_idle(log: Path) -> None:
    """No call is noted any more, after the moment that a kill takes."""
    time.sleep(1.0)
    calls = log.read_text()
    time.sleep(0.7)
    assert log.read_text() == calls


def test_each_unit_gives_one_result_with_its_number(workers: Workers) -> None:
    found = list(workers.map(worker_tasks.scaled, 3, (n * n for n in range(40))))
    assert sorted(found) == [(n, 3 * n * n) for n in range(40)]


def test_no_units_are_no_results(workers: Workers) -> None:
    assert list(workers.map(worker_tasks.scaled, 3, [])) == []


def test_one_worker_gives_the_results_of_two(workers: Workers) -> None:
    units = [np.arange(n, n + 5, dtype=np.float32) / 7 for n in range(6)]
    context = {"large": np.random.default_rng(1).normal(size=9).astype(np.float32)}
    one = DispatchedWorkers(LocalCrew(1))
    try:
        alone = dict(one.map(worker_tasks.share_and_sum, context, units))
    finally:
        one.cancel()
    both = dict(workers.map(worker_tasks.share_and_sum, context, units))
    for number, (values, _) in alone.items():
        np.testing.assert_array_equal(both[number][0], values)


def test_large_arrays_are_shared_and_not_written(workers: Workers) -> None:
    context = {"large": np.arange(4_000_000, dtype=np.float64)}
    units = [np.full(5, n) for n in range(4)]
    for number, (values, writeable) in workers.map(worker_tasks.share_and_sum, context, units):
        np.testing.assert_array_equal(values, np.arange(5) + number)
        assert not writeable


def test_large_results_come_whole(workers: Workers) -> None:
    units = [np.arange(300_000, dtype=np.float32) + n for n in range(5)]
    context = {"large": np.zeros(1)}
    for number, (values, _) in workers.map(worker_tasks.share_and_sum, context, units):
        np.testing.assert_array_equal(values, units[number])


def test_the_workers_say_what_they_are(workers: Workers) -> None:
    found = workers.resources()
    assert sorted(each.name for each in found) == ["worker 1", "worker 2"]
    for each in found:
        assert each.cores >= 1
        assert each.memory > 1_000_000
        assert each.node
        assert each.processor
        assert {"python", "manyheads", "openvino"} <= each.versions.keys()
    seen = {cores for _, cores in workers.map(worker_tasks.cores_seen, None, range(6))}
    assert seen == {each.cores for each in found}
    assert str(COUNT) in workers.words
    assert workers.here


def test_few_units_are_drawn_ahead(workers: Workers) -> None:
    drawn = yielded = 0

    def units() -> Iterator[int]:
        nonlocal drawn
        for number in range(30):
            drawn += 1
            assert drawn - yielded <= 2 * COUNT
            yield number

    for _ in workers.map(worker_tasks.scaled, 1, units()):
        assert drawn - yielded <= 2 * COUNT
        yielded += 1
    assert (drawn, yielded) == (30, 30)


def test_an_error_is_raised_as_it_is(workers: Workers) -> None:
    with pytest.raises(DataError, match="expected a unit that can be used, found the third"):
        list(workers.map(worker_tasks.raising, None, range(40)))
    assert len(list(workers.map(worker_tasks.scaled, 2, range(5)))) == 5


def test_an_exception_of_the_source_of_units_is_raised(workers: Workers) -> None:
    def units() -> Iterator[int]:
        yield 1
        raise OSError("the disk is gone")

    with pytest.raises(OSError, match="the disk is gone"):
        list(workers.map(worker_tasks.scaled, 1, units()))


@pytest.mark.parametrize("function", [worker_tasks.raising_unsendable, worker_tasks.unsendable])
def test_what_cannot_be_sent_is_an_error(workers: Workers, function: Callable[..., Any]) -> None:
    with pytest.raises((ManyheadsError, AttributeError, TypeError, RuntimeError)):
        list(workers.map(function, None, range(2)))
    assert len(list(workers.map(worker_tasks.scaled, 2, range(5)))) == 5


@pytest.mark.when_changed("workers")
def test_a_unit_of_a_dead_worker_is_given_again(workers: Workers, tmp_path: Path) -> None:
    found = dict(workers.map(worker_tasks.dying_once, str(tmp_path), range(4)))
    assert found == {n: n for n in range(4)}
    assert len(list(tmp_path.iterdir())) == 4


@pytest.mark.when_changed("workers")
def test_a_unit_that_three_workers_died_of_is_named(workers: Workers, tmp_path: Path) -> None:
    log = tmp_path / "deaths"
    with pytest.raises(RunError, match="expected unit 4 to be computed, found 3 workers"):
        list(workers.map(worker_tasks.deadly, str(log), range(6)))
    assert log.read_text().count("died") == 3
    assert len(list(workers.map(worker_tasks.scaled, 2, range(5)))) == 5


@pytest.mark.when_changed("workers")
def test_workers_that_are_killed_lose_and_double_nothing(workers: Workers) -> None:
    chance, units, kills = random.Random(5), 80, 0
    results: list[int] = []
    for number, (unit, pid) in workers.map(worker_tasks.with_pid, 0.02, range(units)):
        assert number == unit
        results.append(number)
        if kills < 4 and chance.random() < 0.1 and is_alive(pid):
            os.kill(pid, signal.SIGKILL)
            kills += 1
    assert kills == 4
    assert sorted(results) == list(range(units))


def test_a_unit_that_takes_long_is_given_to_an_idle_worker(
    workers: Workers, tmp_path: Path
) -> None:
    processes(workers)
    started = time.monotonic()
    found = dict(workers.map(worker_tasks.slow_at_first, str(tmp_path / "mark"), range(20)))
    assert found == {n: n for n in range(20)}
    assert time.monotonic() - started < 15
    workers.cancel()  # else the next test waits for the one that sleeps


@pytest.mark.when_changed("workers")
def test_a_stopped_job_ends_the_map(workers: Workers, tmp_path: Path) -> None:
    log = tmp_path / "calls"
    job = StoppingJob("counting", 3)
    results = 0
    for results, _ in enumerate(
        workers.map(worker_tasks.noted, (str(log), 0.3), range(1000), job=job), start=1
    ):
        job.progress("counting", results, 1000, "units")
    assert results == 3
    assert time.monotonic() - job.asked < SOON
    require_idle(log)
    assert list(workers.map(worker_tasks.scaled, 1, range(3), job=stopped_job())) == []
    assert len(list(workers.map(worker_tasks.scaled, 2, range(5)))) == 5


@pytest.mark.when_changed("workers")
def test_a_closed_map_leaves_nothing_in_flight(workers: Workers, tmp_path: Path) -> None:
    log = tmp_path / "calls"
    found = workers.map(worker_tasks.noted, (str(log), 0.3), range(1000))
    next(found)
    found.close()
    require_idle(log)
    assert len(list(workers.map(worker_tasks.scaled, 2, range(5)))) == 5


def test_one_map_at_a_time(workers: Workers) -> None:
    first = workers.map(worker_tasks.scaled, 2, range(5))
    next(first)
    with pytest.raises(RuntimeError, match="another map"):
        next(workers.map(worker_tasks.scaled, 2, range(5)))
    assert len(list(first)) == 4


@pytest.mark.parametrize(
    ("tried", "reason"),
    [
        (worker_tasks.refusing_first, "it is the first"),
        (worker_tasks.full_at_first, "no space left on device"),
    ],
)
def test_a_refused_worker_gets_no_unit(
    workers: Workers, tmp_path: Path, tried: Callable[[str], str], reason: str
) -> None:
    job = HeardJob()
    marks = tmp_path / "mark"
    found = dict(
        workers.map(worker_tasks.dying_once, str(marks), [], check=tried, job=job)
    )  # no unit, no check
    assert (found, marks.exists()) == ({}, False)
    names = {
        number: pid
        for number, (_, pid) in workers.map(
            worker_tasks.after_refusal, str(marks), range(20), check=tried, job=job
        )
    }
    assert len(names) == 20
    assert len(set(names.values())) == 1
    (note,) = job.notes
    assert "is not used: " in note
    assert reason in note
    assert "openvino" in note


def test_those_that_are_used_are_known_afterwards(tmp_path: Path) -> None:
    workers, mark = DispatchedWorkers(LocalCrew(COUNT)), str(tmp_path / "mark")
    units, tried = range(20), worker_tasks.refusing_first
    assert len(list(workers.map(worker_tasks.after_refusal, mark, units, check=tried))) == 20
    assert len(workers.used) == 1  # the other one was refused
    workers.cancel()
    assert len(list(workers.map(worker_tasks.with_pid, 0.02, range(12)))) == 12
    assert len(workers.used) == COUNT
    workers.cancel()


class FrailCrew(LocalCrew):
    """Processes of which the first `deaths` are killed as they begin."""

    def __init__(self, places: int, deaths: int) -> None:
        super().__init__(places)
        self.deaths = deaths

    def start(self, place: int) -> Future[WorkerResources]:
        before = {*active_children()}
        hello = super().start(place)
        if self.deaths:
            self.deaths -= 1
            for process in {*active_children()} - before:
                process.kill()
        return hello


def test_workers_that_die_as_they_begin_are_started_again() -> None:
    workers = DispatchedWorkers(FrailCrew(COUNT, deaths=3))
    assert workers.resources()
    assert len(list(workers.map(worker_tasks.scaled, 1, range(6)))) == 6
    workers.cancel()


def test_workers_that_always_die_as_they_begin_are_given_up() -> None:
    workers = DispatchedWorkers(FrailCrew(COUNT, deaths=99))
    with pytest.raises(RunError, match="found 6 workers that died first"):
        workers.resources()
    workers.cancel()


def test_without_any_worker_the_map_ends(workers: Workers) -> None:
    with pytest.raises(RunError, match="none among 2 workers: it is one of them"):
        list(workers.map(worker_tasks.scaled, 1, range(6), check=worker_tasks.refusing))


def test_a_worker_is_checked_before_its_first_unit(workers: Workers, tmp_path: Path) -> None:
    log = tmp_path / "calls"
    units = workers.map(
        worker_tasks.noted, (str(log), 0.01), range(8), check=worker_tasks.accepting
    )
    assert len(list(units)) == 8
    checked: set[str] = set()
    for line in log.read_text().splitlines():
        what, pid = line.split()
        if what == "check":
            checked.add(pid)
        else:
            assert pid in checked


def test_cancelled_workers_are_gone_and_begin_anew(workers: Workers) -> None:
    before = processes(workers)
    workers.cancel()
    wait_until(lambda: not any(map(is_alive, before)))
    assert not before & processes(workers)


_DRIVER = """
import sys
from manyheads.workers.local_workers import LocalCrew
from manyheads.workers.unit_dispatch import DispatchedWorkers
from tests import worker_tasks
workers = DispatchedWorkers(LocalCrew(2))
for _, (_, pid) in workers.map(worker_tasks.with_pid, 0.05, range(100_000)):
    print(pid, flush=True)
"""


@pytest.mark.parametrize("way", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_processes_end_with_their_driver(tmp_path: Path, way: signal.Signals) -> None:
    driver = subprocess.Popen(
        [sys.executable, "-c", _DRIVER], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        cwd=ROOT, env=os.environ | {"TMPDIR": str(tmp_path)}, start_new_session=True,
    )  # fmt: skip
    assert driver.stdout is not None
    pids: set[int] = set()
    while len(pids) < 2:
        pids.add(int(driver.stdout.readline()))
    assert [*tmp_path.glob("manyheads-workers-*")]
    driver.send_signal(way)
    driver.communicate()
    wait_until(lambda: not any(map(is_alive, pids)))
    wait_until(lambda: not [*tmp_path.glob("manyheads-workers-*")])


@pytest.mark.when_changed("workers")
def test_a_script_without_a_guard_is_not_run_again(tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text("print('begun', flush=True)\n" + _DRIVER.replace("100_000", "2"))
    done = subprocess.run(
        [sys.executable, str(script)], capture_output=True, text=True, cwd=ROOT, check=True,
        env=os.environ | {"PYTHONPATH": os.pathsep.join([str(ROOT), *sys.path])},
    )  # fmt: skip
    assert done.stdout.count("begun") == 1
    assert done.stderr == ""
