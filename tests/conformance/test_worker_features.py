"""Features that workers compute are those that this process computes, whatever happens to them."""

from __future__ import annotations

import multiprocessing
import os
import signal
from collections.abc import Iterator
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from manyheads.backbones import exported, registry
from manyheads.backbones.compiled import compile_backbone
from manyheads.backbones.weights import Weights, resolve
from manyheads.core import keras_process
from manyheads.core.job import Event, Job, Progress
from manyheads.core.workers import Workers
from manyheads.data.augmentation import Augmentation, View
from manyheads.data.data_settings import ImageSettings
from manyheads.data.dataset import Dataset, open_dataset
from manyheads.errors import Interrupted, RunError, SettingError
from manyheads.features import worker_filling, worker_shards
from manyheads.features.extraction import Features, extract
from manyheads.features.worker_shards import ShardContext
from manyheads.run.pipeline import run_study
from manyheads.run.plan import RunOptions
from manyheads.workers.opening import opened_workers
from tests.jobs import HeardJob
from tests.small_study import small_images, small_settings
from tests.strategies import distinct_image
from tests.studies import outcome_of

SIZE = 32
IMAGE = ImageSettings(size=SIZE)
SPEC = registry.get("mobilenet")


@pytest.fixture(scope="module")
def weights() -> Weights:
    """Random weights of MobileNet, whose programs are in the session's cache from here on."""
    found = resolve(SPEC, "random:0")
    for pooling in ("avg", "grid"):
        with compile_backbone(SPEC, found, SIZE, pooling=pooling):
            pass
    return found


