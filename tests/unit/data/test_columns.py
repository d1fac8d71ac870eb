"""Columns read like tuples and take a few bytes an image."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from manyheads.data.columns import Categorical, Digests, kept_rows
from manyheads.data.paths import Paths
from tests.strategies import digests

names = st.lists(st.sampled_from(["train", "test", "", "🐈", "a\0b"]), max_size=30)
components = st.text(st.characters(exclude_characters="/\0", codec="utf-8"), min_size=1).filter(
    lambda name: name not in (".", "..")
)
paths = st.lists(st.lists(components, min_size=1, max_size=3), max_size=8).map(
    lambda found: [Path("/", *parts) for parts in found]
)


def assert_reads_like(column, expected):
    assert list(column) == expected
    assert [column[row] for row in range(len(column))] == expected
    assert len(column) == len(expected)
    assert column == expected
    assert column != [*expected, "more"]
    assert column[1::2] == expected[1::2]
    assert list(column[::-1]) == expected[::-1]
    if expected:
        assert column[-1] == expected[-1]
        assert column.take(np.array([len(expected) - 1, 0])) == [expected[-1], expected[0]]
    with pytest.raises(IndexError):
        column[len(expected)]


@given(names)
def test_names_read_like_a_tuple(expected):
    column = Categorical.of(expected)
    assert_reads_like(column, expected)
    assert Categorical.of(column) is column
    for name in {*expected, "absent"}:
        rows = [row for row, found in enumerate(expected) if found == name]
        assert column.where(name).tolist() == rows


@given(digests())
def test_digests_read_like_a_tuple(expected):
    assert_reads_like(Digests.of(expected), expected)


@pytest.mark.when_changed("data")
@given(paths)
def test_paths_read_like_a_tuple(expected):
    column = Paths.of(expected)
    assert_reads_like(column, expected)
    assert list(column.texts()) == [str(path) for path in expected]


@pytest.mark.skipif(os.name != "posix", reason="names are bytes on POSIX only")
def test_names_of_files_that_are_no_utf_8_are_kept():
    path = Path(os.fsdecode(b"/data/\xff.png"))
    assert Paths.of([path])[0] == path


@given(digests())
def test_distinct_digests_come_in_the_order_of_their_first_appearance(given):
    column = Digests.of(given)
    first, place = column.distinct()
    assert list(column.take(first)) == list(dict.fromkeys(given))
    assert column.take(first).take(place) == given


def test_digests_that_end_in_zeros_differ():
    ends = ["00" * 32, "01" + "00" * 31, "01" + "00" * 30 + "01", "00" * 32]
    assert len(Digests.of(ends).distinct()[0]) == 3


def test_more_than_a_block_of_each():
    many = [hashlib.sha256(str(number).encode()).hexdigest() for number in range(5000)]
    assert list(Digests.of(many)) == many
    assert list(Categorical.of(many)) == many
    assert list(Paths.of(many).texts()) == many


@given(st.integers(0, 50), st.sets(st.integers(0, 49)))
def test_kept_rows_are_those_that_are_not_dropped(length, dropped):
    dropped = {row for row in dropped if row < length}
    assert kept_rows(length, dropped).tolist() == sorted(set(range(length)) - dropped)


def test_columns_cannot_be_changed_by_accident():
    with pytest.raises(ValueError, match="read-only"):
        Categorical.of(["a"]).codes[0] = 1
    with pytest.raises(ValueError, match="read-only"):
        Digests.of(["00" * 32]).values[0] = 1
