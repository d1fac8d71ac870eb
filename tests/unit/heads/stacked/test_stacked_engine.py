"""The engine of tiles: memory that is short, devices that fail, features that are not stored."""

from __future__ import annotations

import gc
import weakref
from typing import Any

import numpy as np
import pytest

pytest.importorskip("jax")

import jax

from manyheads.core.job import SILENT
from manyheads.errors import DeviceError
from manyheads.heads.bank import Fold, HeadSettings
from manyheads.heads.head import compact_predictions
from manyheads.heads.random import SeededStreams
from manyheads.heads.stacked import tile_program
from manyheads.heads.stacked.stacked_engine import StackedEngine
from manyheads.heads.stacked.tile_inputs import TileInputs
from manyheads.heads.stacked.tile_training import TileTraining
from manyheads.heads.stacked.tiles import Capacity, shape_of, tiles_of
from tests.banks import Story, generated_fold, same, settings, train
from tests.jobs import HeardJob

pytestmark = pytest.mark.when_changed("stacked engine")

CAPACITY = Capacity(lanes=2, parameters=4096, call=1 << 40)
FOLD = generated_fold()
HEADS = [settings(seed=seed, droprate=rate) for seed in range(2) for rate in (0.0, 0.5, 0.8)]


def trained(capacity: Capacity = CAPACITY, fold: Fold = FOLD, **options: Any) -> dict[int, Story]:
    return train(StackedEngine(capacity), HEADS, [fold], **options)


class Failing:
    """`train_steps`, but for calls in which the device fails with a message."""

    def __init__(self, message: str, calls: set[int]) -> None:
        self.message, self.calls, self.count = message, calls, 0
        self._call = tile_program.train_steps

    def __call__(self, *arguments: Any, **options: Any) -> Any:
        self.count += 1
        if self.count in self.calls:
            raise jax.errors.JaxRuntimeError(self.message)
        return self._call(*arguments, **options)


def test_memory_that_is_short_halves_the_tile(monkeypatch: pytest.MonkeyPatch) -> None:
    whole, job = trained(), HeardJob()
    failing = Failing("RESOURCE_EXHAUSTED: Out of memory allocating 8 bytes.", {2})
    monkeypatch.setattr(tile_program, "train_steps", failing)
    halved = trained(job=job)
    for index in range(len(HEADS)):  # a program of another size, which may round another way
        left, right = whole[index], halved[index]
        assert left.end is not None
        assert right.end is not None
        assert left.end.epoch == right.end.epoch
        np.testing.assert_allclose(right.losses, left.losses, rtol=1e-6)
        for one, other in zip(left.parameters, right.parameters, strict=True):
            np.testing.assert_allclose(other, one, rtol=0, atol=1e-7)
    assert any("memory" in note for note in job.notes)


def test_memory_that_is_short_for_a_slot_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    every = set(range(1, 100))
    failing = Failing("RESOURCE_EXHAUSTED: Out of memory allocating 8 bytes.", every)
    monkeypatch.setattr(tile_program, "train_steps", failing)
    with pytest.raises(DeviceError, match=r"memory on cpu for 2 heads of 688 parameters.*fused"):
        trained()


def test_a_device_that_fails_is_told_in_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    failing = Failing("INTERNAL: CUDA_ERROR_LAUNCH_FAILED\nat 0x1", {2})
    monkeypatch.setattr(tile_program, "train_steps", failing)
    with pytest.raises(DeviceError, match="CUDA_ERROR_LAUNCH_FAILED; repeat the command"):
        trained()


