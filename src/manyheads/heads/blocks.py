"""The two products of a head's training, written for the registers of this processor.

A library's matrix product is made for large matrices; a head's are thin, and its weight gradient
is needed only to be consumed by Adam at once. Here each is a block of vectors that stays in
registers, emitted as LLVM's own instructions through Numba: no compiler and no wheel of ours.

A wide kernel lies in panels `[panels, units, PANEL]`: PANEL features of unit 0, of unit 1, …, so
that a step reads and writes its memory once, from the front to the back. Features beyond the last
whole panel are zeros; their gradient is zero, so Adam leaves them there.
"""

from __future__ import annotations

from typing import Any

from numba import njit
from numba.core import cgutils

from manyheads.heads.vector_code import INT, LANES, REGISTERS, VectorCode, emitted

_VECTORS = 4  # in a row of a panel
PANEL = LANES * _VECTORS
# Units in a block: as many as leave registers for the inputs.
_FORWARD = 10 if REGISTERS == 32 else 5
_BACKWARD = 5 if REGISTERS == 32 else 2
GRADIENT = _BACKWARD * PANEL
"""Numbers in the buffer that `descend_panels` works with."""

compiled = njit(nogil=True, cache=True, error_model="numpy")


@compiled
def forward_panels(kernel, samples, count, out):
    """`out[u, i] += Σ_f kernel[u, f] samples[f, i]` for the first `count` samples.

    `kernel` `[panels, units, PANEL]`, `samples` `[panels, PANEL, padded]` and `out`
    `[units, padded]`, where `padded` is a multiple of LANES; what of it lies beyond `count` is
    overwritten too. The sum of a panel is made first, then that of the panels in their order.
    """
    panels, units, _ = kernel.shape
    padded = samples.shape[2]
    weights, inputs, outputs = kernel.ravel(), samples.ravel(), out.ravel()
    for panel in range(panels):
        source = panel * PANEL * padded
        for start in range(0, count, 2 * LANES):
            two = count - start > LANES
            unit = 0
            while unit < units:
                at, to = (panel * units + unit) * PANEL, unit * padded + start
                whole = unit + _FORWARD <= units
                if whole and two:
                    _forward_block_2(weights, at, inputs, source + start, padded, outputs, to)
                elif whole:
                    _forward_block_1(weights, at, inputs, source + start, padded, outputs, to)
                elif two:
                    _forward_unit_2(weights, at, inputs, source + start, padded, outputs, to)
                else:
                    _forward_unit_1(weights, at, inputs, source + start, padded, outputs, to)
                unit += _FORWARD if whole else 1


@compiled
def transpose_panels(rows, count, columns):
    """`columns[p, f, i] = rows[p, i, f]` for the first `count` samples, in whole vectors.

    `rows` `[panels, padded, PANEL]`, `columns` `[panels, PANEL, padded]`.
    """
    panels, padded, _ = rows.shape
    source, target = rows.ravel(), columns.ravel()
    for panel in range(panels):
        start = panel * padded * PANEL
        for sample in range(0, count, LANES):
            for feature in range(0, PANEL, LANES):
                at = start + sample * PANEL + feature
                _transpose_square(source, at, target, start + feature * padded + sample, padded)


@compiled
def descend_panels(delta, samples, count, kernel, first, second, alpha, gradient):
    """Form the gradient of a wide kernel and apply Adam to it, block by block.

    `g[u, f] = Σ_i delta[u, i] samples[i, f]` over the first `count` samples; then, in place,
    `m += (g − m)(1 − β₁);  v += (g² − v)(1 − β₂);  w −= α m / (√v + ε)`, with the step size `α`
    (Adam: Kingma and Ba 2015, section 2, with ε where Keras puts it). `delta` `[units, padded]`,
    `samples` `[panels, padded, PANEL]`, `kernel` and its moments `[panels, units, PANEL]`,
    `gradient` a buffer of GRADIENT numbers.
    """
    panels, units, _ = kernel.shape
    padded = samples.shape[1]
    deltas, inputs = delta.ravel(), samples.ravel()
    weights, means, squares = kernel.ravel(), first.ravel(), second.ravel()
    # Adam on one block goes on while the next one's gradient is formed: the divisions and square
    # roots of the one run beside the products of the other.
    before, vectors = 0, 0
    for panel in range(panels):
        source = panel * padded * PANEL
        unit = 0
        while unit < units:
            whole = unit + _BACKWARD <= units
            if whole:
                _backward_block(
                    deltas, unit * padded, padded, inputs, source, count,
                    gradient, weights, means, squares, before, vectors, alpha,
                )  # fmt: skip
            else:
                _backward_unit(
                    deltas, unit * padded, padded, inputs, source, count,
                    gradient, weights, means, squares, before, vectors, alpha,
                )  # fmt: skip
            before = (panel * units + unit) * PANEL
            vectors = (_BACKWARD if whole else 1) * _VECTORS
            unit += _BACKWARD if whole else 1
    _adam_vectors(gradient, weights, means, squares, before, vectors, alpha)


