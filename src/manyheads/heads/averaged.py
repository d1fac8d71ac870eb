"""Several heads as a single wide one, which answers what they answer on average."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from manyheads.heads.head import Parameters


def averaged(heads: Sequence[Parameters], temperature: float = 1.0) -> Parameters:
    """A head with the mean of the logits of `heads`, divided by `temperature`.

    The inner units of all K stand side by side; the kernels of their last layers stand one below
    the other, divided by K·T, and the biases are the mean divided by T. A mean of logits is the
    normalised geometric mean of probabilities (Hinton et al. 2012 take it of dropout's networks).
    The heads are of one shape, and at least one.
    """
    # In float64, so that the one rounding is that of the result.
    share = 1.0 / (len(heads) * temperature)
    bias = np.sum([head.bias for head in heads], axis=0, dtype=np.float64) * share
    if heads[0].has_inner:
        kernel = np.concatenate([head.kernel for head in heads]).astype(np.float64) * share
    else:
        kernel = np.sum([head.kernel for head in heads], axis=0, dtype=np.float64) * share
    return Parameters(
        inner_kernel=np.concatenate([head.inner_kernel for head in heads], axis=1),
        inner_bias=np.concatenate([head.inner_bias for head in heads]),
        kernel=kernel.astype(np.float32),
        bias=bias.astype(np.float32),
    )
