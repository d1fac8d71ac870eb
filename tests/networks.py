"""Small networks of a user's own, as files: the same one for Keras, ONNX and OpenVINO."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from manyheads import quiet
from manyheads.backbones import keras_process

FEATURES = 6


def arrays() -> tuple[np.ndarray, np.ndarray]:
    """The kernel (HWIO) and the bias of the network's only layer, a convolution."""
    generator = np.random.default_rng(5)
    kernel = generator.standard_normal((3, 3, 3, FEATURES)).astype(np.float32) / 4
    return kernel, generator.standard_normal(FEATURES).astype(np.float32) / 4


def save_onnx(file: Path, *, batch: int | None = None, pooled: bool = False, **given: Any) -> Path:
    """relu(conv) with stride 4, NCHW; `side` fixes the image size, `external` the weights' file."""
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    kernel, bias = arrays()
    side, n = given.get("side"), "n" if batch is None else batch
    sides = [side or "rows", side or "columns"]
    weights = [
        numpy_helper.from_array(np.ascontiguousarray(kernel.transpose(3, 2, 0, 1)), "kernel"),
        numpy_helper.from_array(bias, "bias"),
    ]
    if (external := given.get("external")) is not None:
        weights[0].ClearField("raw_data")
        weights[0].data_location = TensorProto.EXTERNAL
        entry = weights[0].external_data.add()
        entry.key, entry.value = "location", external
        (file.parent / Path(external).name).write_bytes(
            kernel.transpose(3, 2, 0, 1).astype("<f4").tobytes()
        )
    nodes = [
        helper.make_node(
            "Conv", ["image", "kernel", "bias"], ["sums"], strides=[4, 4], pads=[0, 0, 0, 0]
        ),
        helper.make_node("Relu", ["sums"], ["grid"]),
    ]
    output = helper.make_tensor_value_info("grid", TensorProto.FLOAT, [n, FEATURES, "h", "w"])
    if pooled:
        nodes.append(helper.make_node("GlobalAveragePool", ["grid"], ["means"]))
        nodes.append(helper.make_node("Flatten", ["means"], ["features"]))
        output = helper.make_tensor_value_info("features", TensorProto.FLOAT, [n, FEATURES])
    outputs = [output, *given.get("more", [])]
    image = helper.make_tensor_value_info("image", TensorProto.FLOAT, [n, 3, *sides])
    graph = helper.make_graph(nodes, "small", [image], outputs, weights)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    file.write_bytes(model.SerializeToString())
    assert onnx
    return file


def save_openvino(file: Path) -> Path:
    """The same network as `.xml` and `.bin`, NHWC images in."""
    ov = quiet.openvino()
    ops = ov.opset13
    kernel, bias = arrays()
    image = ops.parameter([-1, -1, -1, 3], ov.Type.f32, name="image")
    first = ops.transpose(image, [0, 3, 1, 2])
    weights = ops.constant(np.ascontiguousarray(kernel.transpose(3, 2, 0, 1)))
    sums = ops.convolution(first, weights, [4, 4], [0, 0], [0, 0], [1, 1])
    grid = ops.relu(ops.add(sums, ops.constant(bias.reshape(1, -1, 1, 1))))
    ov.serialize(ov.Model([grid], [image], "small"), str(file))
    return file


def save_keras(file: Path, *, pooled: bool = False) -> Path:
    """The same network as a `.keras` file, for images of any size."""
    keras_process.call("tests.networks:write_keras", {"file": str(file), "pooled": pooled})
    return file


def write_keras(file: str, pooled: bool) -> dict[str, Any]:
    """Write the network with Keras; called in a child."""
    import keras

    kernel, bias = arrays()
    images = keras.Input((None, None, 3))
    layer = keras.layers.Conv2D(FEATURES, 3, strides=4, activation="relu", name="own")
    found = layer(images)
    if pooled:
        found = keras.layers.GlobalAveragePooling2D()(found)
    layer.set_weights([kernel, bias])
    keras.Model(images, found, name="small").save(file)
    return {}
