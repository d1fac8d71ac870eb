"""One suite over all engines: the contract of `manyheads.heads.bank.Engine`."""

from __future__ import annotations

import dataclasses
import itertools
import math
import threading
import time
import tracemalloc
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from manyheads.core.job import Job
from manyheads.heads.bank import Engine, Fold, HeadEnd, engine_named
from manyheads.heads.head import cross_entropy, forward
from manyheads.heads.random import SeededStreams
from tests import keras_reference
from tests.banks import (
    RecordedStreams,
    generated_fold,
    ready_engine,
    same,
    settings,
    told,
    train,
    training_keras,
)
from tests.formulas import train_in_float64
from tests.jobs import stopped_job

ENGINES = (
    "fused",
    *(
        pytest.param(name, marks=pytest.mark.when_changed(f"{name} engine"))
        for name in ("keras", "stacked")
    ),
)


@pytest.fixture(scope="module", params=(*ENGINES, "spread"))
def engine(request: pytest.FixtureRequest) -> Engine:
    """Each engine in turn."""
    return ready_engine(request.param)


def assert_close(
    found: Iterable[np.ndarray], wanted: Iterable[np.ndarray], tolerance: float
) -> None:
    """Every array within `tolerance` of what is wanted."""
    for left, right in zip(found, wanted, strict=True):
        np.testing.assert_allclose(left, right, rtol=tolerance, atol=tolerance)


def assert_losses(found: np.ndarray, wanted: np.ndarray, tolerance: float) -> None:
    """Within `tolerance`; but near zero a loss is the logarithm of a float32 near one, and these
    are 1e-7 apart.
    """
    np.testing.assert_allclose(found, wanted, rtol=tolerance, atol=2e-7)


# --- The numbers


@pytest.mark.parametrize(
    ("shape", "bank"),
    [
        pytest.param(
            {},
            [
                {"epochs": 3},
                {"droprate": 0.0},
                {"size_inner": 0},
                {"size_inner": 5, "droprate": 0.2, "seed": 3},
                {"batch_size": 1000},
                {"batch_size": 1, "learning_rate": 0.0001},
                {"learning_rate": 0.01},
            ],
            id="short last batch, no inner layer, batch larger than the data, mixed",
        ),
        pytest.param({"train": 65}, [{"droprate": 0.9}], id="last batch of one sample"),
        pytest.param({"features": 1100}, [{}, {"size_inner": 0}], id="features beyond a tile"),
        pytest.param({"features": 1024}, [{}], id="features in whole tiles"),
        pytest.param({"features": 1, "classes": 2}, [{"size_inner": 1}], id="the smallest head"),
    ],
)
def test_heads_are_what_the_formulas_in_float64_make_them(
    engine: Engine, shape: dict, bank: list[dict]
) -> None:
    fold = generated_fold(**shape)
    heads = [settings(**changes) for changes in bank]
    stories = train(engine, heads, [fold], rule="last")
    for index, head in enumerate(heads):
        reference = train_in_float64(head, fold, rounded=True)
        assert_losses(stories[index].losses, reference.losses, 2e-5)
        assert_close(stories[index].parameters, reference.parameters, 2e-5)


def test_metrics_are_those_of_the_definitions(engine: Engine) -> None:
    fold = generated_fold()
    head = settings(droprate=0.0, epochs=1)
    story = train(engine, [head], [fold])[0]
    metrics, losses = story.epochs[0].metrics, story.epochs[0].batch_losses
    assert len(losses) == 3
    assert metrics.loss == pytest.approx(float(losses @ [32, 32, 6]) / 70, rel=1e-6)

    logits = forward(story.parameters, fold.matrix[fold.validation])
    labels = fold.validation_labels
    assert metrics.val_accuracy == pytest.approx(np.mean(logits.argmax(axis=1) == labels))
    assert metrics.val_loss == pytest.approx(cross_entropy(logits, labels).mean(), rel=1e-5)


def test_accuracy_counts_the_hits_of_the_epoch_as_it_trains(engine: Engine) -> None:
    """With a learning rate of next to nothing, they are those of the first parameters."""
    fold = generated_fold()
    head = settings(learning_rate=1e-12, epochs=1)
    story = train(engine, [head], [fold])[0]
    streams = SeededStreams(0)
    order = streams.order(1, 70)
    keep = streams.uniforms(1).random((70, 16), dtype=np.float32) >= 0.5
    start = streams.initial_parameters(40, 16, 3)
    logits = forward(start, fold.matrix[fold.train[order]], keep=keep, droprate=0.5)
    hits = np.mean(logits.argmax(axis=1) == fold.train_labels[order])
    assert story.epochs[0].metrics.accuracy == pytest.approx(hits)


