"""A backbone on a device: parts that its memory holds, and faults in one line, injected here."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from manyheads.backbones.compiled import OpenVinoBackbone
from manyheads.backbones.device_backbone import (
    DeviceBackbone,
    OpenVinoForward,
    device_batch,
    on_device,
)
from manyheads.backbones.exported import made
from manyheads.core import accelerators
from manyheads.core.job import Job
from manyheads.errors import DeviceError, SettingError
from manyheads.features.cache import FeatureCache
from manyheads.features.shard import fill
from tests.jobs import stopped_job
from tests.unit.backbones import child_tasks
from tests.unit.features.fakes import IMAGE, FakeBackbone, image_files, recipe

SIZE = 8


class Card:
    """A forward pass with room for `most` images at a time, which fails after `calls`."""

    features = 3

    def __init__(self, most: int = 10**9, calls: int = 10**9, error: str = "lost") -> None:
        self.most, self.calls, self.error = most, calls, error
        self.shapes: list[int] = []

    def __call__(self, pixels: np.ndarray) -> np.ndarray:
        self.shapes.append(len(pixels))
        if len(self.shapes) > self.calls:
            raise RuntimeError(self.error)
        if len(pixels) > self.most:
            raise RuntimeError("RESOURCE_EXHAUSTED: Out of memory while trying to allocate 9 bytes")
        return pixels.mean((1, 2)).astype(np.float32)


def batches(*counts: int) -> Iterator[tuple[int, np.ndarray]]:
    random = np.random.default_rng(5)
    for number, count in enumerate(counts):
        yield number, random.integers(0, 256, (count, SIZE, SIZE, 3), np.uint8)


def run(backbone: DeviceBackbone, *counts: int, job: Job | None = None) -> dict[int, Any]:
    return dict(backbone.run(batches(*counts), job=job or Job()))


def check(found: dict[int, Any], *counts: int) -> None:
    expected = dict(batches(*counts))
    assert found.keys() == expected.keys()
    for number, pixels in expected.items():
        np.testing.assert_array_equal(found[number], pixels.mean((1, 2)).astype(np.float32))


def test_every_call_has_the_same_shape() -> None:
    card = Card()
    check(run(DeviceBackbone(card, 8, "cuda"), 8, 8, 3), 8, 8, 3)
    assert card.shapes == [8, 8, 8]


def test_a_full_card_halves_the_batch_and_goes_on() -> None:
    card = Card(most=3)
    backbone = DeviceBackbone(card, 8, "cuda")
    check(run(backbone, 8, 5), 8, 5)
    assert backbone.step == 2
    assert set(card.shapes) <= {8, 4, 2}


@pytest.mark.parametrize("fixed", [False, True])
def test_a_card_without_room_for_one_image_is_one_line(fixed: bool) -> None:
    backbone = DeviceBackbone(Card(most=0), 4, "cuda", fixed=fixed)
    with pytest.raises(DeviceError, match=r"enough free memory.*RESOURCE_EXHAUSTED.*nvidia-smi"):
        run(backbone, 4, 4)


def test_a_card_that_is_lost_keeps_what_is_finished(tmp_path: Path) -> None:
    images = image_files(tmp_path, 24)
    fake = FakeBackbone()

    class Lost(Card):
        features = fake.features

        def __call__(self, pixels: np.ndarray) -> np.ndarray:
            super().__call__(pixels)
            return fake.expected(pixels)

    with FeatureCache(recipe()) as cache:
        lost = DeviceBackbone(Lost(calls=3, error="CUDA_ERROR_UNKNOWN: GPU is lost"), 4, "cuda")
        with pytest.raises(DeviceError, match=r"GPU is lost.*what is finished is kept"):
            fill(cache, images, lost, IMAGE)
        kept = len(images) - cache.missing(list(images))
        assert 0 < kept < len(images)
        passes, unread = fill(cache, images, DeviceBackbone(Lost(), 4, "cuda"), IMAGE)
        assert (passes, unread) == (len(images) - kept, {})


def test_a_device_that_cannot_even_begin_is_one_line() -> None:
    def make() -> Card:
        raise RuntimeError("CUDA_ERROR_NO_DEVICE: no CUDA-capable device is detected")

    with pytest.raises(DeviceError, match="no CUDA-capable device"):
        on_device(make, 4, "cuda")

    def refuse() -> Card:
        raise SettingError("a setting", "another", "change it")

    with pytest.raises(SettingError, match="change it"):
        on_device(refuse, 4, "cuda")


def test_a_job_that_is_stopped_ends_early() -> None:
    assert run(DeviceBackbone(Card(), 4, "cuda"), 4, 4, 4, job=stopped_job()) == {}


@pytest.mark.parametrize(
    "words",
    [
        "RESOURCE_EXHAUSTED: Out of memory allocating 12 bytes",
        "CUDA out of memory. Tried to allocate 2.00 GiB",
        "Failed to allocate memory for requested buffer of size 4096",
        "[GPU] CL_OUT_OF_RESOURCES exception",
        "OOM when allocating tensor with shape[256]",
    ],
)
def test_every_library_says_in_its_own_way_that_memory_is_used_up(words: str) -> None:
    assert accelerators.is_out_of_memory(RuntimeError(words))
    assert not accelerators.is_out_of_memory(RuntimeError("CUDA error: device-side assert"))


def test_batches_suit_the_memory() -> None:
    assert device_batch(224, 80 << 30) == 256
    assert device_batch(150, 80 << 30) == 512
    assert device_batch(224, 8 << 30) == 64
    assert device_batch(600, 1 << 30) == 16
    assert device_batch(224, None) == 32


def test_openvino_on_a_named_device_computes_the_same() -> None:
    program = made({"device": 1}, child_tasks.tiny_program, {"features": 6})
    pixels = np.random.default_rng(0).integers(0, 256, (5, 32, 32, 3), np.uint8)
    with (
        OpenVinoBackbone(program, 32, 4) as reference,
        DeviceBackbone(OpenVinoForward(program, 32, "cpu", "f32"), 4, "cpu") as found,
    ):
        wanted = np.concatenate([rows for _, rows in reference.run([(0, pixels[:4])])])
        ((_, features),) = found.run([(0, pixels)])
    assert features.shape == (5, 6)
    np.testing.assert_allclose(features[:4], wanted, rtol=1e-6)
