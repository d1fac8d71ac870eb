"""Small networks of a user's own, as files: the same one for Keras, ONNX and OpenVINO."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from manyheads.core import keras_process, openvino_runtime

FEATURES = 6


def arrays() -> tuple[np.ndarray, np.ndarray]:
    """The kernel (HWIO) and the bias of the network's only layer, a convolution."""
    generator = np.random.default_rng(5)
    kernel = generator.standard_normal((3, 3, 3, FEATURES)).astype(np.float32) / 4
    return kernel, generator.standard_normal(FEATURES).astype(np.float32) / 4


def save_onnx(file: Path, *, batch: int | None = None, pooled: bool = False, **given: Any) -> Path:
    """relu(conv) with stride 4, NCHW; `side` fixes the image size, `external` the weights' file.

    `more` are nodes behind the features, whose last output is then the network's; `also` are other
    outputs.
    """
    pytest.importorskip("onnx")
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
    last = "grid"
    if pooled:
        nodes.append(helper.make_node("GlobalAveragePool", ["grid"], ["means"]))
        nodes.append(helper.make_node("Flatten", ["means"], ["features"]))
        last = "features"
    for node in given.get("more", []):
        nodes.append(node)
        last = node.output[0]
    names = [last, *given.get("also", [])]
    outputs = [helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in names]
    image = helper.make_tensor_value_info("image", TensorProto.FLOAT, [n, 3, *sides])
    graph = helper.make_graph(nodes, "small", [image], outputs, weights)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    file.write_bytes(model.SerializeToString())
    return file


def save_openvino(file: Path) -> Path:
    """The same network as `.xml` and `.bin`, NHWC images in."""
    ov = openvino_runtime.openvino()
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
    keras_process.call(write_keras, {"file": str(file), "pooled": pooled})
    return file


def write_keras(file: str, pooled: bool, larger: bool = False) -> dict[str, Any]:
    """Write the network with Keras, before a `larger` feature map; called in a child."""
    import keras

    kernel, bias = arrays()
    images = keras.Input((None, None, 3))
    layer = keras.layers.Conv2D(FEATURES, 3, strides=4, activation="relu", name="own")
    found = layer(images)
    if larger:
        found = keras.layers.UpSampling2D()(found)
    if pooled:
        found = keras.layers.GlobalAveragePooling2D()(found)
    layer.set_weights([kernel, bias])
    keras.Model(images, found, name="small").save(file)
    return {}


def features_of(preprocessed: np.ndarray) -> np.ndarray:
    """What the network makes of preprocessed images `[n, size, size, 3]`, by the definition."""
    kernel, bias = arrays()
    count, size = len(preprocessed), (preprocessed.shape[1] - 3) // 4 + 1
    grid = np.zeros((count, size, size, FEATURES))
    for row in range(size):
        for column in range(size):
            patch = preprocessed[:, 4 * row : 4 * row + 3, 4 * column : 4 * column + 3]
            grid[:, row, column] = np.einsum("nhwc,hwcf->nf", patch, kernel) + bias
    return np.maximum(grid, 0).mean(axis=(1, 2))


def export_mobilenet(folder: str) -> dict[str, Any]:
    """Write MobileNet V2 for 64 pixels, of random weights, as `net.keras` and as `net.onnx`."""
    import warnings

    import keras

    from manyheads.backbones.keras_weights import drawn

    applications: Any = keras.applications
    model = applications.MobileNetV2(weights=None, include_top=False, input_shape=(64, 64, 3))
    model.set_weights(drawn(model, 0))
    model(np.zeros((1, 64, 64, 3), np.float32))
    model.save(f"{folder}/net.keras")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # tf2onnx looks for what NumPy no longer has
        model.export(f"{folder}/net.onnx", format="onnx", verbose=False)
    return {}
