from __future__ import annotations

import logging
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from manyheads.backbones import registry
from manyheads.backbones.weights import Weights
from manyheads.core.job import Job
from manyheads.data.data_settings import ImageSettings
from manyheads.data.dataset import Dataset, open_dataset
from manyheads.data.images import load_pixels
from manyheads.errors import BackboneError, Interrupted
from manyheads.features import extraction as extract_module
from manyheads.features import shard
from manyheads.features.cache import FeatureCache
from manyheads.features.extraction import Features, extract, recipe_of
from tests.jobs import HeardJob, StoppingJob
from tests.strategies import distinct_image
from tests.unit.features.fakes import IMAGE, SIZE, FakeBackbone

SPEC = registry.get("mobilenet_v2")
WEIGHTS = Weights(Path("nowhere"), "0" * 64, "a test")


@pytest.fixture
def backbone(monkeypatch: pytest.MonkeyPatch) -> FakeBackbone:
    fake = FakeBackbone()
    monkeypatch.setattr(extract_module, "compile_backbone", lambda *_, **__: fake)
    return fake


@pytest.fixture
def folder(image_folder: Callable[..., Path]) -> Path:
    return image_folder({"train/cat": 9, "train/dog": 8, "validation/cat": 3, "validation/dog": 2})


def run(folder: Path, **options: Any) -> tuple[Dataset, Features]:
    dataset = open_dataset(folder)
    return dataset, extract(dataset, SPEC, WEIGHTS, IMAGE, **options)


def expected(dataset: Dataset, backbone: FakeBackbone) -> Any:
    pixels = np.stack([load_pixels(path, IMAGE) for path in dataset.paths])
    return backbone.expected(pixels)


def test_every_image_gets_its_own_features_in_one_pass_each(
    folder: Path, backbone: FakeBackbone
) -> None:
    dataset, features = run(folder)
    assert features.passes == backbone.passes == len(dataset) == 22
    assert features.unreadable == {}
    assert features.recipe == recipe_of(SPEC, WEIGHTS, IMAGE)
    np.testing.assert_array_equal(features.matrix[features.rows], expected(dataset, backbone))


def test_features_of_images_decoded_smaller_are_never_mixed_with_others(
    tmp_path: Path, backbone: FakeBackbone
) -> None:
    for name in ("cat", "dog"):
        (tmp_path / "photos" / name).mkdir(parents=True)
        for number in range(2):
            picture = distinct_image(f"{name} {number}", 8 * SIZE)
            picture.save(tmp_path / f"photos/{name}/{number}.jpg")
    dataset, found = open_dataset(tmp_path / "photos"), {}
    for decode in ("full", "scaled", "full"):
        image = replace(IMAGE, decode=decode)
        before = backbone.passes
        found[decode] = extract(dataset, SPEC, WEIGHTS, image)
        assert found[decode].passes == backbone.passes - before
        pixels = np.stack([load_pixels(path, image) for path in dataset.paths])
        rows = found[decode].matrix[found[decode].rows]
        np.testing.assert_array_equal(rows, backbone.expected(pixels))
    assert backbone.passes == 8, "four of each, once"
    assert found["full"].recipe.digest != found["scaled"].recipe.digest
    assert (found["full"].matrix[:4] != found["scaled"].matrix[:4]).any(axis=1).all()