@pytest.fixture
def prepared(
    weights: Weights, cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Weights:
    """A cache with the weights and the programs, and no features."""
    folder = tmp_path / "cache"
    folder.mkdir()
    for area in ("weights", "compiled"):
        (folder / area).symlink_to(cache / area)
    monkeypatch.setenv("MANYHEADS_CACHE", str(folder))
    return weights


@pytest.fixture(scope="module")
def workers() -> Iterator[Workers]:
    """Two processes, that begin anew where a test has another cache."""
    with opened_workers(2) as opened:
        assert opened is not None
        yield opened


@pytest.fixture
def dataset(tmp_path: Path) -> Dataset:
    """Images of several formats, one of them twice, and one file that is none."""
    root = tmp_path / "images"
    for name in ("cat", "dog"):
        (root / name).mkdir(parents=True)
        for number in range(40):
            suffix = (".png", ".jpg", ".bmp")[number % 3]
            distinct_image(f"{name} {number}", 24 + number).save(root / name / f"{number}{suffix}")
    (root / "cat" / "broken.png").write_bytes(b"no image at all")
    (root / "dog" / "again.png").write_bytes((root / "dog" / "0.png").read_bytes())
    return open_dataset(root)


def found_by(
    dataset: Dataset,
    weights: Weights,
    workers: Workers | None,
    job: Job | None = None,
    image: ImageSettings = IMAGE,
    **how: Any,
) -> Features:
    """Extract after a former cancel of the workers, so that they see the cache of this test."""
    if workers is not None:
        workers.cancel()
    return extract(dataset, SPEC, weights, image, workers=workers, job=job or Job(), **how)


def numbers(features: Features) -> np.ndarray:
    return np.asarray(features.matrix[features.rows[features.rows >= 0]])


def forget(features: Features) -> None:
    """Remove what the cache has of the recipe."""
    folder = Path(os.environ["MANYHEADS_CACHE"]) / "features" / features.recipe.digest
    for file in folder.iterdir():
        file.unlink()


VARIANTS: dict[str, dict[str, Any]] = {
    "plain": {},
    "grid": {"pooling": "grid", "storage": "f16"},
    "augmented": {"alteration": View(number=1, augmentation=Augmentation(), hide_pixels=0.25)},
}


@pytest.mark.when_changed("workers")
@pytest.mark.parametrize("variant", VARIANTS)
def test_workers_compute_the_same_bits(
    dataset: Dataset, prepared: Weights, workers: Workers, variant: str
) -> None:
    how = VARIANTS[variant]
    alone = found_by(dataset, prepared, None, **how)
    expected, unreadable = numbers(alone).copy(), alone.unreadable
    forget(alone)
    found = found_by(dataset, prepared, workers, **how)
    assert found.passes == alone.passes == 80
    assert found.unreadable == unreadable
    np.testing.assert_array_equal(numbers(found), expected)
    again = found_by(dataset, prepared, workers, **how)
    assert again.passes == 0


@pytest.mark.when_changed("workers")
def test_workers_decode_photographs_smaller_too(
    prepared: Weights, workers: Workers, tmp_path: Path
) -> None:
    for name in ("cat", "dog"):
        (tmp_path / "images" / name).mkdir(parents=True)
        for number, side in enumerate((100, 150, 300, 600)):
            distinct_image(f"{name} {number}", side).save(tmp_path / f"images/{name}/{number}.jpg")
    dataset = open_dataset(tmp_path / "images")
    image = replace(IMAGE, decode="scaled")
    whole = found_by(dataset, prepared, None)
    alone = found_by(dataset, prepared, None, image=image)
    assert alone.passes == whole.passes == 8, "features of one kind are not used for the other"
    expected = numbers(alone).copy()
    forget(alone)
    found = found_by(dataset, prepared, workers, image=image)
    np.testing.assert_array_equal(numbers(found), expected)
    is_reduced = (numbers(whole) != expected).any(axis=1)
    assert is_reduced.tolist() == [False, True, True, True] * 2


@pytest.mark.slow
@pytest.mark.programs
@pytest.mark.skipif(find_spec("ray") is None, reason="Ray is not installed")
def test_ray_computes_the_same_bits(dataset: Dataset, prepared: Weights) -> None:
    alone = found_by(dataset, prepared, None)
    expected = numbers(alone).copy()
    forget(alone)
    with opened_workers("ray") as opened:
        found = extract(dataset, SPEC, prepared, IMAGE, workers=opened)
    np.testing.assert_array_equal(numbers(found), expected)


@pytest.mark.when_changed("workers")
def test_a_study_by_workers_is_the_same_study(tmp_path: Path) -> None:
    data = small_images(tmp_path / "images", 9, 5)
    quick = RunOptions(models=False, baselines=False)
    alone = run_study(small_settings(data), tmp_path / "alone", options=quick)
    forget(alone.features.plain)
    options = replace(quick, workers=2)
    both = run_study(small_settings(data), tmp_path / "both", options=options)
    assert both.passes == len(alone.dataset)
    assert outcome_of(tmp_path / "both") == outcome_of(tmp_path / "alone")
    texts = [(tmp_path / run / "study.toml").read_text() for run in ("alone", "both")]
    assert texts[0] == texts[1]
    # What is there already opens no workers.
    nowhere = replace(quick, workers="ray://127.0.0.1:1")
    assert run_study(small_settings(data), tmp_path / "both", options=nowhere).passes == 0


@pytest.mark.when_changed("workers")
def test_killed_workers_lose_nothing(dataset: Dataset, prepared: Weights, workers: Workers) -> None:
    alone = found_by(dataset, prepared, None)
    expected = numbers(alone).copy()
    forget(alone)
    killed: set[int] = set()

    def kill(event: Event) -> None:
        if isinstance(event, Progress) and event.step == "extracting" and len(killed) < 2:
            for child in multiprocessing.active_children()[:1]:
                if child.pid not in killed and child.pid is not None:
                    killed.add(child.pid)
                    os.kill(child.pid, signal.SIGKILL)

    found = found_by(dataset, prepared, workers, HeardJob(kill))
    assert len(killed) == 2
    np.testing.assert_array_equal(numbers(found), expected)
    assert found.unreadable == alone.unreadable


@pytest.mark.when_changed("workers")
def test_an_interrupted_extraction_goes_on(
    dataset: Dataset, prepared: Weights, workers: Workers
) -> None:
    def stop(event: Event) -> None:
        if isinstance(event, Progress) and event.step == "extracting" and event.done:
            job.stop()

    job = HeardJob(stop)
    with pytest.raises(Interrupted, match="the same command goes on from there"):
        found_by(dataset, prepared, workers, job)
    rest = found_by(dataset, prepared, workers)
    assert 0 < rest.passes < 80
    resumed = numbers(rest).copy()
    forget(rest)
    np.testing.assert_array_equal(numbers(found_by(dataset, prepared, None)), resumed)


@pytest.mark.when_changed("workers")
def test_progress_counts_images(dataset: Dataset, prepared: Weights, workers: Workers) -> None:
    job = HeardJob()
    found_by(dataset, prepared, workers, job)
    steps = job.steps("extracting")
    assert steps[0] == (0, 81)
    assert steps[-1] == (81, 81)
    assert [done for done, _ in steps] == sorted(done for done, _ in steps)


def test_a_note_says_how_fast_each_worker_was() -> None:
    tallies = {"worker 1": (100, 2.0), "worker 2": (1, 0.1), "worker 3": (90, 2.0)}
    assert worker_filling.tally_words(tallies) == (
        "worker 1 100 images, 50.0/s; worker 2 1 image, 10.0/s, slow; worker 3 90 images, 45.0/s"
    )
    many = {f"worker {n}": (100, 2.0 if n else 20.0) for n in range(20)}
    assert worker_filling.tally_words(many) == "20, 5.0 to 50.0/s each; slow: worker 0"


@pytest.mark.when_changed("workers")
def test_workers_whose_features_are_others_are_refused(
    dataset: Dataset, prepared: Weights, workers: Workers, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(worker_shards, "probe_of", lambda *_: "what no worker computes")
    job = HeardJob()
    with pytest.raises(RunError, match="features of a small image are others there"):
        found_by(dataset, prepared, workers, job)
    assert sum("is not used" in note for note in job.notes) == 2
    assert all("openvino" in note for note in job.notes if "is not used" in note)


def context_of(weights: Weights) -> ShardContext:
    return ShardContext(
        spec=SPEC, weights=weights, image=IMAGE, runtime="openvino", precision="f32",
        pooling="avg", alteration=None,
    )  # fmt: skip


def test_a_worker_without_the_files_is_told_apart(prepared: Weights, tmp_path: Path) -> None:
    context = replace(context_of(prepared), file=str(tmp_path / "absent.png"))
    assert "it finds no file at" in worker_shards.unlike_driver(context)


def test_another_machine_is_sent_the_program(
    prepared: Weights, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with compile_backbone(SPEC, prepared, SIZE) as backbone:
        context = worker_shards.with_probe(context_of(prepared), backbone, send=True)
    monkeypatch.setenv("MANYHEADS_CACHE", str(tmp_path / "other machine"))
    monkeypatch.setattr(worker_shards, "_compiled", {})
    monkeypatch.setattr(keras_process, "call", None)  # nothing is built there
    absent = replace(context, weights=replace(prepared, path=tmp_path / "absent"))
    assert exported.existing(SPEC, prepared.digest, SIZE) is None
    assert worker_shards.unlike_driver(absent) == ""
    assert exported.existing(SPEC, prepared.digest, SIZE) is not None
    assert worker_shards.unlike_driver(absent) == ""


def test_only_programs_are_sent(prepared: Weights) -> None:
    context = replace(context_of(prepared), runtime="keras")
    with (
        compile_backbone(SPEC, prepared, SIZE) as backbone,
        pytest.raises(SettingError, match="the `runtime` openvino with `workers` on other"),
    ):
        worker_shards.with_probe(context, backbone, send=True)


def test_workers_divide_processors_alone() -> None:
    worker_filling.require_processor("cpu")
    with pytest.raises(SettingError, match="expected the `device` cpu with `workers`, found cuda"):
        worker_filling.require_processor("cuda")


@pytest.mark.parametrize(
    ("images", "features", "batch", "workers", "size"),
    [
        (1_000_000, 2048, 16, 2, 256),
        (400, 2048, 16, 2, 64),
        (5, 2048, 16, 4, 16),
        (1_000_000, 100 * 2048, 16, 2, 96),
        (1_000_000, 2048, 1, 2, 256),
    ],
)
def test_shards_are_whole_batches(
    images: int, features: int, batch: int, workers: int, size: int
) -> None:
    assert worker_shards.shard_size(images, features, batch, workers) == size
