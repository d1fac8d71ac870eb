"""Every regulariser and optimiser in every engine: as the formulas have it, and as Keras does."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest

from manyheads.heads.bank import Engine, HeadSettings, engine_named
from manyheads.heads.fold import PLAIN, Variant, variants_of
from manyheads.heads.hyperparameters import NAMES
from tests import keras_reference
from tests.banks import (
    generated_fold,
    ready_engine,
    same,
    settings,
    train,
    training_keras,
    with_versions,
)
from tests.conformance.test_engines import ENGINES
from tests.formulas import train_in_float64

FOLD = dataclasses.replace(with_versions(generated_fold()), class_names=("hat", "shirt", "shoe"))
OPTIONS: dict[str, dict[str, Any]] = {
    "droprate_schedule early": {"droprate_schedule": "early:1", "epochs": 3},
    "droprate_schedule late": {"droprate_schedule": "late:1", "epochs": 3},
    "input_droprate": {"input_droprate": 0.3},
    "dropblock": {"dropblock": 0.4},
    "dropblock_size": {"dropblock": 0.5, "dropblock_size": 2},
    "random_erasing": {"random_erasing": 0.3, "augmented_copies": 2},
    "augmented_copies": {"augmented_copies": 2},
    "mixup": {"mixup": 0.4},
    "label_smoothing": {"label_smoothing": 0.1},
    "l2": {"l2": 0.01},
    "weight_decay": {"weight_decay": 0.05, "optimizer": "adamw", "learning_rate": 0.01},
    "max_norm": {"max_norm": 0.8, "learning_rate": 0.01},
    "optimizer": {"optimizer": "sgd", "learning_rate": 0.05},
    "momentum": {"optimizer": "sgd", "momentum": 0.9, "learning_rate": 0.02},
    "sgd with weight_decay": {"optimizer": "sgd", "weight_decay": 0.05, "learning_rate": 0.05},
    "learning_rate_schedule": {"learning_rate_schedule": "cosine", "epochs": 3},
    "batch_size": {"batch_size": 23},
    "class_weight balanced": {"class_weight": "balanced"},
    "class_weight": {"class_weight": {"hat": 3, "shoe": 0.25}},
    "balanced_batches": {"balanced_batches": "yes"},
    "without an inner layer": {
        "size_inner": 0, "l2": 0.01, "mixup": 1.0, "input_droprate": 0.2, "optimizer": "adamw",
        "weight_decay": 0.01,
    },
    "all together": {
        "input_droprate": 0.1, "dropblock": 0.3, "random_erasing": 0.3, "augmented_copies": 1,
        "mixup": 0.4, "label_smoothing": 0.1, "l2": 0.001, "weight_decay": 0.01,
        "optimizer": "adamw", "max_norm": 1.5, "learning_rate_schedule": "cosine",
        "droprate_schedule": "late:1", "class_weight": {"shirt": 2}, "balanced_batches": "yes",
    },
}  # fmt: skip


@pytest.fixture(scope="module", params=ENGINES)
def engine(request: pytest.FixtureRequest) -> Engine:
    """Each engine in turn."""
    return ready_engine(request.param)


def assert_close(found: Any, wanted: Any, tolerance: float) -> None:
    """Every array within `tolerance` of what is wanted."""
    for left, right in zip(found, wanted, strict=True):
        np.testing.assert_allclose(left, right, rtol=tolerance, atol=tolerance)


def test_every_hyperparameter_is_held_to_the_formulas() -> None:
    held = {name for changes in OPTIONS.values() for name in changes}
    assert held | {"learning_rate", "size_inner", "droprate"} == set(NAMES)


def test_heads_are_what_the_formulas_in_float64_make_them(engine: Engine) -> None:
    heads = [settings(**changes) for changes in OPTIONS.values()]
    stories = train(engine, heads, [FOLD], rule="last")
    for index, (name, head) in enumerate(zip(OPTIONS, heads, strict=True)):
        reference = train_in_float64(head, FOLD, rounded=True)
        np.testing.assert_allclose(
            stories[index].losses, reference.losses, rtol=3e-5, atol=2e-7, err_msg=name
        )
        assert_close(stories[index].parameters, reference.parameters, 3e-5)


def test_each_option_changes_what_is_learnt() -> None:
    """The counterpart: nothing that should matter is ignored."""
    engine = engine_named("fused")
    heads = [settings(**changes) for changes in OPTIONS.values()]
    plain = [
        settings(**{k: v for k, v in changes.items() if k in ("epochs", "learning_rate")})
        for changes in OPTIONS.values()
    ]
    stories = train(engine, [*heads, *plain], [FOLD], rule="last")
    for index, name in enumerate(OPTIONS):
        assert not same_weights(stories[index], stories[index + len(heads)]), name


def same_weights(left: Any, right: Any) -> bool:
    """Whether two heads ended with equal weights in their last layer."""
    return np.array_equal(left.parameters.kernel, right.parameters.kernel)


def test_a_regularised_head_does_not_depend_on_its_bank_nor_on_cut_calls(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    heads = [settings(**OPTIONS[name]) for name in ("all together", "momentum", "dropblock_size")]
    bank = train(engine, heads, [FOLD])
    monkeypatch.setattr("manyheads.heads.fused.fused_head._CALL", 1)
    alone = [train(engine, [head], [FOLD])[0] for head in heads]
    for index in range(3):
        assert same(bank[index], alone[index])


def test_fewer_epochs_are_a_prefix_under_every_schedule(engine: Engine) -> None:
    whole = settings(**OPTIONS["all together"], epochs=4)
    short = dataclasses.replace(whole, epochs=2)
    stories = train(engine, [whole, short], [FOLD])
    for left, right in zip(stories[0].epochs, stories[1].epochs, strict=False):
        assert left.metrics == right.metrics
    assert len(stories[1].epochs) == 2


def test_nobody_is_validated_on_altered_features(engine: Engine) -> None:
    """Whatever stands in the sources, validation reads the plain matrix."""
    from manyheads.heads.head import cross_entropy, forward

    head = settings(**OPTIONS["all together"], epochs=1)
    story = train(engine, [head], [FOLD])[0]
    logits = forward(story.parameters, FOLD.matrix[FOLD.validation])
    wanted = cross_entropy(logits, FOLD.validation_labels).mean()
    assert story.epochs[0].metrics.val_loss == pytest.approx(wanted, rel=1e-5)


def test_a_fold_without_what_a_head_trains_on_is_refused(engine: Engine) -> None:
    with pytest.raises(KeyError, match="grid=True"):
        train(engine, [settings(dropblock=0.5)], [generated_fold()])


KERAS_OWN = (
    "input_droprate", "label_smoothing", "l2", "weight_decay", "max_norm", "optimizer",
    "momentum", "sgd with weight_decay", "learning_rate_schedule",
)  # fmt: skip
TOGETHER = {
    "input_droprate": 0.2, "label_smoothing": 0.1, "weight_decay": 0.05, "optimizer": "adamw",
    "max_norm": 0.8, "learning_rate_schedule": "cosine", "learning_rate": 0.003,
}  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("option", KERAS_OWN)
def test_epochs_are_those_of_a_plain_keras_fit_with_its_own_part(option: str) -> None:
    check_against_keras(OPTIONS[option], has_penalty=option == "l2")


@pytest.mark.when_changed("keras engine")
def test_epochs_are_those_of_a_plain_keras_fit_with_its_own_parts() -> None:
    check_against_keras(TOGETHER)


def check_against_keras(changes: dict[str, Any], *, has_penalty: bool = False) -> None:
    """Keras's layers, penalties, constraints, optimisers and schedules, masks written down."""
    keras = training_keras()
    fold = generated_fold(64, 300, 10)
    head = settings(**({"size_inner": 40, "epochs": 6} | changes))
    plain = keras_reference.fit(keras, head, fold.matrix[:64], fold.train_labels, fold.classes)
    for name in ("fused", "keras"):
        story = train(engine_named(name), [head], [fold], rule="last", streams=plain.streams)[0]
        assert_close(story.parameters, plain.weights, 2e-5)
        if not has_penalty:  # it is in Keras's losses
            np.testing.assert_allclose(story.losses, plain.losses, rtol=2e-5, atol=2e-7)


def test_a_neutral_setting_asks_for_plain_features_alone() -> None:
    assert variants_of(settings().hyperparameters) == (PLAIN,)
    both = settings(augmented_copies=1, random_erasing=0.2, dropblock=0.5).hyperparameters
    assert variants_of(both) == (Variant(0, 0.0, True), Variant(1, 0.2, True))


def early(changes: dict[str, Any]) -> HeadSettings:
    """A head for the schedule's own test."""
    return settings(droprate=0.5, epochs=4, **changes)


def test_early_dropout_ends_and_late_dropout_begins_where_they_say(engine: Engine) -> None:
    bank = [
        early({}), early({"droprate_schedule": "early:2"}), early({"droprate_schedule": "late:2"}),
        settings(droprate=0.0, epochs=4),
    ]  # fmt: skip
    stories = train(engine, bank, [FOLD])
    constant, first, later, none = (stories[index].epochs for index in range(4))
    assert [e.metrics for e in first[:2]] == [e.metrics for e in constant[:2]]
    assert [e.metrics for e in later[:2]] == [e.metrics for e in none[:2]]
    assert first[2].metrics != constant[2].metrics
    assert later[2].metrics != none[2].metrics