@pytest.mark.usefixtures("backbone")
def test_a_second_call_passes_nothing_and_needs_no_backbone(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, first = run(folder)

    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("a backbone was compiled")

    monkeypatch.setattr(extract_module, "compile_backbone", refuse)
    job = HeardJob()
    _, second = run(folder, job=job)
    assert second.passes == 0
    assert job.events == []
    np.testing.assert_array_equal(second.matrix[second.rows], first.matrix[first.rows])


def test_ten_new_images_cost_ten_passes(folder: Path, backbone: FakeBackbone) -> None:
    _, first = run(folder)
    for number in range(10):
        image = distinct_image(f"new {number}", SIZE)
        image.save(folder / "train" / "cat" / f"new{number}.png")
    dataset, second = run(folder)
    assert second.passes == 10
    assert backbone.passes == first.passes + 10
    np.testing.assert_array_equal(second.matrix[second.rows], expected(dataset, backbone))


def test_renamed_and_copied_images_cost_nothing(folder: Path, backbone: FakeBackbone) -> None:
    first = folder / "train" / "cat" / "0000.png"
    for number in range(3):
        shutil.copy(first, folder / "train" / "cat" / f"copy{number}.png")
    dataset, features = run(folder)
    assert len(dataset) == 25
    assert features.passes == 22
    first.rename(folder / "train" / "cat" / "renamed.png")
    dataset, features = run(folder)
    assert features.passes == 0
    np.testing.assert_array_equal(features.matrix[features.rows], expected(dataset, backbone))


@pytest.mark.usefixtures("backbone")
def test_unreadable_images_are_reported_and_remembered(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (folder / "train" / "cat" / "empty.png").write_bytes(b"")
    (folder / "train" / "dog" / "text.jpg").write_text("no image at all")
    whole = (folder / "train" / "dog" / "0000.png").read_bytes()
    (folder / "train" / "dog" / "cut.png").write_bytes(whole[: len(whole) // 2])
    job = HeardJob()
    dataset, features = run(folder, job=job)
    named = {dataset.paths[sample].name: why for sample, why in features.unreadable.items()}
    assert named.keys() == {"empty.png", "text.jpg", "cut.png"}
    assert named["empty.png"] == "an empty file"
    assert "truncated" in named["cut.png"]
    assert [dataset.paths[i].name for i in np.flatnonzero(features.rows == -1)] == [
        dataset.paths[i].name for i in sorted(features.unreadable)
    ]
    assert features.passes == 22
    assert job.steps("extracting")[-1] == (25, 25)

    monkeypatch.setattr(shard, "load_pixels", None)  # nothing is decoded again
    assert run(folder)[1].unreadable == features.unreadable


@pytest.mark.usefixtures("backbone")
def test_a_folder_without_a_readable_image_has_no_features(
    image_folder: Callable[..., Path],
) -> None:
    folder = image_folder({"train/cat": 1, "train/dog": 1})
    for path in folder.rglob("*.png"):
        path.write_text(f"no image {path}")
    dataset, features = run(folder)
    assert features.passes == 0
    assert len(features.unreadable) == len(dataset) == 2
    assert len(features.matrix) == 0


def test_a_file_that_changes_meanwhile_is_not_kept_under_its_old_content(
    folder: Path, backbone: FakeBackbone
) -> None:
    dataset = open_dataset(folder)
    changed, gone = folder / "train" / "cat" / "0001.png", folder / "train" / "cat" / "0002.png"
    before = changed.read_bytes(), gone.read_bytes()
    distinct_image("something else", SIZE).save(changed)
    gone.unlink()
    features = extract(dataset, SPEC, WEIGHTS, IMAGE)
    named = {dataset.paths[sample].name: why for sample, why in features.unreadable.items()}
    assert named == {
        "0001.png": "the file has changed since the data set was opened",
        "0002.png": "no such file or directory",
    }
    changed.write_bytes(before[0])
    gone.write_bytes(before[1])
    dataset, features = run(folder)
    assert features.passes == 2
    assert features.unreadable == {}
    np.testing.assert_array_equal(features.matrix[features.rows], expected(dataset, backbone))


def test_a_damaged_row_is_made_again(
    folder: Path, backbone: FakeBackbone, own_cache: Path, caplog: pytest.LogCaptureFixture
) -> None:
    run(folder)
    (data,) = own_cache.rglob("features.f32")
    with data.open("rb+") as file:
        file.seek(100)
        file.write(b"\xff")
    with caplog.at_level(logging.WARNING):
        dataset, features = run(folder)
    assert features.passes == 1
    np.testing.assert_array_equal(features.matrix[features.rows], expected(dataset, backbone))


def test_no_row_is_read_before_what_is_missing_has_been_computed(
    folder: Path, backbone: FakeBackbone, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(Interrupted):
        run(folder, job=StoppingJob("extracting", 8))
    passes_before_reading: list[int] = []
    rows = FeatureCache.rows

    def noting(cache: FeatureCache, contents: Any) -> Any:
        passes_before_reading.append(backbone.passes)
        return rows(cache, contents)

    monkeypatch.setattr(FeatureCache, "rows", noting)
    run(folder)
    assert passes_before_reading == [22]


@pytest.mark.usefixtures("backbone")
def test_progress_counts_what_was_missing(folder: Path) -> None:
    job = HeardJob()
    run(folder, job=job)
    told = job.steps("extracting")
    assert [done for done, _ in told] == sorted(done for done, _ in told)
    assert told[-1] == (22, 22)


def test_a_stop_keeps_what_is_finished_and_the_same_call_goes_on(
    folder: Path, backbone: FakeBackbone
) -> None:
    job = StoppingJob("extracting", 8)
    with pytest.raises(Interrupted, match="the same command goes on"):
        run(folder, job=job)
    kept = backbone.passes
    dataset, features = run(folder)
    assert 8 <= kept < 22
    assert features.passes == 22 - kept
    np.testing.assert_array_equal(features.matrix[features.rows], expected(dataset, backbone))


@pytest.mark.usefixtures("backbone")
def test_a_stop_is_heard_within_a_second_while_images_are_decoded(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    loaded = shard.load_pixels

    def slowly(*arguments: Any, **options: Any) -> Any:
        time.sleep(0.3)
        return loaded(*arguments, **options)

    monkeypatch.setattr(shard, "load_pixels", slowly)
    job = Job()
    timer = threading.Timer(0.5, job.stop)
    timer.start()
    started = time.perf_counter()
    with pytest.raises(Interrupted):
        run(folder, job=job)
    assert time.perf_counter() - started < 2.0
    assert threading.active_count() < 5  # no decoding thread is left behind


def test_decoding_runs_ahead_by_a_bounded_number_of_images(
    image_folder: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Memory stays flat however slow the backbone is."""
    loaded, counts, ahead = shard.load_pixels, {"decoded": 0}, []

    def counted(*arguments: Any, **options: Any) -> Any:
        counts["decoded"] += 1
        return loaded(*arguments, **options)

    class Slow(FakeBackbone):
        def expected(self, pixels: Any) -> Any:
            time.sleep(0.02)
            ahead.append(counts["decoded"] - self.passes)
            return super().expected(pixels)

    monkeypatch.setattr(shard, "load_pixels", counted)
    monkeypatch.setattr(extract_module, "compile_backbone", lambda *_, **__: Slow())
    run(image_folder({"train/cat": 60, "train/dog": 60}))
    assert max(ahead) <= 4 * Slow().batch


def test_an_image_size_below_the_backbones_is_refused_before_anything(folder: Path) -> None:
    dataset, small = open_dataset(folder), ImageSettings(size=40)
    with pytest.raises(BackboneError, match="at least 71 for xception, found 40"):
        extract(dataset, registry.get("xception"), WEIGHTS, small)


@pytest.mark.usefixtures("backbone")
def test_a_warm_call_imports_neither_openvino_nor_keras(folder: Path) -> None:
    run(folder)
    program = f"""
import sys
from pathlib import Path
from manyheads.backbones import registry
from manyheads.backbones.weights import Weights
from manyheads.data.dataset import open_dataset
from manyheads.features.extraction import extract
from manyheads.data.data_settings import ImageSettings
image = ImageSettings(size={SIZE}, interpolation="nearest")
weights = Weights(Path("nowhere"), "0" * 64, "a test")
features = extract(open_dataset({str(folder)!r}), registry.get("mobilenet_v2"), weights, image)
assert features.passes == 0, features.passes
print(sorted({{"keras", "openvino", "tensorflow", "numba", "matplotlib"}} & sys.modules.keys()))
"""
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"
