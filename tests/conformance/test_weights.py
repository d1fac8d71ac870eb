"""Weighted samples in both engines: as the formulas have them, and as Keras's `sample_weight`."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest

from manyheads.heads.bank import Engine, engine_named
from manyheads.heads.fold import Fold
from tests import keras_reference
from tests.banks import generated_fold, ready_engine, same, settings, train, training_keras
from tests.formulas import train_in_float64

OPTIONS: dict[str, dict[str, Any]] = {
    "plain": {},
    "mixup": {"mixup": 0.4},
    "label smoothing and L2": {"label_smoothing": 0.1, "l2": 0.01},
    "without an inner layer": {"size_inner": 0, "input_droprate": 0.2},
    "sgd": {"optimizer": "sgd", "momentum": 0.9, "learning_rate": 0.02},
}


@pytest.fixture(scope="module", params=("fused", "keras"))
def engine(request: pytest.FixtureRequest) -> Engine:
    """Each engine in turn."""
    return ready_engine(request.param)


def weighted(fold: Fold, weights: np.ndarray | None = None) -> Fold:
    """`fold` with weights from 0 to 4, some of them 0."""
    if weights is None:
        weights = np.maximum(np.random.default_rng(3).uniform(-1, 4, len(fold.train)), 0)
    return dataclasses.replace(fold, weights=weights.astype(np.float32))


@pytest.mark.when_changed("keras engine")
def test_weighted_heads_are_what_the_formulas_in_float64_make_them(engine: Engine) -> None:
    fold = weighted(generated_fold())
    heads = [settings(**changes) for changes in OPTIONS.values()]
    stories = train(engine, heads, [fold], rule="last")
    for index, (name, head) in enumerate(zip(OPTIONS, heads, strict=True)):
        wanted = train_in_float64(head, fold, rounded=True)
        found = stories[index]
        np.testing.assert_allclose(found.losses, wanted.losses, rtol=3e-5, atol=2e-7, err_msg=name)
        for left, right in zip(found.parameters, wanted.parameters, strict=True):
            np.testing.assert_allclose(left, right, rtol=3e-5, atol=3e-5, err_msg=name)
        loss = found.losses[-3:] @ [32, 32, 6] / 70
        assert found.epochs[-1].metrics.loss == pytest.approx(loss, rel=1e-6)


@pytest.mark.when_changed("keras engine")
def test_weights_of_one_change_not_a_bit(engine: Engine) -> None:
    heads = [settings(), settings(mixup=0.4)]
    plain = generated_fold()
    ones = weighted(plain, np.ones(len(plain.train)))
    without, with_ones = train(engine, heads, [plain]), train(engine, heads, [ones])
    for index, story in without.items():
        if engine.name == "fused":
            assert same(story, with_ones[index])
        np.testing.assert_allclose(story.losses, with_ones[index].losses, rtol=1e-6)


@pytest.mark.when_changed("keras engine")
def test_weights_change_what_is_learnt(engine: Engine) -> None:
    plain = generated_fold()
    stories = [train(engine, [settings()], [fold])[0] for fold in (plain, weighted(plain))]
    assert not np.array_equal(stories[0].parameters.kernel, stories[1].parameters.kernel)


@pytest.mark.when_changed("keras engine")
@pytest.mark.parametrize("option", ["plain", "label smoothing and L2"])
def test_epochs_are_those_of_a_keras_fit_with_sample_weight(option: str) -> None:
    keras = training_keras()
    fold = weighted(generated_fold(64, 300, 10))
    head = settings(**({"size_inner": 40, "epochs": 6} | OPTIONS[option]))
    plain = keras_reference.fit(
        keras, head, fold.matrix[:64], fold.train_labels, fold.classes, weights=fold.weights
    )
    for name in ("fused", "keras"):
        story = train(engine_named(name), [head], [fold], rule="last", streams=plain.streams)[0]
        for left, right in zip(story.parameters, plain.weights, strict=True):
            np.testing.assert_allclose(left, right, rtol=2e-5, atol=2e-5)
        if not head.hyperparameters.l2:  # it is in Keras's losses
            np.testing.assert_allclose(story.losses, plain.losses, rtol=2e-5, atol=2e-7)
