"""The inner loops of the fused engine, compiled by Numba.

One call trains one head for a run of steps on one thread, without Python's lock. The gradient of
a kernel is formed a tile of rows at a time, and Adam is applied to that tile while it is still in
the nearest cache: the state of a head (kernel, two moments) is read and written once a step, and
its whole gradient never exists. Products are calls of SciPy's BLAS, which the caller holds to one
thread.

Features beyond the last whole tile are padded with zeros. A padded row of a kernel starts at zero
and its gradient is zero, so Adam leaves it there.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import scipy.linalg.cython_blas  # noqa: F401  (loads the BLAS below before anyone limits its threads)
from numba import njit

BETA_1 = np.float32(0.9)
BETA_2 = np.float32(0.999)
EPSILON = np.float32(1e-7)
TILE = 512

compiled = njit(nogil=True, cache=True, error_model="numpy")


class Layer(NamedTuple):
    """A dense layer with Adam's two moments of each array; kernels are `[padded inputs, units]`."""

    kernel: np.ndarray
    bias: np.ndarray
    kernel_first: np.ndarray
    kernel_second: np.ndarray
    bias_first: np.ndarray
    bias_second: np.ndarray


class Workspace(NamedTuple):
    """What a step needs beside the parameters, allocated once a head; `batch` rows each."""

    tiles: np.ndarray  # [tiles, batch, tile width]
    inner: np.ndarray  # [batch, units]: the inner layer's output, then its gradient
    inner_part: np.ndarray  # [batch, units]
    logits: np.ndarray  # [batch, classes]: logits, then their gradient
    logits_part: np.ndarray  # [batch, classes]
    inner_gradient: np.ndarray  # [tile width, units]
    outer_gradient: np.ndarray  # [tile width or units, classes]


@compiled
def train_steps(
    matrix, rows, labels, uniforms, batch_size, droprate, learning_rate, step, inner, outer, work
):
    """Train a head on `rows` of `matrix`, a batch a step; returns each step's losses and hits.

    `rows`, `labels` `[samples]` in visiting order; `uniforms` `[samples, units]` for the masks;
    `step` is how many steps came before. `inner` and `outer` are updated in place. Returns the
    mean loss `[steps]` in nats and the number of samples classified right `[steps]`.
    """
    samples, units = rows.size, inner.bias.size
    steps = (samples + batch_size - 1) // batch_size
    losses, hits = np.empty(steps, np.float64), np.empty(steps, np.int64)
    for k in range(steps):
        start = k * batch_size
        n = min(batch_size, samples - start)
        _gather(matrix, rows[start : start + n], work.tiles)
        if units:
            _dense(work.tiles, inner.kernel, inner.bias, n, work.inner, work.inner_part)
            _relu_dropout(work.inner, uniforms[start : start + n], droprate)
            np.dot(work.inner[:n], outer.kernel, work.logits[:n])
            work.logits[:n] += outer.bias
        else:
            _dense(work.tiles, outer.kernel, outer.bias, n, work.logits, work.logits_part)
        losses[k], hits[k] = _loss_and_gradient(work.logits, labels[start : start + n])

        alpha = _step_size(learning_rate, step + k + 1)
        if units:
            np.dot(work.inner[:n].T, work.logits[:n], work.outer_gradient)
            np.dot(work.logits[:n], outer.kernel.T, work.inner_part[:n])
            _back_through(work.inner, work.inner_part, n, droprate)
            _adam_all(outer.kernel, work.outer_gradient, outer, alpha)
            _descend_by_tiles(work.tiles, work.inner, n, inner, work.inner_gradient, alpha)
            _descend_bias(inner, work.inner, n, alpha)
        else:
            _descend_by_tiles(work.tiles, work.logits, n, outer, work.outer_gradient, alpha)
        _descend_bias(outer, work.logits, n, alpha)
    return losses, hits


@compiled
def logits_of(matrix, rows, batch_size, inner, outer, work):
    """The head's logits `[rows, classes]` with nothing hidden."""
    units = inner.bias.size
    out = np.empty((rows.size, outer.bias.size), np.float32)
    for start in range(0, rows.size, batch_size):
        n = min(batch_size, rows.size - start)
        _gather(matrix, rows[start : start + n], work.tiles)
        if units:
            _dense(work.tiles, inner.kernel, inner.bias, n, work.inner, work.inner_part)
            work.inner[:n] = np.maximum(work.inner[:n], np.float32(0))
            np.dot(work.inner[:n], outer.kernel, out[start : start + n])
            out[start : start + n] += outer.bias
        else:
            _dense(work.tiles, outer.kernel, outer.bias, n, work.logits, work.logits_part)
            out[start : start + n] = work.logits[:n]
    return out


@compiled
def _gather(matrix, rows, tiles):
    width = tiles.shape[2]
    for i in range(rows.size):
        row = matrix[rows[i]]
        for tile in range(tiles.shape[0]):
            start = tile * width
            length = min(width, row.size - start)
            tiles[tile, i, :length] = row[start : start + length]


@compiled
def _dense(tiles, kernel, bias, n, out, part):
    width = tiles.shape[2]
    np.dot(tiles[0, :n], kernel[:width], out[:n])
    for tile in range(1, tiles.shape[0]):
        np.dot(tiles[tile, :n], kernel[tile * width : (tile + 1) * width], part[:n])
        out[:n] += part[:n]
    out[:n] += bias


@compiled
def _relu_dropout(inner, uniforms, droprate):
    scale, rate = np.float32(1 / (1 - droprate)), np.float32(droprate)
    zero = np.float32(0)
    for i in range(uniforms.shape[0]):
        for j in range(uniforms.shape[1]):
            # Asked this way round, a NaN stays one and ends the head; it must not become a zero.
            hidden = inner[i, j] <= zero or uniforms[i, j] < rate
            inner[i, j] = zero if hidden else inner[i, j] * scale


@compiled
def _back_through(inner, gradient, n, droprate):
    """Overwrite the inner layer's output by the gradient at its input: zero where it was zero."""
    scale = np.float32(1 / (1 - droprate))
    zero = np.float32(0)
    for i in range(n):
        for j in range(inner.shape[1]):
            inner[i, j] = gradient[i, j] * scale if inner[i, j] > zero else zero


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
def _descend_by_tiles(tiles, delta, n, layer, gradient, alpha):
    width = tiles.shape[2]
    for tile in range(tiles.shape[0]):
        rows = slice(tile * width, (tile + 1) * width)
        np.dot(tiles[tile, :n].T, delta[:n], gradient)
        _adam(
            layer.kernel[rows].ravel(),
            gradient.ravel(),
            layer.kernel_first[rows].ravel(),
            layer.kernel_second[rows].ravel(),
            alpha,
        )


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
def _descend_bias(layer, delta, n, alpha):
    _adam(layer.bias, delta[:n].sum(axis=0), layer.bias_first, layer.bias_second, alpha)


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
    gain_1, gain_2 = np.float32(1 - 0.9), np.float32(1 - 0.999)
    for i in range(weights.size):
        g = gradient[i]
        m = first[i] + (g - first[i]) * gain_1
        v = second[i] + (g * g - second[i]) * gain_2
        first[i] = m
        second[i] = v
        weights[i] -= m * alpha / (np.sqrt(v) + EPSILON)
