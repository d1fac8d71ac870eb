"""Differences of candidates in words."""

from __future__ import annotations

import pytest

from manyheads.findings.wording import pair_words


@pytest.mark.parametrize(
    ("first", "second", "words"),
    [
        ("droprate 0", "droprate 0.2", "droprate 0 − 0.2"),
        ("learning_rate 0.01, droprate 0", "learning_rate 0.01, droprate 0.2", "droprate 0 − 0.2"),
        (
            "learning_rate 0.01, size_inner none", "learning_rate 0.1, size_inner 100",
            "learning_rate 0.01 − 0.1, size_inner none − 100",
        ),
        ("a", "b", "a − b"),
        ("droprate 0", "l2 0.1", "droprate 0 − l2 0.1"),
        ("droprate 0", "droprate 0", "droprate 0 − droprate 0"),
    ],
)  # fmt: skip
def test_a_difference_is_named_by_what_sets_its_candidates_apart(
    first: str, second: str, words: str
) -> None:
    assert pair_words(first, second) == words
