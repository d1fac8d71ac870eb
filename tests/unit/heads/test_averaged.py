"""A wide head says what its parts say on average."""

from __future__ import annotations

import numpy as np
import pytest

from manyheads.heads.averaged import averaged
from manyheads.heads.head import Parameters, forward, glorot_parameters


def _heads(count: int, size_inner: int) -> list[Parameters]:
    random = np.random.default_rng(1)
    heads = [glorot_parameters(12, size_inner, 4, random) for _ in range(count)]
    return [
        head._replace(
            inner_bias=random.normal(size=size_inner).astype(np.float32),
            bias=random.normal(size=4).astype(np.float32),
        )
        for head in heads
    ]


@pytest.mark.parametrize("size_inner", [0, 7])
@pytest.mark.parametrize("count", [1, 2, 8])
def test_its_logits_are_the_mean_at_a_temperature(count: int, size_inner: int) -> None:
    heads = _heads(count, size_inner)
    features = np.random.default_rng(2).normal(size=(20, 12)).astype(np.float32)
    mean = np.mean([forward(head, features).astype(np.float64) for head in heads], axis=0)
    found = forward(averaged(heads, 1.7), features)
    np.testing.assert_allclose(found, mean / 1.7, atol=2e-6)
    assert averaged(heads).inner_bias.shape == (count * size_inner,)


def test_one_head_alone_stays_as_it_is() -> None:
    (head,) = _heads(1, 5)
    for mine, its in zip(averaged([head]), head, strict=True):
        np.testing.assert_array_equal(mine, its)
        assert mine.dtype == np.float32
