"""The inner loops of the fused engine, compiled by Numba.

One call trains one head for a run of steps on one thread, without Python's lock. A layer's state
(kernel, two moments) is read and written once a step, and its whole gradient never exists: see
`blocks.py`, whose layouts are used here.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from manyheads.heads.fused.blocks import (
    Descent,
    back_panels,
    compiled,
    descend_panels,
    forward_panels,
    transpose_panels,
)
from manyheads.heads.fused.vector_code import BETA_1, BETA_2, EPSILON, GAIN_1, GAIN_2


class Layer(NamedTuple):
    """A dense layer with Adam's two moments of each array; kernels are `[panels, units, PANEL]`.

    SGD keeps its velocity in the first moment.
    """

    kernel: np.ndarray
    bias: np.ndarray
    kernel_first: np.ndarray
    kernel_second: np.ndarray
    bias_first: np.ndarray
    bias_second: np.ndarray


class Samples(NamedTuple):
    """A run of training samples in visiting order, as `inputs.Shown` describes them."""

    matrix: np.ndarray
    rows: np.ndarray
    labels: np.ndarray
    partners: np.ndarray
    shares: np.ndarray
    weights: np.ndarray
    label_sets: np.ndarray  # float32 [sets, labels]; of one class a sample, of no sets


class Rules(NamedTuple):
    """How a head is trained: float64, but for `batch_size` and the last two; `max_norm` 0: none."""

    batch_size: int
    droprate: float
    smoothing: float
    l2: float
    decay: float
    max_norm: float
    momentum: float
    sgd: bool
    several_labels: bool


class Workspace(NamedTuple):
    """What a step needs beside the parameters, allocated once a head.

    The inner layer's units, as inputs of the outer one, are padded to whole panels with zeros.
    """

    rows: np.ndarray  # [panels, padded, PANEL]: the features of a batch
    columns: np.ndarray  # [panels, PANEL, padded]: the same, transposed
    hidden: np.ndarray  # [panels, PANEL, padded]: the inner layer's output, then its gradient
    hidden_flat: np.ndarray  # [units of all panels, padded]: the same memory
    hidden_part: np.ndarray  # [panels, PANEL, padded]
    hidden_part_flat: np.ndarray  # [units of all panels, padded]: the same memory
    hidden_rows: np.ndarray  # [panels, padded, PANEL]
    logits: np.ndarray  # [classes, padded]: logits, then their gradient
    gradient: np.ndarray  # [GRADIENT]: of a block of a kernel


@compiled
def train_steps(samples, uniforms, rules, learning_rates, step, inner, outer, work):
    """Train a head on `samples`, a batch a step; returns each step's losses and hits.

    `uniforms` `[samples, units]` are for the masks, `learning_rates` `[steps]` for the steps, and
    `step` is how many came before. `inner` (of no units, if there is none) and `outer` are updated
    in place. Returns the mean weighted loss `[steps]` in nats, without what L2 adds, and the number
    of samples classified right `[steps]`, or of several labels that of the labels told right.
    """
    units, batch_size = inner.bias.size, rules.batch_size
    losses, hits = (
        np.empty(learning_rates.size, np.float64),
        np.empty(learning_rates.size, np.int64),
    )
    for k in range(learning_rates.size):
        start = k * batch_size
        n = min(batch_size, samples.rows.size - start)
        part = slice(start, start + n)
        # Forward. Samples lie side by side in columns, one in each lane of a vector, so that no sum
        # crosses lanes, and what a sample gives does not depend on the others of its batch.
        _gather(samples.matrix, samples.rows[part], work)
        if units:
            _forward(inner, work.columns, n, work.hidden_flat)
            _relu_dropout(work.hidden_flat, uniforms[part], rules.droprate)
            _forward(outer, work.hidden, n, work.logits)
        else:
            _forward(outer, work.columns, n, work.logits)
        if rules.several_labels:
            losses[k], hits[k] = _binary_loss_and_gradient(
                work.logits, samples.label_sets, samples.labels[part], samples.partners[part],
                samples.shares[part], samples.weights[part], np.float32(rules.smoothing),
            )  # fmt: skip
        else:
            losses[k], hits[k] = _loss_and_gradient(
                work.logits, samples.labels[part], samples.partners[part], samples.shares[part],
                samples.weights[part], np.float32(rules.smoothing),
            )  # fmt: skip

        # Backward, and descent, in this order. The inner layer's gradient comes first, for it needs
        # the outer kernel as the logits were made with it. Then the outer layer's inputs are set
        # aside, sample by sample, because `_back_through` overwrites them by that gradient.
        descent = _descent(rules, learning_rates[k], step + k + 1)
        if units:
            work.hidden_part[:] = 0
            back_panels(outer.kernel, work.logits, n, work.hidden_part)
            transpose_panels(work.hidden, work.hidden_rows)
            _back_through(work.hidden_flat, work.hidden_part_flat, units, n, rules.droprate)
            # Each forms the gradient of a block of its kernel and applies it at once.
            _descend(outer, work.logits, work.hidden_rows, n, descent, work.gradient)
            _descend(inner, work.hidden_flat, work.rows, n, descent, work.gradient)
            if rules.max_norm > 0:
                _bound_norms(inner.kernel, np.float32(rules.max_norm))
        else:
            _descend(outer, work.logits, work.rows, n, descent, work.gradient)
    return losses, hits


@compiled
def logits_of(matrix, rows, batch_size, inner, outer, work):
    """The head's logits `[rows, classes]` with nothing hidden."""
    units = inner.bias.size
    out = np.empty((rows.size, outer.bias.size), np.float32)
    for start in range(0, rows.size, batch_size):
        n = min(batch_size, rows.size - start)
        _gather(matrix, rows[start : start + n], work)
        if units:
            _forward(inner, work.columns, n, work.hidden_flat)
            _relu(work.hidden_flat, units, n)
            _forward(outer, work.hidden, n, work.logits)
        else:
            _forward(outer, work.columns, n, work.logits)
        for i in range(n):
            for j in range(out.shape[1]):
                out[start + i, j] = work.logits[j, i]
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
    transpose_panels(work.rows, work.columns)


