"""Intervals: known values, what units do to them, and how often they hold the truth."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from manyheads.evidence.intervals import Estimate, bootstrap, share_estimate, wilson


def near(*numbers: float | None) -> Estimate:
    """What equals an estimate of about these numbers."""
    approximately: Any = pytest.approx
    return Estimate(*map(approximately, numbers))


@pytest.mark.parametrize(
    ("hits", "count", "low", "high"),
    [  # Newcombe 1998, table I, method 3
        (81, 263, 0.2553, 0.3662),
        (15, 148, 0.0624, 0.1605),
        (0, 20, 0.0, 0.1611),
        (1, 29, 0.0061, 0.1718),
    ],
)
def test_wilsons_interval_has_the_published_ends(hits, count, low, high) -> None:
    assert wilson(hits / count, count) == pytest.approx((low, high), abs=5e-5)


@given(st.integers(1, 500), st.data())
def test_it_holds_its_share_and_mirrors(count: int, data: st.DataObject) -> None:
    hits = data.draw(st.integers(0, count))
    low, high = wilson(hits / count, count)
    assert 0 <= low <= hits / count <= high <= 1
    assert low < high
    assert wilson(1 - hits / count, count) == pytest.approx((1 - high, 1 - low))


def test_nothing_drawn_has_no_interval() -> None:
    low, high = wilson(np.array([0.0, 0.5]), np.array([0, 4]))
    assert np.isnan([low[0], high[0]]).all()
    assert np.isfinite([low[1], high[1]]).all()


def test_images_that_repeat_others_make_nothing_surer() -> None:
    hits = np.arange(40) % 4 > 0
    single = share_estimate(hits, np.arange(40))
    assert (single.low, single.high) == pytest.approx(wilson(0.75, 40))
    tripled = share_estimate(np.repeat(hits, 3), np.repeat(np.arange(40), 3))
    assert tripled == near(single.value, single.low, single.high)
    alike = share_estimate(np.ones(30, bool), np.repeat(np.arange(10), 3))
    assert (alike.low, alike.high) == pytest.approx(wilson(1, 10))


def test_weights_by_hand() -> None:
    """Four images that weigh 3, 1, 1, 1 are worth 36 / 12 = 3 of equal weight."""
    hits, weights = np.array([True, True, False, False]), np.array([3.0, 1, 1, 1])
    found = share_estimate(hits, np.arange(4), weights)
    assert found == near(2 / 3, *wilson(2 / 3, 3))
    equal = share_estimate(hits, np.arange(4), np.full(4, 0.2))
    assert equal == near(0.5, *wilson(0.5, 4))


def mean_of(values: np.ndarray):
    return lambda weights: {"mean": (weights * values).sum(-1) / weights.sum(-1)}


def test_the_bootstrap_of_a_mean_is_as_wide_as_its_standard_error() -> None:
    values = np.random.default_rng(0).uniform(1, 2, 400)
    found = bootstrap(mean_of(values), np.arange(400))["mean"]
    assert found == bootstrap(mean_of(values), np.arange(400))["mean"]  # seeded
    assert found != bootstrap(mean_of(values), np.arange(400), seed=1)["mean"]
    half = 1.96 * values.std() / 20
    assert (found.low, found.high) == pytest.approx(
        (values.mean() - half, values.mean() + half), abs=half / 10
    )


def test_units_are_drawn_whole() -> None:
    values = np.random.default_rng(0).uniform(1, 2, 100)
    once = bootstrap(mean_of(values), np.arange(100))["mean"]
    units = np.tile(np.arange(100) * 7, 5)
    assert bootstrap(mean_of(np.tile(values, 5)), units)["mean"] == near(
        once.value, once.low, once.high
    )


def test_where_resamples_do_not_differ_there_is_no_interval() -> None:
    for values, units in ((np.ones(9), np.arange(9)), (np.arange(9.0), np.zeros(9, int))):
        assert bootstrap(mean_of(values), units)["mean"] == Estimate(
            float(values.mean()), None, None
        )


def test_blocks_of_resamples_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    values, units = np.random.default_rng(0).uniform(1, 2, 30), np.arange(30)
    whole = bootstrap(mean_of(values), units)
    monkeypatch.setattr("manyheads.evidence.intervals._AT_ONCE", 7 * 30)
    assert bootstrap(mean_of(values), units) == whole


def test_a_biased_score_is_mirrored() -> None:
    """The absolute value of a mean that is near zero is higher in resamples."""
    values = np.random.default_rng(0).normal(0.02, 1, 200)

    def score(weights: np.ndarray) -> dict[str, np.ndarray]:
        return {"size": np.abs((weights * values).sum(-1) / weights.sum(-1))}

    plain, mirrored = (
        bootstrap(score, np.arange(200), biased=names)["size"] for names in ([], ["size"])
    )
    assert mirrored.value == plain.value
    assert mirrored.low == 0
    assert plain.low is not None
    assert mirrored.high == pytest.approx(2 * plain.value - plain.low)
