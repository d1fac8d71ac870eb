"""The estimators against numbers worked out otherwise."""

from __future__ import annotations

import numpy as np
import pytest

from manyheads.stats.variances import (
    PRIOR_DF,
    Layout,
    corrected_t,
    fold_means,
    holm,
    holm_factors,
    moderated,
    of_folds,
    two_way,
    with_pseudo_units,
)


def given_split(images: int) -> Layout:
    return Layout.of(np.arange(images), np.zeros((1, images), np.int64), 1)


def test_a_given_split_is_two_way_analysis_of_variance() -> None:
    d = np.random.default_rng(0).normal(size=(4, 30))
    found = two_way(d[:, None, :], given_split(30))
    mean, units, seeds = d.mean(), d.mean(axis=0), d.mean(axis=1)
    ms_units = 4 * ((units - mean) ** 2).sum() / 29
    ms_seeds = 30 * ((seeds - mean) ** 2).sum() / 3
    rest = d - units - seeds[:, None] + mean
    ms_rest = (rest**2).sum() / (29 * 3)
    assert found.difference == pytest.approx(mean)
    assert found.of_units == pytest.approx(ms_units / 120)
    assert found.of_seeds == pytest.approx(ms_seeds / 120)
    assert found.of_both == pytest.approx(ms_rest / 120)
    assert (found.df_units, found.df_seeds) == (29, 3)
    most = max(ms_units + ms_seeds - ms_rest, ms_units, ms_seeds)
    assert found.variance == pytest.approx(most / 120)


def test_the_parts_are_unbiased() -> None:
    random, found = np.random.default_rng(1), []
    for _ in range(1500):
        d = random.normal(0, 1.0, 20) + random.normal(0, 0.5, (5, 1)) + random.normal(0, 2, (5, 20))
        part = two_way(d[:, None, :], given_split(20))
        found.append((part.difference, part.of_units + part.of_seeds - part.of_both))
    means, variances = np.array(found).T
    true = 1.0 / 20 + 0.25 / 5 + 4 / 100
    assert np.var(means) == pytest.approx(true, rel=0.15)
    assert np.mean(variances) == pytest.approx(true, rel=0.06)


def test_resampling_counts_the_interaction_three_times() -> None:
    """Owen's result, which is why the closed form is what decides and no bootstrap."""
    random = np.random.default_rng(2)
    d = random.normal(size=(6, 40)) + np.linspace(-1, 1, 40)
    part = two_way(d[:, None, :], given_split(40))
    seeds, images = random.integers(6, size=(20_000, 6)), random.integers(40, size=(20_000, 40))
    drawn = [d[rows][:, columns].mean() for rows, columns in zip(seeds, images, strict=True)]
    of_units, of_seeds = 39 / 40, 5 / 6
    expected = (
        part.of_units * of_units + part.of_seeds * of_seeds + part.of_both * of_units * of_seeds
    )
    assert np.var(drawn) == pytest.approx(expected, rel=0.05)


def test_copies_of_an_image_add_no_evidence() -> None:
    d = np.random.default_rng(3).normal(size=(3, 1, 25))
    once = two_way(d, given_split(25))
    layout = Layout.of(np.tile(np.arange(25), 4), np.zeros((1, 100), np.int64), 1)
    copied = two_way(layout.sums(np.tile(d, 4)), layout)
    for name in ("difference", "of_units", "of_seeds", "of_both", "variance"):
        assert getattr(copied, name) == pytest.approx(getattr(once, name))


def test_units_of_unequal_size_do_not_vary_where_images_do_not() -> None:
    layout = Layout.of(np.array([0, 0, 0, 1, 2, 2]), np.zeros((1, 6), np.int64), 1)
    found = two_way(layout.sums(np.full((3, 1, 6), 0.25)), layout)
    assert found.difference == pytest.approx(0.25)
    assert found.variance == pytest.approx(0, abs=1e-30)