@compiled
def _forward(layer, columns, n, out):
    units = layer.bias.size
    out[:units] = 0
    forward_panels(layer.kernel, columns, n, out)
    for unit in range(units):
        for i in range(n):
            out[unit, i] += layer.bias[unit]


@compiled
def _descent(rules, learning_rate, t):
    """The numbers of step `t`, counted from 1."""
    size = np.float32(learning_rate) if rules.sgd else _step_size(learning_rate, t)
    return Descent(
        size, np.float32(learning_rate), np.float32(rules.momentum), np.float32(2 * rules.l2),
        np.float32(rules.decay), rules.sgd,
    )  # fmt: skip


@compiled
def _descend(layer, delta, rows, n, descent, gradient):
    descend_panels(
        delta, rows, n, layer.kernel, layer.kernel_first, layer.kernel_second, descent, gradient
    )
    bias_gradient = np.zeros(layer.bias.size, np.float32)
    for unit in range(bias_gradient.size):
        for i in range(n):
            bias_gradient[unit] += delta[unit, i]
        layer.bias[unit] -= layer.bias[unit] * descent.decay * descent.learning_rate
    if descent.sgd:
        _momentum(layer.bias, bias_gradient, layer.bias_first, descent)
    else:
        _adam(layer.bias, bias_gradient, layer.bias_first, layer.bias_second, descent.size)


@compiled
def _relu(inner, units, n):
    for j in range(units):
        for i in range(n):
            # Asked this way round, a NaN stays one; it must not become a zero.
            inner[j, i] = np.float32(0) if inner[j, i] <= 0 else inner[j, i]


@compiled
def _relu_dropout(inner, uniforms, droprate):
    scale, rate = np.float32(1 / (1 - droprate)), np.float32(droprate)
    zero = np.float32(0)
    for j in range(uniforms.shape[1]):
        for i in range(uniforms.shape[0]):
            # As above, a NaN stays one, and ends the head.
            hidden = inner[j, i] <= zero or uniforms[i, j] < rate
            inner[j, i] = zero if hidden else inner[j, i] * scale


@compiled
def _back_through(inner, gradient, units, n, droprate):
    """Overwrite the inner layer's output by the gradient at its input: zero where it was zero."""
    scale = np.float32(1 / (1 - droprate))
    zero = np.float32(0)
    for j in range(units):
        for i in range(n):
            inner[j, i] = gradient[j, i] * scale if inner[j, i] > zero else zero


