"""Heads that predict one class only are found, each on its own images, and said."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from manyheads.findings.collapsed import Collapsed, collapsed, collapsed_words
from manyheads.findings.study_findings import Findings
from manyheads.stats.comparisons import MAX_ALL_PAIRS
from manyheads.stats.validation_predictions import Validated

SEEDS, IMAGES, FOLDS = 3, 40, 4


def study(
    change: Callable[[int, np.ndarray], None], folds: int = 1, names: tuple[str, ...] = ()
) -> Validated:
    """Two repeats of heads that tell both classes apart, after `change(candidate, said)`."""
    labels = np.arange(IMAGES) % 2
    row = np.arange(IMAGES) // 2 % folds
    names = names or ("learning_rate 0.1", "learning_rate 0.01")

    def log_probabilities(candidate: int) -> np.ndarray:
        right = np.where(np.arange(2) == labels[:, None], 0.9, 0.1)
        said = np.tile(np.log(right).astype(np.float32), (SEEDS, 2, 1, 1))
        change(candidate, said)
        return said

    return Validated(
        candidates=tuple(range(1, len(names) + 1)), names=names, labels=labels,
        classes=("a", "b"), units=np.arange(IMAGES), fold_of=np.stack([row, (row + 1) % folds]),
        folds=folds, log_probabilities=log_probabilities,
    )  # fmt: skip


def constant(said: np.ndarray) -> None:
    said[...] = np.log([0.3, 0.7])


def test_heads_that_tell_classes_apart_are_not_found() -> None:
    validated = study(lambda _candidate, _said: None)
    assert collapsed(validated, (1, 2)) == []
    assert collapsed_words(validated, []) is None


def test_a_head_that_predicts_one_class_is_counted_among_those_that_trained() -> None:
    def change(candidate: int, said: np.ndarray) -> None:
        if candidate == 1:
            constant(said[0])
            said[2, 1] = np.nan  # a failed trial is no head

    validated = study(change)
    found = collapsed(validated, (1, 2))
    assert found == [Collapsed(candidate=1, one_class=2, heads=5)]
    words = collapsed_words(validated, found)
    assert words is not None
    assert words.startswith("2 of 5 heads of learning_rate 0.1 predict one class only; lower the")


def test_each_head_is_judged_on_the_images_that_its_fold_left_out() -> None:
    def change(candidate: int, said: np.ndarray) -> None:
        del candidate
        for fold in range(FOLDS):  # every head one class, not all of them the same
            own = row == fold
            said[0, 0, own] = np.log([0.3, 0.7] if fold % 2 else [0.7, 0.3])

    row = study(lambda *_: None, FOLDS).fold_of[0]
    validated = study(change, FOLDS)
    assert collapsed(validated, [1]) == [Collapsed(1, FOLDS, SEEDS * 2 * FOLDS)]


def test_images_of_one_class_judge_no_head() -> None:
    def change(candidate: int, said: np.ndarray) -> None:
        del candidate
        constant(said[0])

    validated = study(change, 2)
    one = replace(validated, labels=validated.fold_of[0] * 0, folds=2)
    assert collapsed(one, [1]) == []
    mixed = replace(validated, labels=np.where(validated.fold_of[0] == 0, 1, validated.labels))
    assert collapsed(mixed, [1]) == [Collapsed(1, 2, SEEDS * 2)]  # of one fold in each repeat


@pytest.mark.parametrize(
    ("count", "words"),
    [
        (1, "1 of 3 heads of (a 1, b 2) predicts one class only; "),
        (2, "1 of 3 heads of (a 1, b 2), 1 of 3 of (a 2, b 2) predict one class only; "),
        (4, "1 of 3 of (a 3, b 2), some of 1 more candidate predict one class only; "),
        (6, "some of 3 more candidates predict one class only; "),
    ],
)
def test_it_is_one_sentence_however_many_there_are(count: int, words: str) -> None:
    names = tuple(f"a {number}, b 2" for number in range(1, 7))
    found = [Collapsed(number, 1, 3) for number in range(1, count + 1)]
    assert words in str(collapsed_words(study(lambda *_: None, names=names), found))


def test_what_was_not_judged_is_said() -> None:
    validated = study(lambda *_: None)
    found = [Collapsed(1, 1, 3)]
    assert str(collapsed_words(validated, found, 1)).startswith("Of the best 1 candidates, 1 of 3")
    assert str(collapsed_words(validated, found, 2)).startswith("1 of 3 heads")


def test_the_candidate_with_the_largest_share_comes_first() -> None:
    def change(candidate: int, said: np.ndarray) -> None:
        constant(said[:candidate])

    assert [each.candidate for each in collapsed(study(change), (1, 2))] == [2, 1]


def test_of_many_candidates_the_best_alone_are_read() -> None:
    read: list[int] = []
    validated = study(lambda candidate, _: read.append(candidate), names=tuple("abcdefghij" * 100))
    ranking = [SimpleNamespace(candidate=number) for number in range(1000, 0, -1)]
    made: Any = SimpleNamespace(validated=validated, result=SimpleNamespace(ranking=ranking))
    assert Findings.collapsed.func(made) == []
    assert read == list(range(1000, 1000 - MAX_ALL_PAIRS, -1))
