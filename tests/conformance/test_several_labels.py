"""Heads for several labels per image, in every engine that trains them: as Keras trains them."""

from __future__ import annotations

import dataclasses
import itertools
from typing import Any

import numpy as np
import pytest

from manyheads.heads.bank import Engine, engine_named
from manyheads.heads.fold import Fold
from manyheads.heads.head import binary_cross_entropy, forward
from tests import keras_reference
from tests.banks import (
    ready_engine,
    same,
    settings,
    several_labels_fold,
    train,
    training_keras,
    with_versions,
)
from tests.formulas import train_in_float64

FOLD = with_versions(several_labels_fold())
OPTIONS: tuple[dict[str, Any], ...] = (
    {},
    {"droprate": 0.0, "epochs": 3},
    {"size_inner": 0},
    {"batch_size": 1000},
    {"label_smoothing": 0.1},
    {"mixup": 0.4},
    {"l2": 0.01, "optimizer": "sgd", "learning_rate": 0.05, "momentum": 0.9},
    {
        "input_droprate": 0.1, "dropblock": 0.3, "augmented_copies": 1, "mixup": 0.4,
        "label_smoothing": 0.1, "weight_decay": 0.01, "optimizer": "adamw", "max_norm": 1.5,
    },
)  # fmt: skip


@pytest.fixture(
    scope="module",
    params=(
        "fused",
        pytest.param("keras", marks=pytest.mark.when_changed("keras engine")),
        "spread",
    ),
)
def engine(request: pytest.FixtureRequest) -> Engine:
    """Each engine in turn."""
    return ready_engine(request.param)


def assert_close(found: Any, wanted: Any, tolerance: float) -> None:
    """Every array within `tolerance` of what is wanted."""
    for left, right in zip(found, wanted, strict=True):
        np.testing.assert_allclose(left, right, rtol=tolerance, atol=tolerance)


def test_heads_are_what_the_formulas_in_float64_make_them(engine: Engine) -> None:
    heads = [settings(**changes) for changes in OPTIONS]
    stories = train(engine, heads, [FOLD], rule="last")
    for index, head in enumerate(heads):
        reference = train_in_float64(head, FOLD, rounded=True)
        np.testing.assert_allclose(stories[index].losses, reference.losses, rtol=3e-5, atol=2e-7)
        assert_close(stories[index].parameters, reference.parameters, 3e-5)


def test_weighted_samples_count_so_often_in_the_loss(engine: Engine) -> None:
    weights = np.random.default_rng(3).uniform(0.5, 2, 70).astype(np.float32)
    fold = dataclasses.replace(FOLD, weights=weights)
    story = train(engine, [settings()], [fold], rule="last")[0]
    reference = train_in_float64(settings(), fold, rounded=True)
    np.testing.assert_allclose(story.losses, reference.losses, rtol=3e-5)
    assert_close(story.parameters, reference.parameters, 3e-5)


def test_metrics_are_means_over_labels_then_over_images(engine: Engine) -> None:
    story = train(engine, [settings(droprate=0.0, epochs=1)], [FOLD])[0]
    metrics = story.epochs[0].metrics
    logits = forward(story.parameters, FOLD.matrix[FOLD.validation])
    assert FOLD.label_sets is not None
    targets = FOLD.label_sets[FOLD.validation_labels]
    assert metrics.val_accuracy == pytest.approx(((logits > 0) == targets).mean())
    assert metrics.val_loss == pytest.approx(binary_cross_entropy(logits, targets).mean(), rel=1e-5)
    assert metrics.loss == pytest.approx(
        float(story.epochs[0].batch_losses @ [32, 32, 6]) / 70, rel=1e-6
    )


def test_accuracy_is_the_share_of_labels_told_right_in_training(engine: Engine) -> None:
    """With a learning rate of next to nothing, it is that of the first parameters."""
    plain = several_labels_fold()
    story = train(engine, [settings(learning_rate=1e-12, epochs=1, droprate=0.0)], [plain])[0]
    logits = forward(story.parameters, plain.matrix[plain.train])
    assert plain.label_sets is not None
    told = ((logits > 0) == plain.label_sets[plain.train_labels]).mean()
    assert story.epochs[0].metrics.accuracy == pytest.approx(told)


def test_predictions_are_log_odds_that_keep_their_sign(engine: Engine) -> None:
    story = train(engine, [settings()], [FOLD], rule="last")[0]
    assert story.end is not None
    assert story.end.chosen is not None
    logits = forward(story.parameters, FOLD.matrix[FOLD.validation])
    np.testing.assert_allclose(story.end.chosen, logits, rtol=2e-3, atol=1e-5)
    assert np.array_equal(story.end.chosen > 0, logits > 0)


def test_a_head_depends_on_neither_its_bank_nor_the_names_of_sets(engine: Engine) -> None:
    other = several_labels_fold(90, 21, 3, seed=1)
    heads = [
        settings(),
        settings(droprate=0.0, seed=1, epochs=1),
        settings(size_inner=0, batch_size=7),
        settings(size_inner=5, fold=1, epochs=3),
    ]
    bank = train(engine, heads, [FOLD, other])
    again = train(engine, heads[::-1], [FOLD, other])
    assert all(same(bank[index], again[3 - index]) for index in range(4))
    renumbered = _renumbered(FOLD)
    assert all(same(bank[i], train(engine, [heads[i]], [renumbered])[0]) for i in range(3))
    for left, right in itertools.combinations(bank.values(), 2):
        assert not same(left, right)


def test_a_head_that_diverges_fails_and_the_bank_goes_on(engine: Engine) -> None:
    matrix = FOLD.matrix.copy()
    matrix[FOLD.train[-1]] = np.nan
    bad = dataclasses.replace(FOLD, matrix=matrix)
    bank = train(engine, [settings(), settings(fold=1)], [bad, FOLD])
    assert [each.end and each.end.status for _, each in sorted(bank.items())] == ["failed", "done"]


@pytest.mark.when_changed("keras engine")
@pytest.mark.parametrize("droprate", [0.0, 0.5])
def test_ten_epochs_on_features_are_those_of_a_plain_keras_fit(droprate: float) -> None:
    keras = training_keras()
    fold = several_labels_fold(64, 512, 6)
    head = settings(droprate=droprate, size_inner=40, epochs=10, label_smoothing=0.05)
    plain = keras_reference.fit(
        keras, head, fold.matrix[:64], fold.train_labels, fold.classes, label_sets=fold.label_sets
    )
    for name in ("fused", "keras"):
        bank = train(engine_named(name), [head], [fold], rule="last", streams=plain.streams)
        np.testing.assert_allclose(bank[0].losses, plain.losses, rtol=1e-5, atol=2e-7)
        assert_close(bank[0].parameters, plain.weights, 1e-5)


def _renumbered(fold: Fold) -> Fold:
    """The same samples, with their label sets in another order."""
    assert fold.label_sets is not None
    order = np.random.default_rng(5).permutation(len(fold.label_sets))
    number = np.argsort(order)
    return dataclasses.replace(
        fold,
        label_sets=fold.label_sets[order],
        train_labels=number[fold.train_labels],
        validation_labels=number[fold.validation_labels],
    )
