"""Intervals: known values, what units do to them, and how often they hold the truth."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from manyheads.stats.intervals import (
    Estimate,
    bootstrap,
    normal_quantile,
    share_estimate,
    stratified_estimate,
    wilson,
)


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


def test_a_share_by_class_by_hand() -> None:
    """One of two hits in a class that weighs 0.75, and four of four in one that weighs 0.25."""
    hits = np.array([True, False, True, True, True, True])
    labels, shares = np.array([0, 0, 2, 2, 2, 2]), np.array([0.6, 0.2, 0.2])
    found = stratified_estimate(hits, np.arange(6), labels, shares)
    first, second = 0.75**2 * 0.25 / 2, 0.25**2 * (0.9 * 0.1) / 4
    skew = (2 * normal_quantile() ** 2 + 1) / 6 * (second * 0.25 * -0.8 / 4) / (first + second)
    half = normal_quantile() * (first + second) ** 0.5
    assert found == near(0.625, 0.625 + skew - half, 1.0)
    assert 0.625 + skew + half > 1


@given(st.integers(0, 2**32), st.integers(1, 30), st.integers(1, 6), st.integers(1, 30))
def test_an_interval_by_class_is_never_empty(seed: int, count: int, classes: int, units: int):
    random = np.random.default_rng(seed)
    labels = random.integers(0, classes, count)
    hits = random.random(count) < random.choice([0, 0.5, 1])
    shares = random.dirichlet(np.ones(classes))
    found = stratified_estimate(hits, random.integers(0, units, count), labels, shares)
    assert found.low is not None
    assert found.high is not None
    assert 0 <= found.low <= found.value <= found.high <= 1
    assert found.high - found.low > 1e-4


def test_images_that_repeat_others_make_no_class_surer() -> None:
    """Neither in units of one class nor in those that hold an image of each."""
    random = np.random.default_rng(0)
    labels, shares = np.arange(60) % 3, np.array([0.2, 0.3, 0.5])
    hits = random.random(60) < np.array([0.9, 0.6, 0.5])[labels]
    single = stratified_estimate(hits, np.arange(60), labels, shares)
    three = np.repeat(np.arange(60), 3)
    tripled = stratified_estimate(hits[three], three, labels[three], shares)
    assert tripled == near(single.value, single.low, single.high)
    together = np.repeat([True, False], [36, 24])  # a unit's images are all right or all wrong
    apart = stratified_estimate(together, np.arange(60), labels, shares)
    grouped = stratified_estimate(together, np.arange(60) // 3, labels, shares)
    assert width(grouped) > 1.3 * width(apart)


def width(estimate: Estimate) -> float:
    assert estimate.low is not None
    assert estimate.high is not None
    return estimate.high - estimate.low


@pytest.mark.when_changed("statistics")
@pytest.mark.parametrize(
    ("counts", "recalls"),
    [
        ([100] * 9 + [10], [0.98] * 9 + [0.5]),  # the weights alone: held in 4 of 5 draws
        ([300] * 9 + [30], [0.99] * 9 + [0.8]),  # in 3 of 4
        ([4] * 50, [0.97] * 50),  # a centre by (k + 1) / (n + 2) for each class: in none
    ],
)
def test_intervals_by_class_hold_the_truth(counts: list[int], recalls: list[float]) -> None:
    """Also where most of the variance comes from a rare class, unlike the others."""
    random = np.random.default_rng(0)
    labels = np.repeat(np.arange(len(counts)), counts)
    shares, units = np.full(len(counts), 1 / len(counts)), np.arange(len(labels))
    held, draws = 0, 600
    for _ in range(draws):
        hits = random.random(len(labels)) < np.array(recalls)[labels]
        found = stratified_estimate(hits, units, labels, shares)
        assert found.low is not None
        assert found.high is not None
        held += found.low <= np.mean(recalls) <= found.high
    assert held / draws >= 0.93


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
    monkeypatch.setattr("manyheads.stats.intervals._AT_ONCE", 7 * 30)
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
