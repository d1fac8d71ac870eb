"""The law of kept predictions: half the bytes, the same predicted class, nearly the same loss."""

from __future__ import annotations

import numpy as np
from hypothesis import given

from manyheads.heads.head import compact_predictions, cross_entropy
from tests.strategies import labelled_logits


@given(labelled_logits(largest=1e4))
def test_predicted_classes_stay_and_losses_hardly_move(drawn):
    logits, labels = drawn
    kept = compact_predictions(logits)
    assert kept.dtype == np.float16
    assert np.isfinite(kept).all()
    np.testing.assert_array_equal(kept.argmax(axis=1), logits.argmax(axis=1))
    losses = -kept[np.arange(len(labels)), labels].astype(np.float64)
    # Half precision has 11 bits; below its least normal number it is 6e-8 apart.
    np.testing.assert_allclose(losses, cross_entropy(logits, labels), rtol=2**-10, atol=1.3e-7)


def test_two_classes_that_round_to_one_number_keep_their_order() -> None:
    logits = np.array([[0.0, 1e-4, 1e-4 - 1e-6], [-70000.0, 0.0, -80000.0]], np.float32)
    kept = compact_predictions(logits)
    assert kept.argmax(axis=1).tolist() == [1, 1]
    assert kept[1].tolist() == [-65504.0, 0.0, -65504.0]
