"""A whole fit from Python, on a backbone that costs nothing and on a small real one."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from manyheads.cli.fit_screen import show
from manyheads.core.job import Event, Planned
from manyheads.data.dataset import open_dataset
from manyheads.errors import DataError, Interrupted, RunError, SettingError
from manyheads.heads.averaged import averaged
from manyheads.models.classifier import load
from manyheads.models.templates import read_head
from manyheads.run.fit import fit_model, fit_schedule, near_duplicates
from manyheads.run.fit.fit_record import read_fit
from manyheads.run.fit.fit_run import run_fit
from manyheads.run.fit.fit_settings import FitSettings
from manyheads.study.events import EpochEnded
from manyheads.study.store import Store
from tests.fits import search_few
from tests.former_names import formerly
from tests.jobs import HeardJob, StoppingJob
from tests.shortcuts import SIDE, quadrant_images
from tests.small_study import small_images
from tests.studies import free_backbone


@pytest.fixture(autouse=True)
def small_grid(monkeypatch: pytest.MonkeyPatch) -> None:
    """Four settings of twenty epochs in the place of forty."""

    search_few(monkeypatch, 0.01, 0.05)


@pytest.fixture
def free(monkeypatch: pytest.MonkeyPatch, own_cache: Path) -> Iterator[None]:
    del own_cache  # it is there
    with free_backbone(monkeypatch, extraction=0.01):
        yield


def settings(data: Path, **changes: Any) -> FitSettings:
    return FitSettings(
        **{"data": str(data), "backbone": "xception", "size": SIDE, "heads": 3, "budget": 600.0}
        | changes
    )


def burst_of(original: Path, folder: Path, count: int) -> set[Path]:
    """Copies of an image with a pixel changed each, beside others; and the image."""
    paths = {original}
    for number in range(count):
        with Image.open(original) as image:
            image.putpixel((number, 0), (0, 0, 0))
            path = folder / f"again {number}.png"
            image.save(path)
        paths.add(path)
    return paths


def plan_of(job: HeardJob) -> str:
    """The plan that a fit has told, as text."""
    (plan,) = (event for event in job.events if isinstance(event, Planned))
    return "\n".join(plan.text(in_full=True))


def searches(job: HeardJob) -> list[str]:
    """What a fit has told of its searches."""
    return [note for note in job.notes if note.startswith("Search ")]


@pytest.mark.usefixtures("free")
class TestFree:
    """On a backbone that costs nothing."""

    @pytest.mark.when_changed("studies")
    def test_it_finds_a_model_and_says_what_to_expect(self, tmp_path: Path) -> None:
        data, told = quadrant_images(tmp_path / "photos", 30, 10), HeardJob()
        fitted = run_fit(settings(data), tmp_path / "fit", job=told)
        assert searches(told) == [f"Search 1: {SIDE}×{SIDE}, plain and mirrored"]
        assert fitted.images == 120
        assert fitted.heads == 3
        assert fitted.passes == 240
        losses = [each.log_loss for each in fitted.tried]
        assert losses == sorted(losses)
        assert sum(each.folds for each in fitted.tried) == fitted.folds == 5
        accuracy = fitted.expected.measured.accuracy
        assert accuracy.value > 0.6  # of three classes that chance makes hard to see
        assert fitted.model.is_file()

    @pytest.mark.when_changed("studies")
    @pytest.mark.parametrize("rule", [None, "last_macro_f1"])
    def test_pruning_is_recorded_and_said(
        self,
        rule: str | None,
        tmp_path: Path,
        monkeypatch: pytest.MonkeyPatch,
        capsys: pytest.CaptureFixture[str],
    ) -> None:
        data = quadrant_images(tmp_path / "photos", 20, 5)
        monkeypatch.setattr(fit_schedule, "_SHARES", {"pruned": (1.0, 1.0)})
        fitted = run_fit(settings(data, select=rule), tmp_path / "fit")
        assert fitted.pruned
        assert read_fit(tmp_path / "fit") == fitted
        show(fitted)
        assert "chosen with these images too, so the scores are slightly optimistic" in (
            capsys.readouterr().out
        )

    @pytest.mark.when_changed("studies")
    def test_a_finished_fit_is_only_read(self, tmp_path: Path) -> None:
        data = quadrant_images(tmp_path / "photos", 20, 5)
        first = run_fit(settings(data), tmp_path / "fit")
        model = first.model.stat().st_mtime_ns
        told = HeardJob()
        again = run_fit(settings(data), tmp_path / "fit", job=told)
        assert again == first == read_fit(tmp_path / "fit")
        assert searches(told) == []
        assert again.model.stat().st_mtime_ns == model

    @pytest.mark.when_changed("studies")
    def test_the_same_fit_elsewhere_is_the_same(self, tmp_path: Path) -> None:
        data = quadrant_images(tmp_path / "photos", 20, 5)
        first = run_fit(settings(data), tmp_path / "one")
        second = run_fit(settings(data), tmp_path / "two")
        assert first.expected == second.expected
        assert first.tried == second.tried
        assert first.model.read_bytes() == second.model.read_bytes()

    @pytest.mark.when_changed("studies")
    @pytest.mark.parametrize("work", ["extracting", EpochEnded, "averaging"])
    def test_a_stop_is_heard_and_the_same_call_goes_on(
        self, tmp_path: Path, work: type[Event] | str
    ) -> None:
        data, told = quadrant_images(tmp_path / "photos", 20, 5), StoppingJob(work)
        with pytest.raises(Interrupted):
            run_fit(settings(data), tmp_path / "fit", job=told)
        assert time.monotonic() - told.asked < 1
        assert not (tmp_path / "fit/fit.json").exists()
        assert not (tmp_path / "fit/best.keras").exists()
        resumed = run_fit(settings(data), tmp_path / "fit")
        assert resumed.expected == run_fit(settings(data), tmp_path / "whole").expected

    @pytest.mark.when_changed("studies")
    def test_other_settings_and_other_images_are_refused(self, tmp_path: Path) -> None:
        data = quadrant_images(tmp_path / "photos", 20, 5)
        run_fit(settings(data), tmp_path / "fit")
        with pytest.raises(RunError, match="heads: 3 → 2"):
            run_fit(settings(data, heads=2), tmp_path / "fit")
        gone = sorted((data / "train/cat").iterdir())[0]
        gone.unlink()
        with pytest.raises(RunError, match=f"1 image removed .train/cat/{gone.name}.; restore"):
            run_fit(settings(data), tmp_path / "fit")

    @pytest.mark.when_changed("studies")
    def test_a_larger_budget_goes_on(self, tmp_path: Path) -> None:
        data = quadrant_images(tmp_path / "photos", 20, 5)
        run_fit(settings(data), tmp_path / "fit")
        again = run_fit(settings(data, budget=1200.0), tmp_path / "fit")
        assert again.settings.budget == 1200
        assert again.passes == 0

    def test_strangers_in_the_folder_are_left_alone(self, tmp_path: Path) -> None:
        data = quadrant_images(tmp_path / "photos", 20, 5)
        (tmp_path / "fit").mkdir()
        (tmp_path / "fit/thesis.txt").write_text("mine")
        with pytest.raises(RunError, match=r"thesis\.txt"):
            run_fit(settings(data), tmp_path / "fit")
        assert [each.name for each in (tmp_path / "fit").iterdir()] == ["thesis.txt"]

    @pytest.mark.when_changed("studies")
    def test_a_damaged_record_is_named(self, tmp_path: Path) -> None:
        data = quadrant_images(tmp_path / "photos", 20, 5)
        run_fit(settings(data), tmp_path / "fit")
        document = json.loads((tmp_path / "fit/fit.json").read_text(encoding="utf-8"))
        del document["expected"]["scores"]["accuracy"]
        (tmp_path / "fit/fit.json").write_text(json.dumps(document), encoding="utf-8")
        with pytest.raises(RunError, match=r"without 'accuracy'.*another run folder"):
            run_fit(settings(data), tmp_path / "fit")

    @pytest.mark.when_changed("studies")
    def test_folds_are_as_many_as_there_are_images_at_most(self, tmp_path: Path) -> None:
        data, told = quadrant_images(tmp_path / "photos", 1, 1), HeardJob()
        fitted = run_fit(settings(data, folds=20), tmp_path / "fit", job=told)
        assert fitted.folds == fitted.images == 6
        assert "Folds      6, of all images" in plan_of(told)
        with pytest.raises(DataError, match="two or more classes of at least two"):
            run_fit(settings(quadrant_images(tmp_path / "few", 1, 0)), tmp_path / "none")

    @pytest.mark.when_changed("studies")
    def test_small_classes_take_no_folds_from_the_others(self, tmp_path: Path) -> None:
        data = quadrant_images(tmp_path / "photos", 12, 4)
        for split, name, kept in (("train", "dog", 2), ("train", "red panda", 1)):
            for image in sorted((data / split / name).iterdir())[kept:]:
                image.unlink()
            for image in (data / "validation" / name).iterdir():
                image.unlink()
        told = HeardJob()
        fitted = run_fit(settings(data), tmp_path / "fit", job=told)
        assert fitted.folds == 5
        assert fitted.images == 18  # one of a red panda only trains
        assert fitted.expected.scores is not None
        of_class = {each.name: each for each in fitted.expected.scores.classes}
        assert [of_class[name].images for name in ("cat", "dog", "red panda")] == [16, 2, 0]
        assert of_class["red panda"].recall is None
        assert read_fit(tmp_path / "fit") == fitted
        file = tmp_path / "fit/fit.json"
        file.write_text(formerly(file.read_text(encoding="utf-8")), encoding="utf-8")
        assert read_fit(tmp_path / "fit") == fitted
        assert "not every fold validates dog (2 images)" in plan_of(told)

    @pytest.mark.when_changed("studies")
    def test_a_burst_is_kept_in_one_fold_and_said(self, tmp_path: Path) -> None:
        data, told = quadrant_images(tmp_path / "photos", 30, 10), HeardJob()
        burst = burst_of(data / "train/cat/0.png", data / "train/cat", 5)
        fitted = run_fit(settings(data), tmp_path / "fit", job=told)
        (said,) = [note for note in told.notes if note.startswith("Near-duplicates: ")]
        assert re.search(r": \d+ images in \d+ clusters?; each cluster is kept in one fold", said)
        study = next((tmp_path / "fit/search").glob("*px-*")) / "study.sqlite"
        dataset = open_dataset(data)
        images = {n for n in range(len(dataset)) if dataset.paths[n] in burst}
        with Store(study) as store:
            inside = [images & set(division.images.tolist()) for division in store.divisions()]
            units = {
                int(unit)
                for division in store.divisions()
                for image, unit in zip(division.images, division.units, strict=True)
                if int(image) in images
            }
        assert sorted(map(len, inside)) == [0, 0, 0, 0, 6]
        assert len(units) == 1
        assert fitted.expected.measured.units < fitted.images == 125

    @pytest.mark.when_changed("studies")
    def test_what_was_found_is_kept_for_the_same_fit_later(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        data, told = quadrant_images(tmp_path / "photos", 30, 10), StoppingJob(EpochEnded)
        burst_of(data / "train/cat/0.png", data / "train/cat", 5)
        with pytest.raises(Interrupted):
            run_fit(settings(data), tmp_path / "fit", job=told)
        whole = run_fit(settings(data), tmp_path / "whole")
        monkeypatch.setattr(near_duplicates, "find_similar", lambda *_, **__: pytest.fail("again"))
        later = HeardJob()
        resumed = run_fit(settings(data), tmp_path / "fit", job=later)
        assert any(note.startswith("Near-duplicates: ") for note in later.notes)
        assert resumed.expected == whole.expected

    @pytest.mark.when_changed("studies")
    def test_a_search_that_was_begun_without_looking_goes_on_as_it_was_divided(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        data, told = quadrant_images(tmp_path / "photos", 30, 10), StoppingJob(EpochEnded)
        burst_of(data / "train/cat/0.png", data / "train/cat", 5)
        with monkeypatch.context() as patch:
            patch.setattr(
                near_duplicates.NearDuplicates, "__call__", lambda _, dataset, __: dataset
            )
            with pytest.raises(Interrupted):
                run_fit(settings(data), tmp_path / "fit", job=told)
        later = HeardJob()
        fitted = run_fit(settings(data), tmp_path / "fit", job=later)
        assert not any(note.startswith("Near-duplicates: ") for note in later.notes)
        assert fitted.expected.measured.units == fitted.images

    @pytest.mark.when_changed("studies")
    def test_very_many_images_are_not_compared_and_that_is_said(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(near_duplicates, "MOST", 50)
        data, told = quadrant_images(tmp_path / "photos", 15, 5), HeardJob()
        fitted = run_fit(settings(data), tmp_path / "fit", job=told)
        assert any("not looked for among more than 50 images" in note for note in told.notes)
        assert fitted.expected.measured.units == fitted.images

    def test_a_budget_for_nothing_is_refused_before_anything_is_written(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("manyheads.run.estimate._ASSUMED_PRODUCTS", 1.0)
        data = quadrant_images(tmp_path / "photos", 20, 5)
        with pytest.raises(SettingError, match="a budget of at least"):
            run_fit(settings(data, budget=30.0), tmp_path / "fit")
        assert not (tmp_path / "fit").exists()


@pytest.mark.when_changed("studies")
def test_the_model_says_what_its_heads_say_on_average(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Through the real file: MobileNet, the heads side by side, the temperature inside."""
    kept: dict[str, Any] = {}

    def remembered(heads: Any, temperature: float) -> Any:
        kept.update(heads=heads, temperature=temperature)
        return averaged(heads, temperature)

    monkeypatch.setattr(fit_model, "averaged", remembered)
    data = small_images(tmp_path / "images")
    fitted = run_fit(
        settings(data, size=32, backbone="mobilenet", weights="random:0", heads=2, folds=3),
        tmp_path / "fit",
    )
    assert len(kept["heads"]) == 2
    assert kept["temperature"] == fitted.expected.temperature
    head = read_head(fitted.model)
    for mine, its in zip(head, averaged(kept["heads"], kept["temperature"]), strict=True):
        np.testing.assert_array_equal(mine, its)
    images = sorted(data.rglob("*.png"))[:5]
    model = fitted.classifier()
    assert model.card.selected["heads"] == 2
    by_folder = load(tmp_path / "fit").predict(images)
    np.testing.assert_array_equal(by_folder.probabilities, model.predict(images).probabilities)
