"""What is particular to the processor engine: threads, memory, and bounded calls."""

from __future__ import annotations

import dataclasses
import gc
import threading
import tracemalloc

import numpy as np
import pytest

from manyheads.core.job import Job
from manyheads.heads.bank import EpochEnd
from manyheads.heads.fused.engine import FusedEngine
from manyheads.heads.fused.fused_head import _steps_a_call
from manyheads.heads.random import SeededStreams
from tests.banks import generated_fold, same, settings, train


def test_a_head_does_not_depend_on_the_number_of_threads() -> None:
    folds = [generated_fold(300, 700), generated_fold(90, 21, 4)]
    heads = [
        settings(seed=seed, fold=seed % 2, size_inner=size, epochs=3)
        for seed in range(3)
        for size in (0, 30, 100)
    ]
    banks = [train(FusedEngine(threads), heads, folds) for threads in (1, 2, 4)]
    for index in range(len(heads)):
        assert same(banks[0][index], banks[1][index])
        assert same(banks[0][index], banks[2][index])


def test_closing_the_events_ends_every_thread() -> None:
    before = threading.active_count()
    events = FusedEngine(4).train([settings(epochs=100_000)] * 8, [generated_fold()])
    next(events)
    assert threading.active_count() > before
    events.close()
    assert threading.active_count() == before


def test_a_failure_in_one_head_ends_every_thread() -> None:
    class Broken(SeededStreams):
        def order(self, epoch: int, samples: int) -> np.ndarray:
            if self.seed == 3 and epoch == 2:
                raise MemoryError("no more of it")
            return super().order(epoch, samples)

    before = threading.active_count()
    heads = [settings(seed=seed, epochs=100_000) for seed in range(4)]
    with pytest.raises(MemoryError, match="no more of it"):
        train(FusedEngine(4), heads, [generated_fold()], streams=Broken)
    assert threading.active_count() == before


def test_heads_that_have_not_begun_cost_nothing_once_it_is_to_stop() -> None:
    begun = []

    class Counted(SeededStreams):
        def initial_parameters(self, features: int, size_inner: int, classes: int):
            begun.append(self.seed)
            return super().initial_parameters(features, size_inner, classes)

    job = Job()
    heads = [settings(seed=seed, epochs=100_000) for seed in range(500)]
    events = FusedEngine(2).train(heads, [generated_fold()], streams=Counted, job=job)
    assert isinstance(next(events), EpochEnd)
    job.stop()
    assert all(isinstance(event, EpochEnd) for event in events)
    assert len(begun) <= 2


def test_the_memory_of_a_head_is_freed_when_it_ends() -> None:
    fold = generated_fold(40, 2000)
    heads = [settings(seed=seed, size_inner=200, epochs=1) for seed in range(12)]
    one_head = 4 * 2000 * 200 * 4  # kernel, two moments, and the copy that is handed over
    list(FusedEngine(1).train(heads[:1], [fold]))
    gc.collect()
    tracemalloc.start()
    try:
        for _ in FusedEngine(1).train(heads, [fold]):
            _ = None  # let go of the parameters that a head's end carries
        gc.collect()
        left, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 6 * one_head
    assert left < one_head / 10


def test_validation_beyond_float32_is_a_failure_and_no_warning() -> None:
    fold = generated_fold()
    matrix = fold.matrix.copy()
    matrix[fold.validation[0]] = 3e38
    spoilt = dataclasses.replace(fold, matrix=matrix)
    for size_inner in (0, 16):
        story = train(FusedEngine(1), [settings(size_inner=size_inner)], [spoilt])[0]
        assert story.end is not None
        assert story.end.status == "failed"


def test_a_fold_is_left_as_it_was() -> None:
    fold = generated_fold()
    before = fold.matrix.copy()
    train(FusedEngine(1), [settings()], [fold])
    np.testing.assert_array_equal(fold.matrix, before)
    assert fold.matrix.flags.writeable


def test_results_do_not_depend_on_how_training_is_cut_into_calls(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    fold = generated_fold(300, 50)
    whole = train(FusedEngine(1), [settings()], [fold])[0]
    monkeypatch.setattr("manyheads.heads.fused.fused_head._CALL", 1)
    assert same(train(FusedEngine(1), [settings()], [fold])[0], whole)


@pytest.mark.parametrize("batch_size", [1, 32, 5000])
@pytest.mark.parametrize("parameters", [10, 200_000, 100_000_000])
def test_a_call_trains_at_least_one_step_and_not_many_samples(
    batch_size: int, parameters: int
) -> None:
    steps = _steps_a_call(batch_size, parameters)
    assert steps >= 1
    assert steps == 1 or steps * batch_size <= 1024
    assert steps == 1 or steps * parameters * batch_size < 4e9


def test_a_head_on_its_own_uses_all_cores_by_default() -> None:
    assert FusedEngine().threads >= 1
    assert FusedEngine(3).threads == 3
