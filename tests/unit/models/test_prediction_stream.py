"""Predictions come in the order of the images, whatever is known, unreadable, or yet to come."""

from __future__ import annotations

import hashlib
import itertools
import logging
import tracemalloc
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from manyheads.core.job import SILENT, Job
from manyheads.data.image_inputs import Image
from manyheads.data.images import load_pixels
from manyheads.errors import Interrupted
from manyheads.models.prediction import Prediction
from manyheads.models.prediction_stream import PredictionStream
from tests.unit.features.fakes import IMAGE, image_files
from tests.unit.models.networks import BATCH, FakeNetwork, told

pytestmark = pytest.mark.usefixtures("own_cache")


@pytest.fixture
def files(tmp_path: Path) -> list[Path]:
    return list(image_files(tmp_path / "images", 5 * BATCH + 1).values())


def stream(
    images: Iterable[Image],
    network: FakeNetwork | None = None,
    *,
    cache: bool = True,
    job: Job = SILENT,
) -> PredictionStream:
    network = network or FakeNetwork()
    return PredictionStream(network, IMAGE, images, told, cache=cache, job=job)  # pyright: ignore[reportArgumentType] - only what a stream needs of a network


def test_every_image_gets_what_its_pixels_give(files: list[Path]) -> None:
    network = FakeNetwork()
    found = list(stream(files, network))
    assert [entry.image for entry in found] == list(map(str, files))
    assert network.seen == len(files)
    for entry, file in zip(found, files, strict=True):
        assert entry.label == hashlib.sha256(file.read_bytes()).hexdigest()
        [wanted] = network.backbone.expected(load_pixels(file, IMAGE)[np.newaxis])
        np.testing.assert_array_equal(list(entry.probabilities.values()), wanted)


def test_what_is_known_needs_no_pass_and_gives_the_same_bits(files: list[Path]) -> None:
    first, again = stream(files), stream(files)
    wanted = list(first)
    assert (first.passes, first.from_cache) == (len(files), 0)
    assert list(again) == wanted
    assert (again.passes, again.from_cache) == (0, len(files))
    without = stream(files, cache=False)
    assert list(without) == wanted
    assert (without.passes, without.from_cache) == (len(files), 0)
    assert list(stream(files, FakeNetwork(kept=False))) == wanted


def test_without_the_cache_nothing_is_added(files: list[Path], own_cache: Path) -> None:
    list(stream(files, cache=False))
    assert not own_cache.exists()


@pytest.mark.parametrize("known", [slice(0, 9), slice(9, None), slice(0, None, 2), slice(5, 6)])
def test_known_and_new_images_stay_in_order(files: list[Path], known: slice) -> None:
    wanted = list(stream(files, cache=False))
    list(stream(files[known]))
    half = stream(files)
    assert list(half) == wanted
    assert half.from_cache == len(files[known])
    assert half.passes + half.from_cache == len(files)


def test_one_content_under_many_names(files: list[Path]) -> None:
    found = list(stream([files[0]] * 30 + [files[1]] * 30))
    assert len(found) == 60
    assert len({entry.label for entry in found}) == 2
    assert found[:30] == [found[0]] * 30


def test_few_new_images_among_very_many_known_ones_hold_nothing_up(files: list[Path]) -> None:
    list(stream(files[:1]))
    many = itertools.chain(files[1:2], itertools.repeat(files[0], 2000), files[2:3])
    found = list(stream(many))
    assert len(found) == 2002
    assert [found[0].image, found[-1].image] == [str(files[1]), str(files[2])]


def test_what_cannot_be_read_is_told_in_its_place(files: list[Path], tmp_path: Path) -> None:
    text, absent = tmp_path / "text.jpg", tmp_path / "absent.jpg"
    text.write_text("no image")
    images = [absent, *files[:3], text, *files[3:6], absent, text]
    for _ in range(2):  # the second time the cache knows that the text is no image
        found = list(stream(images))
        unread = [place for place, entry in enumerate(found) if entry.error]
        assert unread == [0, 4, 8, 9]
        assert "no such file" in str(found[0].error)
        assert "no image" in str(found[4].error)
        assert found[4].label is None
    text.write_bytes(files[0].read_bytes())
    assert next(iter(stream([text]))).error is None


def test_arrays_pass_and_are_not_kept(own_cache: Path) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (6, 40, 30, 3), np.uint8)
    for _ in range(2):
        found = stream(pixels)
        entries = list(found)
        assert [entry.image for entry in entries] == [f"array {n}" for n in range(6)]
        assert len({entry.label for entry in entries}) == 6
        assert (found.passes, found.from_cache) == (6, 0)
    [index] = own_cache.glob("features/*/index.sqlite")
    assert (index.parent / "features.f32").stat().st_size == 0


def test_no_images() -> None:
    assert list(stream([])) == []


def test_predictions_come_before_the_last_image_is_asked_for(files: list[Path]) -> None:
    asked = 0

    def endless() -> Iterator[Path]:
        nonlocal asked
        for file in itertools.cycle(files):
            asked += 1
            yield file

    found = stream(endless())
    assert [next(found).image for _ in files] == list(map(str, files))
    assert asked < 400
    found.close()
    with pytest.raises(StopIteration):
        next(found)


def test_another_thread_may_end_it(files: list[Path]) -> None:
    """As the collector of what is no longer used does, in whichever thread it runs."""
    found = stream(itertools.cycle(files))
    next(found)
    with ThreadPoolExecutor(1) as other:
        other.submit(found.close).result()


@pytest.mark.when_changed("models")
def test_memory_does_not_grow_with_the_images(files: list[Path]) -> None:
    list(stream(files))

    def most(images: int) -> int:
        tracemalloc.start()
        try:
            count = sum(1 for _ in stream(itertools.islice(itertools.cycle(files), images)))
            assert count == images
            return tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()

    most(500)
    assert most(6000) < 1.5 * most(1000)


def test_a_request_to_stop_ends_it_and_keeps_what_was_finished(files: list[Path]) -> None:
    job = Job()
    found = stream(files, job=job)
    entries: list[Prediction] = [next(found)]
    job.stop()
    with pytest.raises(Interrupted):
        entries.extend(found)
    assert len(entries) < len(files)
    again = stream(files)
    assert len(list(again)) == len(files)
    assert again.from_cache >= len(entries)


def test_an_error_of_whoever_lists_the_images_is_raised(files: list[Path]) -> None:
    def broken() -> Iterator[Path]:
        yield from files
        raise ValueError("row 7")

    with pytest.raises(ValueError, match="row 7"):
        list(stream(broken()))


def test_a_cache_that_cannot_be_used_is_done_without(
    files: list[Path], own_cache: Path, caplog: pytest.LogCaptureFixture
) -> None:
    wanted = list(stream(files, cache=False))
    own_cache.write_text("a file where the folder should be")
    with caplog.at_level(logging.WARNING):
        assert list(stream(files)) == wanted
    assert "without the feature cache" in caplog.text
