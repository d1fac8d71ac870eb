"""Whole networks as OpenVINO's files: a head on a backbone that Keras does not build."""

from __future__ import annotations

import math
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from manyheads.backbones import exported, joined_programs, own_files, preprocessing_modes
from manyheads.backbones.own_programs import features_out, pixels_in, read_network
from manyheads.backbones.registry import BackboneSpec, batch_size
from manyheads.backbones.weights import Weights
from manyheads.core import keras_process, openvino_runtime
from manyheads.core.job import SILENT, Job
from manyheads.core.places import disk_errors
from manyheads.errors import ModelError
from manyheads.heads.files import load_head, save_head
from manyheads.heads.head import Parameters
from manyheads.models.export.formats import INPUT, OUTPUT

FEATURES = "manyheads/features"
"""The name of the node that yields the features, in a whole network."""


def write_openvino(
    spec: BackboneSpec,
    weights: Weights,
    size: int,
    head: Parameters,
    target: Path,
    job: Job = SILENT,
    *,
    several_labels: bool = False,
) -> None:
    """Write `head` on the network in a file, its `weights`, as `target` (.xml) and its .bin.

    It takes preprocessed float32 RGB images `[n, size, size, 3]` and gives logits `[n, classes]`;
    on backbones side by side, each with its own preprocessing, it takes uint8 images as they are
    and gives probabilities, of `several_labels` one by one. Raises `WeightsError` if the file has
    changed, `DiskError`, and what `read_network` and `exported.program` raise.
    """
    if spec.members:
        write = append_to_program
        known = {"program": str(exported.program(spec, weights, size, job).path), "size": size}
        known |= {"several_labels": True} if several_labels else {}
    else:
        write = append
        known = {"weights": str(weights.path), "digest": weights.digest, "size": size}
        known |= {} if spec.tokens is None else {"tokens": spec.tokens}
    with tempfile.TemporaryDirectory(prefix="manyheads-") as folder:
        kept = Path(folder) / "head.safetensors"
        save_head(kept, head, {})
        arguments = {**known, "head": str(kept), "target": str(target)}
        keras_process.call(write, arguments, job=job)


def append(
    weights: str, digest: str, size: int, head: str, target: str, tokens: str | None = None
) -> dict[str, Any]:
    """What `write_openvino` does, with the head in a file; called in a child."""
    ov, ops = openvino_runtime.openvino(), openvino_runtime.openvino().opset13
    file = Path(weights)
    own_files.require(file, digest)
    model = features_out(read_network(file, size, tokens=tokens), file, tokens=tokens)
    value = model.output().get_node().input_value(0)
    value.get_node().set_friendly_name(FEATURES)  # where `cut` finds it
    logits = ops.result(_behind(value, Path(head)), name="logits")
    whole = ov.Model([logits], model.get_parameters(), "model")
    process = ov.preprocess.PrePostProcessor(whole)
    process.input().tensor().set_layout(ov.Layout("NHWC"))
    process.input().model().set_layout(whole.input().get_node().layout)
    whole = process.build()
    if own_files.declared_input(file)[0] is None:  # any number of images
        whole.reshape([-1, size, size, 3])
    _serialize(whole, target)
    return {}


def append_to_program(
    program: str, size: int, head: str, target: str, several_labels: bool = False
) -> dict[str, Any]:
    """The same for backbones side by side, of their joined program."""
    ov, ops = openvino_runtime.openvino(), openvino_runtime.openvino().opset13
    model = openvino_runtime.core().read_model(program)
    joined_programs.open_batch(model, size)
    logits = _behind(model.output().get_node().input_value(0), Path(head))
    chances = ops.sigmoid(logits) if several_labels else ops.softmax(logits, 1)
    whole = ov.Model([ops.result(chances)], model.get_parameters(), "model")
    _serialize(whole, target)
    return {}


def _behind(value: Any, head: Path) -> Any:
    """The logits of the head in a file, behind the features `value`."""
    ops = openvino_runtime.openvino().opset13
    for place, (kernel, bias) in enumerate(load_head(head)[0].layers):
        if place:
            value = ops.relu(value)
        value = ops.add(ops.matmul(value, np.ascontiguousarray(kernel), False, False), bias)
    return value


def _serialize(model: Any, target: str) -> None:
    model.input().get_tensor().set_names({INPUT})
    model.output().get_tensor().set_names({OUTPUT})
    with disk_errors(Path(target)):
        openvino_runtime.openvino().serialize(model, target)


def cut(file: str, preprocessing: str, size: int, target: str, head: str) -> dict[str, Any]:
    """Cut a model of `append` before the mean: its feature maps as OpenVINO's `target`, its head.

    The program takes `uint8` NHWC images; maps are NHWC, those of tokens the patches' alone. Called
    in a child. Raises `ModelError` for a model whose features are no mean of a map.
    """
    ov, ops = openvino_runtime.openvino(), openvino_runtime.openvino().opset13
    model = openvino_runtime.core().read_model(file)
    named = {node.get_friendly_name(): node for node in model.get_ordered_ops()}
    mean = named.get(FEATURES)
    if mean is None or mean.get_type_name() != "ReduceMean":
        found = "one that an earlier version wrote" if mean is None else mean.get_type_name()
        raise ModelError(
            f"a model whose features are the mean of a feature map in {Path(file).name}", found,
            "run the study anew, that of a transformer with the mean of its patches",
        )  # fmt: skip
    batch = batch_size(size)
    model.reshape([batch, size, size, 3])
    grid, axes = mean.input_value(0), mean.input_value(1).get_node().data.ravel().tolist()
    shape = [int(side) for side in grid.get_partial_shape().to_shape()]
    if len(shape) == 3:
        side = math.isqrt(shape[1])
        grid = ops.reshape(grid, np.array([batch, side, side, shape[2]]), False)
    elif axes == [2, 3]:
        grid = ops.transpose(grid, np.array([0, 2, 3, 1]))
    save_head(Path(head), _head_behind(mean), {})
    maps = ov.Model([ops.result(grid)], model.get_parameters(), "maps")
    maps.input().get_node().set_layout(ov.Layout("NHWC"))
    maps = pixels_in(maps, preprocessing_modes.parse(preprocessing))
    ov.serialize(maps, target)
    return {"features": int(maps.output().get_partial_shape().to_shape()[-1]), "batch": batch}


def head_of(model: Path) -> Parameters:
    """The head of a model that `append` wrote (.xml); raises `ModelError` for another one."""
    program = openvino_runtime.core().read_model(model)
    for node in program.get_ordered_ops():
        if node.get_friendly_name() == FEATURES:
            return _head_behind(node)
    raise ModelError(
        f"a model whose features have a name in {model.name}", "one that an earlier version wrote",
        "run the study anew",
    )  # fmt: skip


def _head_behind(features: Any) -> Parameters:
    """The head of the layers that `append` puts behind the features."""
    arrays, node = [], features
    while consumers := list(node.output(0).get_target_inputs()):
        node = consumers[0].get_node()
        if node.get_type_name() in ("MatMul", "Add"):
            arrays.append(np.array(node.input_value(1).get_node().data, np.float32))
    if len(arrays) == 2:
        arrays = [np.zeros((len(arrays[0]), 0), np.float32), np.zeros(0, np.float32), *arrays]
    inner_kernel, inner_bias, kernel, bias = arrays
    return Parameters(inner_kernel, inner_bias.ravel(), kernel, bias.ravel())


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
