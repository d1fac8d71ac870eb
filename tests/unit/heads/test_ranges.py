"""Ranges of hyperparameters: how they are read, and which values are drawn from them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from manyheads.errors import SettingError
from manyheads.heads.hyperparameters import DECLARED
from manyheads.heads.ranges import Range, item_of, item_words, place_of, value_at


@pytest.mark.parametrize(
    ("name", "given", "kept"),
    [
        ("learning_rate", "1e-4..1e-1", Range(0.0001, 0.1)),
        ("learning_rate", Range(1e-4, 1e-1), Range(0.0001, 0.1)),
        ("size_inner", "50..400", Range(50, 400)),
        ("augmented_copies", "0..7", Range(0, 7)),
        ("droprate", "0...8", Range(0, 0.8)),
        ("droprate", "0.5", 0.5),
        ("optimizer", "sgd", "sgd"),
    ],
)
def test_a_value_or_a_range_is_read_and_written_back(name: str, given: Any, kept: Any) -> None:
    assert item_of(name, given) == kept
    assert item_of(name, item_words(kept)) == kept


@pytest.mark.parametrize(
    ("name", "given", "words"),
    [
        ("learning_rate", "1e-1..1e-4", "LOW below HIGH, found 0.1..0.0001; write the lower"),
        ("droprate", "0.5..0.5", "give one value instead"),
        ("learning_rate", "..", "no spaces around the dots"),
        ("learning_rate", "a..b", "found 'a..b'"),
        ("learning_rate", "1e-4..nan", "finite number, found nan"),
        ("learning_rate", "0..0.1", "begins above 0, for a logarithmic scale"),
        ("weight_decay", "0..0.1", "0 beside it where 0 is wanted too"),
        ("learning_rate", "1e-4..100", "above 0 to 10, found 100"),
        ("droprate", "0..1", "from 0 and below 1, found 1"),
        ("size_inner", "50.5..90", "whole number from 0 to 65536, found 50.5"),
        ("optimizer", "adam..sgd", "which has no range"),
        ("droprate_schedule", "early:1..late:5", "which has no range"),
        ("learning_rate", Range, "a number"),
    ],
)
def test_a_bad_range_is_an_error_that_says_what_to_write(name: str, given: Any, words: str) -> None:
    with pytest.raises(SettingError, match=f"expected .*{words}"):
        item_of(name, given)


@pytest.mark.parametrize("ends", [(True, 2), ("x", 1), (None, 1), (0, float("inf"))])
def test_ends_are_finite_numbers(ends: Any) -> None:
    with pytest.raises(SettingError, match="end of a range as a finite number"):
        Range(*ends)


RANGES = {
    "learning_rate": Range(1e-4, 1e-1), "size_inner": Range(50, 400), "droprate": Range(0, 0.8),
    "augmented_copies": Range(0, 3), "batch_size": Range(8, 4000), "max_norm": Range(0.5, 5),
}  # fmt: skip


@pytest.mark.parametrize("name", RANGES)
def test_values_are_uniform_on_the_declared_scale_inside_the_range_and_short(name: str) -> None:
    item = RANGES[name]
    values = [value_at(name, item, place) for place in np.linspace(0, 1, 1000, endpoint=False)]
    assert min(values) >= item.low
    assert max(values) <= item.high
    assert values == sorted(values)
    assert all(len(f"{value:.15g}") <= 8 for value in values)
    places = np.array([place_of(name, item, value) for value in values])
    whole = DECLARED[name].kind.is_whole
    assert np.abs(places - np.linspace(0, 1, 1000)).max() < (0.26 if whole else 0.01)
    assert all(isinstance(value, int) == whole for value in values)


def test_each_whole_number_of_a_linear_range_is_as_likely() -> None:
    values = [value_at("augmented_copies", Range(0, 3), (n + 0.5) / 400) for n in range(400)]
    assert np.bincount(values).tolist() == [100] * 4


def test_every_number_has_a_scale_and_no_word_has_one() -> None:
    for name, known in DECLARED.items():
        assert (known.scale is None) == isinstance(known.neutral, str), name
