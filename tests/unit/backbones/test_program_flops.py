from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from manyheads.backbones.program_flops import gflop_per_image
from manyheads.core import openvino_runtime

BATCH = 3


def written(
    folder: Path, build: Any, shape: tuple[int, ...] = (BATCH, 3, 9, 9), *, named: str = "net.xml"
) -> Path:
    """A program of images of `shape`, whose output `build` makes of its input."""
    ov = openvino_runtime.openvino()
    images = ov.opset13.parameter(list(shape), np.float32)
    model = ov.Model([ov.opset13.result(build(ov.opset13, images))], [images], "net")
    ov.serialize(model, str(folder / named))
    return folder / named


def convolved(ops: Any, value: Any, kernel: tuple[int, ...], strides: int = 1) -> Any:
    function = ops.group_convolution if len(kernel) == 5 else ops.convolution
    numbers = ops.constant(np.ones(kernel, np.float32))
    return function(value, numbers, [strides] * 2, [0, 0], [0, 0], [1, 1])


def test_convolutions_are_counted_by_cell_and_what_has_no_kernel_is_not(tmp_path: Path) -> None:
    def build(ops: Any, images: Any) -> Any:
        value = convolved(ops, images, (4, 3, 3, 3), strides=2)  # to 4 × 4 cells
        value = ops.relu(value)
        value = convolved(ops, value, (4, 1, 1, 3, 3))  # each channel alone, to 2 × 2 cells
        value = convolved(ops, value, (2, 5, 2, 1, 1))  # two groups
        value = ops.reduce_mean(value, ops.constant([2, 3]), False)
        return ops.matmul(value, ops.constant(np.ones((10, 7), np.float32)), False, False)

    whole = 16 * 4 * 3 * 3 * 3
    alone = 4 * 4 * 3 * 3
    grouped = 4 * 10 * 2
    found = gflop_per_image(written(tmp_path, build))
    assert found == pytest.approx(2 * (whole + alone + grouped + 10 * 7) / 1e9, rel=1e-12)


@pytest.mark.parametrize("turned", [True, False])
def test_products_of_two_inputs_are_counted_as_in_attention(tmp_path: Path, turned: bool) -> None:
    def build(ops: Any, tokens: Any) -> Any:
        return ops.matmul(tokens, tokens, turned, not turned)

    found = gflop_per_image(written(tmp_path, build, (BATCH, 2, 5, 4)))
    products = 2 * (4 * 4 * 5 if turned else 5 * 5 * 4)
    assert found == pytest.approx(2 * products / 1e9, rel=1e-12)


def test_a_size_that_is_open_makes_it_unknown(tmp_path: Path) -> None:
    def build(ops: Any, images: Any) -> Any:
        return convolved(ops, images, (4, 3, 3, 3))

    assert gflop_per_image(written(tmp_path, build, (BATCH, 3, -1, -1))) is None
    assert gflop_per_image(written(tmp_path, build, (-1, 3, 9, 9), named="any.xml")) is None
