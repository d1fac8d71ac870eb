"""Laws of a head's numbers and of its randomness."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import log_softmax

from manyheads.heads.head import cross_entropy, forward, glorot_parameters, softmax
from manyheads.heads.random import SeededStreams
from tests.strategies import labelled_logits

seeds = st.integers(0, 2**31 - 1)
epochs = st.integers(1, 1000)


@given(labelled_logits(largest=1e30))
def test_probabilities_sum_to_one(case: tuple[np.ndarray, np.ndarray]) -> None:
    shares = softmax(case[0])
    assert (shares >= 0).all()
    np.testing.assert_allclose(shares.sum(axis=1), 1, rtol=1e-5)


@given(labelled_logits(largest=50), st.integers(-1000, 1000))
def test_what_is_added_to_all_logits_changes_nothing(
    case: tuple[np.ndarray, np.ndarray], shift: int
) -> None:
    logits, labels = case
    shifted = (logits + np.float32(shift)).astype(np.float32)
    exact = (shifted.astype(np.float64) - shift).astype(np.float32)  # what the shift has rounded
    np.testing.assert_allclose(softmax(shifted), softmax(exact), rtol=2e-4, atol=1e-6)
    np.testing.assert_allclose(
        cross_entropy(shifted, labels), cross_entropy(exact, labels), rtol=2e-4, atol=1e-5
    )


@given(labelled_logits(largest=1e30))
def test_the_loss_is_minus_the_logarithm_of_the_labels_share(
    case: tuple[np.ndarray, np.ndarray],
) -> None:
    logits, labels = case
    wanted = -log_softmax(logits.astype(np.float64), axis=1)[np.arange(len(labels)), labels]
    found = cross_entropy(logits, labels)
    assert (found >= 0).all()
    np.testing.assert_allclose(found, wanted, rtol=1e-5, atol=1e-6)


@given(seeds, st.floats(0, 0.95), st.integers(1, 6))
def test_a_mask_that_keeps_all_only_scales_and_one_that_keeps_none_leaves_the_bias(
    seed: int, droprate: float, units: int
) -> None:
    random = np.random.default_rng(seed)
    parameters = glorot_parameters(4, units, 3, random)
    features = random.normal(size=(5, 4)).astype(np.float32)
    plain = forward(parameters, features)
    every = forward(parameters, features, keep=np.ones((5, units), np.bool_), droprate=droprate)
    np.testing.assert_allclose(every * (1 - droprate), plain, rtol=1e-4, atol=1e-5)
    none = forward(parameters, features, keep=np.zeros((5, units), np.bool_), droprate=droprate)
    assert (none == parameters.bias).all()


@given(seeds, st.integers(0, 20), epochs, st.integers(1, 200))
def test_an_order_is_a_permutation(seed: int, fold: int, epoch: int, samples: int) -> None:
    order = SeededStreams(seed, fold).order(epoch, samples)
    assert sorted(order) == list(range(samples))
    assert (order == SeededStreams(seed, fold).order(epoch, samples)).all()


@given(seeds, epochs, st.lists(st.integers(0, 9), max_size=8), st.integers(1, 5))
def test_draws_do_not_depend_on_how_they_are_chunked(
    seed: int, epoch: int, chunks: list[int], units: int
) -> None:
    whole = SeededStreams(seed).uniforms(epoch).random((sum(chunks), units), dtype=np.float32)
    source = SeededStreams(seed).uniforms(epoch)
    parts = [source.random((chunk, units), dtype=np.float32) for chunk in chunks]
    assert b"".join(part.tobytes() for part in parts) == whole.tobytes()


@given(seeds, st.integers(0, 5), st.integers(1, 50), st.integers(0, 20), st.integers(2, 9))
def test_first_kernels_lie_within_glorots_limits(
    seed: int, fold: int, features: int, units: int, classes: int
) -> None:
    start = SeededStreams(seed, fold).initial_parameters(features, units, classes)
    assert start.inner_kernel.shape == (features, units)
    assert start.kernel.shape == (units or features, classes)
    for kernel in (start.inner_kernel, start.kernel):
        limit = np.float32(np.sqrt(6 / sum(kernel.shape)))
        assert (np.abs(kernel) <= limit).all()
