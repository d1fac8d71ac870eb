"""When a study says that its classes are unequal, and what it advises."""

from __future__ import annotations

import numpy as np
import pytest

from manyheads.data.shares import unequal_words
from manyheads.findings.class_balance import ClassBalance, class_balance
from manyheads.stats.comparisons import Differences
from manyheads.stats.validation_predictions import Validated


def balance_of(
    counts: tuple[int, ...], leading: str = "accuracy", *, weighted: bool = False, trained: int = 1
) -> ClassBalance | None:
    random = np.random.default_rng(0)
    labels = np.repeat(np.arange(len(counts)), counts)
    logits = random.normal(size=(2, 1, len(labels), len(counts)))
    logits[..., np.arange(len(labels)), labels] += 1.5
    said = (logits - np.log(np.exp(logits).sum(axis=-1, keepdims=True))).astype(np.float32)
    found = Validated(
        (1,), ("droprate 0",), labels, tuple("abc"[: len(counts)]), np.arange(len(labels)),
        np.zeros((1, len(labels)), np.int64), 1, lambda _: said,
    )  # fmt: skip
    return class_balance(
        Differences(found), [1], leading, among=[1],
        trained={"a": trained * 10, "b": 10}, weighted=weighted,
    )  # fmt: skip


def test_nothing_is_said_of_classes_of_like_size() -> None:
    assert balance_of((30, 20, 10)) is None
    assert unequal_words({"a": 99, "b": 10, "c": 0}) == ""
    assert unequal_words({}) == ""


def test_unequal_classes_have_scores_in_which_they_count_alike_and_advice() -> None:
    found = balance_of((90, 20, 5))
    assert found is not None
    assert [each.metric for each in found.scores] == ["balanced_accuracy", "macro_f1"]
    first, scores, advice = found.sentences
    assert first == (
        "Very unequal in size: 90 images of a and 5 of c (18 times) among those that validate."
    )
    assert scores.startswith("Expected on new images: balanced accuracy 0.")
    assert "--class-weight none balanced" in advice
    assert "--select last_balanced_accuracy" in advice
    for each in found.scores:
        assert each.low is not None
        assert each.high is not None
        assert 0 <= each.low <= each.score <= each.high <= 1


@pytest.mark.parametrize(("weighted", "leading"), [(True, "accuracy"), (False, "macro_f1")])
def test_advice_leaves_out_what_the_study_does(weighted: bool, leading: str) -> None:
    found = balance_of((90, 20, 5), leading, weighted=weighted)
    assert found is not None
    assert ("--class-weight" in found.advice) != weighted
    assert ("--select" in found.advice) != (leading == "macro_f1")


def test_the_training_images_count_too_and_a_rule_by_classes_has_its_scores() -> None:
    found = balance_of((30, 20, 10), trained=10)
    assert found is not None
    assert found.sizes == "100 images of a and 10 of b (10 times) among those that train"
    found = balance_of((30, 20, 10), "balanced_accuracy")
    assert found is not None
    assert (found.sizes, found.advice, len(found.sentences)) == ("", "", 1)
