"""Temperature scaling: it finds what was planted, and is judged by what it has not seen."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import expit, log_softmax, softmax

from manyheads.errors import DataError
from manyheads.stats import metrics
from manyheads.stats.calibration import (
    HIGHEST,
    LOWEST,
    calibrate,
    cross_fitting_folds,
    fit_label_temperature,
    fit_temperature,
    scaled,
)
from manyheads.stats.label_metrics import image_log_loss


def honest(images: int, classes: int = 4, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Log-probabilities, and labels drawn from just these."""
    random = np.random.default_rng(seed)
    logits = log_softmax(2 * random.normal(size=(images, classes)), axis=1).astype(np.float32)
    ends = softmax(logits, axis=1).cumsum(axis=1)
    labels = (random.random((images, 1)) > ends[:, :-1]).sum(axis=1)
    return logits, labels


@pytest.mark.parametrize("planted", [0.2, 0.7, 1.0, 3.0, 9.0])
def test_a_planted_temperature_is_found(planted: float) -> None:
    logits, labels = honest(20_000)
    found = fit_temperature(log_softmax(logits * np.float32(planted), axis=1), labels)
    assert found == pytest.approx(planted, rel=0.05)
    assert found == pytest.approx(planted * fit_temperature(logits, labels), rel=1e-4)


@given(st.integers(0, 1000))
def test_no_other_temperature_has_less_loss(seed: int) -> None:
    logits, labels = honest(25, seed=seed)
    found = fit_temperature(logits, labels)
    assert LOWEST <= found <= HIGHEST
    others = np.geomspace(LOWEST, HIGHEST, 50)
    losses = [metrics.log_loss(scaled(logits, float(t)), labels) for t in (found, *others)]
    assert losses[0] <= min(losses) + 1e-6


def test_one_temperature_of_all_labels_has_the_least_cross_entropy() -> None:
    random = np.random.default_rng(0)
    log_odds = random.normal(-1, 2, (400, 5)).astype(np.float32)
    targets = random.random((400, 5)) < expit(log_odds)
    assert fit_label_temperature(3 * log_odds, targets) == pytest.approx(3, rel=0.15)
    found = fit_label_temperature(log_odds, targets)
    losses = {
        factor: image_log_loss(log_odds / np.float32(found * factor), targets).mean()
        for factor in (0.98, 1.0, 1.02)
    }
    assert min(losses, key=losses.__getitem__) == 1.0


def test_labels_that_are_told_apart_or_not_at_all_have_a_bounded_temperature() -> None:
    targets = np.arange(40).reshape(20, 2) % 3 == 0
    sure = np.where(targets, 500, -500).astype(np.float32)
    assert fit_label_temperature(sure, targets) == LOWEST
    assert fit_label_temperature(-sure, targets) == HIGHEST
    assert fit_label_temperature(np.zeros((20, 2), np.float32), targets) == LOWEST


def test_a_weight_of_two_is_an_image_twice() -> None:
    logits, labels = honest(200)
    weights = 1 + np.arange(200) % 3
    repeated = np.repeat(np.arange(200), weights)
    assert fit_temperature(logits, labels, weights.astype(np.float64)) == pytest.approx(
        fit_temperature(logits[repeated], labels[repeated]), rel=1e-8
    )


def test_images_that_are_told_apart_have_a_bounded_temperature() -> None:
    labels = np.arange(30) % 3
    apart = np.float32(5) * np.eye(3, dtype=np.float32)[labels]
    assert fit_temperature(apart, labels) == LOWEST
    assert fit_temperature(apart, (labels + 1) % 3) == HIGHEST  # knows less than nothing
    assert fit_temperature(np.zeros((30, 3), np.float32), labels) in (LOWEST, HIGHEST)
    found = calibrate(apart[None], labels, np.arange(30))
    for value in (found.log_loss_after, found.ece_after, found.log_probabilities):
        assert np.isfinite(value).all()


def test_enormous_logits_do_not_overflow() -> None:
    logits, labels = honest(50)
    found = fit_temperature(logits * np.float32(1e36), labels)
    assert found == HIGHEST


def test_over_confidence_is_taken_back_for_each_seed_by_itself() -> None:
    logits, labels = honest(3000)
    stack = log_softmax(np.stack([logits * 4, logits]), axis=-1).astype(np.float32)
    found = calibrate(stack, labels, np.arange(3000))
    assert found.temperatures == pytest.approx([4, 1], rel=0.1)
    assert found.fold_temperatures.shape == (2, 10)
    assert found.fold_temperatures == pytest.approx(np.tile([[4], [1]], 10), rel=0.1)
    assert found.log_loss_after[0] < found.log_loss_before[0] - 0.3
    assert found.ece_after[0] < found.ece_before[0] / 3
    assert found.log_loss_after[1] == pytest.approx(found.log_loss_before[1], abs=0.002)
    predicted = metrics.predicted(found.log_probabilities)
    np.testing.assert_array_equal(predicted, metrics.predicted(stack))


def test_an_image_is_scaled_by_a_temperature_that_has_not_seen_its_unit() -> None:
    logits, labels = honest(60)
    units = np.repeat(np.arange(20), 3)
    before = calibrate(logits[None], labels, units)
    changed = labels.copy()
    changed[units == 7] = (changed[units == 7] + 1) % 4
    after = calibrate(logits[None], changed, units)
    own = units == 7
    np.testing.assert_array_equal(after.log_probabilities[:, own], before.log_probabilities[:, own])
    differing = after.log_probabilities != before.log_probabilities
    assert set(cross_fitting_folds(units)[differing.any(axis=(0, 2))]) == set(range(10)) - {
        *cross_fitting_folds(units)[own]
    }


def test_noise_is_not_calibrated_into_sense() -> None:
    """Fitted and judged on the same images, scaling could only gain; cross-fitted, it may lose."""
    gains = []
    for seed in range(20):
        logits, labels = honest(12, seed=seed)
        found = calibrate(logits[None], labels, np.arange(12))
        together = scaled(logits, found.temperatures[0])
        gains.append(found.log_loss_before[0] - found.log_loss_after[0])
        assert metrics.log_loss(together, labels) <= found.log_loss_before[0] + 1e-6
    assert min(gains) < 0


@given(st.lists(st.integers(0, 15), min_size=2, max_size=60), st.integers(0, 9))
def test_dealing_tears_no_unit_and_leaves_no_fold_empty(units: list[int], seed: int) -> None:
    if len(set(units)) < 2:
        with pytest.raises(DataError, match="two units or more to calibrate on, found 1; add"):
            cross_fitting_folds(np.array(units), seed)
        return
    folds = cross_fitting_folds(np.array(units), seed)
    assert len(set(zip(units, folds.tolist(), strict=True))) == len(set(units))
    assert set(folds.tolist()) == set(range(min(10, len(set(units)))))
    sizes = np.bincount([fold for _, fold in set(zip(units, folds.tolist(), strict=True))])
    assert sizes.max() - sizes.min() <= 1
