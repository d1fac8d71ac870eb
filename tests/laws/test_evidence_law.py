"""The laws of comparisons: order does not matter, pairs turn round, Holm only ever adds."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from manyheads.stats.paired import ALPHA, Margins, decide, measure
from manyheads.stats.variances import (
    Layout,
    corrected_t,
    fold_means,
    holm,
    holm_factors,
    two_way,
    with_pseudo_units,
)

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


@pytest.mark.when_changed("statistics")
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


@given(st.lists(st.floats(0, 1), min_size=1, max_size=30), st.integers(0, 40))
def test_holm_of_a_larger_family_adjusts_by_its_factors_and_no_less(values, size):
    p = np.array(values)
    adjusted, factors = holm(p, size), holm_factors(p, size)
    assert (adjusted >= holm(p)).all()
    assert factors.max() <= max(len(p), size) * (1 + 1e-12)
    assert np.minimum(p * factors, 1) == pytest.approx(adjusted)


@given(designs())
def test_pseudo_units_shrink_a_difference_and_leave_no_variance_of_zero(design):
    d, unit, fold_of, folds = design
    layout = Layout.of(unit, fold_of, folds)
    found = two_way(layout.sums(np.sign(d)), layout)
    padded = with_pseudo_units(found, len(layout.sizes))
    assert abs(padded.difference) <= abs(found.difference)
    assert padded.of_units > 0


families = st.lists(
    st.tuples(designs(), st.sampled_from(["accuracy", "log_loss"]), st.sampled_from([0, 0, 1, 9])),
    min_size=1,
    max_size=6,
)


def measured(family, sign=1.0):
    for (d, unit, fold_of, folds), metric, shift in family:
        layout = Layout.of(unit, fold_of, folds)
        scores = np.sign(d + shift) if metric == "accuracy" else d + shift
        yield measure(metric, layout.sums(sign * scores), layout)


@pytest.mark.when_changed("statistics")
@given(families)
def test_what_is_declared_is_what_its_adjusted_interval_says(family):
    pairs = list(measured(family))
    for paired, found in zip(pairs, decide(pairs, Margins()), strict=True):
        assert found.p_holm >= found.p >= 2.0 ** (1 - paired.differing)
        excludes = not found.adjusted_low <= 0 <= found.adjusted_high
        assert excludes == (found.p_holm <= ALPHA)
        assert found.adjusted_low <= found.low <= found.high <= found.adjusted_high
        assert found.outcome in ("undecided", "equivalent") or excludes
        assert found.outcome != "equivalent" or found.p_equivalent <= ALPHA


@pytest.mark.when_changed("statistics")
@given(families)
def test_a_family_turned_round_is_decided_the_other_way(family):
    other = {"better": "worse", "worse": "better"}
    both = decide(list(measured(family)), Margins()), decide(list(measured(family, -1)), Margins())
    for found, turned in zip(*both, strict=True):
        assert turned.outcome == other.get(found.outcome, found.outcome)
        assert (turned.difference, turned.p_holm) == (-found.difference, found.p_holm)
        ends = turned.adjusted_low, turned.adjusted_high
        assert ends == pytest.approx((-found.adjusted_high, -found.adjusted_low), abs=1e-12)
