"""Shares of variance: exact in a grid, without bias by noise, intervals that hold what is true."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from scipy.stats.qmc import Sobol

from manyheads.stats.main_effects import Factor, fitted_designs
from manyheads.stats.variance_shares import DRAWS, MeanNoise, VarianceShares, variance_shares

LEVELS = np.array(list(product(range(4), range(3), range(2))))
NOWHERE = np.full(len(LEVELS), np.nan)
FACTORS = [Factor(LEVELS[:, place], NOWHERE) for place in range(3)]
A, B = np.array([-1.0, 0.0, 0.2, 0.8]), np.array([-0.3, 0.0, 0.3])


def noiseless(count: int, df: int = 9) -> MeanNoise:
    return MeanNoise(np.zeros((DRAWS, count)), np.zeros((DRAWS, count)), df)


def noise_of(scores: np.ndarray, seed: int = 0) -> MeanNoise:
    """The noise of the means of scores `[candidates, seeds]`."""
    seeds = scores.shape[1]
    apart = scores - scores.mean(axis=1, keepdims=True)
    weights = np.random.default_rng(seed).standard_normal((DRAWS, seeds))
    draws = weights @ apart.T / np.sqrt(seeds * (seeds - 1))
    return MeanNoise(np.zeros_like(draws), draws, seeds - 1)


def of_grid(means: np.ndarray, noise: MeanNoise) -> VarianceShares:
    return variance_shares(means, noise, fitted_designs(FACTORS, means), drawn=False)


def test_shares_of_a_grid_are_those_of_the_means_of_its_levels() -> None:
    interaction = 0.2 * np.where(LEVELS[:, 0] == 3, LEVELS[:, 2] - 0.5, 0)
    means = A[LEVELS[:, 0]] + B[LEVELS[:, 1]] + interaction
    found = of_grid(means, noiseless(len(means)))
    whole = means.var()
    for place, share in enumerate(found.shares):
        by_level = [
            means[LEVELS[:, place] == level].mean() for level in np.unique(LEVELS[:, place])
        ]
        assert share.value == pytest.approx(np.var(by_level) / whole, abs=1e-12)
        assert share.low is not None
        assert share.high is not None
        assert share.low <= share.value <= share.high
    assert found.rest == pytest.approx(1 - sum(each.value for each in found.shares), abs=1e-9)
    assert found.deviation == pytest.approx(means.std())
    known = A.var() / (A.var() + B.var())
    plain = of_grid(A[LEVELS[:, 0]] + B[LEVELS[:, 1]], noiseless(len(means)))
    values = [each.value for each in plain.shares]
    assert values == pytest.approx([known, 1 - known, 0])


def test_noise_adds_nothing_and_intervals_hold_the_truth() -> None:
    means = A[LEVELS[:, 0]] + B[LEVELS[:, 1]]
    true = [A.var() / means.var(), B.var() / means.var(), 0.0]
    random, held, values = np.random.default_rng(0), np.zeros(3), []
    runs = 60
    for run in range(runs):
        scores = means[:, None] + 0.5 * random.standard_normal((len(means), 6))
        found = of_grid(scores.mean(axis=1), noise_of(scores, run))
        values.append([each.value for each in found.shares])
        for place, share in enumerate(found.shares):
            assert share.low is not None
            assert share.high is not None
            held[place] += share.low - 1e-9 <= true[place] <= share.high
    assert np.mean(values, axis=0) == pytest.approx(true, abs=0.03)
    assert (held / runs >= 0.88).all()


def test_noise_that_candidates_share_is_no_effect() -> None:
    # First weights are those of a level, so that a seed moves all of its candidates together.
    random, found = np.random.default_rng(1), 0
    for run in range(40):
        scores = A[LEVELS[:, 0]][:, None] + 0.3 * random.standard_normal((2, 5))[LEVELS[:, 2]]
        low = of_grid(scores.mean(axis=1), noise_of(scores, run)).shares[2].low
        found += low is not None and low > 0
    assert found <= 4


def test_candidates_that_do_not_differ_have_no_shares() -> None:
    random = np.random.default_rng(2)
    scores = random.standard_normal((len(LEVELS), 5))
    assert of_grid(scores.mean(axis=1), noise_of(scores)) == VarianceShares((), 0.0, 0.0)
    same = np.full(len(LEVELS), 0.5)
    assert of_grid(same, noiseless(len(same))).shares == ()


def test_of_one_seed_no_interval_is_known() -> None:
    found = of_grid(A[LEVELS[:, 0]], noiseless(len(LEVELS), df=0))
    assert [(each.low, each.high) for each in found.shares] == [(None, None)] * 3


def drawn_factors(random: np.random.Generator, count: int) -> tuple[np.ndarray, list[Factor]]:
    """Places as a study draws them: evenly, by a shifted quasi-random sequence."""
    points = Sobol(3, scramble=False).random(1 << (count - 1).bit_length())[:count]
    places = (points + random.random(3)) % 1
    level = np.zeros(count, np.int64)
    return places, [Factor(level, column) for column in places.T]


def test_of_drawn_candidates_one_that_matters_is_told_from_one_that_does_not() -> None:
    shown, values, runs = np.zeros(3), [], 40
    for run in range(runs):
        random = np.random.default_rng(run)
        places, factors = drawn_factors(random, 40)
        means = -4 * (places[:, 0] - 0.6) ** 2 + 0.3 * places[:, 1]
        scores = means[:, None] + 0.05 * random.standard_normal((40, 4))
        designs = fitted_designs(factors, scores.mean(axis=1))
        found = variance_shares(scores.mean(axis=1), noise_of(scores, run), designs, drawn=True)
        values.append([each.value for each in found.shares])
        shown += [each.low is not None and each.low > 0 for each in found.shares]
    assert shown[0] == runs
    assert shown[1] > 0.6 * runs
    assert shown[2] <= 0.1 * runs
    assert np.mean(values, axis=0)[[0, 2]] == pytest.approx([0.93, 0.0], abs=0.04)


def test_a_pure_interaction_is_no_main_effect() -> None:
    shown = np.zeros(3)
    for run in range(30):
        places, factors = drawn_factors(np.random.default_rng(run), 40)
        means = (places[:, 0] - 0.5) * (places[:, 1] - 0.5)
        designs = fitted_designs(factors, means)
        found = variance_shares(means, noiseless(40), designs, drawn=True)
        assert found.rest > 0.5
        shown += [each.low is not None and each.low > 0 for each in found.shares]
    assert (shown <= 3).all()


def test_a_cliff_is_followed_by_halving_the_scale_of_its_factor_alone() -> None:
    places, factors = drawn_factors(np.random.default_rng(0), 100)
    means = np.where(places[:, 0] > 0.9, -1.0, 0.0)
    designs = fitted_designs(factors, means)
    columns = [each.shape[1] for each in designs]
    assert columns[0] >= 8 > max(columns[1:])
    found = variance_shares(means, noiseless(100), designs, drawn=True)
    assert found.shares[0].value > 0.85


def test_a_factor_without_effect_in_some_candidates_is_zero_there() -> None:
    levels = np.array([-1, -1, 0, 1, 0, 1])
    design = Factor(levels, np.full(6, np.nan)).design(0)
    assert design[:2].tolist() == [[0], [0]]
    assert design[2:].sum(axis=0) == pytest.approx(0)
