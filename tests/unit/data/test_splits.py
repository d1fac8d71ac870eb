"""The names of splits, and the pinned place of an image."""

from __future__ import annotations

import pytest

from manyheads.data.splits import assign_splits, place, split_name
from manyheads.settings import SplitSettings


@pytest.mark.parametrize(
    ("text", "split"),
    [
        ("train", "train"),
        ("Train", "train"),
        ("validation", "validation"),
        ("val", "validation"),
        ("valid", "validation"),
        (" VAL ", "validation"),
        ("test", "test"),
        ("training", "train"),
        ("station", None),
        ("", None),
    ],
)
def test_split_names(text, split):
    assert split_name(text) == split


def test_places_are_pinned():
    # Another value would divide every data set without splits anew.
    assert place(0, "content\0abc") == 0.8030484050281013
    assert place(1, "content\0abc") == 0.003387229653999846


def test_no_shares_leave_everything_in_training():
    none = SplitSettings(validation=0.0, test=0.0)
    assert assign_splits(["a", "b"], None, none) == ("train", "train")


def test_half_and_half_leave_nothing_in_training():
    halves = SplitSettings(validation=0.5, test=0.5)
    assert "train" not in assign_splits([str(number) for number in range(500)], None, halves)


def test_undecodable_group_names_have_a_place():
    assert 0 <= place(0, "group\0\udcff") < 1
