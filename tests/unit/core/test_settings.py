"""Settings are checked when they are made, and their digest is the same everywhere."""

from __future__ import annotations

import dataclasses
import json
import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from manyheads.core.settings import digest, number, plain, restored, whole
from manyheads.data.data_settings import ImageSettings, SplitSettings
from manyheads.errors import SettingError


def test_the_digest_is_pinned():
    # A change of this value throws away every cache in the world: change it on purpose only.
    assert digest(ImageSettings()) == (
        "49ce17a1c22ed3e0709090445cd43af46b34328bb8f5f92617d5492c1184ad8f"
    )
    assert digest({"b": 1, "a": (1, 2)}) == digest({"a": [1, 2], "b": 1})


def test_every_field_reaches_the_digest():
    variants = [
        ImageSettings(),
        ImageSettings(size=151),
        ImageSettings(interpolation="nearest"),
        ImageSettings(exif=False),
        ImageSettings(depth=12),
        ImageSettings(resize="crop"),
        ImageSettings(decode="scaled"),
    ]
    assert len({digest(variant) for variant in variants}) == len(variants)


def test_plain_opens_nested_settings():
    assert plain({"image": ImageSettings(size=32), "rates": (0.0, 0.5)}) == {
        "image": {"size": 32, "interpolation": "bicubic", "exif": True},
        "rates": [0.0, 0.5],
    }


def test_a_depth_is_told_where_it_is_set():
    told = plain(ImageSettings(depth=12))
    assert told == plain(ImageSettings()) | {"depth": 12}
    assert ImageSettings(**told) == ImageSettings(depth=12)


@pytest.mark.parametrize("size", [0, -1, 31, 2049, 1.5, "large", None, True, math.nan])
def test_an_image_size_out_of_range_is_refused(size):
    with pytest.raises(SettingError, match="`image_size` to be a whole number from 32 to 2048"):
        ImageSettings(size=size)


def test_an_unknown_interpolation_lists_the_known_ones():
    with pytest.raises(SettingError, match="nearest, bilinear, bicubic, lanczos, box"):
        ImageSettings(interpolation="cubic")


@pytest.mark.parametrize("share", [-0.1, 0.6, math.nan, math.inf, "half", None, True])
def test_a_share_out_of_range_is_refused(share):
    with pytest.raises(SettingError, match="share"):
        SplitSettings(validation=share)


@pytest.mark.parametrize("seed", [-1, 2**31, 0.5, "x"])
def test_a_split_seed_out_of_range_is_refused(seed):
    with pytest.raises(SettingError, match="split seed"):
        SplitSettings(seed=seed)


@given(st.floats(allow_nan=True), st.booleans(), st.booleans())
def test_number_accepts_exactly_its_range(value, open_low, open_high):
    above = value > 0 if open_low else value >= 0
    below = value < 1 if open_high else value <= 1
    if above and below:
        assert number("rate", value, 0, 1, open_low=open_low, open_high=open_high) == value
    else:
        with pytest.raises(SettingError, match="rate"):
            number("rate", value, 0, 1, open_low=open_low, open_high=open_high)


@given(st.integers())
def test_whole_accepts_exactly_its_range(value):
    if -5 <= value <= 5:
        assert whole("size", value, -5, 5) == value
    else:
        with pytest.raises(SettingError, match=str(value)):
            whole("size", value, -5, 5)


@pytest.mark.parametrize(
    ("read", "value", "remedy"),
    [
        (number, "0,2", r"write 0\.2, with a decimal point"),
        (number, ",2", r"write \.2, with a decimal point"),
        (number, "1,000.5", r"write 1000\.5"),
        (whole, "1,000", "write 1000"),
        (number, "much", "give `it` as a plain number"),
    ],
)
def test_a_comma_in_a_number_has_its_remedy(read: Any, value: str, remedy: str) -> None:
    with pytest.raises(SettingError, match=f"; {remedy}$"):
        read("it", value, 0, 1_000_000)


@dataclasses.dataclass(frozen=True)
class Part:
    name: str
    ends: tuple[float, ...] = ()


@dataclasses.dataclass(frozen=True)
class Whole:
    parts: tuple[Part, ...]
    first: Part | None
    about: dict[str, int]
    late: int = 3


@pytest.mark.parametrize("first", [None, Part("a", (0.5, 1.0))])
def test_what_is_made_plain_comes_back(first: Part | None) -> None:
    value = Whole((Part("b"), Part("c", (2.0,))), first, {"n": 1})
    document = json.loads(json.dumps(plain(value)))
    assert restored(Whole, document) == value
    del document["late"]  # of an earlier version, which did not know it
    assert restored(Whole, document) == value


@pytest.mark.parametrize(
    "document",
    [
        [],
        {"parts": "bc", "first": None, "about": {}},
        {"parts": [1], "first": None, "about": {}},
        {"parts": [], "first": None, "about": {}, "other": 1},
    ],
)
def test_a_document_of_another_form_is_refused(document: object) -> None:
    with pytest.raises(TypeError):
        restored(Whole, document)


def test_a_field_that_is_missing_is_named() -> None:
    with pytest.raises(KeyError, match="first"):
        restored(Whole, {"parts": [], "about": {}})
