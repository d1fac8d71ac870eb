"""Every metric is scikit-learn's, for one model and for a stack of them."""

from __future__ import annotations

import tracemalloc
import warnings
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from scipy.special import log_softmax
from sklearn import metrics as scikit_learn
from sklearn.calibration import calibration_curve

from manyheads.stats import metrics

oracle: Any = scikit_learn  # whose annotations do not hold what its documentation allows


@st.composite
def answers(draw: st.DrawFn) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Log-probabilities `[3, samples, classes]`, labels that may miss classes, and weights."""
    samples, classes = draw(st.integers(1, 30)), draw(st.integers(2, 6))
    seed = draw(st.integers(0, 2**32 - 1))
    random = np.random.default_rng(seed)
    logits = random.normal(size=(3, samples, classes)) * draw(st.sampled_from([0.0, 1.0, 3.0]))
    logits[..., 0] += draw(st.sampled_from([0.0, 12.0]))  # 12: the same answer for every image
    labels = draw(arrays.arrays(np.int64, samples, elements=st.integers(0, classes - 1)))
    weights = random.integers(1, 5, samples).astype(float)
    return log_softmax(logits, axis=-1).astype(np.float32), labels, weights


def of_scikit_learn(name: str, log_probabilities, labels, weights) -> float:
    """The metric of one model `[samples, classes]` by scikit-learn."""
    classes = np.arange(log_probabilities.shape[-1])
    answer = log_probabilities.argmax(-1)
    chances = np.exp(log_probabilities.astype(np.float64))
    chances /= chances.sum(-1, keepdims=True)  # float32 leaves 1e-7, of which it would warn
    if name == "accuracy":
        return oracle.accuracy_score(labels, answer, sample_weight=weights)
    if name == "balanced_accuracy":
        return oracle.balanced_accuracy_score(labels, answer, sample_weight=weights)
    if name == "macro_f1":
        return oracle.f1_score(
            labels, answer, average="macro", sample_weight=weights, zero_division=0
        )
    if name == "log_loss":
        return oracle.log_loss(labels, chances, sample_weight=weights, labels=classes)
    if name == "brier":
        return oracle.brier_score_loss(
            labels, chances, sample_weight=weights, labels=classes, scale_by_half=False
        )
    # It has no such error, but the bins of which it is made; a whole weight is so many samples.
    times = weights.astype(int)
    right, confidence = np.repeat(answer == labels, times), np.repeat(chances.max(-1), times)
    share, mean = calibration_curve(right, confidence, n_bins=15, pos_label=True)
    edges = np.linspace(0, 1, 16)
    counts = np.bincount(np.searchsorted(edges[1:-1], confidence))
    return float((np.abs(share - mean) * counts[counts > 0]).sum() / times.sum())


@pytest.mark.when_changed("statistics")
@pytest.mark.parametrize("name", metrics.METRICS)
@given(case=answers())
def test_a_metric_is_scikit_learns(name: str, case) -> None:
    stack, labels, weights = case
    for given_weights in (None, weights):
        found = metrics.METRICS[name](stack, labels, given_weights)
        assert found.shape == (3,)
        assert found.dtype == np.float64
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of classes without samples
            ones = np.ones(len(labels)) if given_weights is None else given_weights
            expected = [of_scikit_learn(name, model, labels, ones) for model in stack]
        np.testing.assert_allclose(found, expected, rtol=2e-5, atol=2e-6)


@pytest.mark.when_changed("statistics")
@given(case=answers())
def test_recalls_and_confusion_are_scikit_learns(case) -> None:
    stack, labels, weights = case
    classes = range(stack.shape[-1])
    for model, recalls in zip(stack, metrics.recalls(stack, labels, weights), strict=True):
        answer, confusion = model.argmax(-1), metrics.confusion(model, labels)
        assert confusion.dtype == np.int64
        np.testing.assert_array_equal(
            confusion.toarray(), oracle.confusion_matrix(labels, answer, labels=classes)
        )
        expected = oracle.recall_score(
            labels, answer, labels=classes, average=None, sample_weight=weights,
            zero_division=np.nan,
        )  # fmt: skip
        np.testing.assert_allclose(recalls, expected)


@given(case=answers())
def test_resamples_stand_in_the_weights_alone(case) -> None:
    (model, *_), labels, weights = case
    stack = np.stack([weights, np.ones(len(labels)), weights[::-1]])
    for metric in metrics.METRICS.values():
        expected = [metric(model, labels, row) for row in stack]
        np.testing.assert_allclose(metric(model, labels, stack), expected, atol=1e-12)


def test_no_metric_takes_memory_for_every_pair_of_classes() -> None:
    """A table of 10,000 by 10,000 classes has 800 MB; 20 images' answers have 0.8."""
    random = np.random.default_rng(0)
    said = random.normal(size=(20, 10_000)).astype(np.float32)
    labels = random.integers(0, 10_000, 20)
    tracemalloc.start()
    try:
        for metric in metrics.METRICS.values():
            metric(said, labels)
        found = metrics.confusion(said, labels)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 50 * said.nbytes  # 40 MB: imports of scipy.sparse are in it
    assert found.shape == (10_000, 10_000)
    assert found.sum() == 20


