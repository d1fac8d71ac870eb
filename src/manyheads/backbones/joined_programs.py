"""Inference programs of backbones side by side, made of their own programs; called in a child."""

from __future__ import annotations

from typing import Any

import numpy as np

from manyheads.core import openvino_runtime
from manyheads.core.text import counted
from manyheads.errors import BackboneError

_CLOSE = 1e-4  # of the largest feature; rounding differs less, and features of another image more


def join(programs: list[str], size: int, batch: int, target: str) -> dict[str, Any]:
    """Write programs for the same images as OpenVINO's `target`, as `exported.Program` says.

    Each is one that `exported.program` wrote; their features stand side by side, in their order.
    Raises `BackboneError` if one does not take `batch` images.
    """
    ov, ops = openvino_runtime.openvino(), openvino_runtime.openvino().opset13
    images = ops.parameter([batch, size, size, 3], ov.Type.u8, name="images")
    features = []
    for program in programs:
        model = openvino_runtime.core().read_model(program)
        _free_batch(model)
        try:
            model.reshape([batch, size, size, 3])
        except RuntimeError as error:
            raise BackboneError(
                f"backbones that take {counted(batch, 'image')} at a time, side by side",
                " ".join(str(error).split())[-160:], "export them with an open batch dimension",
            ) from error  # fmt: skip
        (given,) = model.get_parameters()
        given.output(0).replace(images.output(0))
        features.append(model.output().get_node().input_value(0))
    whole = ov.Model([ops.result(ops.concat(features, 1))], [images], "backbones")
    ov.serialize(whole, target)
    return {"features": int(whole.output().get_partial_shape()[1].get_length()), "batch": batch}


def open_batch(model: Any, size: int) -> None:
    """Let a `model` that was joined take any number of images, unless they would be mixed then."""
    fixed = list(model.input().get_shape())
    model.reshape([-1, size, size, 3])
    probe = np.random.default_rng(0).integers(0, 256, (2, size, size, 3), np.uint8)
    try:
        settings = {"INFERENCE_PRECISION_HINT": "f32"}
        compiled = openvino_runtime.core().compile_model(model, "CPU", settings)
        both, alone = compiled(probe)[0], compiled(probe[1:])[0]
        same = abs(both[1:] - alone).max() <= _CLOSE * abs(alone).max()
    except (RuntimeError, ValueError):  # of another shape
        same = False
    if not same:
        model.reshape(fixed)


def _free_batch(model: Any) -> None:
    """Let the reshapes of `model` keep the number of images, where they state it.

    Keras writes that number into those of some networks (EfficientNet's), since an input of any
    number of images would make it 1.
    """
    ops = openvino_runtime.openvino().opset13
    batch = model.input().get_shape()[0]
    for node in model.get_ordered_ops():
        if node.get_type_name() != "Reshape":
            continue
        value, shape = node.input_value(0), node.input_value(1).get_node()
        stated = shape.get_type_name() == "Constant" and list(shape.get_vector())
        first = value.get_partial_shape()[0]
        if stated and stated[0] == batch and first.is_static and first.get_length() == batch:
            kept = ops.reshape(value, np.array([0, *stated[1:]], np.int64), True)
            node.output(0).replace(kept.output(0))
