"""What a job tells who listens, and how it ends."""

from __future__ import annotations

import inspect
import json
import threading
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import pytest

from manyheads.core.job import SILENT, Event, Job, Note, Planned, Progress
from manyheads.core.settings import restored
from manyheads.errors import Interrupted
from manyheads.run.test_evaluation import Recording
from manyheads.study.events import EpochEnded, TrainingBegun, TrainingProgress, TrialEnded
from tests.clocks import Clock
from tests.jobs import HeardJob, stopped_job

EXAMPLES: dict[str, Any] = {
    "str": "dog", "int": 3, "float": 0.5, "bool": True, "float | None": None,
    "tuple[str, ...]": ("a", "b"), "tuple[int, ...]": (1, 2),
    "tuple[tuple[str, str], ...]": (("Data", "3 images"), ("", "more")),
}  # fmt: skip


def kinds(base: type[Event] = Event) -> Iterator[type[Event]]:
    """Every kind of event there is."""
    for each in base.__subclasses__():
        yield each
        yield from kinds(each)


def test_events_can_be_sent_as_json_and_read_back() -> None:
    found = list(kinds())
    of_studies = {EpochEnded, Recording, TrainingBegun, TrainingProgress, TrialEnded}
    assert {*found} >= {Progress, Note, Planned} | of_studies
    assert len({each.kind for each in found}) == len(found)
    for each in found:
        fields = inspect.signature(each).parameters.values()
        event = each(*(EXAMPLES[str(field.annotation)] for field in fields))
        document = json.loads(json.dumps(event.document))
        assert document.pop("kind") == each.kind
        assert restored(each, document) == event


def test_a_part_tells_its_own_listener_and_stops_with_the_whole() -> None:
    job, told = HeardJob(), list[Event]()
    part = job.heard_by(told.append)
    part.note("for the part")
    job.note("for the whole")
    assert [event.document["text"] for event in told] == ["for the part"]
    assert job.notes == ["for the whole"]
    assert not part.stopped
    job.stop()
    assert part.stopped


def test_a_limited_part_stops_alone_or_with_the_whole_or_with_time() -> None:
    job, clock = HeardJob(), Clock()
    early, late = (job.limited(job.tell, ends, clock.monotonic) for ends in (110, 120))
    inner = late.heard_by(None)
    late.note("told on")
    assert job.notes == ["told on"]
    clock.now = 110
    assert early.stopped
    assert early.wait(60)
    assert not late.stopped
    assert not late.wait(0.001)
    late.stop()
    assert inner.stopped
    assert not job.stopped
    other = job.limited(None)
    job.stop()
    assert other.wait(60)


def test_a_part_that_counts_on() -> None:
    job = HeardJob()
    part = job.counting_on(10, 30)
    part.progress("extracting", 5, 20)
    part.progress("extracting", 25, 25)  # more than was expected
    part.note("not counted")
    assert job.steps("extracting") == [(15, 30), (35, 35)]
    assert job.notes == ["not counted"]


def test_a_stop_is_raised_with_what_was_done() -> None:
    SILENT.check("the work")
    with pytest.raises(Interrupted, match="before the work was finished; do it again"):
        stopped_job().check("the work", "do it again")


def test_waiting_ends_with_a_stop() -> None:
    job = Job()
    assert not job.wait(0)
    timer = threading.Timer(0.05, job.stop)
    timer.start()
    assert job.wait(60)


def test_an_error_of_the_listener_ends_the_work() -> None:
    def listen(event: Event) -> None:
        raise OSError(event.kind)

    with pytest.raises(OSError, match="progress"):
        Job(listen).progress("extracting", 1, 2)
    assert Progress("extracting", 1, 2, "images").document == {
        "kind": "progress", "step": "extracting", "done": 1, "total": 2, "unit": "images",
        "limit": "",
    }  # fmt: skip


def test_a_plan_as_text() -> None:
    plan = Planned(
        (("Data", "3 images"), ("", "more")),
        details=(("Disk", "1 MB"),),
        heading="1-rate",
        advice="use folds",
    )
    brief = ["── 1-rate ──", "Data       3 images", "           more"]
    assert plan.text() == [*brief, "Advice     use folds"]
    assert plan.text(in_full=True) == [*brief, "Disk       1 MB", "Advice     use folds"]


def test_a_step_without_a_count_is_told_as_it_begins_and_ends() -> None:
    job = HeardJob()
    with suppress(Interrupted), job.counting_on(10, 30).step("preparing"):
        assert job.events == [Progress("preparing", 0, 1, "")]
        stopped_job().check("the work")
    assert job.events[1:] == [Progress("preparing", 1, 1, "")]
