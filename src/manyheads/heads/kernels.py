"""The inner loops of the fused engine, compiled by Numba.

One call trains one head for a run of steps on one thread, without Python's lock. The layer on the
features, the wide one, is trained by the blocks of `blocks.py`: its state (kernel, two moments) is
read and written once a step, and its whole gradient never exists. The layer behind it, if there is
one, is small; its products are calls of SciPy's BLAS, which the caller holds to one thread.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import scipy.linalg.cython_blas  # noqa: F401  (loads the BLAS below before anyone limits its threads)

from manyheads.heads.blocks import compiled, descend_panels, forward_panels, transpose_panels
from manyheads.heads.vector_code import BETA_1, BETA_2, EPSILON, GAIN_1, GAIN_2


class Layer(NamedTuple):
    """A dense layer with Adam's two moments of each array.

    The kernel of the wide layer is `[panels, units, PANEL]`, that of the one behind it
    `[units, classes]`; without an inner layer the wide one has a unit for each class, and the
    other none.
    """

    kernel: np.ndarray
    bias: np.ndarray
    kernel_first: np.ndarray
    kernel_second: np.ndarray
    bias_first: np.ndarray
    bias_second: np.ndarray


class Workspace(NamedTuple):
    """What a step needs beside the parameters, allocated once a head.

    The samples of a batch are `padded` to whole vectors; what is beyond them shapes no result.
    """

    rows: np.ndarray  # [panels, padded, PANEL]: the features of a batch
    columns: np.ndarray  # [panels, PANEL, padded]: the same, transposed
    wide: np.ndarray  # [units, padded]: the wide layer's output, then its gradient
    wide_part: np.ndarray  # [units, padded]
    logits: np.ndarray  # [padded, classes]: logits, then their gradient
    gradient: np.ndarray  # [GRADIENT]: of a block of the wide kernel
    small_gradient: np.ndarray  # [units, classes]: of the kernel behind


@compiled
def train_steps(
    matrix, rows, labels, uniforms, batch_size, droprate, learning_rate, step, wide, small, work
):
    """Train a head on `rows` of `matrix`, a batch a step; returns each step's losses and hits.

    `rows`, `labels` `[samples]` in visiting order; `uniforms` `[samples, units]` for the masks;
    `step` is how many steps came before. `wide` and `small` are updated in place. Returns the
    mean loss `[steps]` in nats and the number of samples classified right `[steps]`.
    """
    samples, has_inner = rows.size, small.bias.size > 0
    steps = (samples + batch_size - 1) // batch_size
    losses, hits = np.empty(steps, np.float64), np.empty(steps, np.int64)
    for k in range(steps):
        start = k * batch_size
        n = min(batch_size, samples - start)
        _gather(matrix, rows[start : start + n], work)
        _forward_wide(wide, n, work)
        if has_inner:
            _relu_dropout(work.wide, uniforms[start : start + n], droprate)
            np.dot(work.wide.T, small.kernel, work.logits)
            work.logits[:n] += small.bias
        else:
            work.logits[:n] = work.wide[:, :n].T
        losses[k], hits[k] = _loss_and_gradient(work.logits, labels[start : start + n])

        alpha = _step_size(learning_rate, step + k + 1)
        if has_inner:
            work.logits[n:] = 0
            np.dot(work.wide, work.logits, work.small_gradient)
            np.dot(small.kernel, work.logits.T, work.wide_part)
            _back_through(work.wide, work.wide_part, n, droprate)
            _adam_all(small.kernel, work.small_gradient, small, alpha)
            _adam(
                small.bias, work.logits[:n].sum(axis=0), small.bias_first, small.bias_second, alpha
            )
        else:
            work.wide[:, :n] = work.logits[:n].T
        descend_panels(
            work.wide, work.rows, n,
            wide.kernel, wide.kernel_first, wide.kernel_second, alpha, work.gradient,
        )  # fmt: skip
        _adam(wide.bias, _row_sums(work.wide, n), wide.bias_first, wide.bias_second, alpha)
    return losses, hits


@compiled
def logits_of(matrix, rows, batch_size, wide, small, work):
    """The head's logits `[rows, classes]` with nothing hidden."""
    has_inner = small.bias.size > 0
    out = np.empty((rows.size, work.logits.shape[1]), np.float32)
    for start in range(0, rows.size, batch_size):
        n = min(batch_size, rows.size - start)
        _gather(matrix, rows[start : start + n], work)
        _forward_wide(wide, n, work)
        if has_inner:
            np.dot(np.maximum(work.wide, np.float32(0)).T, small.kernel, work.logits)
            out[start : start + n] = work.logits[:n] + small.bias
        else:
            out[start : start + n] = work.wide[:, :n].T
    return out


