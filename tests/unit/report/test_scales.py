"""Axes: where numbers fall, and which are written."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from manyheads.core.text import minus
from manyheads.report.scales import (
    Scale,
    epoch_limits,
    loss_limits,
    nice_step,
    padded,
    round_ticks,
    whole_ticks,
)

finite = st.floats(-1e6, 1e6)


@pytest.mark.parametrize(
    ("low", "high", "words"),
    [
        (0, 1, ["0.0", "0.2", "0.4", "0.6", "0.8", "1.0"]),
        (-0.04, 0.04, ["−0.04", "−0.02", "0.00", "0.02", "0.04"]),
        (0, 30, ["0", "10", "20", "30"]),
    ],
)
def test_ticks_are_round_numbers(low: float, high: float, words: list[str]) -> None:
    assert [text for _, text in round_ticks(low, high)] == words


@given(finite, st.floats(1e-6, 1e6), st.integers(1, 9))
def test_ticks_lie_on_the_axis_and_tell_themselves_apart(
    low: float, span: float, count: int
) -> None:
    if not low + span > low + abs(low) * 1e-6:
        return
    ticks = round_ticks(low, low + span, count)
    assert len(ticks) <= count + 1
    assert all(low - 1e-6 * span <= place <= low + span * (1 + 1e-6) for place, _ in ticks)
    assert len({words for _, words in ticks}) == len(ticks)


@given(st.floats(1e-9, 1e9))
def test_a_step_is_the_next_round_number(step: float) -> None:
    assert step * (1 - 1e-6) <= nice_step(step) <= 2.5 * step * (1 + 1e-6)


def test_what_is_beyond_an_axis_lies_at_its_end() -> None:
    scale = Scale(0, 1, 200, 100)
    places = [scale.at(value) for value in (0, 0.25, 1, 7, -7, float("inf"))]
    assert places == [200, 175, 100, 100, 200, 100]
    assert scale.holds(1)
    assert not scale.holds(1.1)


@given(finite, finite)
def test_padding_makes_a_real_axis(one: float, other: float) -> None:
    low, high = padded(min(one, other), max(one, other))
    assert low < min(one, other) <= max(one, other) < high


@given(st.integers(1, 100_000))
def test_epochs_have_whole_ticks_from_the_first(longest: int) -> None:
    low, high = epoch_limits(longest)
    ticks = whole_ticks(low, high)
    assert ticks[0] == (1.0, "1")
    assert len(ticks) <= 9
    assert all(place == int(words.replace(",", "")) <= high for place, words in ticks)
    assert len({place for place, _ in ticks}) == len(ticks)


def test_curves_of_one_epoch_are_all_seen() -> None:
    low, high = loss_limits([np.array([0.69]), np.array([0.76]), np.array([1.1])])
    assert low < 0.69
    assert high > 1.1


def test_one_enormous_loss_does_not_flatten_the_others() -> None:
    curves = [np.linspace(2, 0.5, 9), np.linspace(2, 0.6, 9), np.full(9, 1e9)]
    low, high = loss_limits(curves)
    assert low < 0.5
    assert 1.5 < high < 10


def test_a_curve_above_others_that_end_near_zero_is_not_cut() -> None:
    falls = [np.stack([np.geomspace(2.2, least, 500)] * 2) for least in (1e-4, 1e-3, 2e-3)]
    stays = np.stack([np.geomspace(2.4, 0.15, 500)] * 2)
    assert loss_limits([*falls, stays])[1] > 2.4


@pytest.mark.parametrize(
    ("text", "shown"), [("-0.00", "0.00"), ("-0.01", "−0.01"), ("0", "0"), ("-0", "0")]
)
def test_zero_has_no_sign(text: str, shown: str) -> None:
    assert minus(text) == shown
