"""Random subnetworks of a head."""

from __future__ import annotations

import numpy as np
import pytest

from manyheads.heads.head import forward, glorot_parameters, softmax
from manyheads.heads.subnetworks import (
    group_means,
    log_probabilities,
    random_masks,
    subnetwork_probabilities,
)


def test_masks_are_a_heads_own_and_keep_units_at_its_rate() -> None:
    masks = random_masks(3, 1, 400, 50, 0.8)
    assert masks.mean() == pytest.approx(0.2, abs=0.01)
    np.testing.assert_array_equal(masks[:7], random_masks(3, 1, 7, 50, 0.8))
    for other in (random_masks(4, 1, 400, 50, 0.8), random_masks(3, 2, 400, 50, 0.8)):
        assert (masks != other).any()
    # At a higher rate the same draws hide more.
    assert not (random_masks(3, 1, 400, 50, 0.9) & ~masks).any()


def test_a_subnetwork_is_the_forward_pass_of_a_training_step_with_its_mask() -> None:
    random = np.random.default_rng(0)
    head = glorot_parameters(6, 9, 4, random)
    images = random.normal(size=(5, 6)).astype(np.float32)
    keep = random_masks(0, 0, 3, 9, 0.5)
    probabilities = subnetwork_probabilities(head, images, keep, 0.5)
    for mask, found in zip(keep, probabilities, strict=True):
        expected = forward(head, images, keep=np.tile(mask, (5, 1)), droprate=0.5)
        np.testing.assert_allclose(found, softmax(expected), rtol=1e-5)


def test_groups_are_disjoint_and_what_fills_none_is_left_out() -> None:
    probabilities = np.arange(5, dtype=np.float32).reshape(5, 1, 1)
    np.testing.assert_allclose(group_means(probabilities, 2).ravel(), [0.5, 2.5])


def test_a_probability_of_zero_has_a_finite_logarithm() -> None:
    found = log_probabilities(np.array([0.0, 1.0], np.float32))
    assert found == pytest.approx([-103.28, 0], abs=0.01)