def test_of_equal_logits_the_first_is_the_answer(engine: Engine) -> None:
    """Features of zero leave logits that are all equal before the first step."""
    fold = dataclasses.replace(generated_fold(), matrix=np.zeros((103, 40), np.float32))
    story = train(engine, [settings(epochs=1, batch_size=70)], [fold])[0]
    assert story.epochs[0].metrics.accuracy == pytest.approx(np.mean(fold.train_labels == 0))
    assert story.losses[0] == pytest.approx(math.log(3))


def test_a_draw_equal_to_the_rate_keeps_its_unit(engine: Engine) -> None:
    """0.7 as float32 is below 0.7: compared as doubles, the unit would be hidden."""

    class AtTheRate(RecordedStreams):
        def uniforms(self, epoch: int) -> Any:
            assert epoch == 1
            return self

        def random(self, size: tuple[int, ...], dtype: type) -> np.ndarray:
            return np.full(size, 0.7, dtype)

    fold = generated_fold()
    start = SeededStreams(0).initial_parameters(40, 16, 3)
    streams = AtTheRate(start, [np.arange(70)], [])
    head = settings(droprate=0.7, epochs=1, batch_size=70)
    story = train(engine, [head], [fold], streams=streams)[0]
    logits = forward(start, fold.matrix[fold.train], keep=np.ones((70, 16), np.bool_), droprate=0.7)
    assert story.losses[0] == pytest.approx(cross_entropy(logits, fold.train_labels).mean())


def test_rows_may_be_memory_mapped_in_any_order_and_repeated(
    engine: Engine, tmp_path: Path
) -> None:
    plain = generated_fold()
    random = np.random.default_rng(1)
    stored = random.permutation(len(plain.matrix))  # sample i lies in row where[i]
    where = np.argsort(stored)
    path = tmp_path / "features.npy"
    np.save(path, plain.matrix[stored])
    again = np.concatenate([np.arange(70), random.integers(0, 70, 20)])
    mapped = Fold(
        np.load(path, mmap_mode="r"),
        where[plain.train[again]],
        plain.train_labels[again],
        where[plain.validation],
        plain.validation_labels,
        plain.classes,
    )
    copied = dataclasses.replace(
        plain, train=plain.train[again], train_labels=plain.train_labels[again]
    )
    head = settings()
    assert same(train(engine, [head], [mapped])[0], train(engine, [head], [copied])[0])


# --- Independence

MIXED = (
    settings(),
    settings(droprate=0.0, seed=1, epochs=1),
    settings(size_inner=0, learning_rate=0.1, batch_size=7),
    settings(size_inner=5, droprate=0.2, fold=1, epochs=3, batch_size=100),
)
FOLDS = (generated_fold(), generated_fold(90, 21, 4, seed=1))


def test_a_head_does_not_depend_on_its_bank(engine: Engine) -> None:
    bank = train(engine, MIXED, FOLDS)
    assert [len(bank[index].epochs) for index in range(4)] == [2, 1, 2, 3]
    again = train(engine, MIXED[::-1], FOLDS)
    for index in range(4):
        assert same(bank[index], again[3 - index])
    assert same(train(engine, MIXED[3:], FOLDS)[0], bank[3])


def test_a_head_does_not_depend_on_an_interruption(engine: Engine) -> None:
    heads = [settings(epochs=3), settings(seed=1, epochs=3)]
    whole = train(engine, heads, FOLDS)
    job = Job()
    for _ in engine.train(heads, FOLDS, job=job):
        job.stop()
    events = engine.train(heads, FOLDS)
    next(events)
    events.close()
    again = train(engine, heads, FOLDS)
    assert same(whole[0], again[0])
    assert same(whole[1], again[1])


def test_heads_that_differ_in_one_thing_differ(engine: Engine) -> None:
    """The counterpart of the laws above: nothing that should matter is ignored."""
    first = settings(epochs=1)
    others = [
        settings(epochs=1, seed=1),
        settings(epochs=1, droprate=0.4),
        settings(epochs=1, learning_rate=0.002),
        settings(epochs=1, batch_size=31),
    ]
    stories = train(engine, [first, *others], FOLDS)
    for left, right in itertools.combinations(stories.values(), 2):
        assert not same(left, right)


def test_many_classes_take_no_memory_for_every_pair(engine: Engine) -> None:
    """A table of 6,000 by 6,000 classes in float32 has 144 MB, the head's own arrays 0.3."""
    fold = dataclasses.replace(generated_fold(40, 4, validation=8), classes=6000)
    list(engine.train([settings(epochs=1)], [fold]))  # what is made once is none of its memory
    tracemalloc.start()
    try:
        train(engine, [settings(epochs=1)], [fold])
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 30e6


# --- Epochs and ends


