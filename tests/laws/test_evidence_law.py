"""The laws of comparisons: order does not matter, pairs turn round, Holm only ever adds."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from manyheads.evidence.statistics import Layout, corrected_t, fold_means, holm, two_way

PARTS = ("difference", "of_units", "of_seeds", "of_both", "variance")


@st.composite
def designs(draw):
    """Differences of images, with their units and folds."""
    folds, per, repeats = draw(st.integers(1, 4)), draw(st.integers(2, 5)), draw(st.integers(1, 3))
    seeds, random = draw(st.integers(2, 5)), np.random.default_rng(draw(st.integers(0, 10**6)))
    sizes = random.integers(1, 4, folds * per)
    unit = np.repeat(np.arange(folds * per), sizes)
    fold_of = np.stack([random.permutation(np.arange(folds * per) % folds) for _ in range(repeats)])
    return random.normal(size=(seeds, repeats, len(unit))), unit, fold_of[:, unit], folds


def estimated(d, unit, fold_of, folds):
    layout = Layout.of(unit, fold_of, folds)
    sums = layout.sums(d)
    parts = two_way(sums, layout)
    found = [getattr(parts, name) for name in PARTS]
    if folds > 1:
        found.append(corrected_t(fold_means(sums, layout), folds).variance)
    return np.array(found)


@given(designs(), st.randoms(use_true_random=False))
def test_the_order_of_images_seeds_and_units_does_not_matter(design, random):
    d, unit, fold_of, folds = design
    images = random.sample(range(len(unit)), len(unit))
    seeds = random.sample(range(len(d)), len(d))
    renamed = np.array(random.sample(range(100), int(unit.max()) + 1))
    turned = d[seeds][:, :, images], renamed[unit[images]], fold_of[:, images], folds
    assert estimated(*turned) == pytest.approx(estimated(*design), rel=1e-9, abs=1e-12)


@given(designs())
def test_a_pair_turned_round_has_the_opposite_difference_and_the_same_variance(design):
    d, *rest = design
    found, turned = estimated(d, *rest), estimated(-d, *rest)
    assert turned[0] == -found[0]
    assert turned[1:] == pytest.approx(found[1:], rel=1e-12)


@given(designs(), st.floats(-5, 5), st.floats(0.01, 100))
def test_a_shift_moves_the_difference_and_a_scale_scales_it(design, shift, scale):
    d, *rest = design
    found, moved = estimated(d, *rest), estimated(scale * d + shift, *rest)
    assert moved[0] == pytest.approx(scale * found[0] + shift, abs=1e-9)
    assert moved[1:] == pytest.approx(scale**2 * found[1:], rel=1e-6, abs=1e-9)


@given(designs())
def test_no_variance_is_below_that_of_units_or_of_seeds_alone(design):
    _, of_units, of_seeds, of_both, variance, *_ = estimated(*design)
    assert variance >= max(of_units, of_seeds)
    assert min(of_units, of_seeds, of_both) >= 0


@given(st.lists(st.floats(0, 1), min_size=1, max_size=30))
def test_holm_adds_keeps_the_order_and_lies_below_bonferroni(values):
    p = np.array(values)
    adjusted = holm(p)
    assert (adjusted >= p).all()
    assert (adjusted <= np.minimum(1, p * len(p)) + 1e-15).all()
    assert (np.diff(adjusted[np.argsort(p, kind="stable")]) >= 0).all()
