"""Whole networks as OpenVINO's files: a head on a backbone that Keras does not build."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from manyheads.backbones import own_files, preprocessing_modes
from manyheads.backbones.own_programs import features_out, pixels_in, read_network
from manyheads.backbones.registry import batch_size
from manyheads.backbones.weights import Weights
from manyheads.core import keras_process, openvino_runtime
from manyheads.core.job import SILENT, Job
from manyheads.core.places import disk_errors
from manyheads.errors import ModelError
from manyheads.heads.files import load_head, save_head
from manyheads.heads.head import Parameters
from manyheads.models.export.converters import INPUT, OUTPUT


def write_openvino(
    weights: Weights,
    size: int,
    head: Parameters,
    target: Path,
    job: Job = SILENT,
) -> None:
    """Write `head` on the network in a user's file (its `weights`) as `target` (.xml) and its .bin.

    It takes preprocessed float32 RGB images `[n, size, size, 3]` and gives logits `[n, classes]`.
    Raises `WeightsError` if the file has changed, `DiskError`, and what `read_network` raises.
    """
    known = {"weights": str(weights.path), "digest": weights.digest, "size": size}
    with tempfile.TemporaryDirectory(prefix="manyheads-") as folder:
        kept = Path(folder) / "head.safetensors"
        save_head(kept, head, {})
        arguments = {**known, "head": str(kept), "target": str(target)}
        keras_process.call(append, arguments, job=job)


def append(weights: str, digest: str, size: int, head: str, target: str) -> dict[str, Any]:
    """What `write_openvino` does, with the head in a file; called in a child."""
    ov, ops = openvino_runtime.openvino(), openvino_runtime.openvino().opset13
    file, layers = Path(weights), load_head(Path(head))[0].layers
    own_files.require(file, digest)
    model = features_out(read_network(file, size), file)
    value = model.output().get_node().input_value(0)
    for place, (kernel, bias) in enumerate(layers):
        if place:
            value = ops.relu(value)
        value = ops.add(ops.matmul(value, np.ascontiguousarray(kernel), False, False), bias)
    whole = ov.Model([ops.result(value, name="logits")], model.get_parameters(), "model")
    process = ov.preprocess.PrePostProcessor(whole)
    process.input().tensor().set_layout(ov.Layout("NHWC"))
    process.input().model().set_layout(whole.input().get_node().layout)
    whole = process.build()
    if own_files.declared_input(file)[0] is None:  # any number of images
        whole.reshape([-1, size, size, 3])
    whole.input().get_tensor().set_names({INPUT})
    whole.output().get_tensor().set_names({OUTPUT})
    with disk_errors(Path(target)):
        ov.serialize(whole, target)
    return {}


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
    whole = pixels_in(model, preprocessing_modes.parse(preprocessing))
    openvino_runtime.openvino().serialize(whole, target)
    return {"features": int(shape[1]), "batch": batch}
