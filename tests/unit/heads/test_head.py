"""What a head is."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scipy.special import log_softmax
from scipy.special import softmax as scipy_softmax

from manyheads.errors import SettingError
from manyheads.heads.head import (
    Parameters,
    cross_entropy,
    forward,
    glorot_parameters,
    softmax,
)
from manyheads.heads.hyperparameters import Hyperparameters

EXTREME = np.array(
    [
        [0, 0, 0],
        [1e8, 1e8, 0],
        [-1e30, 0, 1e30],
        [3e38, -3e38, 0],
        [-200, -100, -300],
        [1e-30, 2e-30, 0],
    ],
    np.float32,
)


@pytest.mark.parametrize("label", [0, 1, 2])
def test_cross_entropy_is_exact_for_extreme_logits(label: int) -> None:
    labels = np.full(len(EXTREME), label)
    with np.errstate(over="ignore"):  # -3e38 - 3e38 is minus infinity, and its exponential zero
        found = cross_entropy(EXTREME, labels)
    wanted = -log_softmax(EXTREME.astype(np.float64), axis=1)[:, label]
    finite = wanted < np.finfo(np.float32).max
    assert found.dtype == np.float32
    np.testing.assert_allclose(found[finite], wanted[finite], rtol=1e-6)
    assert np.isposinf(found[~finite]).all()


def test_softmax_is_scipys_for_extreme_logits() -> None:
    with np.errstate(over="ignore"):
        found = softmax(EXTREME)
    np.testing.assert_allclose(found, scipy_softmax(EXTREME.astype(np.float64), axis=1), atol=1e-7)


def test_the_forward_pass_by_hand() -> None:
    parameters = Parameters(
        np.array([[1, -1], [2, 0]], np.float32),
        np.array([0.5, 0], np.float32),
        np.array([[1, 2, 3], [4, 5, 6]], np.float32),
        np.array([0, 0, 1], np.float32),
    )
    features = np.array([[1, 1], [-3, 0]], np.float32)
    # hidden: [[3.5, 0], [0, 3]]
    assert forward(parameters, features).tolist() == [[3.5, 7, 11.5], [12, 15, 19]]
    keep = np.array([[True, True], [True, False]])
    hidden_half = forward(parameters, features, keep=keep, droprate=0.5)
    assert hidden_half.tolist() == [[7, 14, 22], [0, 0, 1]]


def test_without_an_inner_layer_the_forward_pass_is_linear() -> None:
    parameters = glorot_parameters(4, 0, 3, np.random.default_rng(0))
    assert not parameters.has_inner
    features = np.random.default_rng(1).normal(size=(5, 4)).astype(np.float32)
    np.testing.assert_allclose(forward(parameters, features), features @ parameters.kernel)


def test_first_parameters_are_glorot_uniform() -> None:
    parameters = glorot_parameters(300, 100, 10, np.random.default_rng(0))
    for kernel in (parameters.inner_kernel, parameters.kernel):
        limit = np.sqrt(6 / sum(kernel.shape))
        assert kernel.dtype == np.float32
        assert np.abs(kernel).max() <= limit
        assert np.abs(kernel).max() > 0.98 * limit
        assert kernel.std() == pytest.approx(limit / np.sqrt(3), rel=0.05)
        assert abs(kernel.mean()) < 0.1 * limit
    assert not parameters.inner_bias.any()
    assert not parameters.bias.any()


def test_a_copy_has_memory_of_its_own() -> None:
    parameters = glorot_parameters(3, 2, 2, np.random.default_rng(0))
    copy = parameters.copy()
    copy.kernel[:] = 9
    assert not (parameters.kernel == 9).any()
    assert isinstance(copy, Parameters)


@pytest.mark.parametrize(
    "wrong",
    [
        {"droprate": 1.0},
        {"droprate": -0.1},
        {"droprate": "abc"},
        {"droprate": float("nan")},
        {"learning_rate": 0},
        {"learning_rate": -1},
        {"learning_rate": 11},
        {"learning_rate": float("inf")},
        {"size_inner": -1},
        {"size_inner": 1.5},
        {"size_inner": 100_000},
        {"size_inner": True},
    ],
)
def test_a_hyperparameter_out_of_range_is_named(wrong: dict) -> None:
    with pytest.raises(SettingError, match=f"expected `{next(iter(wrong))}`"):
        Hyperparameters(**wrong)


def test_hyperparameters_given_as_text_become_numbers() -> None:
    text: dict[str, Any] = {"learning_rate": "0.01", "size_inner": "10", "droprate": "0"}
    numbers = Hyperparameters(learning_rate=0.01, size_inner=10, droprate=0.0)
    assert Hyperparameters(**text) == numbers
