"""Whole networks as OpenVINO's files: a head on a backbone that Keras does not build."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from manyheads import quiet
from manyheads.backbones import normalisation, own_files
from manyheads.backbones.exported import batch_size
from manyheads.backbones.own_programs import features_out, pixels_in, read_network
from manyheads.backbones.registry import BackboneSpec
from manyheads.backbones.weights import Weights
from manyheads.errors import ModelError
from manyheads.heads.head import Parameters
from manyheads.places import disk_errors


def write_openvino(
    spec: BackboneSpec, weights: Weights, size: int, head: Parameters, target: Path
) -> None:
    """Write `head` on the network in the backbone's file as `target` (.xml) and its .bin.

    It takes preprocessed float32 RGB images `[n, size, size, 3]` and gives logits `[n, classes]`.
    Raises `WeightsError` if the file has changed, `DiskError`, and what `read_network` raises.
    """
    assert spec.file is not None
    ov, ops = quiet.openvino(), quiet.openvino().opset13
    own_files.require(weights.path, weights.digest)
    model = features_out(read_network(spec.file, size), spec.file)
    value = model.output().get_node().input_value(0)
    for place, (kernel, bias) in enumerate(head.layers):
        if place:
            value = ops.relu(value)
        value = ops.add(ops.matmul(value, np.ascontiguousarray(kernel), False, False), bias)
    whole = ov.Model([ops.result(value, name="logits")], model.get_parameters(), "model")
    process = ov.preprocess.PrePostProcessor(whole)
    process.input().tensor().set_layout(ov.Layout("NHWC"))
    process.input().model().set_layout(whole.input().get_node().layout)
    model = process.build()
    if own_files.declared_input(spec.file)[0] is None:  # any number of images
        model.reshape([-1, size, size, 3])
    with disk_errors(target):
        ov.serialize(model, str(target))


def to_program(file: str, preprocessing: str, size: int, target: str) -> dict[str, Any]:
    """Write `file`, behind its preprocessing, as OpenVINO's `target`: `uint8` NHWC in, logits out.

    Called in a child. Raises `ModelError` if it is no network of images of `size` pixels.
    """
    model = read_network(Path(file), size, batch_size(size))
    shape = list(model.output().get_partial_shape().to_shape())
    if len(shape) != 2:
        raise ModelError(
            f"logits [n, classes] from {file}", f"an output {shape}",
            "keep the model and its side file together",
        )  # fmt: skip
    batch = int(shape[0])
    whole = pixels_in(model, normalisation.parse(preprocessing))
    quiet.openvino().serialize(whole, target)
    return {"features": int(shape[1]), "batch": batch}
