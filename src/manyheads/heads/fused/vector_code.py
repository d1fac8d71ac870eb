"""Vector instructions for a compiled loop of Numba's, emitted as LLVM's own.

LLVM makes of them what the processor has: a vector that is wider than its registers becomes
several. Nothing is compiled before Numba compiles the loop that they stand in.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from llvmlite import binding, ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

BETA_1 = np.float32(0.9)
BETA_2 = np.float32(0.999)
EPSILON = np.float32(1e-7)
GAIN_1 = np.float32(1 - 0.9)
GAIN_2 = np.float32(1 - 0.999)

_HOST = binding.get_host_cpu_features()
LANES = 16 if _HOST.get("avx512f") else 8 if _HOST.get("avx") else 4
"""How many float32 a vector register of this processor holds."""
REGISTERS = 32 if _HOST.get("avx512f") or not _HOST.get("sse2") else 16
"""How many vector registers it has."""

INT = ir.IntType(64)
_FLOAT = ir.FloatType()
_VECTOR = ir.VectorType(_FLOAT, LANES)


def emitted(emit: Callable[..., None]) -> Any:
    """A function for compiled loops whose instructions `emit(code, *arguments)` writes.

    It gets arrays of float32 as the address of their first number, whole numbers as int64 and
    others as float32.
    """

    def function(_typing, *given):
        def passed(type_: Any) -> Any:
            if isinstance(type_, types.Array):
                return type_
            return types.float32 if isinstance(type_, types.Float) else types.int64

        def generate(context, builder, signature, arguments):
            code = VectorCode(builder)
            values = [
                context.make_array(type_)(context, builder, value).data
                if isinstance(type_, types.Array)
                else value
                for type_, value in zip(signature.args, arguments, strict=True)
            ]
            emit(code, *values)
            return context.get_dummy_value()

        return types.void(*map(passed, given)), generate

    # Numba asks for the names of the arguments, and skips the first as we do.
    vars(function)["__signature__"] = inspect.signature(emit)
    return intrinsic(function)


class Block(NamedTuple):
    """A block of a kernel in memory: its gradient, where it begins, and what descends."""

    gradient: Any
    weights: Any
    first: Any
    second: Any
    at: Any


class StepSizes(NamedTuple):
    """The numbers of one descent: `size` is Adam's step size, or the learning rate itself."""

    size: Any
    learning_rate: Any
    momentum: Any
    twice_l2: Any
    decay: Any


