"""A plan tells what a study will take, and computes none of it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from manyheads.core import accelerators
from manyheads.data.data_settings import ImageSettings
from manyheads.errors import BackboneError, DataError, SettingError, WeightsError
from manyheads.run import planned_study
from manyheads.run.pipeline import run_study
from manyheads.run.plan import plan_study, training_memory
from manyheads.run.planned_study import study_planned
from manyheads.study.space import Grid
from tests.jobs import stopped_job
from tests.studies import free_backbone, study_settings

COUNTS = {f"{split}/{name}": 4 for split in ("train", "validation") for name in ("a", "b")}


@pytest.fixture
def data(image_folder: Callable[..., Path], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> str:
    monkeypatch.setenv("MANYHEADS_CACHE", str(tmp_path / "cache"))
    return str(image_folder(COUNTS))


@pytest.mark.when_changed("studies")
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


@pytest.mark.when_changed("studies")
def test_a_run_folder_tells_what_is_left_unless_it_is_another_studys(
    data: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = study_settings(data=data)
    with free_backbone(monkeypatch):
        run_study(settings, tmp_path / "run")
        again = plan_study(settings, out=tmp_path / "run")
        assert (again.ended, again.work.left.epochs, again.products) == (4, 0, 0)
        smaller = study_settings(data=data, grid=Grid((0.01,), (4,), (0.0,)))
        other = plan_study(smaller, out=tmp_path / "run")
    assert (other.ended, other.work.left.epochs) == (0, 6)


def test_memory_grows_with_the_images_the_largest_head_and_little_with_the_number_of_heads(
    data: str,
) -> None:
    def planned(**changes: object) -> int:
        return plan_study(study_settings(data=data, **changes)).memory.training

    few = planned()
    many = planned(grid=Grid((0.01,), (4,), tuple(n / 1000 for n in range(900))), seeds=5)
    assert few < many < few + 20_000_000
    assert planned(grid=Grid((0.01,), (4, 1000), (0.0,))) > few + 40_000_000
    settings = study_settings()
    more = [training_memory(settings, images, 2048, 10) for images in (0, 1_000_000)]
    assert more[1] - more[0] == 8_192_000_000


@pytest.mark.parametrize(("there", "warned"), [(10**9, True), (10**15, False), (0, False)])
def test_less_memory_than_the_plan_takes_is_told(
    there: int, warned: bool, data: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(planned_study, "memory", lambda: there)
    lines = [text for label, text in study_planned(plan_study(study_settings(data=data))).lines
             if label == "Memory"]  # fmt: skip
    assert len(lines) == warned
    assert all("and this process may use 1.0 GB" in line for line in lines)


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
    assert any("weights: ImageNet, to be fetched" in line for line in study_planned(plan).text())


def test_the_engine_of_accelerators_says_its_tile(
    data: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(accelerators, "of_jax", lambda: None)
    for engine, many in (("stacked", 1), ("fused", 0)):
        planned = study_planned(plan_study(study_settings(data=data, engine=engine)))
        lines = [text for label, text in planned.details if label == "Tiles"]
        assert len(lines) == many
        assert all(line.startswith("up to 64 heads at a time in ") for line in lines)


def test_a_schedule_that_never_changes_is_said_before_training(data: str) -> None:
    grid = Grid((0.01,), (4,), (0.5,), droprate_schedule=("constant", "early:3"))
    words = "droprate_schedule early:3 is constant in 3 epochs"
    planned = study_planned(plan_study(study_settings(data=data, grid=grid)))
    assert any(words in line for line in planned.text())


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

    job = stopped_job()
    with pytest.raises(Interrupted):
        plan_study(study_settings(data=data), job=job)
