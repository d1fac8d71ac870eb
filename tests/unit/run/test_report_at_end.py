"""The report that a study writes when it has ended."""

from __future__ import annotations

import json
import re
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from manyheads.cli.closing import closing_lines
from manyheads.core.job import Event, Job, Note
from manyheads.errors import Interrupted
from manyheads.run import pipeline
from manyheads.run.pipeline import run_study
from manyheads.run.plan import RunOptions
from manyheads.study.folder import RunFolder
from manyheads.study.run_times import RunTimes, read_times
from tests.small_study import finished_study, small_images, small_settings
from tests.unit.report.page_reader import read_page


def test_a_study_ends_with_its_report_which_is_named_first(tmp_path: Path) -> None:
    finished = finished_study(tmp_path, seeds=2)
    page = read_page(finished.folder.report.read_text(encoding="utf-8"))
    facts = [each.text for each in page.by_id("answer").all("dt", "dd")]
    assert facts[facts.index("Models trained") + 1 :][:2] == ["4", "2 settings × 2 seeds"]
    assert facts[facts.index("Data") + 1 :][:2] == [
        "33 images", "3 classes, train 21, validation 12",
    ]  # fmt: skip
    assert facts[facts.index("Time") + 2].startswith("features and training; ended 20")
    assert "Baselines on the same features" in page.by_id("scores").text
    lines = closing_lines(finished)
    files = [line for line in lines if line.startswith(("Report", "Model", "Curves"))]
    assert files[0] == f"Report   {finished.folder.report}"
    assert "manyheads report" not in "\n".join(lines)
    (took,) = [line for line in lines if line.startswith("Took")]
    assert re.fullmatch(r"Took     0:\d\d for features and training", took)


@pytest.mark.when_changed("studies")
def test_a_study_that_only_is_read_keeps_its_report_and_writes_one_that_is_missing(
    tmp_path: Path,
) -> None:
    finished = finished_study(tmp_path, seeds=2)
    report, times = finished.folder.report, read_times(finished.folder)
    report.write_text("kept")
    run_study(finished.settings, finished.folder.path)
    assert report.read_text() == "kept"
    report.unlink()
    run_study(finished.settings, finished.folder.path)
    assert "<!doctype html>" in report.read_text(encoding="utf-8")
    assert read_times(finished.folder) == times  # nothing was trained


def test_a_report_that_cannot_be_written_is_a_note(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    images = small_images(tmp_path / "images")
    run = tmp_path / "run"
    run.mkdir()
    events: list[Event] = []

    def broken(*_: object, **__: object) -> None:
        raise ValueError("a picture of no size")

    monkeypatch.setattr(pipeline, "report_content", broken)
    finished = run_study(small_settings(images, seeds=2), run, job=Job(events.append))
    notes = [each.text for each in events if isinstance(each, Note)]
    assert [each for each in notes if "report" in each] == [
        "The report was not written: ValueError: a picture of no size; `manyheads report` writes "
        "it."
    ]
    assert finished.folder.best.is_file()
    assert not finished.folder.report.exists()
    assert "manyheads report" in "\n".join(closing_lines(finished))


def test_a_stop_while_the_report_is_written_is_a_stop(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stopped(*_: object, **__: object) -> None:
        raise Interrupted("the report", "repeat the command")

    monkeypatch.setattr(pipeline, "report_content", stopped)
    with pytest.raises(Interrupted):
        finished_study(tmp_path, seeds=2)


@pytest.mark.when_changed("studies")
def test_images_that_were_moved_are_said_to_be(tmp_path: Path) -> None:
    finished = finished_study(tmp_path, seeds=2)
    finished.folder.report.unlink()
    gone = replace(finished, trained=1)
    shutil.rmtree(str(finished.dataset.root))
    pipeline._write_report(gone, Job())
    assert "could not be read" in finished.folder.report.read_text(encoding="utf-8")


@pytest.mark.when_changed("studies")
def test_a_search_has_no_report_and_an_older_one_goes(tmp_path: Path) -> None:
    finished = finished_study(tmp_path, seeds=2)
    more = replace(finished.settings, seeds=3)
    run_study(more, finished.folder.path, options=RunOptions(models=False), grows=True)
    assert not finished.folder.report.exists()
    assert not finished.folder.figure.exists()
    run_study(more, finished.folder.path, grows=True)
    assert finished.folder.figure.exists()
    assert "2 settings × 3 seeds" in finished.folder.report.read_text(encoding="utf-8")


@pytest.mark.when_changed("studies")
def test_times_add_up_over_runs_and_damage_is_no_error(tmp_path: Path) -> None:
    finished = finished_study(tmp_path, seeds=2)
    first = read_times(finished.folder)
    assert first is not None
    assert first.seconds > 0
    run_study(replace(finished.settings, seeds=3), finished.folder.path, grows=True)
    second = read_times(finished.folder)
    assert second is not None
    assert (second.runs, second.seconds > first.seconds) == (2, True)
    finished.folder.times.write_text(json.dumps({"format": 7}))
    assert read_times(finished.folder) is None
    assert read_times(RunFolder(tmp_path / "none")) is None
    assert RunTimes().runs == 0
