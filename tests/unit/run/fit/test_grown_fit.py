"""A fit from a former run: what stays, what is said to have changed, and which model is better."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from manyheads.core.job import SILENT
from manyheads.data.changes import Listed
from manyheads.data.data_settings import ImageSettings, SplitSettings
from manyheads.data.dataset import open_dataset
from manyheads.errors import DataError, RunError, SettingError
from manyheads.run.fit.fit_record import Fitted, read_fit
from manyheads.run.fit.fit_run import run_fit
from manyheads.run.fit.fit_settings import FitSettings
from manyheads.run.fit.former_run import read_former
from manyheads.run.fit.grown_fit import (
    PlannedGrowth,
    next_folder,
    plan_growth,
    planned_growth,
    run_growth,
)
from manyheads.run.fit.growth import HELD_OUT, read_growth
from manyheads.run.pipeline import run_study
from manyheads.study.folder import RunFolder
from manyheads.study.image_list import kept_images
from tests.fits import free_fits
from tests.shortcuts import SIDE, quadrant_images
from tests.small_study import small_settings


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch, own_cache: Path) -> Iterator[None]:
    """Two settings of twenty epochs on a backbone that costs nothing."""
    del own_cache  # it is there
    with free_fits(monkeypatch):
        yield


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return quadrant_images(tmp_path / "photos", 20, 5)


def fitted(data: Path, out: Path) -> Fitted:
    asked = FitSettings(data=str(data), backbone="xception", size=SIDE, heads=2, budget=600.0)
    return run_fit(asked, out)


def add_image(folder: Path, name: str, bright: int) -> Path:
    """An image with one bright quadrant, as those of the classes are."""
    random = np.random.default_rng([bright, *map(ord, name)])
    quadrants = random.normal(110, 20, (2, 2, 1))
    quadrants[divmod(bright, 2)] += 60
    pixels = np.kron(quadrants, np.ones((SIDE // 2, SIDE // 2, 3)))
    pixels += random.normal(0, 20, pixels.shape)
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / f"{name}.png"
    Image.fromarray(np.clip(pixels, 0, 255).astype(np.uint8)).save(file)
    return file


def grow(data: Path) -> None:
    """Add a class of 12 images and 6 of a known class, remove 2 and relabel 1."""
    for number in range(12):
        add_image(data / "train" / "owl", f"n{number}", 3)
    for number in range(6):
        add_image(data / "train" / "dog", f"n{number}", 1)
    for number in (0, 1):
        (data / "train" / "cat" / f"{number}.png").unlink()
    (data / "train" / "cat" / "2.png").rename(data / "train" / "dog" / "was-cat.png")


def planned(run: Path, data: Path, budget: float | None = None, **changes: Any) -> PlannedGrowth:
    if budget is None:
        return plan_growth(run, FitSettings(data=str(data)), **changes)
    asked = FitSettings(data=str(data), budget=budget)
    return plan_growth(run, asked, named=["budget"], **changes)


@pytest.mark.when_changed("studies")
def test_it_says_what_has_changed_and_keeps_split_fold_and_record(
    data: Path, tmp_path: Path
) -> None:
    run = tmp_path / "run"
    fitted(data, run)
    record = {each: each.read_bytes() for each in run.rglob("*") if each.is_file()}
    grow(data)
    plan = planned(run, data)
    words = plan.grown.changes.words
    assert words == ("18 images added, 2 removed and 1 relabelled; class 'owl' is new (12 images)")
    (from_, changed, kept), *_ = planned_growth(plan).lines[:3], None
    assert from_ == ("From", f"{run}: a fit on 75 images")
    assert changed == ("Changed", words)
    assert kept == ("Kept", f"73 images of {run}, in their split and fold of then")
    found = run_growth(plan)
    assert found.path == tmp_path / "run-2"
    assert {each: each.read_bytes() for each in record} == record
    before, now = read_former(run), read_former(found.path)
    assert all(
        now.split_of[key] == split for key, split in before.split_of.items() if key in now.split_of
    )
    shared = before.fold_of.keys() & now.fold_of.keys()
    assert len(shared) == 73
    assert all(now.fold_of[key] == before.fold_of[key] for key in shared)
    assert found.growth is not None
    growth = found.growth
    assert growth.comparison is not None
    assert growth.comparison.kept is not None
    assert growth.comparison.kept.images == 72
    assert growth.comparison.changed is not None
    assert growth.comparison.changed.images == 1
    (owl,) = growth.comparison.new
    assert (owl.name, owl.images) == ("owl", 12)
    assert growth.added is not None
    assert growth.added.images == 6
    assert "Class 'owl' is new" in str(growth)
    assert growth == read_growth(found.path)


@pytest.mark.when_changed("studies")
def test_the_same_command_reads_the_finished_one_and_goes_on_with_an_interrupted(
    data: Path, tmp_path: Path
) -> None:
    fitted(data, tmp_path / "run")
    grow(data)
    first = run_growth(planned(tmp_path / "run", data))
    growth = (first.path / "growth.json").read_bytes()
    (first.path / "growth.json").unlink()
    assert run_growth(planned(tmp_path / "run", data)).seconds == first.seconds
    assert (first.path / "growth.json").read_bytes() == growth
    add_image(data / "train" / "dog", "late", 1)
    with pytest.raises(RunError, match="was begun with"):
        run_growth(planned(tmp_path / "run", data))


@pytest.mark.when_changed("studies")
def test_where_nothing_has_changed_nothing_is_run(data: Path, tmp_path: Path) -> None:
    fitted(data, tmp_path / "run")
    (data / "train" / "cat" / "0.png").rename(data / "train" / "cat" / "moved.png")
    plan = planned(tmp_path / "run", data)
    assert not plan.changed
    assert "75 images with the same labels" in plan.unchanged_words
    with pytest.raises(RunError, match="the same ones"):
        run_growth(plan)
    assert not plan.out.exists()


def test_class_weights_are_those_of_the_run_unless_others_are_given(
    data: Path, tmp_path: Path
) -> None:
    asked = FitSettings(
        data=str(data), backbone="xception", size=SIDE, heads=2, budget=600.0,
        class_weight="balanced",
    )  # fmt: skip
    run_fit(asked, tmp_path / "run")
    add_image(data / "train" / "dog", "new", 1)
    assert planned(tmp_path / "run", data).settings.class_weight == "balanced"
    other = FitSettings(data=str(data), class_weight='{"dog": 2}')
    assert plan_growth(tmp_path / "run", other).settings.class_weight == '{"dog": 2}'


@pytest.mark.when_changed("studies")
def test_a_class_that_was_renamed_is_the_same_class(data: Path, tmp_path: Path) -> None:
    fitted(data, tmp_path / "run")
    for split in ("train", "validation"):
        (data / split / "dog").rename(data / split / "hound")
    plan = planned(tmp_path / "run", data)
    assert plan.grown.changes.words == "class 'dog' is now called 'hound'"
    growth = run_growth(plan).growth
    assert growth is not None
    assert growth.comparison is not None
    assert growth.comparison.changed is None
    assert growth.comparison.new == ()


@pytest.mark.when_changed("studies")
def test_validation_images_of_a_sweep_judge_and_train_no_head_unless_asked(
    data: Path, tmp_path: Path
) -> None:
    run = tmp_path / "sweep"
    asked = small_settings(data, image=ImageSettings(size=SIDE), seeds=2)
    run_study(asked, run)
    grow(data)
    plan = planned(run, data)
    assert len(plan.grown.judges) == 15
    found = run_growth(plan)
    judges = {key for key, split in read_former(run).split_of.items() if split == HELD_OUT}
    trained = kept_images(RunFolder(found.path))
    assert trained is not None
    assert not judges & set(trained.keys)
    growth = found.growth
    assert growth is not None
    assert growth.held_out == 15
    assert growth.comparison is not None
    assert growth.comparison.kept is not None
    assert growth.comparison.kept.images == 15
    assert "its whole model" in str(growth)
    add_image(data / "train" / "dog", "later", 1)
    later = planned(found.path, data)
    assert len(later.grown.judges) == 15  # they still are
    assert later.grown.changes.words == "1 image added"
    both = planned(run, data, train_on_validation=True, out=tmp_path / "both")
    assert not len(both.grown.judges)
    growth = run_growth(both).growth
    assert growth is not None
    assert growth.comparison is not None
    assert growth.comparison.kept is not None
    assert growth.comparison.kept.images == 15


@pytest.mark.when_changed("studies")
def test_test_images_stay_test_images_and_their_log_goes_along(tmp_path: Path) -> None:
    data = quadrant_images(tmp_path / "photos", 20, 5)
    for number in range(6):
        for place, name in enumerate(("cat", "dog", "red panda")):
            add_image(data / "test" / name, f"t{number}", place)
    run = tmp_path / "run"
    fitted(data, run)
    grow(data)
    moved = next((data / "test" / "cat").iterdir())
    moved.rename(data / "train" / "cat" / "moved.png")
    plan = planned(run, data)
    assert len(plan.grown.dataset.rows("test")) == 18
    log = {"format": 1, "evaluations": []}
    (run / "test.json").write_text(json.dumps(log))
    found = run_growth(plan)
    assert json.loads((found.path / "test.json").read_text()) == log


def test_new_images_are_divided_by_the_rule_of_the_run(tmp_path: Path) -> None:
    data = tmp_path / "photos"
    for place, name in enumerate(("cat", "dog")):
        for number in range(20):
            add_image(data / name, f"{number}", place)
    run = tmp_path / "run"
    run_fit(
        FitSettings(
            data=str(data), backbone="xception", size=SIDE, heads=1, budget=600.0,
            split=SplitSettings(),
        ),
        run,
    )  # fmt: skip
    before = open_dataset(data)
    for number in range(10):
        add_image(data / "owl", f"{number}", 3)
    plan = planned(run, data)
    now = plan.grown.dataset
    was = dict(zip(Listed.of(before).keys, before.splits, strict=True))
    for key, split in zip(Listed.of(now).keys, now.splits, strict=True):
        assert was.get(key, split) == split
    owls = [now.splits[row] for row in np.flatnonzero(now.labels == now.classes.index("owl"))]
    assert [owls.count(each) for each in ("train", "validation", "test")] == [6, 2, 2]


def test_what_it_cannot_begin_from_is_said(data: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    with pytest.raises(RunError, match="no such folder"):
        planned(run, data)
    fitted(data, run)
    with pytest.raises(SettingError, match="the backbone of"):
        plan_growth(run, FitSettings(data=str(data), backbone="mobilenet"))
    with pytest.raises(SettingError, match="the folds of"):
        plan_growth(run, FitSettings(data=str(data), folds=3))
    with pytest.raises(SettingError, match="another run folder"):
        planned(run, data, out=run)
    other = tmp_path / "other"
    for place, name in enumerate(("cat", "dog")):
        for number in range(4):
            add_image(other / name, f"{number}", place)
    with pytest.raises(DataError, match="none of its 75 images among 8 there"):
        planned(run, other)
    (run / "fit.json").unlink()
    with pytest.raises(RunError, match="interrupted"):
        planned(run, data)


@pytest.mark.when_changed("studies")
def test_without_the_cache_features_are_computed_again(
    data: Path, tmp_path: Path, own_cache: Path
) -> None:
    fitted(data, tmp_path / "run")
    grow(data)
    for each in own_cache.iterdir():
        shutil.rmtree(each) if each.is_dir() else each.unlink()
    found = run_growth(planned(tmp_path / "run", data), job=SILENT)
    assert found.passes > 75
    assert found.growth is not None
    assert found.growth.comparison is not None


def test_folders_are_numbered() -> None:
    assert next_folder(Path("runs/photos-fit")) == Path("runs/photos-fit-2")
    assert next_folder(Path("runs/photos-fit-2")) == Path("runs/photos-fit-3")
    assert next_folder(Path("runs/photos-2024")) == Path("runs/photos-2025")


def test_a_fit_that_began_from_none_has_no_growth(data: Path, tmp_path: Path) -> None:
    fitted(data, tmp_path / "run")
    found = read_fit(tmp_path / "run")
    assert found is not None
    assert found.growth is None


@pytest.mark.when_changed("studies")
def test_a_fit_that_never_began_may_be_begun_with_other_images(data: Path, tmp_path: Path) -> None:
    fitted(data, tmp_path / "run")
    grow(data)
    with pytest.raises(SettingError, match="budget"):
        run_growth(
            planned(tmp_path / "run", data, budget=1.0), clock=iter(range(0, 10**6, 5)).__next__
        )
    add_image(data / "train" / "dog", "late", 1)
    assert run_growth(planned(tmp_path / "run", data)).path == tmp_path / "run-2"
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "notes.txt").write_text("")
    with pytest.raises(RunError, match="other files"):
        run_growth(planned(tmp_path / "run", data, out=tmp_path / "mine"))
