"""A whole check for shortcuts from Python: stopped, resumed, and with images that are damaged."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from manyheads import Study
from manyheads.core.places import make_folder
from manyheads.data.data_settings import ImageSettings
from manyheads.data.marks import Mark
from manyheads.errors import Interrupted, RunError
from manyheads.lesson.shortcut.shortcut_check import run_shortcut
from manyheads.lesson.shortcut.shortcut_settings import ShortcutSettings
from manyheads.study.folder import RunFolder
from manyheads.study.space import Grid
from tests.jobs import HeardJob, StoppingJob
from tests.shortcuts import SIDE, quadrant_images
from tests.studies import free_backbone, study_settings


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return quadrant_images(tmp_path / "photos", train=12, validation=6)


@pytest.fixture(autouse=True)
def free(monkeypatch: pytest.MonkeyPatch, own_cache: Path) -> Iterator[None]:
    del own_cache  # it is there
    with free_backbone(monkeypatch, extraction=0.02):
        yield


def settings(data: Path, epochs: int = 3, **changes: Any) -> ShortcutSettings:
    grid = Grid((0.01,), (8, 0), (0.5,), epochs=(epochs,))
    study = study_settings(data=str(data), grid=grid, image=ImageSettings(size=SIDE), select="last")
    mark = Mark.usual("patch")
    return ShortcutSettings(study=study, target="dog", mark=mark, **changes)


@pytest.mark.when_changed("studies")
@pytest.mark.parametrize("work", ["extracting", "training"])
def test_a_stop_is_heard_within_a_second_and_passes_are_kept(
    data: Path, tmp_path: Path, work: str
) -> None:
    asked, job = settings(data, epochs=20_000), StoppingJob(work)
    with pytest.raises(Interrupted):
        run_shortcut(asked, tmp_path / "run", job=job)
    assert time.monotonic() - job.asked < 1
    assert not (tmp_path / "run/claims/shortcut.json").exists()
    again = run_shortcut(settings(data), tmp_path / "run")
    assert again.passes < 36 + 18 + 11 + 12


@pytest.mark.when_changed("studies")
def test_a_study_checks_its_own_candidates(data: Path, tmp_path: Path) -> None:
    """From Python it is the same check as by its own settings."""
    study = Study(
        data, droprate=0.5, learning_rate=0.01, size_inner=[8, 0], epochs=3, seeds=2,
        learning_rate_schedule="constant", image_size=SIDE, out=tmp_path / "run",
    )  # fmt: skip
    found = study.shortcut_claim("dog", mark="patch", share=1.0, into=["cat"])
    asked = replace(settings(data), share=1.0, into=("cat",))
    alone = run_shortcut(asked, tmp_path / "other")
    assert found.entries == alone.record.entries
    assert found.sentences == alone.verdict
    assert (tmp_path / "run/claims/shortcut.png").is_file()
    Image.new("RGBA", (9, 9), (255, 0, 0, 128)).save(tmp_path / "badge.png")
    badge = study.shortcut_claim("dog", mark=tmp_path / "badge.png")
    assert badge.noun == "picture"


@pytest.mark.when_changed("studies")
def test_heads_without_an_inner_layer_are_checked_too(data: Path, tmp_path: Path) -> None:
    checked = run_shortcut(settings(data, clean=2), tmp_path / "run")
    record = checked.record
    assert record.candidates == ("size_inner 8", "size_inner none")
    assert all(entry.seeds == 2 for entry in record.entries)
    assert {entry.condition for entry in record.entries} == {"control", "marked", "last_layer"}


@pytest.mark.when_changed("studies")
def test_all_images_may_carry_the_mark(data: Path, tmp_path: Path) -> None:
    asked = settings(data, share=1.0, everywhere=True, dropblock=0.5)
    record = run_shortcut(asked, tmp_path / "run").record
    assert (record.images.marked, record.images.train) == (12, 36)


@pytest.mark.when_changed("studies")
def test_an_unreadable_image_is_left_out_and_named(data: Path, tmp_path: Path) -> None:
    (data / "train" / "dog" / "0.png").write_bytes(b"none")
    (data / "validation" / "cat" / "0.png").write_bytes(b"not one either")
    job = HeardJob()
    checked = run_shortcut(settings(data, share=1.0), tmp_path / "run", job=job)
    images = checked.record.images
    assert (images.train, images.marked, images.validation) == (35, 11, 17)
    assert images.with_mark == 11
    assert any("train/dog/0.png" in line for line in job.notes)


@pytest.mark.when_changed("studies")
def test_heads_that_diverge_are_left_out(data: Path, tmp_path: Path) -> None:
    asked = settings(data)
    grid = Grid((10.0,), (8,), (0.0,), optimizer=("sgd",), l2=(100.0,))
    asked = replace(asked, study=replace(asked.study, grid=grid))
    with np.errstate(all="ignore"):
        checked = run_shortcut(asked, tmp_path / "run")
    assert all(entry.value is None and entry.gap is None for entry in checked.record.entries)
    assert checked.verdict[0].startswith("No result")


@pytest.mark.when_changed("studies")
def test_a_folder_at_work_is_not_written_to(data: Path, tmp_path: Path) -> None:
    make_folder(tmp_path / "run")
    with RunFolder(tmp_path / "run").held(), pytest.raises(RunError, match="to be free"):
        run_shortcut(settings(data), tmp_path / "run")


@pytest.mark.when_changed("studies")
def test_a_study_may_come_to_the_folder_afterwards(data: Path, tmp_path: Path) -> None:
    run_shortcut(settings(data), tmp_path / "run")
    folder = RunFolder(tmp_path / "run")
    with folder.opened({"study": {"data": "photos"}}):
        assert folder.settings.is_file()
