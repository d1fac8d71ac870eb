"""Weights of classes as settings keep them, and the scores in which classes count alike."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.utils.class_weight import compute_class_weight

from manyheads.core.settings import plain
from manyheads.errors import SettingError
from manyheads.heads.balanced_samples import class_weights
from manyheads.heads.class_weights import (
    given_weights,
    require_known_classes,
    weight_words,
)
from manyheads.heads.epoch_rules import (
    SCORE_RULES,
    chooses_epoch,
    metric_of,
    rule_of,
    rules_kept,
    scored_by,
)
from manyheads.heads.epoch_scores import SCORED, epoch_score
from manyheads.heads.hyperparameters import Hyperparameters
from manyheads.stats.metrics import METRICS


@given(st.lists(st.integers(0, 5), min_size=2, max_size=80))
def test_balanced_weights_are_those_of_scikit_learn(labels: list[int]) -> None:
    given_labels = np.array(labels)
    present = np.unique(given_labels)
    found = class_weights("balanced", given_labels, 6, ())
    assert found is not None
    wanted = compute_class_weight("balanced", classes=present, y=given_labels)
    np.testing.assert_allclose(found[present], wanted, rtol=1e-6)
    assert found[given_labels].mean() == pytest.approx(1, rel=1e-5)


def test_classes_without_a_weight_have_one() -> None:
    value = Hyperparameters(class_weight={"hat": 3}).class_weight  # pyright: ignore
    found = class_weights(value, np.array([0, 1, 2]), 3, ("cap", "hat", "shoe"))
    assert found is not None
    assert found.tolist() == [1, 3, 1]
    assert class_weights("none", np.array([0]), 1, ()) is None


def test_one_text_stands_for_equal_weights() -> None:
    same: list[Any] = [{"b": 2, "a": 0.5}, {"a": 0.5, "b": 2.0}, '{"b": 2, "a": 5e-1}']
    values = {Hyperparameters(class_weight=each).class_weight for each in same}
    assert values == {'{"a": 0.5, "b": 2}'}
    assert given_weights('{"a": 0.5, "b": 2}') == {"a": 0.5, "b": 2}
    for neutral in (None, "none"):
        assert "class_weight" not in plain(Hyperparameters(class_weight=neutral))  # pyright: ignore
    assert plain(Hyperparameters(balanced_batches=True))["balanced_batches"] == "yes"  # pyright: ignore


def test_tables_show_few_weights_in_full_and_many_by_number_and_digest() -> None:
    assert weight_words("balanced") == "balanced"
    assert weight_words('{"hat": 2, "shirt": 0.5}') == "hat=2+shirt=0.5"
    many = [Hyperparameters(class_weight={f"class {n}": each + 1 for n in range(9)}).class_weight  # pyright: ignore
            for each in range(2)]  # fmt: skip
    words = [weight_words(each) for each in many]
    assert words[0] != words[1]
    assert all(each.startswith("9-weights#") and " " not in each for each in words)


@pytest.mark.parametrize(
    "bad", [{"a": 0}, {"a": -1}, {"a": float("nan")}, {"a": 1e7}, {"a": True}, {}, [1, 2], 3, "{"]
)
def test_what_is_no_weight_is_refused(bad: Any) -> None:
    with pytest.raises(SettingError, match=r"class_weight|weight of class a"):
        Hyperparameters(class_weight=bad)


def test_a_weight_of_no_class_names_the_likeliest() -> None:
    require_known_classes(["none", '{"hat": 2}'], ("hat", "shoe"))
    with pytest.raises(SettingError, match="'hta'; did you mean hat"):
        require_known_classes(['{"hta": 2}'], ("hat", "shoe"))
    with pytest.raises(SettingError, match="classes are hat, shoe"):
        require_known_classes(['{"dress": 2}'], ("hat", "shoe"))


@given(seed=st.integers(0, 1000), classes=st.integers(2, 6), images=st.integers(1, 50))
@pytest.mark.parametrize("metric", SCORED)
def test_scores_of_epochs_are_those_of_models(
    metric: str, seed: int, classes: int, images: int
) -> None:
    random = np.random.default_rng(seed)
    labels = random.integers(0, classes, images)
    said = random.normal(size=(images, classes)).astype(np.float32)
    found = epoch_score(metric, said.argmax(axis=1), labels)
    assert found == pytest.approx(float(METRICS[metric](said, labels)), abs=1e-12)


def test_rules_by_scores_say_which_epoch_and_which_metric() -> None:
    assert [scored_by(rule) for rule in SCORE_RULES] == [*SCORED, *SCORED]
    assert [chooses_epoch(rule) for rule in SCORE_RULES] == [True, True, False, False]
    assert metric_of("last") == metric_of("fixed:3") == "accuracy"
    assert metric_of("best_loss") == "log_loss"
    best = "best_macro_f1"
    assert rule_of("macro_f1", best) == best
    assert rule_of("balanced_accuracy", best) == best  # known at no other epoch
    assert rule_of("accuracy", best) == "best_accuracy"
    assert rules_kept(best) == (best, "best_accuracy", "best_loss")
    assert rules_kept("last_macro_f1") == ("last_macro_f1",)
    assert rules_kept("best_accuracy") == ("best_accuracy", "best_loss")