def test_seeds_vary_within_folds() -> None:
    """In folds, seed s of one fold has nothing to do with seed s of another."""
    random = np.random.default_rng(4)
    fold_of = np.arange(40)[None, :] % 4
    layout = Layout.of(np.arange(40), fold_of, 4)
    d = random.normal(size=(3, 1, 40))
    found = two_way(d, layout)
    moved = d.copy()
    moved[:, :, fold_of[0] == 1] = d[[2, 0, 1]][:, :, fold_of[0] == 1]
    again = two_way(moved, layout)
    assert found.df_seeds == 2 * 4
    assert again.of_seeds == pytest.approx(found.of_seeds)
    cells = [np.var(d[:, 0, fold_of[0] == k].mean(axis=1), ddof=1) / 3 for k in range(4)]
    assert found.of_seeds == pytest.approx(sum(cells) / 16)


def matched(first: int, second: int, images: int, seeds: int = 1) -> np.ndarray:
    """Differences of two candidates, of which each alone is right on so many images."""
    d = np.zeros(images)
    d[:first], d[first : first + second] = 1, -1
    return np.broadcast_to(d, (seeds, 1, images)).copy()


@pytest.mark.parametrize(("first", "second", "images"), [(26, 4, 48), (0, 0, 20), (3, 0, 3)])
def test_pseudo_units_are_bonett_and_prices(first: int, second: int, images: int) -> None:
    found = with_pseudo_units(
        two_way(matched(first, second, images, seeds=3), given_split(images)), images
    )
    a, b = (first + 1) / (images + 2), (second + 1) / (images + 2)
    assert found.difference == pytest.approx(a - b)
    assert found.of_units == pytest.approx((a + b - (a - b) ** 2) / (images + 2))
    assert (found.of_seeds, found.df_units) == (0, images - 1)


def test_pseudo_units_agree_with_a_published_example() -> None:
    """`ci.prop.ps(.05, 12, 4, 26, 6)` of the R package statpsych: 0.44, SE 0.09448809."""
    found = with_pseudo_units(two_way(matched(26, 4, 48), given_split(48)), 48)
    assert found.difference == pytest.approx(0.44)
    assert found.variance**0.5 == pytest.approx(0.09448809)


def test_pseudo_units_fade_with_images() -> None:
    d = np.random.default_rng(5).integers(-1, 2, (4, 1, 20_000)).astype(np.float64)
    found = two_way(d, given_split(20_000))
    padded = with_pseudo_units(found, 20_000)
    assert padded.difference == pytest.approx(found.difference, rel=2e-4)
    assert padded.variance == pytest.approx(found.variance, rel=1e-3)


def test_the_variance_of_folds_by_hand() -> None:
    """Two repeats of three folds; repeats average what heads bring, and images stay the same."""
    fold_of = np.array([[0, 0, 1, 1, 2, 2], [0, 1, 0, 2, 1, 2]])
    layout = Layout.of(np.arange(6), fold_of, 3)
    d = np.random.default_rng(6).normal(size=(4, 2, 6))
    found = two_way(layout.sums(d), layout)
    spreads = [
        np.var([d[:, repeat, fold_of[repeat] == k].mean() for k in range(3)], ddof=1)
        for repeat in range(2)
    ]
    expected = max(0.0, np.mean(spreads) / 3 - found.of_seeds)
    assert of_folds(layout.sums(d), layout, found) == pytest.approx(expected)
    assert expected > 0


def test_a_given_split_shows_nothing_of_folds() -> None:
    d = np.random.default_rng(7).normal(size=(4, 1, 30))
    layout = given_split(30)
    assert of_folds(d, layout, two_way(d, layout)) == 0


def test_folds_without_an_effect_of_their_own_show_the_two_way_variance() -> None:
    random, layout = np.random.default_rng(8), Layout.of(np.arange(60), np.arange(60)[None] % 5, 5)
    ratios = []
    for _ in range(400):
        d = random.normal(size=60) + 0.5 * random.normal(size=(3, 1, 60))
        found = two_way(d, layout)
        ratios.append(of_folds(d, layout, found) / found.variance)
    assert np.mean(ratios) == pytest.approx(1, abs=0.1)


