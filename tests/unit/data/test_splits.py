"""The names of splits, and the pinned place of an image."""

from __future__ import annotations

import hashlib

import numpy as np
import pytest

from manyheads.data.data_settings import SplitSettings
from manyheads.data.split_names import split_name
from manyheads.data.splits import assign_splits, carve_validation, place

FORTY = [hashlib.sha256(str(number).encode()).hexdigest() for number in range(40)]
ONE_CLASS = np.zeros(40, int)


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


@pytest.mark.parametrize("rule", ["stratified", "place"])
def test_no_shares_leave_everything_in_training(rule):
    none = SplitSettings(validation=0.0, test=0.0, rule=rule)
    assert set(assign_splits(ONE_CLASS, FORTY, None, none)) == {"train"}


def test_half_and_half_leave_one_image_of_a_class_in_training():
    halves = SplitSettings(validation=0.5, test=0.5)
    found = assign_splits(ONE_CLASS, FORTY, None, halves)
    assert [found.count(split) for split in ("train", "validation", "test")] == [1, 20, 19]


def signs(found):
    """A sign for each image's split."""
    return "".join({"train": ".", "validation": "v", "test": "t"}[split] for split in found)


def test_the_former_rule_divides_as_it_did():
    # Written down when there was no other rule: run folders of that time are divided so.
    groups = ["a" if number % 7 == 0 else "" for number in range(40)]
    former = SplitSettings(rule="place")
    assert signs(assign_splits(ONE_CLASS, FORTY, groups, former)) == (
        ".....t...t..............vt...v....v.t.v."
    )
    other = SplitSettings(validation=0.1, test=0.3, seed=7, rule="place")
    assert signs(assign_splits(ONE_CLASS, FORTY, None, other)) == (
        "...tt.v....t.t..t.ttt.tt..v..t.t.tt....."
    )
    given = ["test" if number % 4 == 0 else "train" for number in range(40)]
    third = SplitSettings(validation=0.3, rule="place")
    assert signs(carve_validation(given, ONE_CLASS, FORTY, groups, third)) == (
        "t...tv..t...t...t...t...t...tv..t.v.t.v."
    )


def test_undecodable_group_names_have_a_place():
    assert 0 <= place(0, "group\0\udcff") < 1
