"""What a study is expected to take: assumed at first, then as this machine has shown."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from manyheads.data.data_settings import ImageSettings
from manyheads.heads.hyperparameters import epoch_cost
from manyheads.run.estimate import estimate, remember_extraction, remember_training
from manyheads.run.plan import Plan, RunOptions, plan_study
from manyheads.study.space import Grid
from manyheads.study.store import TrialRecord
from manyheads.study.work import Work
from tests.studies import free_backbone, study_settings


@pytest.fixture
def plan(
    image_folder: Callable[..., Path], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> Plan:
    monkeypatch.setenv("MANYHEADS_CACHE", str(tmp_path / "cache"))
    data = image_folder({f"{s}/{c}": 4 for s in ("train", "validation") for c in ("a", "b")})
    with free_backbone(monkeypatch):
        return plan_study(study_settings(data=str(data)))


def worked(plan: Plan, seconds: float, patch: pytest.MonkeyPatch) -> Work:
    """The work of a plan, all done at an even pace in `seconds` after the first epoch."""
    work, now = Work(plan.settings), [100.0]
    patch.setattr("manyheads.study.work.time.monotonic", lambda: now[0])
    trials = list(plan.settings.trials())
    pace = seconds / (len(trials) * plan.settings.epochs - 1)
    for trial in trials:
        for _ in range(plan.settings.epochs):
            work.epoch(trial)
            now[0] += pace
        work.end(trial)
    now[0] -= pace
    return work


def test_at_first_it_is_assumed(plan: Plan) -> None:
    found = estimate(plan)
    assert not found.measured
    assert found.extraction == pytest.approx(16 / 40)
    costs = sum(map(epoch_cost, plan.settings.grid))
    assert found.training == pytest.approx(8 * costs * 2 * 3 / 1e7)


def test_larger_images_take_longer(plan: Plan) -> None:
    larger = replace(plan, settings=study_settings(image=ImageSettings(size=300)))
    assert estimate(larger).extraction == pytest.approx(4 * estimate(plan).extraction)


def test_more_of_anything_takes_longer(plan: Plan) -> None:
    units = 4 + int(epoch_cost(plan.settings.grid[0]))  # cost twice what 4 do
    wider = Grid((0.01,), (units,), (0.0, 0.5))
    for changes in ({"seeds": 4}, {"epochs": 6}, {"grid": wider}):
        settings = study_settings(**changes)
        larger = replace(plan, settings=settings, work=Work(settings))
        assert estimate(larger).training == pytest.approx(2 * estimate(plan).training)


def test_then_it_is_measured(plan: Plan, monkeypatch: pytest.MonkeyPatch) -> None:
    remember_extraction(plan.settings, 1000, 100.0)
    remember_training(plan.settings, 8, worked(plan, 11.0, monkeypatch))
    found = estimate(plan)
    assert found.measured
    assert found.extraction == pytest.approx(16 / 10)
    assert found.training == pytest.approx(12.0)
    other = replace(plan.settings, backbone="vgg16", image=ImageSettings(size=224))
    assert not estimate(replace(plan, settings=other)).measured


def test_what_is_trained_already_takes_no_time(plan: Plan) -> None:
    half = Work(plan.settings)
    states = ("done", "failed", "pending", "pending")
    half.count([TrialRecord(t, s) for t, s in zip(plan.settings.trials(), states, strict=True)])
    half_plan = replace(plan, work=half)
    assert estimate(half_plan).training == pytest.approx(estimate(plan).training / 2)


def test_what_took_too_little_to_tell_is_not_remembered(
    plan: Plan, monkeypatch: pytest.MonkeyPatch
) -> None:
    remember_extraction(plan.settings, 20, 10.0)  # most of it was the backbone's preparation
    remember_extraction(plan.settings, 0, 10.0)
    remember_training(plan.settings, 8, worked(plan, 0.9, monkeypatch))
    remember_training(plan.settings, 8, Work(plan.settings))
    assert not estimate(plan).measured


@pytest.mark.when_changed("studies")
def test_what_is_cached_takes_no_time(plan: Plan, monkeypatch: pytest.MonkeyPatch) -> None:
    remember_training(plan.settings, 8, worked(plan, 2.0, monkeypatch))
    cached = estimate(replace(plan, plain=0))
    assert (cached.extraction, cached.measured) == (0, True)


@pytest.mark.parametrize("text", ["", "{", "[1]", '{"images": "fast"}', '{"a": {}}', "null"])
def test_a_damaged_memory_is_no_memory(
    plan: Plan, tmp_path: Path, text: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    memory = tmp_path / "cache" / "rates.json"
    memory.parent.mkdir(exist_ok=True)
    memory.write_text(text)
    assert not estimate(plan).measured
    remember_training(plan.settings, 8, worked(plan, 2.0, monkeypatch))
    assert estimate(replace(plan, plain=0)).measured


def test_the_report_and_the_model_take_time_where_they_are_written(plan: Plan) -> None:
    found = estimate(plan)
    assert found.finishing > 0
    words = found.time_words(backbone="xception", features="16 images", heads="8 heads")
    assert words.endswith(", then report and model 0:04 (first run: an estimate)")
    searching = replace(plan, options=RunOptions(models=False))
    assert estimate(searching).finishing == 0
