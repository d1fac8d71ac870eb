"""What would probably settle a comparison: never too little, and nothing where nothing shows."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from scipy.special import stdtrit

from manyheads.stats.paired import RESERVE, Paired
from manyheads.stats.power import MAX_SEEDS, RequiredSize, Undecided, required_sizes
from manyheads.stats.variances import Layout, TwoWay

IMAGES, SEEDS = 400, 4
LEVELS = 0.05, 0.05
TINY = 1e-6  # a margin that nothing is shown to lie within


def layout(folds: int = 1) -> Layout:
    return Layout.of(np.arange(IMAGES), np.arange(IMAGES)[None] % folds, folds)


def pair(
    errors: float,
    *,
    images: float = 1e-5,
    heads: float = 4e-5,
    seeds: int = SEEDS,
    folds: int = 1,
    margin: float = TINY,
) -> Undecided:
    """A difference of so many standard errors, with the variances that these consist of."""
    total = (images + heads) * (RESERVE if folds > 1 else 1.0)
    both = TwoWay(errors * total**0.5, images, heads, 0.0, IMAGES - 1, (seeds - 1) * folds)
    of_folds = 0.0 if folds > 1 else None
    paired = Paired("log_loss", seeds, both, both, of_folds, IMAGES, IMAGES, np.inf)
    return Undecided(paired, margin)


def need(
    undecided: Undecided, folds: int = 1, levels: tuple[float, float] = LEVELS
) -> RequiredSize:
    (paired,) = required_sizes([undecided], layout(folds), levels)
    return paired


@pytest.mark.when_changed("statistics")
@pytest.mark.parametrize("folds", [1, 4])
@pytest.mark.parametrize("errors", [0.0, 0.5, -0.5, 0.99, -1.0])
def test_within_one_standard_error_nothing_is_named(errors: float, folds: int) -> None:
    """It shrinks to nothing: what looks nearest to being settled looks so by luck."""
    for heads in (0.0, 4e-5):
        assert need(pair(errors, heads=heads, folds=folds), folds) == RequiredSize()


def test_no_more_than_50_seeds_are_named() -> None:
    """Images are the second choice, with 20 seeds, which are no trouble then."""
    asked = [
        pair(errors, images=images)
        for errors in np.linspace(1, 4, 31)
        for images in (0.0, 1e-5, 1e-4)
    ]
    paired = required_sizes(asked, layout(), LEVELS)
    assert 30 < max(each.seeds or 0 for each in paired) <= MAX_SEEDS
    with_images = [each for each in paired if each.images]
    assert with_images
    assert {each.seeds for each in with_images} == {20}
    assert min(each.images or 0 for each in with_images) > IMAGES


def test_what_looks_larger_needs_no_more() -> None:
    every = [pair(errors, images=0.0) for errors in np.linspace(1.3, 4, 28)]
    paired = [each.seeds for each in required_sizes(every, layout(), LEVELS)]
    asked = [seeds for seeds in paired if seeds is not None]
    assert paired[-len(asked) :] == asked  # none is named up to where one is
    assert all(fewer >= more for fewer, more in pairwise(asked))
    assert asked[0] > asked[-1] >= SEEDS + 1


def test_a_stricter_level_needs_more() -> None:
    base = need(pair(2.5, images=0.0)).seeds
    strict = need(pair(2.5, images=0.0), levels=(0.01, 0.01)).seeds
    assert base is not None
    assert strict is not None
    assert strict > base


def test_both_signs_need_the_same() -> None:
    for errors in (1.5, 2.2, 3.0):
        assert need(pair(errors)) == need(pair(-errors))


def test_many_are_asked_as_one_by_one() -> None:
    every = [pair(errors, images=images) for errors in (0.5, 1.8, 2.6) for images in (0, 1e-5)]
    assert required_sizes(every, layout(), LEVELS) == [need(each) for each in every]
    assert required_sizes([], layout(), LEVELS) == []


def test_in_folds_repeats_are_named() -> None:
    paired = need(pair(2.2, images=0.0, folds=4), folds=4)
    assert paired.repeats is not None
    assert 1 < paired.repeats <= 20
    assert paired.seeds is None


def test_where_images_alone_bring_the_variance_images_are_named() -> None:
    paired = need(pair(2.2, images=5e-5, heads=0.0))
    assert paired.images is not None
    assert paired.images > IMAGES
    assert len(str(paired.images).rstrip("0")) <= 2


def test_a_difference_well_within_its_margin_needs_what_shows_it_alike() -> None:
    paired = need(pair(1.5, images=0.0, margin=0.04))
    narrower = need(pair(1.5, images=0.0, margin=0.022))
    assert paired.seeds is not None
    assert narrower.seeds is None or narrower.seeds > paired.seeds


@pytest.mark.parametrize("errors", [2.0, 2.6])
def test_the_power_is_that_of_fresh_studies_of_what_the_difference_may_be(errors: float) -> None:
    """With the seeds that are named, 80 % of them declare it; with half as many, fewer."""
    undecided = pair(errors, images=0.0)
    seeds = need(undecided).seeds
    assert seeds is not None
    random, count = np.random.default_rng(0), 20_000
    variance = undecided.paired.both.of_seeds
    difference = undecided.paired.both.difference
    kept = 1 - variance / difference**2
    true = kept * difference + (kept * variance) ** 0.5 * random.normal(size=count)

    def power(seeds: int) -> float:
        of_seeds = variance * SEEDS / seeds
        error = (of_seeds * random.chisquare(seeds - 1, count) / (seeds - 1)) ** 0.5
        drawn = true + of_seeds**0.5 * random.normal(size=count)
        return float((np.abs(drawn) > stdtrit(seeds - 1, 0.975) * error).mean())

    assert power(seeds) == pytest.approx(0.8, abs=0.04)
    assert power(max(2, seeds // 2)) < 0.76
