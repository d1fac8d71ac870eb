"""Class weights, balanced batches and the epochs that they are judged by, in every engine."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest

from manyheads.errors import SettingError
from manyheads.heads.balanced_samples import balanced_order
from manyheads.heads.bank import Engine, engine_named
from manyheads.heads.fold import Fold
from manyheads.stats.metrics import METRICS
from tests import keras_reference
from tests.banks import generated_fold, ready_engine, same, settings, train, training_keras
from tests.conformance.test_engines import ENGINES

NAMES = ("hat", "shirt", "shoe")


def unequal_fold(train: int = 64, features: int = 40) -> Fold:
    """Three classes with about 70, 20 and 10 % of the samples, hard to tell apart."""
    random = np.random.default_rng(3)
    labels = random.choice(3, train + 60, p=(0.7, 0.2, 0.1))
    labels[:3] = range(3)
    matrix = random.normal(size=(len(labels), features)) + 0.4 * np.eye(3, features)[labels]
    rows = np.arange(len(labels))
    fold = Fold(
        np.maximum(matrix, 0).astype(np.float32), rows[:train], labels[:train], rows[train:],
        labels[train:], 3,
    )  # fmt: skip
    return dataclasses.replace(fold, class_names=NAMES)


FOLD = unequal_fold()


@pytest.fixture(scope="module", params=ENGINES)
def engine(request: pytest.FixtureRequest) -> Engine:
    """Each engine in turn."""
    return ready_engine(request.param)


@pytest.mark.when_changed("keras engine")
@pytest.mark.parametrize("given", ["balanced", {"hat": 0.5, "shoe": 4}])
def test_class_weights_are_those_of_keras(engine: Engine, given: Any) -> None:
    """Losses, parameters, and what an epoch reports: the loss weighted, the accuracy not."""
    keras = training_keras()
    counts = np.bincount(FOLD.train_labels)
    weights = {c: len(FOLD.train) / (3 * int(n)) for c, n in enumerate(counts)}
    if given != "balanced":
        weights = {c: float(given.get(name, 1.0)) for c, name in enumerate(NAMES)}
    head = settings(class_weight=given, epochs=4)
    plain = keras_reference.fit(
        keras, head, FOLD.matrix[FOLD.train], FOLD.train_labels, 3, class_weight=weights
    )
    story = train(engine, [head], [FOLD], rule="last", streams=plain.streams)[0]
    np.testing.assert_allclose(story.losses, plain.losses, rtol=2e-5, atol=2e-7)
    for left, right in zip(story.parameters, plain.weights, strict=True):
        np.testing.assert_allclose(left, right, rtol=2e-5, atol=2e-5)
    reported = [(each.metrics.loss, each.metrics.accuracy) for each in story.epochs]
    np.testing.assert_allclose(reported, plain.epochs, rtol=2e-5)


def test_sample_weights_and_class_weights_multiply(engine: Engine) -> None:
    own = np.linspace(0.5, 2, len(FOLD.train)).astype(np.float32)
    of_class = np.array([1, 1, 4], np.float32)[FOLD.train_labels]
    heads = [settings(class_weight={"shoe": 4}), settings()]
    folds = [dataclasses.replace(FOLD, weights=each) for each in (own, own * of_class)]
    heads[1] = dataclasses.replace(heads[1], fold=1, drawn_as=0)
    both = train(engine, heads, folds)
    assert same(both[0], both[1])


@pytest.mark.parametrize(
    "changes", [{"class_weight": "balanced"}, {"balanced_batches": "yes", "mixup": 0.3}]
)
def test_a_head_does_not_depend_on_its_neighbours(engine: Engine, changes: Any) -> None:
    heads = [settings(), settings(**changes), settings(**changes, seed=1), settings(batch_size=16)]
    bank = train(engine, heads, [FOLD])
    for index in (1, 2):
        assert same(bank[index], train(engine, [heads[index]], [FOLD])[0])


@pytest.mark.parametrize("metric", ["balanced_accuracy", "macro_f1"])
def test_an_epoch_is_chosen_by_its_score(engine: Engine, metric: str) -> None:
    """The score is that of the predictions, and the chosen epoch the first of the greatest."""
    head = settings(epochs=8, learning_rate=0.01, class_weight="balanced", droprate=0.0)
    story = train(engine, [head], [FOLD], rule=f"best_{metric}")[0]
    scores = [each.metrics.val_score for each in story.epochs]
    keys = [(each.metrics.val_score, -each.metrics.val_loss) for each in story.epochs]
    assert story.end is not None
    assert story.end.epoch == 1 + max(range(8), key=lambda epoch: keys[epoch])
    for epoch, said in story.end.predictions.items():
        expected = METRICS[metric](said.astype(np.float32), FOLD.validation_labels)
        assert scores[epoch - 1] == pytest.approx(expected, rel=1e-6)
    last = train(engine, [head], [FOLD], rule=f"last_{metric}")[0]
    assert last.end is not None
    assert last.end.epoch == 8
    assert [each.metrics for each in last.epochs] == [each.metrics for each in story.epochs]


def test_patience_waits_for_a_better_score(engine: Engine) -> None:
    whole = settings(epochs=12, learning_rate=0.01, droprate=0.0)
    impatient = dataclasses.replace(whole, patience=2)
    stories = train(engine, [whole, impatient], [FOLD], rule="best_macro_f1")
    assert [e.metrics for e in stories[1].epochs] == [
        e.metrics for e in stories[0].epochs[: len(stories[1].epochs)]
    ]
    assert stories[1].end is not None
    assert len(stories[1].epochs) in (12, stories[1].end.epoch + 2)


def test_other_rules_score_nothing(engine: Engine) -> None:
    assert all(e.metrics.val_score == 0 for e in train(engine, [settings()], [FOLD])[0].epochs)


def test_weights_of_an_unknown_class_are_refused(engine: Engine) -> None:
    with pytest.raises(SettingError, match=r"'sho'.*did you mean sho"):
        train(engine, [settings(class_weight={"sho": 2})], [FOLD])


def test_a_balanced_epoch_shows_each_class_alike_and_each_sample_in_its_turn() -> None:
    labels = np.repeat([0, 1, 2], (70, 20, 10))
    shown = np.zeros(100, np.int64)
    for epoch in range(300):
        random = np.random.default_rng(epoch)
        order = balanced_order(labels, random.permutation(100), random)
        counts = np.bincount(labels[order], minlength=3)
        assert sorted(counts) == [33, 33, 34]
        for label in range(3):
            own = np.bincount(order, minlength=100)[labels == label]
            assert own.max() - own.min() <= 1
        shown += np.bincount(order, minlength=100)
    shares = np.bincount(labels, shown) / shown.sum()
    np.testing.assert_allclose(shares, 1 / 3, atol=0.002)
    first = shown[labels == 0] / 300
    assert first.min() > 0.35, "every sample of the largest class is shown in some epochs"


def test_equal_classes_are_weighed_as_without_weights() -> None:
    fold = generated_fold(60)
    even = dataclasses.replace(fold, train_labels=np.arange(60) % 3)
    bank = train(engine_named("fused"), [settings(), settings(class_weight="balanced")], [even])
    assert same(bank[0], bank[1])