def _forward(units: int, vectors: int) -> Any:
    """`outputs[u, i] += Σ_f weights[u, f] inputs[f, i]` for one panel, all sums in registers."""

    def emit(
        code: VectorCode, weights: Any, at: Any, inputs: Any, source: Any, stride: Any,
        outputs: Any, to: Any,
    ) -> None:  # fmt: skip
        builder = code.builder
        sums = code.zeros(units * vectors)
        with cgutils.for_range(builder, INT(PANEL)) as loop:
            row = builder.add(source, builder.mul(loop.index, stride))
            rows = [code.load(inputs, row, v * LANES) for v in range(vectors)]
            here = builder.add(at, loop.index)
            for unit in range(units):
                weight = code.spread(weights, here, unit * PANEL)
                code.multiply_add(weight, rows, sums[unit * vectors :])
        for unit in range(units):
            row = builder.add(to, builder.mul(INT(unit), stride))
            for v in range(vectors):
                total = builder.load(sums[unit * vectors + v])
                before = code.load(outputs, row, v * LANES)
                code.store(builder.fadd(before, total), outputs, row, v * LANES)

    return emitted(emit)


def _backward(units: int) -> Any:
    """The gradient of a block of one panel into `gradient`, while Adam consumes what was there."""

    def emit(
        code: VectorCode, deltas: Any, unit: Any, padded: Any, inputs: Any, source: Any,
        count: Any, gradient: Any, weights: Any, means: Any, squares: Any, before: Any,
        vectors: Any, alpha: Any,
    ) -> None:  # fmt: skip
        builder = code.builder
        sums = code.zeros(units * _VECTORS)
        adam = code.adam(gradient, weights, means, squares, before, alpha)

        def product(sample: Any) -> None:
            row = builder.add(source, builder.mul(sample, INT(PANEL)))
            rows = [code.load(inputs, row, v * LANES) for v in range(_VECTORS)]
            for n in range(units):
                at = builder.add(unit, builder.mul(INT(n), padded))
                delta = code.spread(deltas, builder.add(at, sample))
                code.multiply_add(delta, rows, sums[n * _VECTORS :])

        fewer = builder.icmp_signed("<", count, vectors)
        both = builder.select(fewer, count, vectors)
        with cgutils.for_range(builder, both) as loop:
            product(loop.index)
            adam(loop.index)
        with cgutils.for_range_slice(builder, both, count, INT(1)) as (sample, _):
            product(sample)
        with cgutils.for_range_slice(builder, both, vectors, INT(1)) as (vector, _):
            adam(vector)
        for n, total in enumerate(sums):
            code.store(builder.load(total), gradient, INT(n * LANES))

    return emitted(emit)


@emitted
def _adam_vectors(
    code: VectorCode, gradient: Any, weights: Any, means: Any, squares: Any, before: Any,
    vectors: Any, alpha: Any,
) -> None:  # fmt: skip
    adam = code.adam(gradient, weights, means, squares, before, alpha)
    with cgutils.for_range(code.builder, vectors) as loop:
        adam(loop.index)


@emitted
def _transpose_square(
    code: VectorCode, source: Any, at: Any, target: Any, to: Any, padded: Any
) -> None:
    rows = [code.load(source, at, n * PANEL) for n in range(LANES)]
    for n, column in enumerate(code.transposed(rows)):
        code.store(column, target, code.builder.add(to, code.builder.mul(INT(n), padded)))


_forward_block_2, _forward_block_1 = _forward(_FORWARD, 2), _forward(_FORWARD, 1)
_forward_unit_2, _forward_unit_1 = _forward(1, 2), _forward(1, 1)
_backward_block, _backward_unit = _backward(_BACKWARD), _backward(1)