class VectorCode:
    """Emits vector instructions; a pointer is to float32, offsets are counted in numbers."""

    def __init__(self, builder: Any) -> None:
        self.builder = builder

    def zeros(self, count: int) -> list[Any]:
        """Vectors to sum up in; LLVM keeps them in registers."""
        zero = ir.Constant(_VECTOR, [0.0] * LANES)
        return [cgutils.alloca_once_value(self.builder, zero) for _ in range(count)]

    def load(self, pointer: Any, offset: Any, more: int = 0) -> Any:
        vector = self.builder.load(self._at(pointer, offset, more))
        vector.align = 4
        return vector

    def store(self, vector: Any, pointer: Any, offset: Any, more: int = 0) -> None:
        self.builder.store(vector, self._at(pointer, offset, more)).align = 4

    def spread(self, pointer: Any, offset: Any, more: int = 0) -> Any:
        """One number in all lanes."""
        place = self.builder.gep(pointer, [self.builder.add(offset, INT(more))])
        return self._all_lanes(self.builder.load(place))

    def multiply_add(self, factor: Any, rows: list[Any], sums: list[Any]) -> None:
        """`sums += factor · rows`, rounded once where the processor can do that."""
        fused = self._function("fmuladd", 3)
        for row, total in zip(rows, sums, strict=False):
            value = self.builder.call(fused, [factor, row, self.builder.load(total)])
            self.builder.store(value, total)

    def transposed(self, rows: list[Any]) -> list[Any]:
        """The columns of LANES vectors, by exchanging ever larger squares of them."""
        rows, square = list(rows), 1
        while square < LANES:
            for i in range(LANES):
                if not i & square:
                    upper, lower = rows[i], rows[i + square]
                    lanes = range(LANES)
                    left = [LANES + n - square if n & square else n for n in lanes]
                    right = [LANES + n if n & square else n + square for n in lanes]
                    rows[i] = self._shuffled(upper, lower, left)
                    rows[i + square] = self._shuffled(upper, lower, right)
            square *= 2
        return rows

    def adam(self, block: Block, step: StepSizes) -> Callable[[Any], None]:
        """Emits Adam for one vector of a block, given that vector's number."""
        b = self.builder
        gain_1, gain_2, epsilon = (
            self._all_lanes(ir.Constant(_FLOAT, float(number)))
            for number in (GAIN_1, GAIN_2, EPSILON)
        )
        rate, root = self._all_lanes(step.size), self._function("sqrt", 1)

        def update(g: Any, w: Any, m: Any, v: Any) -> tuple[Any, Any, Any]:
            m = b.fadd(m, b.fmul(b.fsub(g, m), gain_1))
            v = b.fadd(v, b.fmul(b.fsub(b.fmul(g, g), v), gain_2))
            w = b.fsub(w, b.fdiv(b.fmul(m, rate), b.fadd(b.call(root, [v]), epsilon)))
            return w, m, v

        return self._descent(block, step, update)

    def sgd(self, block: Block, step: StepSizes) -> Callable[[Any], None]:
        """Emits gradient descent with momentum for one vector of a block, as `adam` does."""
        b = self.builder
        rate, momentum = self._all_lanes(step.size), self._all_lanes(step.momentum)

        def update(g: Any, w: Any, m: Any, v: Any) -> tuple[Any, Any, Any]:
            m = b.fsub(b.fmul(m, momentum), b.fmul(g, rate))
            return b.fadd(w, m), m, v

        return self._descent(block, step, update)

    def _descent(
        self, block: Block, step: StepSizes, update: Callable[..., tuple[Any, Any, Any]]
    ) -> Callable[[Any], None]:
        """`update` on one vector, after the gradient of L2 and the decoupled decay."""
        b = self.builder
        twice_l2, decay = self._all_lanes(step.twice_l2), self._all_lanes(step.decay)
        rate = self._all_lanes(step.learning_rate)

        def emit(vector: Any) -> None:
            start = b.mul(vector, INT(LANES))
            at = b.add(block.at, start)
            w, m, v = (self.load(each, at) for each in (block.weights, block.first, block.second))
            g = b.fadd(self.load(block.gradient, start), b.fmul(twice_l2, w))
            w = b.fsub(w, b.fmul(b.fmul(w, decay), rate))
            new = zip((block.weights, block.first, block.second), update(g, w, m, v), strict=True)
            for array, value in new:
                self.store(value, array, at)

        return emit

    def _at(self, pointer: Any, offset: Any, more: int) -> Any:
        place = self.builder.gep(pointer, [self.builder.add(offset, INT(more))])
        return self.builder.bitcast(place, _VECTOR.as_pointer())

    def _all_lanes(self, number: Any) -> Any:
        unset = ir.Constant(_VECTOR, ir.Undefined)
        one = self.builder.insert_element(unset, number, ir.IntType(32)(0))
        return self._shuffled(one, unset, [0] * LANES)

    def _shuffled(self, one: Any, other: Any, lanes: list[int]) -> Any:
        """Numbers of two vectors, those of `other` counted from LANES."""
        mask = ir.Constant(ir.VectorType(ir.IntType(32), LANES), lanes)
        return self.builder.shuffle_vector(one, other, mask)

    def _function(self, name: str, arguments: int) -> Any:
        type_ = ir.FunctionType(_VECTOR, [_VECTOR] * arguments)
        full_name = f"llvm.{name}.v{LANES}f32"
        return cgutils.get_or_insert_function(self.builder.module, type_, full_name)
