from __future__ import annotations

import os
import threading
import time
from pathlib import Path

import pytest

from manyheads.core import children, keras_process
from manyheads.core.job import Job
from manyheads.errors import DiskError, Interrupted, ManyheadsError, WeightsError
from tests.unit.backbones import child_tasks


@pytest.fixture(autouse=True, params=["cold", "warm"])
def a_child_as_users_have_it(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And one as these tests have it (`tests.warm_keras`), which must not differ."""
    if request.param == "cold":
        monkeypatch.setattr(keras_process, "children", children)


@pytest.mark.when_changed("models")
def test_the_answer_comes_back_whatever_is_printed_or_lies_around(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "keras.py").write_text("raise SystemExit('shadowed')")
    monkeypatch.chdir(tmp_path)
    arguments = {"text": "ünïcode 👟", "numbers": [1, 2.5, None]}
    answer = keras_process.call(child_tasks.facts, arguments)
    assert answer == {"arguments": arguments, "backend": "openvino", "telemetry": False}


def test_an_error_on_purpose_is_raised_here() -> None:
    details = ["234 arrays", "3", "give another file"]
    with pytest.raises(WeightsError) as caught:
        keras_process.call(child_tasks.refuse, {"kind": "WeightsError", "details": details})
    assert str(caught.value) == "expected 234 arrays, found 3; give another file"
    refusal = {"kind": "Interrupted", "details": ["the work", "repeat it"]}
    with pytest.raises(Interrupted, match="stopped before the work was finished; repeat it"):
        keras_process.call(child_tasks.refuse, refusal)


def test_any_other_failure_is_one_line_with_its_reason() -> None:
    with pytest.raises(ManyheadsError) as caught:
        keras_process.call(child_tasks.crash, {})
    assert "RuntimeError: the reason of the crash" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_child_that_vanishes_is_an_error() -> None:
    with pytest.raises(ManyheadsError, match="exit code 3"):
        keras_process.call(child_tasks.vanish, {})


def test_a_request_to_stop_ends_the_child(tmp_path: Path) -> None:
    job, witness = Job(), tmp_path / "pid"

    def stop_once_it_runs() -> None:
        while not (witness.exists() and witness.read_text()):
            time.sleep(0.02)
        job.stop()

    thread = threading.Thread(target=stop_once_it_runs)
    thread.start()
    with pytest.raises(Interrupted):
        keras_process.call(child_tasks.hang, {"witness": str(witness)}, job=job)
    thread.join()
    with pytest.raises(ProcessLookupError):
        os.kill(int(witness.read_text()), 0)


def test_a_full_disk_is_blamed_and_not_the_memory(tmp_path: Path) -> None:
    target = tmp_path / "model.keras"
    with pytest.raises(DiskError, match="no space left on device; free some space") as caught:
        keras_process.call(child_tasks.fill_up, {"target": str(target)})
    assert str(target) in caught.value.expected