@compiled
def _gather(matrix, rows, work):
    panels, _, width = work.rows.shape
    for i in range(rows.size):
        row = matrix[rows[i]]
        for panel in range(panels):
            start = panel * width
            for f in range(min(width, row.size - start)):
                work.rows[panel, i, f] = row[start + f]
    transpose_panels(work.rows, rows.size, work.columns)


@compiled
def _forward_wide(layer, n, work):
    work.wide[:] = 0
    forward_panels(layer.kernel, work.columns, n, work.wide)
    for unit in range(layer.bias.size):
        work.wide[unit, :n] += layer.bias[unit]
        work.wide[unit, n:] = 0


@compiled
def _relu_dropout(inner, uniforms, droprate):
    scale, rate = np.float32(1 / (1 - droprate)), np.float32(droprate)
    zero = np.float32(0)
    for j in range(uniforms.shape[1]):
        for i in range(uniforms.shape[0]):
            # Asked this way round, a NaN stays one and ends the head; it must not become a zero.
            hidden = inner[j, i] <= zero or uniforms[i, j] < rate
            inner[j, i] = zero if hidden else inner[j, i] * scale


@compiled
def _back_through(inner, gradient, n, droprate):
    """Overwrite the inner layer's output by the gradient at its input: zero where it was zero."""
    scale = np.float32(1 / (1 - droprate))
    zero = np.float32(0)
    for j in range(inner.shape[0]):
        for i in range(n):
            inner[j, i] = gradient[j, i] * scale if inner[j, i] > zero else zero


@compiled
def _row_sums(array, n):
    sums = np.zeros(array.shape[0], np.float32)
    for j in range(array.shape[0]):
        for i in range(n):
            sums[j] += array[j, i]
    return sums


@compiled
def _loss_and_gradient(logits, labels):
    """The mean cross-entropy and the hits of a batch; `logits` become their gradient."""
    n, classes = labels.size, logits.shape[1]
    total, hits = 0.0, 0
    for i in range(n):
        row, label = logits[i], labels[i]
        best = 0
        for j in range(1, classes):
            if row[j] > row[best]:
                best = j
        hits += best == label
        top, own = row[best], row[label]
        sum_ = np.float32(0)
        for j in range(classes):
            row[j] = np.exp(row[j] - top)
            sum_ += row[j]
        total += np.log(sum_) + (top - own)
        for j in range(classes):
            row[j] = (row[j] / sum_ - np.float32(j == label)) / np.float32(n)
    return total / n, hits


@compiled
def _adam_all(kernel, gradient, layer, alpha):
    _adam(
        kernel.ravel(),
        gradient.ravel(),
        layer.kernel_first.ravel(),
        layer.kernel_second.ravel(),
        alpha,
    )


@compiled
def _step_size(learning_rate, t):
    """`learning_rate · √(1 − β₂ᵗ) / (1 − β₁ᵗ)`, rounded to float32 where Keras rounds it."""
    one, power = np.float32(1), np.float32(t)
    return np.float32(learning_rate) * np.sqrt(one - BETA_2**power) / (one - BETA_1**power)


@compiled
def _adam(weights, gradient, first, second, alpha):
    """Adam in place (Kingma and Ba 2015, section 2, epsilon where Keras puts it), flat arrays.

    `m += (g − m)(1 − β₁);  v += (g² − v)(1 − β₂);  w −= α m / (√v + ε)`, with the step size `α`.
    """
    for i in range(weights.size):
        g = gradient[i]
        m = first[i] + (g - first[i]) * GAIN_1
        v = second[i] + (g * g - second[i]) * GAIN_2
        first[i] = m
        second[i] = v
        weights[i] -= m * alpha / (np.sqrt(v) + EPSILON)