def test_the_rule_chooses_which_parameters_are_kept(engine: Engine) -> None:
    fold = generated_fold()
    head = settings(epochs=6, learning_rate=0.3)
    last = train(engine, [head], [fold], rule="last")[0]
    assert last.end is not None
    assert (last.end.status, last.end.epoch, last.end.note) == ("done", 6, "")
    best = train(engine, [head], [fold], rule="best_loss")[0]
    assert best.end is not None
    val_losses = [epoch.metrics.val_loss for epoch in best.epochs]
    assert best.end.epoch == 1 + int(np.argmin(val_losses)) < 6
    logits = forward(best.parameters, fold.matrix[fold.validation])
    loss = cross_entropy(logits, fold.validation_labels).mean()
    assert loss == pytest.approx(min(val_losses), rel=1e-5)


@pytest.mark.parametrize("value", [np.nan, 3e38], ids=["NaN", "beyond float32"])
def test_a_head_that_diverges_fails_and_the_bank_goes_on(engine: Engine, value: float) -> None:
    good = generated_fold()
    matrix = good.matrix.copy()
    matrix[good.train[-1]] = value
    bad = dataclasses.replace(good, matrix=matrix)
    heads = [settings(learning_rate=10.0), settings(fold=1), settings(fold=1, size_inner=0)]
    bank = train(engine, heads, [bad, good])
    assert bank[0].end == HeadEnd(
        0, "failed", "diverged in epoch 1: its numbers are no longer finite", 0, None
    )
    assert not bank[0].epochs
    assert [end and end.status for end in (bank[1].end, bank[2].end)] == ["done", "done"]


def test_a_head_that_diverges_late_keeps_its_best_epoch(engine: Engine) -> None:
    class SparedAtFirst(SeededStreams):
        """Meets sample 69 in the third epoch."""

        def order(self, epoch: int, samples: int) -> np.ndarray:
            return np.arange(samples) if epoch == 3 else np.arange(samples) % 69

    fold = generated_fold()
    fold.matrix[69] = np.inf
    story = train(engine, [settings(epochs=5)], [fold], streams=SparedAtFirst)[0]
    assert story.end is not None
    assert story.end.status == "failed"
    assert "epoch 3:" in story.end.note
    assert len(story.epochs) == 2
    assert story.end.epoch in (1, 2)
    assert all(np.isfinite(array).all() for array in story.parameters)


# For processes, tests/unit/heads/test_spread_engine.py has the same law.
@pytest.mark.when_changed("stacked engine")
@pytest.mark.parametrize("engine", ENGINES, indirect=True)
def test_a_request_to_stop_is_heard_within_a_second(engine: Engine) -> None:
    """It comes in the middle of an epoch, which takes longer than that."""
    fold = generated_fold(10_000, 1024, validation=1000)
    heads = [settings(seed=seed, size_inner=1024, epochs=1000) for seed in range(3)]
    job, asked = Job(), []

    def ask() -> None:
        asked.append(time.monotonic())
        job.stop()

    timer = threading.Timer(0.3, ask)
    ended = []
    for event in engine.train(heads, [fold], job=job):
        ended.append(isinstance(event, HeadEnd))
        if len(ended) == 1:
            timer.start()
    assert time.monotonic() - asked[0] < 1.5
    assert not any(ended)


def test_a_bank_that_is_stopped_before_it_starts_trains_nothing(engine: Engine) -> None:
    job = stopped_job()
    assert not told(engine.train([settings()] * 3, FOLDS, job=job))


def test_an_empty_bank_ends_at_once(engine: Engine) -> None:
    assert not told(engine.train([], FOLDS))


def test_what_goes_wrong_in_a_head_reaches_the_caller(engine: Engine) -> None:
    class Broken(SeededStreams):
        def order(self, epoch: int, samples: int) -> np.ndarray:
            raise OSError(f"{samples} samples, epoch {epoch}: the disk is gone")

    before = threading.active_count()
    with pytest.raises(OSError, match="the disk is gone"):
        train(engine, [settings()] * 3, FOLDS, streams=Broken)
    if engine.name == "fused":
        assert threading.active_count() == before


# --- The same as Keras


@pytest.mark.when_changed("keras engine")
@pytest.mark.parametrize("droprate", [0.0, 0.5])
def test_ten_epochs_on_features_are_those_of_a_plain_keras_fit(droprate: float) -> None:
    """Sixty-four samples: in more steps, an input of the ReLU may be above zero for one trainer
    and below it for another, after which any two part (docs/decisions/0003).
    """
    keras = training_keras()
    fold = generated_fold(64, 2048, 10)
    head = settings(droprate=droprate, size_inner=100, epochs=10)
    plain = keras_reference.fit(keras, head, fold.matrix[:64], fold.train_labels, fold.classes)
    exact = train_in_float64(head, fold, plain.streams, rounded=True)
    assert_close(plain.weights, exact.parameters, 1e-5)
    for name in ("fused", "keras"):
        bank = train(engine_named(name), [head], [fold], rule="last", streams=plain.streams)
        assert_losses(bank[0].losses, plain.losses, 1e-5)
        assert_losses(bank[0].losses, exact.losses, 1e-5)
        assert_close(bank[0].parameters, plain.weights, 1e-5)
