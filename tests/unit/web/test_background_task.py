"""Work beside the server: its progress, its end, and what it raises."""

from __future__ import annotations

import logging
import threading
import time
from pathlib import Path

import pytest

from manyheads.core.job import Job
from manyheads.errors import DataError, Interrupted, ManyheadsError
from manyheads.web.shared.guards import Limits, guarded
from manyheads.web.shared.requesters import own_names
from manyheads.web.studio.background_task import BackgroundTask
from manyheads.web.studio.studio_app import studio_app
from manyheads.web.studio.workspace import StudioPlace
from tests.web_servers import serving_app


def until_stopped(job: Job) -> str:
    job.progress("counting", 3, 10)
    job.note("a note")
    job.wait(30)
    job.check("counting")
    return "done"


def test_a_result_is_there_at_the_end() -> None:
    task = BackgroundTask("adding", lambda _: 3)
    assert task.finished() == 3
    assert task.document == {
        "what": "adding", "running": False, "progress": None, "notes": [], "error": None,
        "stopped": False,
    }  # fmt: skip


def test_progress_is_told_and_a_stop_ends_it() -> None:
    task = BackgroundTask("counting", until_stopped)
    while task.document["progress"] is None or not task.document["notes"]:
        time.sleep(0.01)
    told = task.document
    assert (told["running"], told["progress"]["done"], told["notes"]) == (True, 3, ["a note"])
    assert not task.wait(0)
    task.stop()
    with pytest.raises(Interrupted):
        task.finished()
    assert task.document["stopped"]


def test_an_error_of_ours_is_kept_as_it_is() -> None:
    def work(_: Job) -> None:
        raise DataError("a", "b", "c")

    task = BackgroundTask("failing", work)
    with pytest.raises(DataError, match="expected a, found b; c"):
        task.finished()


def test_any_other_error_is_said_without_its_words(caplog: pytest.LogCaptureFixture) -> None:
    def work(_: Job) -> None:
        raise KeyError("/secret/path")

    with caplog.at_level(logging.ERROR):
        task = BackgroundTask("failing", work)
        with pytest.raises(ManyheadsError, match="KeyError"):
            task.finished()
    assert "/secret" not in str(task.error)
    assert "Traceback" in caplog.text


def test_what_is_at_work_ends_with_the_studio(tmp_path: Path) -> None:
    desk = StudioPlace(tmp_path)
    app = guarded(
        studio_app(tmp_path, desk), names=own_names("127.0.0.1"), token=None, limits=Limits()
    )
    with serving_app(app):
        task = desk.begin("counting", until_stopped)
        assert task.running
    assert not task.running
    assert "counting" not in [thread.name for thread in threading.enumerate()]
