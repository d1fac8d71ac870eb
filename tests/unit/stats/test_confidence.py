"""The reliability diagram and the risk–coverage curve."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.special import log_softmax

from manyheads.stats.confidence import reliability, risk_coverage
from manyheads.stats.intervals import wilson
from manyheads.stats.metrics import accuracy, expected_calibration_error
from tests.unit.stats.test_calibration import honest

CHANCES = np.array([[0.88, 0.12], [0.88, 0.12], [0.62, 0.38], [0.75, 0.25]], np.float32)
LABELS = np.array([0, 1, 0, 0])


def stack_of(images: int, seeds: int = 1) -> tuple[np.ndarray, np.ndarray]:
    logits, labels = honest(images)
    noise = np.random.default_rng(1).normal(size=(seeds, *logits.shape)).astype(np.float32)
    return log_softmax(logits + noise, axis=-1), labels


def test_a_diagram_by_hand() -> None:
    found = reliability(np.log(CHANCES)[None], LABELS, 10)
    np.testing.assert_allclose(found.end, [0.7, 0.8, 0.9])
    np.testing.assert_allclose(found.confidence, [0.62, 0.75, 0.88], rtol=1e-6)
    assert found.images.tolist() == [1, 1, 2]
    assert found.accuracy.tolist() == [1, 1, 0.5]
    np.testing.assert_allclose(np.stack([found.low, found.high]), wilson([1, 1, 0.5], [1, 1, 2]))


def test_the_calibration_error_can_be_read_off() -> None:
    stack, labels = stack_of(500)
    found = reliability(stack, labels)
    gaps = np.abs(found.accuracy - found.confidence)
    expected = expected_calibration_error(stack, labels)[0]
    assert (found.images * gaps).sum() / 500 == pytest.approx(expected)


def test_bins_of_equal_mass_hold_as_many_answers_each() -> None:
    stack, labels = stack_of(600, seeds=2)
    found = reliability(stack, labels, 12, equal_mass=True)
    assert found.images == pytest.approx([50] * 12, abs=1)
    assert found.images.sum() == 600
    certain = reliability(np.log(np.full((1, 9, 2), 0.5, np.float32)), np.zeros(9, int), 5,
                          equal_mass=True)  # fmt: skip
    assert certain.images.tolist() == [9]


def test_seeds_make_nothing_surer() -> None:
    (model,), labels = stack_of(200)
    one, five = (reliability(np.stack([model] * seeds), labels) for seeds in (1, 5))
    for name in ("images", "confidence", "accuracy", "low", "high"):
        np.testing.assert_allclose(getattr(one, name), getattr(five, name))
    one, five = (risk_coverage(np.stack([model] * seeds), labels) for seeds in (1, 5))
    for name in ("threshold", "coverage", "risk", "low", "high"):
        np.testing.assert_allclose(getattr(one, name), getattr(five, name))


def test_risk_and_coverage_by_hand() -> None:
    """Of equal confidences both are answered, or neither."""
    found = risk_coverage(np.log(CHANCES)[None], LABELS)
    np.testing.assert_allclose(found.threshold, [0.88, 0.75, 0.62], rtol=1e-6)
    np.testing.assert_allclose(found.coverage, [0.5, 0.75, 1])
    np.testing.assert_allclose(found.risk, [1 / 2, 1 / 3, 1 / 4])
    np.testing.assert_allclose(np.stack([found.low, found.high]), wilson(found.risk, [2, 3, 4]))


def test_the_curve_ends_with_every_answer_given() -> None:
    stack, labels = stack_of(300, seeds=3)
    found = risk_coverage(stack, labels)
    assert found.coverage[-1] == 1
    assert found.risk[-1] == pytest.approx(1 - accuracy(stack, labels).mean())
    assert (np.diff(found.threshold) < 0).all()
    assert (np.diff(found.coverage) > 0).all()
    half = found.risk[np.searchsorted(found.coverage, 0.5)]
    assert half < found.risk[-1]
