"""The products of a head's training, written for the registers of this processor.

A library's matrix product is made for large matrices; a head's are thin, and a weight gradient is
needed only to be consumed at once. Here each is a block of vectors that stays in
registers, emitted as LLVM's own instructions through Numba: no compiler and no wheel of ours.

A kernel lies in panels `[panels, units, PANEL]`: PANEL inputs of unit 0, of unit 1, …, so that a
step reads and writes its memory once, from the front to the back. Inputs beyond the last whole
panel are zeros; their gradient is zero, so Adam leaves them there. Samples lie in columns
`[inputs, padded]`, where `padded` is a multiple of LANES; what is beyond the number of samples
asked for is overwritten, and shapes no result.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from numba import njit
from numba.core import cgutils

from manyheads.heads.fused.vector_code import (
    INT,
    LANES,
    REGISTERS,
    Block,
    StepSizes,
    VectorCode,
    emitted,
)

_VECTORS = 4  # in a row of a panel
PANEL = LANES * _VECTORS
# Sizes of blocks: as many units (or inputs) as leave registers for what they are multiplied by. Of
# 32 vector registers a forward block takes 10 units · 2 vectors of samples for its sums, 2 for the
# inputs and 1 for a weight; a backward block 5 units · 4 vectors of a panel, 4 for a row and 1 for
# a delta, and the rest serve the descent along the block before. A sum that has no register left
# would be stored and loaded at every term.
_UNITS = 10 if REGISTERS == 32 else 5
_INPUTS = 8 if REGISTERS == 32 else 4
_BACKWARD = 5 if REGISTERS == 32 else 2
GRADIENT = _BACKWARD * PANEL
"""Numbers in the buffer that `descend_panels` works with."""

compiled = njit(nogil=True, cache=True, error_model="numpy")
Rule = Callable[[VectorCode, Block, StepSizes], Callable[[Any], None]]


class Descent(NamedTuple):
    """How a step changes weights: float32 numbers, and `sgd` instead of Adam.

    `size` is Adam's step size, or SGD's learning rate.
    """

    size: np.float32
    learning_rate: np.float32
    momentum: np.float32
    twice_l2: np.float32
    decay: np.float32
    sgd: bool


@compiled
def forward_panels(kernel, columns, count, out):
    """`out[u, i] += Σ_f kernel[u, f] columns[f, i]` for the first `count` samples.

    `kernel` `[panels, units, PANEL]`, `columns` `[panels, PANEL, padded]`, `out` `[units, padded]`.
    The sum of a panel is made first, then that of the panels in their order.
    """
    panels, units, _ = kernel.shape
    padded = columns.shape[2]
    weights, inputs, outputs = kernel.ravel(), columns.ravel(), out.ravel()
    for panel in range(panels):
        source, here = panel * PANEL * padded, panel * units * PANEL
        for start in range(0, count, 2 * LANES):
            # Two vectors of samples at a time: each weight that is loaded serves both.
            two = count - start > LANES
            unit = 0
            while unit < units:
                at, to = here + unit * PANEL, unit * padded + start
                whole = unit + _UNITS <= units
                if whole and two:
                    _forward_many_2(weights, at, PANEL, inputs, source + start, padded, outputs, to)
                elif whole:
                    _forward_many_1(weights, at, PANEL, inputs, source + start, padded, outputs, to)
                elif two:
                    _forward_one_2(weights, at, PANEL, inputs, source + start, padded, outputs, to)
                else:
                    _forward_one_1(weights, at, PANEL, inputs, source + start, padded, outputs, to)
                unit += _UNITS if whole else 1


@compiled
def back_panels(kernel, delta, count, out):
    """`out[f, i] += Σ_u kernel[u, f] delta[u, i]` for the first `count` samples.

    `kernel` `[panels, units, PANEL]`, `delta` `[units, padded]`, `out` `[panels, PANEL, padded]`.
    """
    panels, units, _ = kernel.shape
    padded = delta.shape[1]
    weights, inputs, outputs = kernel.ravel(), delta.ravel(), out.ravel()
    for panel in range(panels):
        for start in range(0, count, 2 * LANES):
            two = count - start > LANES
            for feature in range(0, PANEL, _INPUTS):
                at = panel * units * PANEL + feature
                to = (panel * PANEL + feature) * padded + start
                if two:
                    _back_2(weights, at, units, inputs, start, padded, outputs, to)
                else:
                    _back_1(weights, at, units, inputs, start, padded, outputs, to)


@compiled
def transpose_panels(panels, out):
    """`out[p, j, i] = panels[p, i, j]`; both inner dimensions are multiples of LANES."""
    count, rows, columns = panels.shape
    source, target = panels.ravel(), out.ravel()
    for panel in range(count):
        start = panel * rows * columns
        for row in range(0, rows, LANES):
            for column in range(0, columns, LANES):
                at, to = start + row * columns + column, start + column * rows + row
                _transpose_square(source, at, columns, target, to, rows)


@compiled
def descend_panels(delta, rows, count, kernel, first, second, step, gradient):
    """Form the gradient of a kernel and descend along it, block by block.

    `g[u, f] = Σ_i delta[u, i] rows[i, f]` over the first `count` samples, plus `2 · l2 · w`; then,
    in place, `w −= w · decay · learning_rate` and, with the step size `α`,
    `m += (g − m)(1 − β₁);  v += (g² − v)(1 − β₂);  w −= α m / (√v + ε)`
    (Adam: Kingma and Ba 2015, section 2, with ε where Keras puts it), or by `sgd`
    `m = momentum · m − learning_rate · g;  w += m`. `delta` `[units, padded]`, `rows`
    `[panels, padded, PANEL]`, `kernel` and its moments `[panels, units, PANEL]`, `step` a
    `Descent`, `gradient` a buffer of GRADIENT numbers.
    """
    panels, units, _ = kernel.shape
    padded = rows.shape[1]
    deltas, inputs = delta.ravel(), rows.ravel()
    weights, means, squares = kernel.ravel(), first.ravel(), second.ravel()
    size, rate, momentum = step.size, step.learning_rate, step.momentum
    twice_l2, decay = step.twice_l2, step.decay
    # The descent of one block goes on while the next one's gradient is formed: the divisions and
    # square roots of the one run beside the products of the other.
    before, vectors = 0, 0
    for panel in range(panels):
        source = panel * padded * PANEL
        unit = 0
        while unit < units:
            whole = unit + _BACKWARD <= units
            at = unit * padded
            if whole and step.sgd:
                _sgd_block(
                    deltas, at, padded, inputs, source, count, gradient, weights, means, squares,
                    before, vectors, size, rate, momentum, twice_l2, decay,
                )  # fmt: skip
            elif whole:
                _adam_block(
                    deltas, at, padded, inputs, source, count, gradient, weights, means, squares,
                    before, vectors, size, rate, momentum, twice_l2, decay,
                )  # fmt: skip
            elif step.sgd:
                _sgd_unit(
                    deltas, at, padded, inputs, source, count, gradient, weights, means, squares,
                    before, vectors, size, rate, momentum, twice_l2, decay,
                )  # fmt: skip
            else:
                _adam_unit(
                    deltas, at, padded, inputs, source, count, gradient, weights, means, squares,
                    before, vectors, size, rate, momentum, twice_l2, decay,
                )  # fmt: skip
            before = (panel * units + unit) * PANEL
            vectors = (_BACKWARD if whole else 1) * _VECTORS
            unit += _BACKWARD if whole else 1
    if step.sgd:
        _sgd_vectors(
            gradient, weights, means, squares, before, vectors,
            size, rate, momentum, twice_l2, decay,
        )  # fmt: skip
    else:
        _adam_vectors(
            gradient, weights, means, squares, before, vectors,
            size, rate, momentum, twice_l2, decay,
        )  # fmt: skip


def _product(rows: int, vectors: int, row_step: int, term_step: int) -> Any:
    """`outputs[r, i] += Σ_t weights[r, t] inputs[t, i]`, all sums in registers.

    The steps say how far apart two rows and two terms of the weights lie.
    """

    def emit(
        code: VectorCode, weights: Any, at: Any, terms: Any, inputs: Any, source: Any,
        padded: Any, outputs: Any, to: Any,
    ) -> None:  # fmt: skip
        builder = code.builder
        sums = code.zeros(rows * vectors)
        with cgutils.for_range(builder, terms) as loop:
            term = builder.add(source, builder.mul(loop.index, padded))
            factors = [code.load(inputs, term, v * LANES) for v in range(vectors)]
            here = builder.add(at, builder.mul(loop.index, INT(term_step)))
            for row in range(rows):
                weight = code.spread(weights, here, row * row_step)
                code.multiply_add(weight, factors, sums[row * vectors :])
        for row in range(rows):
            place = builder.add(to, builder.mul(INT(row), padded))
            for v in range(vectors):
                total = builder.load(sums[row * vectors + v])
                before = code.load(outputs, place, v * LANES)
                code.store(builder.fadd(before, total), outputs, place, v * LANES)

    return emitted(emit)


def _backward(units: int, rule: Rule) -> Any:
    """The gradient of a block of one panel into `gradient`, as `rule` consumes what was there."""

    def emit(
        code: VectorCode, deltas: Any, unit: Any, padded: Any, inputs: Any, source: Any,
        count: Any, gradient: Any, weights: Any, means: Any, squares: Any, before: Any,
        vectors: Any, size: Any, rate: Any, momentum: Any, twice_l2: Any, decay: Any,
    ) -> None:  # fmt: skip
        builder = code.builder
        sums = code.zeros(units * _VECTORS)
        block = Block(gradient, weights, means, squares, before)
        descend = rule(code, block, StepSizes(size, rate, momentum, twice_l2, decay))

        def product(sample: Any) -> None:
            row = builder.add(source, builder.mul(sample, INT(PANEL)))
            rows = [code.load(inputs, row, v * LANES) for v in range(_VECTORS)]
            for n in range(units):
                at = builder.add(unit, builder.mul(INT(n), padded))
                delta = code.spread(deltas, builder.add(at, sample))
                code.multiply_add(delta, rows, sums[n * _VECTORS :])

        # A turn of the first loop adds one sample to this block's gradient, and descends along one
        # vector of the gradient before, which `gradient` still holds. Neither needs the other, so
        # the processor runs the slow divisions and roots of the one beside the products of the
        # other. There are seldom as many samples as vectors: who has more goes on alone. Only then
        # is this block's gradient stored, over the one that has been consumed.
        fewer = builder.icmp_signed("<", count, vectors)
        both = builder.select(fewer, count, vectors)
        with cgutils.for_range(builder, both) as loop:
            product(loop.index)
            descend(loop.index)
        with cgutils.for_range_slice(builder, both, count, INT(1)) as (sample, _):
            product(sample)
        with cgutils.for_range_slice(builder, both, vectors, INT(1)) as (vector, _):
            descend(vector)
        for n, total in enumerate(sums):
            code.store(builder.load(total), gradient, INT(n * LANES))

    return emitted(emit)


def _alone(rule: Rule) -> Any:
    """`rule` on the last block, when there is no next."""

    def emit(
        code: VectorCode, gradient: Any, weights: Any, means: Any, squares: Any, before: Any,
        vectors: Any, size: Any, rate: Any, momentum: Any, twice_l2: Any, decay: Any,
    ) -> None:  # fmt: skip
        block = Block(gradient, weights, means, squares, before)
        descend = rule(code, block, StepSizes(size, rate, momentum, twice_l2, decay))
        with cgutils.for_range(code.builder, vectors) as loop:
            descend(loop.index)

    return emitted(emit)


@emitted
def _transpose_square(
    code: VectorCode, source: Any, at: Any, stride: Any, target: Any, to: Any, target_stride: Any
) -> None:
    def row(start: Any, step: Any, n: int) -> Any:
        return code.builder.add(start, code.builder.mul(INT(n), step))

    rows = [code.load(source, row(at, stride, n)) for n in range(LANES)]
    for n, column in enumerate(code.transposed(rows)):
        code.store(column, target, row(to, target_stride, n))


_forward_many_2, _forward_many_1 = (_product(_UNITS, v, PANEL, 1) for v in (2, 1))
_forward_one_2, _forward_one_1 = (_product(1, v, PANEL, 1) for v in (2, 1))
_back_2, _back_1 = (_product(_INPUTS, v, 1, PANEL) for v in (2, 1))
_adam_block, _adam_unit = (_backward(units, VectorCode.adam) for units in (_BACKWARD, 1))
_sgd_block, _sgd_unit = (_backward(units, VectorCode.sgd) for units in (_BACKWARD, 1))
_adam_vectors, _sgd_vectors = _alone(VectorCode.adam), _alone(VectorCode.sgd)
