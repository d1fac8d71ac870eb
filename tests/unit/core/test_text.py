"""Numbers and lists in words."""

from __future__ import annotations

import pytest

from manyheads.core.text import (
    counted,
    decimal,
    interval,
    joined,
    mean_std,
    p_value,
    percent,
)

NAN, INF = float("nan"), float("inf")


@pytest.mark.parametrize(
    ("number", "noun", "words"),
    [
        (0, "image", "0 images"), (1, "image", "1 image"), (2000, "head", "2,000 heads"),
        (1, "class", "1 class"), (2, "class", "2 classes"), (2, "head pass", "2 head passes"),
        (3, "epoch", "3 epochs"), (1, "epoch", "1 epoch"), (4, "box", "4 boxes"),
    ],
)  # fmt: skip
def test_one_thing_is_singular(number: int, noun: str, words: str) -> None:
    assert counted(number, noun) == words


def test_an_ending_may_be_given() -> None:
    assert counted(2, "ox", "en") == "2 oxen"


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (0.8456, "0.846"), (-0.02, "−0.020"), (-0.0004, "0.000"), (1234.5, "1,234.500"),
        (INF, "∞"), (-INF, "−∞"), (NAN, "–"), (None, "–"),
    ],
)  # fmt: skip
def test_a_number(value: float | None, words: str) -> None:
    assert decimal(value) == words


def test_a_share_in_percent() -> None:
    assert percent(0.8456) == "84.6 %"
    assert percent(0.8456, 0) == "85 %"
    assert percent(None) == percent(NAN) == "–"


def test_an_interval_may_be_open_at_one_end_and_may_be_none() -> None:
    assert interval(0.8456, 0.8, 0.9) == "0.846 [0.800, 0.900]"
    assert interval(0.8456, -INF, None) == "0.846 [−∞, ∞]"
    assert interval(0.8456, 0.8, None) == "0.846 [0.800, ∞]"
    assert interval(0.8456, None, None) == "0.846"
    assert interval(0.8456, 0.8, 0.9, percent) == "84.6 % [80.0 %, 90.0 %]"


def test_a_single_value_has_no_standard_deviation() -> None:
    assert mean_std(0.5, 0.01) == "0.500 ± 0.010"
    assert mean_std(50, 1.25, 1) == "50.0 ± 1.2"
    assert mean_std(0.5, None) == "0.500"


@pytest.mark.parametrize(
    ("p", "words"), [(None, "–"), (NAN, "–"), (0.0004, "<0.001"), (0.0312, "0.031"), (1, "1.000")]
)
def test_a_p_value(p: float | None, words: str) -> None:
    assert p_value(p) == words


def test_a_list_in_words() -> None:
    assert [joined("abc"[:n]) for n in range(4)] == ["", "a", "a and b", "a, b and c"]
    assert joined("ab", "or") == "a or b"