def test_parameters_that_cannot_be_fetched_are_told_in_one_line(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def failing(*_: object) -> None:
        raise jax.errors.JaxRuntimeError("INTERNAL: the card is lost")

    monkeypatch.setattr(TileTraining, "ends", failing)
    with pytest.raises(DeviceError, match="the card is lost; repeat the command"):
        trained()


def test_a_tile_that_has_ended_keeps_no_state_on_the_device() -> None:
    """The memory that is planned has room for the chosen parameters of one former tile alone."""
    tile = next(tiles_of(HEADS, [FOLD], CAPACITY))
    inputs = TileInputs(tile, HEADS, [FOLD], SeededStreams, stored=False)
    training = TileTraining(tile, inputs, HEADS, None, "last", CAPACITY.call, SILENT)
    list(training.epochs())
    state = weakref.ref(training._state.layers[0].first.kernel)
    ends = training.ends(training.chosen())
    gc.collect()
    assert len(ends) == len(tile.heads)
    assert state() is None


def test_a_platform_that_is_not_there_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    def devices() -> list[Any]:
        raise RuntimeError("Unable to initialize backend 'cuda'")

    monkeypatch.setattr(jax, "devices", devices)
    with pytest.raises(DeviceError, match=r"Unable to initialize backend 'cuda'; check its driver"):
        trained()


def test_features_too_large_to_be_stored_give_the_same_heads() -> None:
    few = Capacity(lanes=2, parameters=4096, call=1 << 40, memory=FOLD.matrix.nbytes)
    stored = Capacity(lanes=2, parameters=1, call=1 << 40)
    assert few.slots(shape_of(HEADS[0], FOLD)) == 1
    left, right = trained(stored), trained(few)
    assert all(same(left[index], right[index]) for index in range(len(HEADS)))


def test_an_epoch_in_many_calls_is_that_of_one() -> None:
    whole, parts = trained(), trained(Capacity(lanes=2, parameters=4096, call=1))
    for index in range(len(HEADS)):
        np.testing.assert_allclose(whole[index].losses, parts[index].losses, rtol=1e-6)


def test_patience_and_fewer_epochs_give_a_prefix() -> None:
    def bank(epochs: int, patience: int | None) -> list[HeadSettings]:
        return [
            HeadSettings(
                hyperparameters=settings(learning_rate=0.3, epochs=8).hyperparameters,
                seed=seed, fold=0, epochs=epochs, patience=patience,
            )
            for seed in range(4)
        ]  # fmt: skip

    engine = StackedEngine(CAPACITY)
    whole = train(engine, bank(8, None), [FOLD], rule="best_loss")
    early = train(engine, bank(8, 1), [FOLD], rule="best_loss")
    short = train(engine, bank(3, None), [FOLD], rule="best_loss")
    lengths = [len(early[index].epochs) for index in range(4)]
    assert min(lengths) < 8
    for index in range(4):
        told = [each.metrics for each in whole[index].epochs]
        assert [each.metrics for each in early[index].epochs] == told[: lengths[index]]
        assert [each.metrics for each in short[index].epochs] == told[:3]
        end = early[index].end
        assert end is not None
        assert end.epoch == lengths[index] - (lengths[index] < 8)


def test_predictions_are_those_of_the_parameters() -> None:
    story = trained(rule="best_loss")[1]
    assert story.end is not None
    from manyheads.heads.head import forward

    logits = forward(story.parameters, FOLD.matrix[FOLD.validation])
    wanted = compact_predictions(logits).astype(np.float32)
    assert story.end.chosen is not None
    np.testing.assert_allclose(story.end.chosen.astype(np.float32), wanted, rtol=2e-3, atol=1e-6)


@pytest.mark.parametrize("low", [1.0, 1e3, 1e6])
def test_half_precision_keeps_the_answer(low: float) -> None:
    """As `head.compact_predictions` does, whose results these are."""
    random = np.random.default_rng(3)
    logits = random.normal(size=(200, 6)).astype(np.float32) * np.float32(low)
    logits[:, 1] = np.nextafter(logits.max(axis=1), np.float32(np.inf))  # all but equal to the next
    below = logits.max(axis=1, keepdims=True) - logits
    exact = -below - np.log(np.exp(-below).sum(axis=1, keepdims=True))
    found = np.asarray(tile_program.compact(exact, logits.argmax(axis=1)))
    assert (found.argmax(axis=1) == logits.argmax(axis=1)).all()
    np.testing.assert_allclose(found.astype(np.float32), compact_predictions(logits), rtol=1e-3)