def test_moderated_variances_keep_their_mean_and_gain_4_degrees_of_freedom_at_most() -> None:
    random = np.random.default_rng(9)
    for spread in (0.0, 0.3, 1.0, 3.0):
        true = np.exp(spread * random.normal(size=12))
        found, df = true * random.chisquare(4, 12) / 4, np.full(12, 4.0)
        shrunk, more = moderated(found, df)
        assert shrunk.mean() == pytest.approx(found.mean())
        assert (np.diff(shrunk[np.argsort(found)]) >= 0).all()
        assert np.ptp(shrunk) < np.ptp(found)
        assert ((more > 4) & (more <= 4 + PRIOR_DF)).all()


def test_variances_are_moderated_by_hand_where_they_are_alike() -> None:
    """Variances that differ by less than χ² does are those of one: the prior counts in full."""
    shrunk, df = moderated(np.array([1.0, 1.1, 0.9, 1.0]), np.full(4, 4.0))
    assert shrunk == pytest.approx([1.0, 1.05, 0.95, 1.0])
    assert df.tolist() == [8, 8, 8, 8]


def test_the_prior_is_found_and_small_where_variances_vary_widely() -> None:
    """`d₀ / 2` is where ψ′ is what logarithms vary by beyond χ²; s² ~ s₀² F gives d₀ back."""
    random = np.random.default_rng(10)
    for prior in (0.5, 2.0):
        true = prior / random.chisquare(prior, 40_000)
        found = true * random.chisquare(8, 40_000) / 8
        df = moderated(found, np.full(40_000, 8.0))[1]
        assert df[0] - 8 == pytest.approx(prior, rel=0.05)


@pytest.mark.parametrize("variances", [[2.0], [], [1.0, 0.0, 3.0], [0.0, 0.0]])
def test_one_variance_and_none_at_all_are_not_moderated(variances: list[float]) -> None:
    given, df = np.array(variances), np.full(len(variances), 4.0)
    found, same = moderated(given, df)
    assert found.tolist() == variances
    assert same.tolist() == df.tolist()


def test_the_corrected_t_by_hand() -> None:
    found = corrected_t(np.array([0.01, 0.03, 0.02, 0.06]), 4)
    spread = (0.02**2 + 0 + 0.01**2 + 0.03**2) / 3
    assert found.spread == pytest.approx(spread)
    assert found.variance == pytest.approx((1 / 4 + 1 / 3) * spread)
    assert found.df == 3


def test_fold_means_are_over_images_of_each_repeat() -> None:
    fold_of = np.array([[0, 0, 1, 1], [0, 1, 0, 1]])
    layout = Layout.of(np.arange(4), fold_of, 2)
    d = np.array([[[1.0, 3.0, 5.0, 7.0], [1.0, 3.0, 5.0, 7.0]]])
    assert fold_means(layout.sums(d), layout).tolist() == [2, 6, 3, 5]


def test_holm_by_hand() -> None:
    assert holm(np.array([0.04, 0.01, 0.03, 0.9])) == pytest.approx([0.09, 0.04, 0.09, 0.9])
    assert holm(np.array([0.5, 0.6])).tolist() == [1.0, 1.0]


def test_holm_of_a_part_of_a_larger_family() -> None:
    """The least of 6 counts 6 times, whichever of them are shown."""
    p = np.array([0.04, 0.01, 0.9])
    assert holm(p, 6) == pytest.approx([0.2, 0.06, 1.0])
    assert holm(p, 2) == pytest.approx(holm(p))
    whole = np.concatenate([p, np.ones(3)])
    assert holm(p, 6) == pytest.approx(holm(whole)[:3])


def test_holms_factors_are_those_of_the_steps() -> None:
    p = np.array([0.04, 0.01, 0.03, 0.9])
    factors = holm_factors(p)
    assert factors == pytest.approx([0.09 / 0.04, 4, 3, 1])
    assert p * factors == pytest.approx(holm(p))
    assert holm_factors(p, 10)[1] == pytest.approx(10)
    assert holm_factors(np.array([0.0, 0.5])) == pytest.approx([2, 1])
