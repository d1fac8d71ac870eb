"""Several backbones in one fit: a sample compares them, and is in no score then."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from manyheads.backbones import compiled
from manyheads.backbones.registry import BackboneSpec
from manyheads.cli.fit_screen import as_json, show
from manyheads.core.job import SILENT, Job, Planned
from manyheads.data.dataset import Dataset, open_dataset
from manyheads.errors import BackboneError
from manyheads.run.fit import (
    backbone_comparison,
    fit_backbones,
    near_duplicates,
)
from manyheads.run.fit.backbone_comparison import judge, sample_of
from manyheads.run.fit.fit_record import Fitted, read_fit
from manyheads.run.fit.fit_run import run_fit
from manyheads.run.fit.fit_settings import AUTO, FitSettings
from tests.features import dataset_of, features_of
from tests.fits import free_fits
from tests.jobs import HeardJob
from tests.shortcuts import SIDE, quadrant_images
from tests.studies import FreeBackbone, everywhere

BLIND, NONE = "mobilenet", "mobilenet_v2"
"""A backbone that sees nothing in these tests, and one that cannot be used."""


class Seeing(FreeBackbone):
    """The free backbone, or one to which all images are nearly the same."""

    def __init__(self, name: str, pooling: str) -> None:
        super().__init__(0.0, pooling)
        self._blind = name == BLIND

    def run(
        self, batches: Iterable[tuple[object, np.ndarray]], *, job: Job = SILENT
    ) -> Iterator[tuple[object, np.ndarray]]:
        for key, features in super().run(batches, job=job):
            yield key, np.round(features / 9) if self._blind else features


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch, own_cache: Path) -> Iterator[None]:
    """Two settings, a small sample, and backbones that cost nothing."""
    del own_cache  # it is there

    def compile_backbone(
        spec: BackboneSpec, *_: object, pooling: str = "avg", **__: object
    ) -> Seeing:
        if spec.name == NONE:
            raise BackboneError("one input", "two", "take another network")
        return Seeing(spec.name, pooling)

    monkeypatch.setattr(backbone_comparison, "SAMPLE", 40)
    with free_fits(monkeypatch, 50):
        everywhere(monkeypatch, compiled.compile_backbone, compile_backbone)
        yield


def fit(root: Path, *, train: int = 60, job: Job = SILENT, **changes: Any) -> Fitted:
    """A fit of two backbones to generated images below `root`."""
    data = root / "photos"
    if not data.exists():
        quadrant_images(data, train, train // 3)
    usual = {"backbone": (BLIND, "xception"), "size": SIDE, "heads": 2, "budget": 600.0}
    return run_fit(FitSettings(data=str(data), **usual | changes), root / "fit", job=job)


def plan_of(job: HeardJob) -> str:
    (plan,) = (event for event in job.events if isinstance(event, Planned))
    return "\n".join(plan.text(in_full=True))


@pytest.mark.when_changed("studies")
def test_what_is_clearly_worse_goes_and_the_sample_is_in_no_score(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    told = HeardJob()
    fitted = fit(tmp_path, job=told)
    assert [(each.backbone, each.kept) for each in fitted.compared] == [
        ("xception", True), (BLIND, False)
    ]  # fmt: skip
    best, worse = fitted.compared
    assert best.log_loss is not None
    assert worse.log_loss is not None
    assert best.log_loss < worse.log_loss
    assert {each.backbone for each in fitted.tried} == {"xception"}
    assert fitted.images == 240
    assert 195 <= fitted.expected.measured.images <= 205
    assert read_fit(tmp_path / "fit") == fitted
    assert [each.name for each in (tmp_path / "fit/search").glob("*px-*")] == [
        f"xception-{SIDE}px-2"
    ]
    plan = plan_of(told)
    assert "Backbones  mobilenet; weights: no weights\n           xception; weights" in plan
    assert "each backbone sees about " in plan
    assert any(note.endswith(f"going on without {BLIND}") for note in told.notes)
    show(fitted)
    shown = capsys.readouterr().out
    assert "clearly worse" in shown
    assert f"Chosen     xception at {SIDE}×{SIDE}; " in shown
    assert "not among them: those of the sample that chose backbones" in shown
    assert [each["backbone"] for each in as_json(fitted)["compared"]] == ["xception", BLIND]


@pytest.mark.when_changed("studies")
def test_the_same_command_with_more_time_has_the_same_sample(tmp_path: Path) -> None:
    first = fit(tmp_path)
    for name in ("best.xml", "best.xml.json", "best.bin"):
        (tmp_path / "fit" / name).touch()
    again = fit(tmp_path, budget=1200.0)
    assert again.passes == 0
    assert again.expected == first.expected
    assert [each.name for each in (tmp_path / "fit").glob("best*")] == ["best.keras"]


@pytest.mark.when_changed("studies")
def test_where_nearly_all_images_are_twins_of_the_sample_that_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(near_duplicates, "MOST", 1000)
    fitted = fit(tmp_path)
    assert fitted.expected.measured.units < 200
    assert 195 <= fitted.expected.measured.images <= 205
    assert fitted.remarks[0].startswith("near-duplicates of the sample that chose backbones")


@pytest.mark.when_changed("studies")
def test_of_few_images_every_backbone_is_an_option_and_every_image_is_scored(
    tmp_path: Path,
) -> None:
    told = HeardJob()
    fitted = fit(tmp_path, train=15, job=told)
    assert fitted.compared == ()
    pair = f"{BLIND}+xception"
    assert {each.backbone for each in fitted.tried} == {BLIND, "xception", pair}
    assert fitted.tried[0].backbone in ("xception", pair)
    assert fitted.expected.measured.images == fitted.images == 60
    assert f"1. mobilenet at {SIDE}×{SIDE}, plain and mirrored: " in plan_of(told)
    assert "each backbone" not in plan_of(told)


@pytest.mark.when_changed("studies")
def test_where_there_is_no_time_to_compare_one_goes_on_and_no_label_chose_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(backbone_comparison, "_SHARE", 0.0)
    fitted = fit(tmp_path)
    assert fitted.compared == ()
    assert len({each.backbone for each in fitted.tried}) == 1
    assert fitted.expected.measured.images == fitted.images
    assert fitted.remarks == (
        "mobilenet: left out, no time to compare it with others",
        "xception: left out, no time to compare it with others",
    )


@pytest.mark.when_changed("studies")
@pytest.mark.parametrize("train", [15, 60])
def test_the_best_two_side_by_side_have_the_last_turn(tmp_path: Path, train: int) -> None:
    told = HeardJob()
    fitted = fit(tmp_path, train=train, job=told, backbone=("resnet50", "xception"))
    assert {each.backbone.count("+") for each in fitted.tried} == {0, 1}
    last = [note for note in told.notes if note.startswith("Search ")][-1]
    assert re.fullmatch(r"Search 3: \w+\+\w+ at \d+×\d+, plain and mirrored", last)
    assert "pair" not in str(fitted.remarks)


@pytest.mark.when_changed("studies")
@pytest.mark.parametrize("train", [15, 60])
def test_what_is_no_backbone_is_left_out_unless_it_was_asked_for(
    tmp_path: Path, train: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fit_backbones, "automatic_backbones", lambda: [NONE, "xception"])
    fitted = fit(tmp_path, train=train, backbone=AUTO)
    assert {each.backbone for each in fitted.tried} == {"xception"}
    assert any(each.endswith("two where one input was expected") for each in fitted.remarks)
    assert fitted.expected.measured.images == fitted.images  # there was nothing to choose from
    with pytest.raises(BackboneError, match="one input"):
        run_fit(
            FitSettings(data=str(tmp_path / "photos"), backbone=(NONE, "xception"), size=SIDE),
            tmp_path / "other",
        )


def labelled(images: int, twins: int = 0) -> Dataset:
    """Images of three classes, half of them of the first; `twins` are in one group."""
    groups = ["together" if number < twins else "" for number in range(images)]
    return dataset_of([0, 0, 1, 2] * (images // 4), groups=groups)


def test_a_sample_has_the_shares_of_the_classes_and_whole_units() -> None:
    dataset = labelled(400, twins=8)
    sample = sample_of(dataset, 100)
    assert np.array_equal(sample, sample_of(dataset, 100))
    counts = np.bincount(dataset.labels[sample])
    assert abs(len(sample) - 100) <= 8
    assert np.abs(counts - [50, 25, 25]).max() <= 5
    inside = np.isin(np.arange(8), sample)
    assert inside.all() or not inside.any()


def test_features_are_judged_by_what_they_tell_of_images_left_out() -> None:
    random = np.random.default_rng(0)
    dataset = labelled(120)
    telling = random.normal(size=(120, 6)) + 3 * np.eye(3, 6)[dataset.labels]
    good, bad = (
        judge(dataset, features_of(each.astype(np.float32)), SILENT)
        for each in (telling, random.normal(size=(120, 6)))
    )
    assert len(good[0]) == len(bad[0]) == 120
    assert good[1] > 0.9 > 0.6 > bad[1]
    assert good[0].mean() < 0.3 < 0.9 < bad[0].mean()


def test_classes_of_few_images_are_not_judged() -> None:
    dataset = dataset_of([0] * 20 + [1] * 20 + [2] * 3)
    losses, _ = judge(
        dataset, features_of(np.random.default_rng(0).normal(size=(43, 4)).astype(np.float32)),
        SILENT,
    )  # fmt: skip
    assert len(losses) == 40


def test_images_of_several_labels_are_sampled_and_judged_by_label() -> None:
    random = np.random.default_rng(0)
    texts = ("(none)", "a", "a;b", "b", "c")
    shares = (0.3, 0.3, 0.2, 0.1, 0.1)
    numbers = np.sort(random.choice(5, 400, p=shares))
    dataset = replace(dataset_of(numbers), classes=texts, label_names=("a", "b", "c"))
    sample = sample_of(dataset, 100)
    assert abs(len(sample) - 100) <= 2
    assert np.abs(dataset.counts(sample) - dataset.counts(np.arange(400)) / 4).max() <= 2
    assert dataset.label_sets is not None
    members = dataset.label_sets.members[numbers]
    telling = random.normal(size=(400, 6)) + 4 * (members @ np.eye(3, 6))
    good, bad = (
        judge(dataset, features_of(each.astype(np.float32)), SILENT)
        for each in (telling, random.normal(size=(400, 6)))
    )
    assert len(good[0]) == len(bad[0]) == 400
    assert good[1] > 0.95 > 0.8 > bad[1]
    assert good[0].mean() < 0.2 < 0.5 < bad[0].mean()


def test_images_for_testing_are_in_no_sample(tmp_path: Path) -> None:
    data = open_dataset(quadrant_images(tmp_path / "photos", 20, 10))
    sample = sample_of(data, 30)
    assert set(np.unique(data.splits.codes[sample])) <= {0, 1}
