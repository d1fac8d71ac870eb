"""A finished study opened again, often: it begins nothing that Python's end could cut off."""

from __future__ import annotations

import os
import subprocess
import sys
import threading

import pytest

from manyheads.run import pipeline
from manyheads.run.pipeline import Finished, run_study

_TIMES = int(os.environ.get("MANYHEADS_REOPENINGS", "20"))


def test_nothing_is_prepared_for_a_study_that_is_finished(
    small_study: Finished, monkeypatch: pytest.MonkeyPatch
) -> None:
    def forbidden(*_: object) -> None:
        raise AssertionError

    monkeypatch.setattr(pipeline, "prepare_figures", forbidden)
    monkeypatch.setattr(pipeline, "prepare_engine", forbidden)
    assert run_study(small_study.settings, small_study.folder.path).trained == 0


def test_no_daemon_thread_is_left_to_pythons_end() -> None:
    from manyheads.heads.bank import prepare_engine
    from manyheads.report.figures import prepare_figures

    before = set(threading.enumerate())
    prepare_engine("fused")
    prepare_figures()
    begun = set(threading.enumerate()) - before
    assert not [thread.name for thread in begun if thread.daemon]
    # A pool of `compile`'s own may be among them, with a thread that Python has yet to start.
    for thread in begun:
        if thread.name in {"compile", "figures"}:
            thread.join()


@pytest.mark.slow
def test_opening_a_finished_study_never_aborts(small_study: Finished) -> None:
    arguments = ["sweep", "--config", small_study.folder.path, "--out", small_study.folder.path]
    for _ in range(_TIMES):
        done = subprocess.run(
            [sys.executable, "-m", "manyheads", *map(str, arguments)],
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, (done.returncode, done.stderr[-2000:])
