"""A plan tells what a study will take, and computes none of it."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from manyheads.cli.plan import plan_lines
from manyheads.errors import BackboneError, DataError, SettingError, WeightsError
from manyheads.pipeline import run_study
from manyheads.plan import plan_study
from manyheads.settings import ImageSettings
from manyheads.study.space import Grid
from tests.studies import free_backbone, study_settings

COUNTS = {f"{split}/{name}": 4 for split in ("train", "validation") for name in ("a", "b")}


@pytest.fixture
def data(image_folder: Callable[..., Path], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> str:
    monkeypatch.setenv("MANYHEADS_CACHE", str(tmp_path / "cache"))
    return str(image_folder(COUNTS))


def test_everything_is_missing_until_it_is_extracted(
    data: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = study_settings(data=data)
    with free_backbone(monkeypatch):
        assert plan_study(settings).missing == 16
        run_study(settings, tmp_path / "run")
        assert plan_study(settings).missing == 0
        other = study_settings(data=data, image=ImageSettings(size=99))
        assert plan_study(other).missing == 16
        given = study_settings(data=data, weights="other.h5")
        assert plan_study(given).missing == 16


def test_identical_images_are_passed_once(data: str) -> None:
    source = Path(data) / "train" / "a" / "0000.png"
    (source.parent / "copy.png").write_bytes(source.read_bytes())
    plan = plan_study(study_settings(data=data))
    assert (len(plan.dataset), plan.missing) == (17, 16)


def test_without_weights_all_images_are_missing_and_nothing_is_fetched(
    data: str, tmp_path: Path
) -> None:
    plan = plan_study(study_settings(data=data))
    assert plan.weights is None
    assert plan.missing == 16
    assert not list((tmp_path / "cache").rglob("*.safetensors"))
    assert any("weights: ImageNet, to be fetched" in line for line in plan_lines(plan))


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"data": "/nowhere"}, DataError),
        ({"backbone": "exception"}, BackboneError),
        ({"image": ImageSettings(size=70)}, BackboneError),
        ({"weights": "/nowhere.h5"}, WeightsError),
        ({"seeds": 100_000, "grid": Grid((0.1,), tuple(range(1, 12)), (0.0,))}, SettingError),
    ],
)
def test_what_cannot_be_done_is_not_planned(data: str, changes: dict, error: type) -> None:
    with pytest.raises(error):
        plan_study(study_settings(**({"data": data} | changes)))


def test_planning_can_be_stopped(data: str) -> None:
    from manyheads.errors import Interrupted

    stop = threading.Event()
    stop.set()
    with pytest.raises(Interrupted):
        plan_study(study_settings(data=data), stop=stop)
