"""What this machine can do at best: matrix products, and passes over an optimiser's state."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
from numba import njit
from threadpoolctl import threadpool_limits

from benchmarks.machine import answer
from benchmarks.parts.shapes import BATCH, FEATURES, UNITS, seconds
from manyheads.core import openvino_runtime

LARGE = 3072  # rows and columns of the largest product
PASSED = 40_000_000  # elements that a timing passes over


def measure(cores: int, l2: int, repeats: int) -> dict[str, float]:
    """Rates of `cores` at once: products in FLOP/s, passes in bytes/s. `l2` is a core's, in bytes.

    The best of `repeats` each, for a bound is what can be reached at all.
    """
    state = FEATURES * UNITS
    sizes = {"l2": min(l2 // 2 // 12, state), "state": state, "memory": 40 * state}
    head = ((BATCH, FEATURES, UNITS), (FEATURES, BATCH, UNITS))
    products = {
        "sgemm numpy": _blas(repeats),
        "sgemm openvino": _onednn(repeats),
        "head forward": _shaped(*head[0], cores, repeats),
        "head gradient": _shaped(*head[1], cores, repeats),
    }
    passes = {
        f"{kernel.__name__} {where}": _passes(kernel, size, cores, repeats)
        for where, size in sizes.items()
        for kernel in (touch, adam)
    }
    return {**products, **passes, "bytes of l2": 12.0 * sizes["l2"]}


@njit(nogil=True, error_model="numpy")
def touch(weights: Any, first: Any, second: Any, times: int) -> None:
    """Read and write three arrays, with next to no arithmetic."""
    for _ in range(times):
        for i in range(weights.size):
            weights[i] += np.float32(1)
            first[i] += np.float32(1)
            second[i] += np.float32(1)


@njit(nogil=True, error_model="numpy")
def adam(weights: Any, first: Any, second: Any, times: int) -> None:
    """Adam in place; its gradient is the weights, so that nothing else is read.

    Not the kernels' own: a bound must not move with what it bounds.
    """
    alpha, gain_1, gain_2 = np.float32(1e-3), np.float32(0.1), np.float32(0.001)
    for _ in range(times):
        for i in range(weights.size):
            g = weights[i]
            m = first[i] + (g - first[i]) * gain_1
            v = second[i] + (g * g - second[i]) * gain_2
            first[i] = m
            second[i] = v
            weights[i] = g - m * alpha / (np.sqrt(v) + np.float32(1e-7))


def _passes(kernel: Callable[..., None], size: int, cores: int, repeats: int) -> float:
    """Bytes a second of passes over `size` elements of each array on every core."""
    states = [[np.ones(size, np.float32) for _ in range(3)] for _ in range(cores)]
    times = max(2, PASSED // size)
    kernel(*states[0], 1)
    took = _on_all_cores(lambda core: kernel(*states[core], times), cores, repeats)
    return cores * times * size * 24 / took


def _blas(repeats: int) -> float:
    a, b = (np.ones((LARGE, LARGE), np.float32) for _ in range(2))
    out = np.empty_like(a)
    np.dot(a, b, out)
    return 2 * LARGE**3 / min(seconds(lambda: np.dot(a, b, out)) for _ in range(repeats))


def _onednn(repeats: int) -> float:
    """The library that OpenVINO and the frameworks call; it may be faster than NumPy's."""
    openvino: Any = openvino_runtime.openvino()
    ops = openvino.opset13

    left = ops.parameter([LARGE, LARGE], np.float32)
    # A constant is brought into the library's own layout once, as a network's weights are.
    right = ops.constant(np.ones((LARGE, LARGE), np.float32))
    model: Any = openvino.Model([ops.matmul(left, right, False, False)], [left])
    compiled = openvino_runtime.core().compile_model(
        model, "CPU", {"INFERENCE_PRECISION_HINT": "f32"}
    )
    request = compiled.create_infer_request()
    request.set_input_tensor(openvino.Tensor(np.ones((LARGE, LARGE), np.float32)))
    request.infer()
    return 2 * LARGE**3 / min(seconds(request.infer) for _ in range(repeats))


def _shaped(rows: int, inner: int, columns: int, cores: int, repeats: int) -> float:
    """The product `[rows, inner] · [inner, columns]` on every core at once."""
    times = 400
    # A gradient's left side is a transposed batch.
    left = [np.ones((inner, rows), np.float32).T for _ in range(cores)]
    if rows == BATCH:
        left = [np.ascontiguousarray(each) for each in left]
    right = [np.ones((inner, columns), np.float32) for _ in range(cores)]
    out = [np.empty((rows, columns), np.float32) for _ in range(cores)]

    def work(core: int) -> None:
        for _ in range(times):
            np.dot(left[core], right[core], out[core])

    with threadpool_limits(1, user_api="blas"):
        took = _on_all_cores(work, cores, repeats)
    return cores * times * 2 * rows * inner * columns / took


def _on_all_cores(work: Callable[[int], None], cores: int, repeats: int) -> float:
    """The fewest seconds in which every core does its `work`."""
    with ThreadPoolExecutor(cores) as pool:
        return min(seconds(lambda: list(pool.map(work, range(cores)))) for _ in range(repeats))


if __name__ == "__main__":
    answer(globals())
