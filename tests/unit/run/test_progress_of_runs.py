"""Studies and fits keep progress.json while they are at work, and nothing of it afterwards."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from manyheads.cli.main import main
from manyheads.core.job import Event, Planned
from manyheads.errors import Interrupted, RunError
from manyheads.run.fit.fit_run import planned_fit, run_fit
from manyheads.run.fit.fit_settings import FitSettings
from manyheads.run.pipeline import run_study
from manyheads.run.plan import RunOptions
from manyheads.run.progress_file import PROGRESS_FILE, ProgressFile, read_progress
from manyheads.study.events import EpochEnded
from tests.jobs import HeardJob
from tests.shortcuts import SIDE, quadrant_images
from tests.small_study import small_images, small_settings
from tests.studies import free_backbone

OPTIONS = RunOptions(models=False)


@pytest.fixture(autouse=True)
def free(monkeypatch: pytest.MonkeyPatch, own_cache: Path) -> Iterator[None]:
    del own_cache  # it is there
    with free_backbone(monkeypatch):
        yield


def leftovers(folder: Path) -> list[str]:
    """What is left of progress in a folder and below it."""
    return [str(path) for path in folder.rglob("*progress*")]


def test_a_study_tells_of_itself_and_leaves_nothing(tmp_path: Path) -> None:
    settings = small_settings(small_images(tmp_path / "images"))
    seen: list[dict[str, Any] | None] = []

    def look(event: Event) -> None:
        if isinstance(event, EpochEnded) and not seen:
            seen.append(read_progress(tmp_path / "run"))

    run_study(settings, tmp_path / "run", options=OPTIONS, job=HeardJob(look))
    (found,) = seen
    assert found is not None
    assert found["alive"]
    assert any("images" in line for line in found["plan"])  # which was told before the folder was
    assert leftovers(tmp_path) == []


def test_a_finished_study_is_read_without_a_trace(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = small_settings(small_images(tmp_path / "images"))
    run_study(settings, tmp_path / "run", options=OPTIONS)
    monkeypatch.setattr(ProgressFile, "_write", lambda *_: pytest.fail("it is written"))
    run_study(settings, tmp_path / "run", options=OPTIONS)


def test_an_interrupted_study_leaves_nothing_and_goes_on(tmp_path: Path) -> None:
    settings = small_settings(small_images(tmp_path / "images"))
    job = HeardJob(lambda event: job.stop() if isinstance(event, EpochEnded) else None)
    with pytest.raises(Interrupted):
        run_study(settings, tmp_path / "run", options=OPTIONS, job=job)
    assert leftovers(tmp_path) == []
    assert run_study(settings, tmp_path / "run", options=OPTIONS).result.ranking


def test_what_a_killed_study_left_is_in_no_way_of_the_next(tmp_path: Path) -> None:
    settings = small_settings(small_images(tmp_path / "images"))
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / PROGRESS_FILE).write_text("{}", encoding="utf-8")
    run_study(settings, tmp_path / "run", options=OPTIONS)
    assert leftovers(tmp_path) == []


def fit_settings(data: Path, **changes: Any) -> FitSettings:
    given = {"data": str(data), "backbone": "xception", "size": SIDE, "heads": 1, "budget": 300.0}
    return FitSettings(**given | changes)


@pytest.mark.when_changed("studies")
def test_the_plan_of_a_fit_is_that_of_its_dry_run(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    settings = fit_settings(quadrant_images(tmp_path / "photos", 10, 3))
    planned = planned_fit(settings, tmp_path / "fit")
    assert not (tmp_path / "fit").exists()
    job = HeardJob()
    run_fit(settings, tmp_path / "fit", job=job)
    told = [event for event in job.events if isinstance(event, Planned) and not event.heading]
    labels = [label for label, _ in told[0].lines]
    assert [label for label, _ in planned.lines][:3] == labels[:3]
    assert leftovers(tmp_path) == []
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "mine.txt").touch()
    with pytest.raises(RunError, match="other files"):
        planned_fit(settings, tmp_path / "other")
    words = ["fit", settings.data, "--backbone", "xception", "--image-size", str(SIDE)]
    assert main([*words, "--out", str(tmp_path / "new"), "--dry-run"]) == 0
    assert "Budget" in capsys.readouterr().out
    assert not (tmp_path / "new").exists()
