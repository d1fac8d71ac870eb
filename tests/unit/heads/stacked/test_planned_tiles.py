"""The plan's words on tiles are those of the tiles that are trained."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from manyheads.core import accelerators
from manyheads.heads.hyperparameters import Hyperparameters
from manyheads.heads.stacked import planned_tiles as module
from manyheads.heads.stacked.planned_tiles import planned_tiles
from manyheads.heads.stacked.tiles import PROCESSOR, Capacity, tiles_of
from tests.banks import generated_fold, settings

FOLD = generated_fold()
LESSON: dict[str, int] = {
    "images": 3409, "features": 2048, "classes": 10, "train": 3068, "validation": 341,
}  # fmt: skip


@pytest.fixture
def on_the_processor(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(accelerators, "of_jax", lambda: None)


@pytest.mark.usefixtures("on_the_processor")
def test_as_many_heads_are_told_as_a_tile_has_places() -> None:
    heads = [settings(seed=seed, size_inner=units) for seed in range(3) for units in (0, 64)]
    planned = planned_tiles(
        [head.hyperparameters for head in heads],
        images=len(FOLD.matrix),
        features=FOLD.matrix.shape[1],
        classes=FOLD.classes,
        train=len(FOLD.train),
        validation=len(FOLD.validation),
    )
    tiles = list(tiles_of(heads, [FOLD], PROCESSOR))
    places = {tile.slots * tile.lanes for tile in tiles}
    assert (planned.fewest, planned.most) == (min(places), max(places))
    assert planned.memory == max(tile.slots * PROCESSOR.slot_bytes(tile.shape) for tile in tiles)


@pytest.mark.usefixtures("on_the_processor")
def test_the_words_for_the_lesson_on_a_processor() -> None:
    tried = [Hyperparameters(size_inner=units, droprate=0.0) for units in (10, 100)]
    assert planned_tiles(tried, **LESSON).words == (
        "up to 4 to 32 heads at a time in 32.2 MB, beside 27.9 MB of features"
    )


def test_the_words_for_the_lesson_on_an_accelerator(monkeypatch: pytest.MonkeyPatch) -> None:
    capacity = Capacity(lanes=4, parameters=1 << 26, call=1 << 40, memory=100_000_000_000)
    monkeypatch.setattr(module, "_capacity", lambda: capacity)
    words = planned_tiles([Hyperparameters(size_inner=100, droprate=0.5)], **LESSON).words
    assert words.startswith("up to 256 heads at a time in ")
    assert words.endswith(" MB of 100,000.0 MB that are free, beside 27.9 MB of features")
    large = planned_tiles([Hyperparameters()], **LESSON | {"images": 10_000_000})
    assert large.stored == 0
    assert large.words.endswith(", features sent to it again and again, for they do not fit")


def test_the_device_is_asked_where_jax_sees_one(monkeypatch: pytest.MonkeyPatch) -> None:
    jax = pytest.importorskip("jax")
    memory = {"bytes_limit": 1000, "bytes_in_use": 0}
    device: Any = SimpleNamespace(platform="gpu", memory_stats=lambda: memory)
    monkeypatch.setattr(accelerators, "of_jax", lambda: "NVIDIA H200")
    monkeypatch.setattr(jax, "devices", lambda: [device])
    assert planned_tiles([Hyperparameters()], **LESSON).free == 800
