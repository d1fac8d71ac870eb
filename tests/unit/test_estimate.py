"""What a study is expected to take: assumed at first, then as this machine has shown."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from manyheads.estimate import estimate, remember_extraction, remember_training
from manyheads.plan import Plan, plan_study
from manyheads.settings import ImageSettings
from manyheads.study.space import Grid
from tests.studies import free_backbone, study_settings


@pytest.fixture
def plan(
    image_folder: Callable[..., Path], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> Plan:
    monkeypatch.setenv("MANYHEADS_CACHE", str(tmp_path / "cache"))
    data = image_folder({f"{s}/{c}": 4 for s in ("train", "validation") for c in ("a", "b")})
    with free_backbone(monkeypatch):
        return plan_study(study_settings(data=str(data)))


def test_at_first_it_is_assumed(plan: Plan) -> None:
    found = estimate(plan)
    assert not found.measured
    assert found.extraction == pytest.approx(16 / 40)
    assert found.training == pytest.approx(8 * 2 * 32 * 2 * 3 / 1e7)


def test_larger_images_take_longer(plan: Plan) -> None:
    larger = replace(plan, settings=study_settings(image=ImageSettings(size=300)))
    assert estimate(larger).extraction == pytest.approx(4 * estimate(plan).extraction)


def test_more_of_anything_takes_longer(plan: Plan) -> None:
    for changes in ({"seeds": 4}, {"epochs": 6}, {"grid": Grid((0.01,), (64,), (0.0, 0.5))}):
        larger = replace(plan, settings=replace(plan.settings, **changes))
        assert estimate(larger).training == pytest.approx(2 * estimate(plan).training)


def test_then_it_is_measured(plan: Plan) -> None:
    remember_extraction(plan.settings, 1000, 100.0)
    half = replace(plan, ended=len(plan.settings.trials()) // 2)
    remember_training(half, 2.0)
    found = estimate(plan)
    assert found.measured
    assert found.extraction == pytest.approx(16 / 10)
    assert found.training == pytest.approx(4.0)
    assert estimate(half).training == pytest.approx(2.0)
    other = replace(plan.settings, backbone="vgg16", image=ImageSettings(size=224))
    assert not estimate(replace(plan, settings=other)).measured


def test_what_took_too_little_to_tell_is_not_remembered(plan: Plan) -> None:
    remember_extraction(plan.settings, 20, 10.0)  # most of it was the backbone's preparation
    remember_extraction(plan.settings, 0, 10.0)
    remember_training(plan, 0.5)
    remember_training(replace(plan, ended=len(plan.settings.trials())), 5.0)
    assert not estimate(plan).measured


def test_what_is_cached_takes_no_time(plan: Plan) -> None:
    remember_training(plan, 2.0)
    cached = estimate(replace(plan, missing=0))
    assert (cached.extraction, cached.measured) == (0, True)


@pytest.mark.parametrize("text", ["", "{", "[1]", '{"images": "fast"}', '{"a": {}}', "null"])
def test_a_damaged_memory_is_no_memory(plan: Plan, tmp_path: Path, text: str) -> None:
    memory = tmp_path / "cache" / "rates.json"
    memory.parent.mkdir(exist_ok=True)
    memory.write_text(text)
    assert not estimate(plan).measured
    remember_training(plan, 2.0)
    assert estimate(replace(plan, missing=0)).measured