def test_the_brier_score_is_summed_over_classes() -> None:
    certain = np.log(np.array([[1.0, 1e-30], [1e-30, 1.0]], np.float32))
    assert metrics.brier(certain, np.array([0, 1])) == pytest.approx(0)
    assert metrics.brier(certain, np.array([1, 0])) == pytest.approx(2)


def test_a_calibration_error_by_hand() -> None:
    """Two answers of 0.9, one right; two of 0.6, both right: (0.4 + 0.4) / 2."""
    chances = np.array([[0.9, 0.1], [0.9, 0.1], [0.6, 0.4], [0.6, 0.4]], np.float32)
    labels = np.array([0, 1, 0, 0])
    error = metrics.expected_calibration_error(np.log(chances), labels)
    assert error == pytest.approx(0.4, abs=1e-6)


def test_no_images_have_no_score() -> None:
    nothing, labels = np.zeros((2, 0, 3), np.float32), np.zeros(0, np.int64)
    for metric in metrics.METRICS.values():
        assert np.isnan(metric(nothing, labels)).all()
    assert np.isnan(metrics.recalls(nothing, labels)).all()


def test_reweighting_by_hand() -> None:
    """Recalls of 1/2 and 1, shares of 3/4 and 1/4: (3/8 + 2/8)."""
    log_probabilities = np.log(np.array([[0.8, 0.2], [0.2, 0.8], [0.2, 0.8]], np.float32))
    labels = np.array([0, 0, 1])
    weights = metrics.reweighted(labels, np.array([0.75, 0.25]))
    assert metrics.accuracy(log_probabilities, labels, weights) == pytest.approx(5 / 8)
    expected = 0.75 * -(np.log(0.8) + np.log(0.2)) / 2 + 0.25 * -np.log(0.8)
    assert metrics.log_loss(log_probabilities, labels, weights) == pytest.approx(expected)


def test_a_class_without_images_leaves_its_share_to_the_others() -> None:
    log_probabilities = np.log(np.array([[0.8, 0.1, 0.1], [0.8, 0.1, 0.1]], np.float32))
    weights = metrics.reweighted(np.array([0, 1]), np.array([0.5, 0.25, 0.25]))
    found = metrics.accuracy(log_probabilities, np.array([0, 1]), weights)
    assert found == pytest.approx(2 / 3)


def test_the_parts_of_the_calibration_error_have_it_as_their_mean() -> None:
    random = np.random.default_rng(5)
    chances = random.dirichlet(np.ones(4), (3, 200))
    labels = random.integers(0, 4, 200)
    right = chances.argmax(-1) == labels
    terms = metrics.calibration_terms(chances.max(-1), right)
    expected = metrics.expected_calibration_error(np.log(chances), labels)
    np.testing.assert_allclose(terms.mean(axis=-1), expected)
