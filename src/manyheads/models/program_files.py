"""Models in files that OpenVINO opens, its own, ONNX's and LiteRT's; called in a child process.

These files may be others', so they are read under bounds on time and memory, and no path in them is
followed. What comes out is written by OpenVINO itself.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float64

from manyheads.backbones import registry
from manyheads.backbones.own_programs import opened_network
from manyheads.backbones.preprocessing_layers import channel_map
from manyheads.backbones.registry import batch_size
from manyheads.core import openvino_runtime
from manyheads.core.places import disk_errors
from manyheads.errors import ModelError
from manyheads.modelfiles import onnx_parts, untrusted
from manyheads.models.export.formats import INPUT, OUTPUT

Matrix = Float64[np.ndarray, "3 3"]
Offset = Float64[np.ndarray, "3"]


def to_program(
    file: str, backbone: str, preprocessing: str, size: int, target: str, plain: bool
) -> dict[str, Any]:
    """Write `file` as OpenVINO's `target` (.xml): `uint8` NHWC in, logits out.

    One that is `plain` gets its `preprocessing`; another has that inside, and a softmax, which is
    left out. Raises `ModelError` if it is no such model of images of `size` pixels, and what
    `opened_network` raises.
    """
    path, ov = Path(file), openvino_runtime.openvino()
    spec = registry.from_card(backbone, preprocessing)
    pixels = channel_map(spec) if plain else None
    untrusted.bound(path)
    _require_alone(path)
    model = opened_network(path, size, batch_size(size))
    batch = int(model.input().get_shape()[0])
    found = f"{model.input().get_element_type().get_type_name()} {list(model.input().get_shape())}"
    wanted = "f32" if plain else "u8"
    if found != f"{wanted} {[batch, size, size, 3]}":
        raise _other(path, f"inputs {wanted} [n, {size}, {size}, 3]", found)
    if pixels is not None:
        model = _behind_pixels(model, *pixels)
    value = model.output().get_node().input_value(0)
    if not plain:
        last = value.get_node()
        while last.get_type_name() == "Identity":
            last = last.input_value(0).get_node()
        if last.get_type_name() not in ("Softmax", "Sigmoid"):
            raise _other(path, "a softmax or a sigmoid at its end", last.get_type_name())
        value = last.input_value(0)
    shape = value.get_partial_shape()
    if len(shape) != 2 or shape.is_dynamic:
        raise _other(path, "logits [n, classes]", str(shape))
    result = ov.opset13.result(ov.opset13.convert(value, "f32"))
    whole = ov.Model([result], model.get_parameters(), "model")
    ov.serialize(whole, target)
    return {"features": int(shape[1].get_length()), "batch": batch}


def with_pixels(
    file: str,
    target: str,
    about: dict[str, str],
    backbone: str | None,
    preprocessing: str,
    several_labels: bool = False,
) -> dict[str, Any]:
    """Write the plain model in `file` (.xml) between its `preprocessing` and a softmax.

    Of `several_labels` a sigmoid stands in the softmax's place.
    Without a `backbone` it has both already. It takes any number of images if `file` does; `about`
    goes into its metadata.
    """
    ov = openvino_runtime.openvino()
    whole = openvino_runtime.core().read_model(file)
    if backbone is not None:
        pixels = channel_map(registry.from_card(backbone, preprocessing))
        model = _behind_pixels(whole, *pixels)
        logits = model.output().get_node().input_value(0)
        ops = ov.opset13
        result = ops.result(ops.sigmoid(logits) if several_labels else ops.softmax(logits, 1))
        whole = ov.Model([result], model.get_parameters(), "model")
    whole.input().get_tensor().set_names({INPUT})
    whole.output().get_tensor().set_names({OUTPUT})
    for name, text in about.items():
        whole.set_rt_info(text, ["manyheads", name])
    with disk_errors(Path(target)):
        ov.serialize(whole, target)
    return {}


def _behind_pixels(model: Any, matrix: Matrix, offset: Offset) -> Any:
    """`model`, of float32 NHWC images, behind a preprocessing: `uint8` in."""
    ov, ops = openvino_runtime.openvino(), openvino_runtime.openvino().opset13
    (given,) = model.get_parameters()
    raw = ops.parameter(given.get_partial_shape(), ov.Type.u8)
    images = ops.convert(raw, "f32")
    if (matrix == np.diag(matrix.diagonal())).all():
        images = ops.multiply(images, matrix.diagonal().astype(np.float32))
    else:
        images = ops.matmul(images, matrix.astype(np.float32), False, False)
    images = ops.add(images, offset.astype(np.float32))
    given.output(0).replace(images.output(0))
    return ov.Model(model.get_results(), [raw], "model")


def _require_alone(file: Path) -> None:
    """Raise `ModelError` if an ONNX file is damaged, or keeps weights in other files."""
    if file.suffix != ".onnx":
        return
    try:
        others = onnx_parts.read_parts(file).files
    except ValueError as error:
        raise _other(file, "a whole ONNX file", str(error)) from error
    if others:
        raise _other(file, "all weights inside", f"weights in {min(others)[:80]!r}")


def _other(file: Path, expected: str, found: str) -> ModelError:
    return ModelError(f"{expected} in {file}", found, "keep the model and its side file together")
