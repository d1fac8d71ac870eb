"""The list of images in a run folder: what it costs, and what can be told without it."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

from manyheads.data.changes import Listed
from manyheads.data.columns import Categorical, CategoricalWriter, Digests
from manyheads.data.dataset import Dataset, open_dataset
from manyheads.data.paths import Paths
from manyheads.errors import RunError
from manyheads.run.pipeline import run_study
from manyheads.study.folder import RunFolder
from manyheads.study.image_list import change_words, keep_images, kept_images
from tests.small_study import CLASSES, small_images, small_settings
from tests.studies import free_backbone


@pytest.fixture
def free(monkeypatch: pytest.MonkeyPatch):
    with free_backbone(monkeypatch):
        yield


def made_up(count: int) -> Dataset:
    """A data set of names and digests that are as random as they can be, of no files."""
    random = np.random.default_rng(0)
    names = [f"/photos/{random.bytes(6).hex()}/{random.bytes(4).hex()}.jpg" for _ in range(count)]
    splits = CategoricalWriter()
    for number in range(count):
        splits.add(("train", "validation")[number % 2])
    return Dataset(
        "photos", Path("/photos"), "folder", Paths.of(names), np.arange(count) % 3, CLASSES,
        splits.column(), Digests(random.integers(0, 256, (count, 32), np.uint8)),
    )  # fmt: skip


@pytest.mark.when_changed("studies")
def test_the_list_is_read_as_it_was_written_and_small(tmp_path: Path) -> None:
    dataset, folder = made_up(20_000), RunFolder(tmp_path)
    keep_images(folder, dataset)
    kept = kept_images(folder)
    assert kept is not None
    listed = Listed.of(dataset)
    assert list(kept.names) == list(listed.names)
    np.testing.assert_array_equal(kept.digests, listed.digests)
    assert (kept.labels, kept.splits) == (listed.labels, listed.splits)
    # Names here are ten bytes that no compression saves: 32 MB for a million, as it says.
    assert folder.images.stat().st_size < 32 * len(dataset)


def test_the_same_images_give_the_same_bytes(tmp_path: Path) -> None:
    folders = [RunFolder(tmp_path / name) for name in ("a", "b")]
    for folder in folders:
        folder.path.mkdir()
        keep_images(folder, made_up(50))
    assert folders[0].images.read_bytes() == folders[1].images.read_bytes()


@pytest.mark.parametrize("kept", [0, 10, 600])
def test_a_damaged_list_is_none(tmp_path: Path, kept: int) -> None:
    folder = RunFolder(tmp_path)
    keep_images(folder, made_up(50))
    folder.images.write_bytes(folder.images.read_bytes()[:kept])
    assert kept_images(folder) is None


def test_names_that_are_no_text_are_kept(tmp_path: Path) -> None:
    names = ["/photos/a\udcff.jpg", "/photos/café\n.jpg"]
    dataset = Dataset(
        "photos", Path("/photos"), "folder", Paths.of(names), np.arange(2), CLASSES[:2],
        Categorical.of(["train", "train"]), Digests(np.zeros((2, 32), np.uint8)),
    )  # fmt: skip
    keep_images(RunFolder(tmp_path), dataset)
    kept = kept_images(RunFolder(tmp_path))
    assert kept is not None
    assert list(kept.names) == ["a\udcff.jpg", "café\n.jpg"]


@pytest.mark.when_changed("studies")
@pytest.mark.usefixtures("free")
def test_a_resumed_study_says_which_images_have_changed(tmp_path: Path) -> None:
    images, run = small_images(tmp_path / "images"), tmp_path / "run"
    run_study(small_settings(images), run)
    shutil.copy(images / "train/cat/0.png", images / "train/dog/new.png")
    with pytest.raises(RunError) as error:
        run_study(small_settings(images), run)
    assert str(error.value) == (
        f"expected the images of the study that {run} holds, found 1 image added "
        "(train/dog/new.png); restore the images to resume it, or choose another `out`"
    )
    with pytest.raises(RunError) as error:
        run_study(small_settings(images, seeds=3), run)
    assert str(error.value) == (
        f"expected the settings and images of the study that {run} holds, found study.seeds: 1 → "
        "3; 1 image added (train/dog/new.png); repeat the former settings and restore the images "
        "to resume it, or choose another `out`"
    )


@pytest.mark.when_changed("studies")
@pytest.mark.usefixtures("free")
def test_another_folder_of_the_same_name_is_named(tmp_path: Path) -> None:
    run, former = tmp_path / "run", small_images(tmp_path / "a" / "photos")
    run_study(small_settings(former), run)
    other = small_images(tmp_path / "b" / "photos")
    for file in (other / "train").rglob("*.png"):
        shutil.copy(former / "validation/cat/0.png", file)
    with pytest.raises(RunError, match=f"found the images at {former} were others: 21 images wi"):
        run_study(small_settings(other), run)


@pytest.mark.usefixtures("free")
def test_without_a_list_what_can_be_known_is_said(tmp_path: Path) -> None:
    images, run = small_images(tmp_path / "images"), RunFolder(tmp_path / "run")
    run_study(small_settings(images), run.path)
    run.images.unlink()
    rest = "; the study kept no list of its images to say more"

    def words() -> str:
        return change_words(run, CLASSES, open_dataset(images))

    (images / "train/cat/0.png").unlink()
    assert (
        words() == f"as many validation images of every class as then, but not the same ones{rest}"
    )
    (images / "validation/cat/0.png").unlink()
    assert words() == f"11 validation images, then 12 (cat 4 → 3){rest}"
    for split in ("train", "validation"):
        (images / split / "dog").rename(images / split / "wolf")
    assert words() == f"no class 'dog', a new class 'wolf' (3 classes, then 3){rest}"


@pytest.mark.usefixtures("free")
def test_a_study_of_an_earlier_version_gets_its_list_when_it_is_resumed(
    tmp_path: Path,
) -> None:
    images, run = small_images(tmp_path / "images"), RunFolder(tmp_path / "run")
    run_study(small_settings(images), run.path)
    before = run.images.read_bytes()
    run.images.unlink()
    run_study(small_settings(images), run.path)
    assert run.images.read_bytes() == before
