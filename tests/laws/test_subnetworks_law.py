"""Laws of subnetworks: weight scaling is the geometric mean of all of them."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import log_softmax

from manyheads.heads.head import Parameters, forward, glorot_parameters
from manyheads.heads.subnetworks import disagreement, group_means, subnetwork_probabilities

UNITS, FEATURES, CLASSES = 10, 7, 4
# All 1,024 masks of ten units: the binary digits of 0 to 1,023.
EVERY_MASK = (np.arange(2**UNITS)[:, None] >> np.arange(UNITS)) % 2 == 1


@st.composite
def heads(draw: st.DrawFn) -> Parameters:
    """A head of ten inner units with weights of any size, in double precision."""
    random = np.random.default_rng(draw(st.integers(0, 10**6)))
    scale = draw(st.sampled_from([0.1, 1.0, 10.0]))
    start = glorot_parameters(FEATURES, UNITS, CLASSES, random)
    return Parameters(*(scale * (each + random.normal(size=each.shape)) for each in start))


@given(heads(), st.floats(0, 0.95), st.integers(0, 10**6))
def test_weight_scaling_is_the_normalised_geometric_mean_of_all_subnetworks(
    head: Parameters, droprate: float, seed: int
) -> None:
    images = np.random.default_rng(seed).normal(size=(5, FEATURES))
    kept = EVERY_MASK.sum(axis=1)
    weights = (1 - droprate) ** kept * droprate ** (UNITS - kept)
    assert weights.sum() == pytest.approx(1)
    # Not through probabilities, of which the least are 0 in any precision.
    hidden = np.maximum(images @ head.inner_kernel + head.inner_bias, 0)
    logits = np.einsum("mu,iu,uc->mic", EVERY_MASK / (1 - droprate), hidden, head.kernel)
    of_masks = log_softmax(logits + head.bias, axis=-1)
    geometric = log_softmax(np.einsum("m,mic->ic", weights, of_masks), axis=-1)
    scaling = log_softmax(forward(head, images), axis=-1)
    size = np.abs(logits).max()
    np.testing.assert_allclose(geometric, scaling, rtol=0, atol=1e-13 * (1 + size) * 10)
    probabilities = subnetwork_probabilities(head, images, EVERY_MASK, droprate)
    np.testing.assert_allclose(probabilities, np.exp(of_masks), rtol=1e-9, atol=1e-12 * (1 + size))


@given(st.integers(0, 10**6), st.floats(0, 0.9))
def test_in_single_precision_it_is_so_to_single_precision(seed: int, droprate: float) -> None:
    random = np.random.default_rng(seed)
    head = glorot_parameters(FEATURES, UNITS, CLASSES, random)
    images = random.normal(size=(5, FEATURES)).astype(np.float32)
    probabilities = subnetwork_probabilities(head, images, EVERY_MASK, droprate)
    assert probabilities.dtype == np.float32
    kept = EVERY_MASK.sum(axis=1)
    weights = (1 - droprate) ** kept * droprate ** (UNITS - kept)
    mean = np.einsum("m,mic->ic", weights, np.log(probabilities.astype(np.float64)))
    geometric = log_softmax(mean, axis=-1)
    np.testing.assert_allclose(geometric, log_softmax(forward(head, images), axis=-1), atol=1e-5)


@given(st.integers(0, 10**6), st.integers(2, 9), st.integers(1, 5))
def test_an_average_of_networks_has_a_log_loss_of_at_most_their_mean(seed, networks, size) -> None:
    random = np.random.default_rng(seed)
    probabilities = random.dirichlet(np.ones(CLASSES), (networks, 6)).astype(np.float32)
    size = min(size, networks)
    means = group_means(probabilities, size)
    assert means.shape == (networks // size, 6, CLASSES)
    np.testing.assert_allclose(means.sum(axis=-1), 1, atol=1e-5)
    used = probabilities[: len(means) * size]
    assert (-np.log(means)).mean() <= (-np.log(used)).mean() + 1e-6  # Jensen


@pytest.mark.when_changed("statistics")
@given(st.integers(0, 10**6), st.integers(2, 8), st.integers(1, 6))
def test_disagreement_is_the_share_of_pairs_that_differ(seed, networks, images) -> None:
    answers = np.random.default_rng(seed).integers(0, 3, (networks, images))
    pairs = [answers[one] != answers[other] for one in range(networks) for other in range(one)]
    np.testing.assert_allclose(disagreement(answers, 3), np.mean(pairs, axis=0), atol=1e-12)
