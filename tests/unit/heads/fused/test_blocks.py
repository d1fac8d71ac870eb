"""The vector blocks against plain NumPy in float64, at every remainder of their sizes."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from manyheads.heads.fused import blocks
from manyheads.heads.fused.blocks import (
    PANEL,
    Descent,
    back_panels,
    descend_panels,
    forward_panels,
    transpose_panels,
)
from manyheads.heads.fused.vector_code import LANES

PANELS = 3
UNITS = [1, 2, blocks._BACKWARD, blocks._UNITS - 1, blocks._UNITS, 2 * blocks._UNITS + 3]
COUNTS = [1, LANES - 1, LANES, LANES + 1, 2 * LANES, 3 * LANES - 2]


def padded(count: int) -> int:
    return -(-count // LANES) * LANES


def normal(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng((seed, *shape)).normal(size=shape).astype(np.float32)


@pytest.mark.parametrize("columns", [LANES, 3 * LANES, PANEL])
def test_transposing_leaves_every_number_in_its_place(columns: int) -> None:
    panels = normal(PANELS, 2 * LANES, columns)
    out = np.zeros((PANELS, columns, 2 * LANES), np.float32)
    transpose_panels(panels, out)
    np.testing.assert_array_equal(out, panels.transpose(0, 2, 1))


@pytest.mark.parametrize("units", UNITS)
@pytest.mark.parametrize("count", COUNTS)
def test_the_forward_product(units: int, count: int) -> None:
    kernel, samples = normal(PANELS, units, PANEL), normal(PANELS, PANEL, padded(count))
    out = normal(units, padded(count))
    double = kernel.astype(np.float64), samples.astype(np.float64)
    wanted = out + np.einsum("puf,pfi->ui", *double)
    forward_panels(kernel, samples, count, out)
    np.testing.assert_allclose(out[:, :count], wanted[:, :count], rtol=1e-5, atol=1e-4)


@pytest.mark.parametrize("units", UNITS)
@pytest.mark.parametrize("count", COUNTS)
def test_the_product_backwards(units: int, count: int) -> None:
    kernel, delta = normal(PANELS, units, PANEL), normal(units, padded(count))
    out = normal(PANELS, PANEL, padded(count))
    double = kernel.astype(np.float64), delta.astype(np.float64)
    wanted = out + np.einsum("puf,ui->pfi", *double)
    back_panels(kernel, delta, count, out)
    np.testing.assert_allclose(out[..., :count], wanted[..., :count], rtol=1e-5, atol=1e-4)


def descent(*, l2: float = 0.0, decay: float = 0.0, momentum: float = 0.0, sgd: bool) -> Descent:
    """A step at the learning rate 0.1; Adam's size of it is 0.01."""
    f32 = np.float32
    return Descent(f32(0.1 if sgd else 0.01), f32(0.1), f32(momentum), f32(2 * l2), f32(decay), sgd)


@pytest.mark.parametrize(
    "step",
    [
        descent(sgd=False),
        descent(l2=0.3, decay=0.2, sgd=False),
        descent(sgd=True),
        descent(l2=0.3, decay=0.2, momentum=0.9, sgd=True),
    ],
    ids=["adam", "adam with L2 and decay", "sgd", "sgd with L2, decay and momentum"],
)
@pytest.mark.parametrize("units", UNITS)
@pytest.mark.parametrize("count", COUNTS)
def test_the_descent_follows_the_gradient(units: int, count: int, step: Descent) -> None:
    delta, samples = normal(units, padded(count)), normal(PANELS, padded(count), PANEL)
    kernel, first = normal(2, PANELS, units, PANEL)
    second = normal(PANELS, units, PANEL, seed=1) ** 2
    w, m, v = (array.astype(np.float64) for array in (kernel, first, second))
    double = delta[:, :count].astype(np.float64), samples[:, :count].astype(np.float64)
    gradient = np.einsum("ui,pif->puf", *double) + step.twice_l2 * w
    w *= 1 - step.decay * step.learning_rate
    if step.sgd:
        m = step.momentum * m - 0.1 * gradient
        w += m
    else:
        m += 0.1 * (gradient - m)
        v += 0.001 * (gradient**2 - v)
        w -= 0.01 * m / (np.sqrt(v) + 1e-7)

    buffer = np.zeros(blocks.GRADIENT, np.float32)
    descend_panels(delta, samples, count, kernel, first, second, step, buffer)
    np.testing.assert_allclose(first, m, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(second, v, rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(kernel, w, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("sgd", [False, True])
def test_a_feature_of_zeros_keeps_its_weights(sgd: bool) -> None:
    """What pads the last panel must not move."""
    delta, samples = normal(4, LANES), normal(1, LANES, PANEL)
    samples[..., -2:] = 0
    kernel = normal(1, 4, PANEL)
    kept, first, second = kernel[..., -2:].copy(), np.zeros_like(kernel), np.zeros_like(kernel)
    buffer = np.zeros(blocks.GRADIENT, np.float32)
    descend_panels(delta, samples, LANES, kernel, first, second, descent(sgd=sgd), buffer)
    np.testing.assert_array_equal(kernel[..., -2:], kept)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("lanes", "processor", "features"),
    [
        (8, "haswell", {"sse2": True, "avx": True}),
        (4, "x86-64-v2", {"sse2": True}),
        (4, "x86-64-v2", {}),
    ],
)
def test_other_processors_registers(
    lanes: int, processor: str, features: dict[str, bool], tmp_path: Path
) -> None:
    """The same tests, as if the processor had other registers; with none named, as on ARM."""
    code = f"""
import sys, pytest
from llvmlite import binding
binding.get_host_cpu_features = lambda: {features}
from manyheads.heads.fused.vector_code import LANES
assert LANES == {lanes}
sys.exit(pytest.main(["-q", "-p", "no:cacheprovider", "-m", "not slow", {__file__!r}]))
"""
    environment = {
        "NUMBA_CPU_NAME": processor,
        "NUMBA_CPU_FEATURES": "",
        "NUMBA_CACHE_DIR": str(tmp_path),
    }
    done = subprocess.run(
        [sys.executable, "-c", code],
        env=os.environ | environment,
        cwd=Path(__file__).parents[4],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
