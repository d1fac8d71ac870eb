"""`manyheads check`, `extract` and `demo`'s settings, from the command line."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from manyheads.cli import sweep
from manyheads.core.places import cache_dir
from manyheads.data import file_index
from manyheads.data.data_settings import ImageSettings
from manyheads.data.dataset import open_dataset
from manyheads.study.space import Grid
from manyheads.study.study_settings import StudySettings
from tests.e2e.conftest import Command
from tests.files import an_hour_later
from tests.small_study import small_images

pytestmark = pytest.mark.usefixtures("free")
SIZE = ("--image-size", 71)


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    return small_images(tmp_path / "photos")


def test_extraction_costs_a_pass_an_image_once(command: Command, photos: Path) -> None:
    first = command("extract", photos, *SIZE)
    assert first.code == 0, first.err
    assert "photos: 33 images, 12 features each; 33 backbone passes in " in first.out
    again = json.loads(command("extract", photos, *SIZE, "--json").out)
    assert (again["images"], again["features"], again["backbone_passes"]) == (33, 12, 0)
    new = photos / "train" / "cat" / "new.png"
    new.write_bytes((photos / "train" / "dog" / "0.png").read_bytes() + b"\0")
    assert json.loads(command("extract", photos, *SIZE, "--json").out)["backbone_passes"] == 1
    assert not Path("runs").exists()


def test_check_reads_what_the_index_of_files_would_vouch_for(
    command: Command, photos: Path
) -> None:
    with an_hour_later():
        truth = open_dataset(photos).digests
        (index,) = (cache_dir() / "files").glob("*.index")
        records = file_index._load(index).copy()
        records["digest"][:] = 7  # all the same
        file_index._write(index, records)
        assert len(open_dataset(photos).contents) == 1
        assert json.loads(command("check", photos, "--json").out)["identical"] == []
        assert open_dataset(photos).digests == truth


def test_another_preparation_of_the_images_is_another_extraction(
    command: Command, photos: Path
) -> None:
    recipes = set()
    for options in ((), ("--interpolation", "nearest"), ("--no-exif",), ("--image-size", 72)):
        said = json.loads(command("extract", photos, *SIZE, *options, "--json").out)
        assert said["backbone_passes"] == 33
        recipes.add(said["recipe"])
    assert len(recipes) == 4


@pytest.mark.when_changed("commands")
def test_a_corrupted_cache_entry_is_found_and_made_again(command: Command, photos: Path) -> None:
    options = ("sweep", photos, *SIZE, "--epochs", 2, "--seeds", 1, "--size-inner", 4)
    assert command(*options, "--out", "sound").code == 0
    (features,) = Path("cache").rglob("features.f32")
    data = bytearray(features.read_bytes())
    data[100] ^= 0xFF
    features.write_bytes(data)
    said = json.loads(command(*options, "--out", "healed", "--json").out)
    assert said["backbone_passes"] == 1
    tables = [Path(run, "history.csv").read_bytes() for run in ("sound", "healed")]
    assert tables[0] == tables[1]


def test_a_check_reports_and_changes_nothing(command: Command, photos: Path) -> None:
    (photos / "train" / "cat" / "copy.png").write_bytes(
        (photos / "validation" / "dog" / "1.png").read_bytes()
    )
    before = {path: path.stat().st_mtime_ns for path in photos.rglob("*")}
    said = command("check", photos)
    assert said.code == 0
    assert "photos: 34 images, 3 classes, split folders\n" in said.out
    assert "red panda" in said.out
    assert "most serious first:\n- " in said.out
    report = json.loads(command("check", photos, "--json").out)
    assert report["counts"]["train"] == {"cat": 8, "dog": 7, "red panda": 7}
    assert len(report["problems"]) == said.out.count("\n- ")
    strict = command("check", photos, "--exit-code")
    assert strict.code == 1
    assert strict.complaint.startswith("manyheads: expected a data set without problems, found ")
    assert {path: path.stat().st_mtime_ns for path in photos.rglob("*")} == before


def test_the_demo_is_the_lessons_sweep_on_digits(
    command: Command, photos: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked, run_shown = [], sweep.run_shown

    def small(settings: StudySettings, out: str, *rest: Any, **options: Any) -> Any:
        asked.append(settings)
        return run_shown(
            replace(settings, data=str(photos), grid=replace(settings.grid, epochs=(2,))),
            out,
            *rest,
            **options,
        )

    monkeypatch.setattr(sweep, "run_shown", small)
    said = command("demo")
    assert said.code == 0, said.err
    (settings,) = asked
    assert (settings.data, settings.backbone) == ("digits", "xception")
    assert settings.grid == Grid((0.001,), (100,), (0.0, 0.2, 0.5, 0.8))
    assert settings.image == ImageSettings(size=150)
    assert (settings.epochs, settings.seeds) == (30, 10)
    assert "val_loss by epoch, mean over 10 seeds" in said.out
    assert "● droprate 0   ○ droprate 0.2   ■ droprate 0.5   □ droprate 0.8" in said.out
    assert "runs/demo/best.keras" in said.out
    assert json.loads(command("demo", "--json").out)["run"] == "runs/demo"
