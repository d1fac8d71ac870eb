"""Inference programs of the user's own networks; called in a child, which may die of a bad file."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np

from manyheads.backbones import keras_builds, own_files, registry
from manyheads.backbones.preprocessing_modes import Normalisation
from manyheads.backbones.registry import CHANNELS_LAST, BackboneSpec, batch_size
from manyheads.core import openvino_runtime
from manyheads.errors import BackboneError

_MOST = 1 << 30  # numbers in the output of one layer, for one batch
_LARGEST_BATCH = 64
_LAST = {"last_hidden_state"}  # as transformers name the outputs of networks of images
_POOLED = {"pooler_output", "image_embeds"}
_FLOATS = ("f32", "f16", "bf16", "f64")


def export(
    weights: str,
    digest: str,
    preprocessing: str,
    size: int,
    target: str,
    pooling: str = "avg",
    tokens: str | None = None,
) -> dict[str, Any]:
    """Write the network in the file `weights` as OpenVINO's `target`, as `exported.Program` says.

    `tokens` is what of a network's tokens are features, one of `hub.TOKEN_POOLINGS`. Raises
    `BackboneError` for a network that is no backbone for images of `size` pixels, and
    `WeightsError` for another file than `digest` names.
    """
    spec = registry.get(weights, preprocessing)
    assert spec.file is not None
    assert spec.normalisation is not None
    own_files.require(spec.file, digest)
    grid = pooling == "grid"
    if spec.in_keras:
        return _from_keras(spec, spec.file, size, Path(target), grid)
    model = read_network(spec.file, size, tokens=tokens)
    batch = model.input().get_shape()[0]
    model = features_out(model, spec.file, grid=grid, tokens=tokens)
    model = pixels_in(model, spec.normalisation)
    openvino_runtime.openvino().serialize(model, target)
    return {"features": int(model.output().get_partial_shape()[-1].get_length()), "batch": batch}


def _from_keras(
    spec: BackboneSpec, file: Path, size: int, target: Path, grid: bool
) -> dict[str, Any]:
    import keras

    inner = keras_builds.own_network(file, size, None if grid else "avg")
    if grid:
        images = keras.Input((size, size, 3))
        inner = keras.Model(images, inner(images, training=False))
        if len(inner.output_shape) != 4:
            raise _no_grid(file, list(inner.output_shape))
    keras_builds.write_program(spec, inner, CHANNELS_LAST, target, grid=grid)
    return {"features": int(inner.output_shape[-1])}


def read_network(
    file: Path, size: int, batch: int | None = None, *, tokens: str | None = None
) -> Any:
    """The `openvino.Model` in `file` for images of `size` pixels, its batch a fixed number.

    It takes float32, and its layout is set. The batch is the file's own where the file fixes it, or
    else `batch`, `batch_size(size)` without. Raises what `opened_network` raises.
    """
    ov = openvino_runtime.openvino()
    model = opened_network(file, size, batch, tokens=tokens)
    is_last = is_channels_last(model.input().get_partial_shape())
    if model.input().get_element_type() != ov.Type.f32:
        process = ov.preprocess.PrePostProcessor(model)
        process.input().tensor().set_element_type(ov.Type.f32)
        model = process.build()
    model.input().get_node().set_layout(ov.Layout("NHWC" if is_last else "NCHW"))
    return model


def opened_network(
    file: Path, size: int, batch: int | None = None, *, tokens: str | None = None
) -> Any:
    """What `read_network` returns, with the input as it is in the file.

    Of several outputs it keeps the one that the `tokens` are made of.

    Raises `BackboneError` if it is no network of images of `size` pixels with one output.
    """
    try:
        model = _with_one_output(openvino_runtime.core().read_model(file), tokens)
        if len(model.inputs) != 1 or len(model.outputs) != 1:
            raise own_files.no_features(file, f"{len(model.outputs)} outputs")
        declared = model.input().get_partial_shape()
        _check_side(file, declared, size)
        first = declared[0]
        count = first.get_length() if first.is_static else batch or batch_size(size)
        shape = [count, size, size, 3] if is_channels_last(declared) else [count, 3, size, size]
        model.reshape(shape)
    except (RuntimeError, ValueError) as error:
        raise BackboneError(
            f"a network of RGB images of {size} pixels in {file}",
            " ".join(str(error).split())[-200:], "export it again",
        ) from error  # fmt: skip
    if not 1 <= count <= _LARGEST_BATCH:
        raise BackboneError(
            f"a network of 1 to {_LARGEST_BATCH} images at a time in {file}", f"{count:,}",
            "export it with an open batch dimension",
        )  # fmt: skip
    _check_outputs(file, model, count, tokens)
    return model


def _check_side(file: Path, declared: Any, size: int) -> None:
    """Raise `BackboneError` if a file is for images of another size, as its shape says."""
    side = declared[1 if is_channels_last(declared) else 2]
    if side.is_static and side.get_length() != size:
        raise BackboneError(
            f"a network of images of {size} pixels in {file.name}", f"one of {side.get_length()}",
            f"set `image_size` to {side.get_length()}",
        )  # fmt: skip


def _with_one_output(model: Any, tokens: str | None) -> Any:
    """The model with the output for its `tokens`, or else with the one that is not pooled."""
    if len(model.outputs) == 1:
        return model
    wanted = _POOLED if tokens == "pooler" else _LAST
    for output in model.outputs:
        if output.get_names() & wanted:
            result = openvino_runtime.openvino().opset13.result(output.get_node().input_value(0))
            return openvino_runtime.openvino().Model([result], model.get_parameters(), "backbone")
    return model


def _check_outputs(file: Path, model: Any, count: int, tokens: str | None) -> None:
    for node in model.get_ordered_ops():
        for output in node.outputs():
            shape = output.get_partial_shape()
            if shape.is_static and _product(shape.to_shape()) > _MOST:
                raise BackboneError(
                    f"layers of at most {_MOST:,} numbers in {file}",
                    f"one of {list(shape.to_shape())}", "take a smaller network or image size",
                )  # fmt: skip
    output = model.output()
    shape = output.get_partial_shape()
    ranks = (2, 4) if tokens is None else (2, 3, 4)
    wanted = shape.is_static and len(shape) in ranks and shape.to_shape()[0] == count
    if not wanted or output.get_element_type().get_type_name() not in _FLOATS:
        found = f"{output.get_element_type().get_type_name()} {shape}"
        raise own_files.no_features(file, found)


def pixels_in(model: Any, how: Normalisation) -> Any:
    """`model` behind its preprocessing: `uint8` NHWC in."""
    ov = openvino_runtime.openvino()
    process = ov.preprocess.PrePostProcessor(model)
    image = process.input()
    image.tensor().set_element_type(ov.Type.u8).set_layout(ov.Layout("NHWC"))
    image.model().set_layout(model.input().get_node().layout)
    steps = image.preprocess().convert_element_type(ov.Type.f32)
    if how.bgr:
        steps.reverse_channels()
    steps.mean(list(how.mean)).scale(list(how.std))
    return process.build()


def features_out(model: Any, file: Path, *, grid: bool = False, tokens: str | None = None) -> Any:
    """`model` with float32 features as its output: pooled, or as a `grid`, which is NHWC.

    Of tokens `[n, tokens, features]` the last ones are those of the patches of a square grid, and
    the first one, if there are more, is that of the class.
    """
    ov = openvino_runtime.openvino()
    ops = ov.opset13
    found = model.output().get_node().input_value(0)
    shape = list(found.get_partial_shape().to_shape())
    if grid and len(shape) not in (3, 4):
        raise _no_grid(file, shape)
    if len(shape) == 4 and tokens not in (None, "mean"):
        raise BackboneError(
            f"tokens [n, tokens, features] from {file.name} for the `pooling` {tokens}",
            f"a feature map {shape}", "leave out `pooling`",
        )  # fmt: skip
    value = ops.convert(found, "f32")
    if len(shape) == 3:
        value = _of_tokens(value, shape, "grid" if grid else tokens, file)
    if len(shape) == 4:
        first = is_map_channels_first(shape, model)
        if grid:
            value = ops.transpose(value, np.array([0, 2, 3, 1])) if first else value
        else:
            cells = np.array([2, 3] if first else [1, 2])
            value = ops.reduce_mean(value, cells, keep_dims=False)
    return ov.Model([ops.result(value)], model.get_parameters(), "backbone")


def _of_tokens(value: Any, shape: list[int], kind: str | None, file: Path) -> Any:
    ops = openvino_runtime.openvino().opset13
    _, tokens, width = shape
    side = math.isqrt(tokens)
    others = tokens - side * side  # the token of the class, and registers
    if kind == "grid":
        # 0 is the number of images, which is open in a whole model.
        return ops.reshape(_between(value, others, tokens), np.array([0, side, side, width]), True)
    if kind in ("cls", "cls+mean") and not others:
        raise BackboneError(
            f"a token of the class in {file.name}",
            f"{tokens:,} tokens, all of patches", "take the `pooling` mean",
        )  # fmt: skip
    parts = []
    if kind in ("cls", "cls+mean"):
        parts.append(ops.squeeze(_between(value, 0, 1), np.array([1])))
    if kind in ("mean", "cls+mean"):
        parts.append(ops.reduce_mean(_between(value, others, tokens), np.array([1]), False))
    if not parts:
        raise own_files.no_features(file, f"tokens {shape}")
    return parts[0] if len(parts) == 1 else ops.concat(parts, 1)


def _between(value: Any, first: int, last: int) -> Any:
    """The tokens from `first` to before `last`."""
    ops = openvino_runtime.openvino().opset13
    return ops.slice(value, np.array([first]), np.array([last]), np.array([1]), np.array([1]))


def is_map_channels_first(shape: list[int], model: Any) -> bool:
    """Whether an output `[n, …]` is NCHW: square images make square grids, else as the input is."""
    _, first, middle, last = shape
    if (first == middle) != (middle == last):
        return middle == last
    return not is_channels_last(model.input().get_partial_shape())


def is_channels_last(shape: Any) -> bool:
    """Whether an input of this shape is NHWC."""
    channels = shape[3]
    return channels.is_static and channels.get_length() == 3


def _product(shape: Any) -> int:
    total = 1
    for side in shape:
        total *= int(side)
    return total


def _no_grid(file: Path, shape: list[Any]) -> BackboneError:
    return BackboneError(
        f"a feature map as the output of {file}", str(shape),
        "leave out dropblock, or export the network without its pooling",
    )  # fmt: skip
