"""The compiled inner loops, one by one where an engine's results would hide a fault."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.special import log_softmax, softmax

from manyheads.heads.fused import kernels


def test_loss_and_gradient_of_extreme_logits() -> None:
    logits = np.array([[1e8, 1e8, 0], [-1e30, 0, 5], [3, 3, 3], [80, -80, 81]], np.float32)
    labels = np.array([1, 2, 0, 0])
    double = logits.astype(np.float64)
    shares = softmax(double, axis=1) - np.eye(3)[labels]
    columns = np.ascontiguousarray(logits.T)
    ones = np.ones(4, np.float32)
    alone = labels, labels, ones, ones, np.float32(0)
    loss, hits = kernels._loss_and_gradient(columns, *alone)
    assert loss == pytest.approx(-log_softmax(double, axis=1)[np.arange(4), labels].mean())
    assert hits == 2  # of equal logits the first is the answer: right in row 2, wrong in row 0
    np.testing.assert_allclose(columns.T, shares / 4, atol=1e-7)


@pytest.mark.parametrize("t", [1, 2, 3, 10, 1000, 100_000])
def test_the_step_size_is_rounded_where_keras_rounds_it(t: int) -> None:
    """Exact to 1e-4 only: 1 − β₂ᵗ loses digits in float32, and Keras loses the same."""
    exact = 0.001 * np.sqrt(1 - 0.999**t) / (1 - 0.9**t)
    one, power = np.float32(1), np.float32(t)
    keras = np.float32(0.001) * np.sqrt(one - np.float32(0.999) ** power)
    keras /= one - np.float32(0.9) ** power
    found = kernels._step_size(0.001, t)
    assert found == pytest.approx(keras, rel=1e-7 if t == 1 else 5e-5 / t + 5e-7)
    assert found == pytest.approx(exact, rel=1e-4)


def test_relu_and_dropout_hide_scale_and_pass_on_what_is_no_number() -> None:
    inner = np.array([[2], [2], [-1], [np.nan], [0]], np.float32)
    draws = np.array([[0.3, 0.1, 0.9, 0.9, 0.9]], np.float32)
    kernels._relu_dropout(inner, draws, 0.2)
    np.testing.assert_array_equal(inner.T, np.array([[2.5, 0, 0, np.nan, 0]], np.float32))


def test_adam_moves_by_the_formula() -> None:
    random = np.random.default_rng(0)
    weights, gradient = random.normal(size=(2, 50)).astype(np.float32)
    first, second = (random.random((2, 50)) * 0.1).astype(np.float32)
    wanted_first = first + 0.1 * (gradient.astype(np.float64) - first)
    wanted_second = second + 0.001 * (gradient.astype(np.float64) ** 2 - second)
    wanted = weights - 0.01 * wanted_first / (np.sqrt(wanted_second) + 1e-7)
    kernels._adam(weights, gradient, first, second, np.float32(0.01))
    np.testing.assert_allclose(first, wanted_first, rtol=1e-5, atol=1e-8)
    np.testing.assert_allclose(second, wanted_second, rtol=1e-5)
    np.testing.assert_allclose(weights, wanted, rtol=1e-5, atol=1e-7)


def test_loss_and_gradient_of_mixed_and_smoothed_targets() -> None:
    random = np.random.default_rng(0)
    logits = random.normal(size=(6, 4)).astype(np.float32)
    labels, partners = random.integers(0, 4, (2, 6))
    shares = random.uniform(0.5, 1, 6).astype(np.float32)
    shares[0] = 1
    targets = shares[:, None] * np.eye(4)[labels] + (1 - shares[:, None]) * np.eye(4)[partners]
    targets = 0.9 * targets + 0.1 / 4
    double = logits.astype(np.float64)
    columns = np.ascontiguousarray(logits.T)
    weights = np.array([1, 2, 0, 0.5, 1, 3], np.float32)
    loss, hits = kernels._loss_and_gradient(
        columns, labels, partners, shares, weights, np.float32(0.1)
    )
    losses = -(targets * log_softmax(double, axis=1)).sum(axis=1)
    assert loss == pytest.approx((weights * losses).mean())
    assert hits == (logits.argmax(axis=1) == labels).sum()
    wanted = weights[:, None] * (softmax(double, axis=1) - targets) / 6
    np.testing.assert_allclose(columns.T, wanted, atol=2e-7)


def test_norms_are_bounded_by_units() -> None:
    kernel = np.random.default_rng(0).normal(size=(3, 5, 8)).astype(np.float32)
    kernel[:, 2] *= 0.01
    before = kernel.copy()
    kernels._bound_norms(kernel, np.float32(2))
    norms = np.sqrt((kernel.astype(np.float64) ** 2).sum(axis=(0, 2)))
    np.testing.assert_allclose(norms[[0, 1, 3, 4]], 2, rtol=1e-6)
    np.testing.assert_allclose(kernel[:, 2], before[:, 2], rtol=1e-5)