@compiled
def _loss_and_gradient(logits, labels, partners, shares, weights, smoothing):
    """The mean of `weights · cross-entropy` and the hits of a batch; `logits` become its gradient.

    Of the classes a sample's target has `shares · (1 − smoothing)` for its label, `(1 − shares) ·
    (1 − smoothing)` for its partner's, and an equal part of `smoothing` for each.
    """
    n, classes = labels.size, logits.shape[0]
    each, one = smoothing / np.float32(classes), np.float32(1)
    total, hits = 0.0, 0
    for i in range(n):
        label = labels[i]
        best = 0
        for j in range(1, classes):
            if logits[j, i] > logits[best, i]:
                best = j
        hits += best == label
        share, partner, weight = shares[i], partners[i], weights[i]
        top, own, other = logits[best, i], logits[label, i], logits[partner, i]
        sum_ = np.float32(0)
        whole = np.float32(0)
        for j in range(classes):
            whole += top - logits[j, i]
            logits[j, i] = np.exp(logits[j, i] - top)
            sum_ += logits[j, i]
        if share == one and smoothing == 0:
            total += weight * (np.log(sum_) + (top - own))
            for j in range(classes):
                wanted = np.float32(j == label)
                logits[j, i] = weight * ((logits[j, i] / sum_ - wanted) / np.float32(n))
            continue
        target = share * (top - own) + (one - share) * (top - other)
        total += weight * (np.log(sum_) + (one - smoothing) * target + each * whole)
        for j in range(classes):
            wanted = share * np.float32(j == label) + (one - share) * np.float32(j == partner)
            wanted = (one - smoothing) * wanted + each
            logits[j, i] = weight * ((logits[j, i] / sum_ - wanted) / np.float32(n))
    return total / n, hits


@compiled
def _binary_loss_and_gradient(logits, label_sets, sets, partners, shares, weights, smoothing):
    """The mean of `weights · binary cross-entropy` and the labels told right of a batch.

    `logits` become the gradient. A sample's target for a label is `shares · own + (1 − shares) ·
    partner's`, of 0 and 1, and with `smoothing` that times `1 − smoothing` plus its half.
    """
    n, labels = sets.size, logits.shape[0]
    one, half = np.float32(1), smoothing / np.float32(2)
    total, hits = 0.0, 0
    for i in range(n):
        own, other = label_sets[sets[i]], label_sets[partners[i]]
        share, weight = shares[i], weights[i]
        loss = np.float32(0)
        for j in range(labels):
            logit = logits[j, i]
            wanted = share * own[j] + (one - share) * other[j]
            wanted = (one - smoothing) * wanted + half
            hits += (logit > 0) == (own[j] > 0)
            below = np.exp(-abs(logit))
            # By its product a NaN stays one, though a comparison makes a zero of it.
            loss += (logit if logit > 0 else np.float32(0)) - logit * wanted + np.log1p(below)
            chance = one / (one + below) if logit >= 0 else below / (one + below)
            logits[j, i] = weight * ((chance - wanted) / np.float32(labels) / np.float32(n))
        total += weight * (loss / np.float32(labels))
    return total / n, hits


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


@compiled
def _momentum(weights, gradient, velocity, descent):
    """SGD in place, as Keras has it: `v = momentum · v − learning_rate · g;  w += v`."""
    for i in range(weights.size):
        velocity[i] = velocity[i] * descent.momentum - gradient[i] * descent.size
        weights[i] += velocity[i]


@compiled
def _bound_norms(kernel, bound):
    """Scale each unit's incoming weights as Keras's `MaxNorm`: by `min(norm, bound) / (ε + norm)`.

    (Srivastava et al. 2014, section 5.1.)
    """
    panels, units, width = kernel.shape
    lanes = np.empty(width, np.float32)
    for unit in range(units):
        lanes[:] = 0
        for panel in range(panels):
            for lane in range(width):
                lanes[lane] += kernel[panel, unit, lane] * kernel[panel, unit, lane]
        norm = np.sqrt(lanes.sum())
        factor = min(norm, bound) / (EPSILON + norm)
        for panel in range(panels):
            for lane in range(width):
                kernel[panel, unit, lane] *= factor
