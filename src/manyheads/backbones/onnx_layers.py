"""What each of Keras's layers is in ONNX; called where Keras is imported.

A layer of an argument that is not known here is refused, never approximated.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from manyheads.backbones.onnx_activations import (
    activated,
    activation,
    leaky_relu,
    relu,
    softmax,
)
from manyheads.backbones.onnx_graph import (
    FIRST,
    LAST,
    OnnxGraph,
    Tensor,
    UnwrittenLayer,
    layer_words,
    require,
)

Writer = Callable[[OnnxGraph, Any, list[Tensor]], Tensor]


def write_layer(graph: OnnxGraph, layer: Any, inputs: list[Tensor]) -> Tensor:
    """Write one layer behind its `inputs`; raises `UnwrittenLayer` for one that is not known."""
    write = _WRITERS.get(type(layer).__name__)
    ours = type(layer).__module__.partition(".")[0] == "keras"
    if write is None or not ours:
        raise UnwrittenLayer(layer_words(layer))
    return write(graph, layer, inputs)


def write_operation(graph: OnnxGraph, operation: Any, inputs: list[Tensor], node: Any) -> Tensor:
    """Write a sum or a product of tensors, or of one and a number, which no layer stands for.

    `node` is its call in the configuration. Raises `UnwrittenLayer` for anything else.
    """
    arithmetic = {"Add": "Add", "Multiply": "Mul", "Subtract": "Sub", "TrueDivide": "Div"}
    operator = arithmetic.get(type(operation).__name__)
    given = list(node.get("args", [])) if isinstance(node, dict) else []
    numbers = [each for each in given if isinstance(each, int | float)]
    plain = type(operation).__module__.endswith("ops.numpy") and not node.get("kwargs")
    if operator is None or not plain or len(inputs) + len(numbers) != 2 or len(given) != 2:
        raise UnwrittenLayer(layer_words(operation))
    if not numbers:
        return _merge(operator)(graph, operation, inputs)
    layout = inputs[0].layout
    pair = [graph.name(inputs[0], layout), graph.constant(np.float32(numbers[0]))]
    if numbers[0] is given[0]:
        pair.reverse()
    return inputs[0].like(layout, graph.node(operator, *pair))


def _array(variable: Any) -> np.ndarray[Any, Any]:
    import keras

    return np.asarray(keras.ops.convert_to_numpy(variable))


def _shape_after(layer: Any, inputs: Sequence[Tensor]) -> tuple[int | None, ...]:
    return tuple(layer.compute_output_shape(inputs[0].shape))


# Convolutions and pools


def _conv(graph: OnnxGraph, layer: Any, inputs: list[Tensor]) -> Tensor:
    kernel = _array(layer.kernel).transpose(3, 2, 0, 1)
    name = _convolved(graph, layer, inputs[0], kernel, layer.groups)
    return _biased(graph, layer, inputs, name)


def _depthwise(graph: OnnxGraph, layer: Any, inputs: list[Tensor]) -> Tensor:
    name = _convolved(graph, layer, inputs[0], *_by_channel(layer.kernel))
    return _biased(graph, layer, inputs, name)


def _separable(graph: OnnxGraph, layer: Any, inputs: list[Tensor]) -> Tensor:
    name = _convolved(graph, layer, inputs[0], *_by_channel(layer.depthwise_kernel))
    points = graph.constant(_array(layer.pointwise_kernel).transpose(3, 2, 0, 1))
    return _biased(graph, layer, inputs, graph.node("Conv", name, points))


def _by_channel(kernel: Any) -> tuple[np.ndarray[Any, Any], int]:
    """A depthwise kernel `[rows, columns, channels, multiplier]` as ONNX's, and its groups."""
    values = _array(kernel)
    rows, columns, channels, _ = values.shape
    return values.transpose(2, 3, 0, 1).reshape(-1, 1, rows, columns), channels


def _convolved(
    graph: OnnxGraph, layer: Any, given: Tensor, kernel: np.ndarray[Any, Any], groups: int
) -> str:
    return graph.node(
        "Conv", graph.name(given, FIRST), graph.constant(kernel),
        group=groups, strides=list(layer.strides), dilations=list(layer.dilation_rate),
        pads=_pads(layer, given, kernel.shape[2:], layer.dilation_rate),
    )  # fmt: skip


def _biased(graph: OnnxGraph, layer: Any, inputs: list[Tensor], name: str) -> Tensor:
    """A convolution's output behind its bias and its activation."""
    found = Tensor(_shape_after(layer, inputs), {FIRST: name})
    if layer.bias is not None:
        name = graph.node("Add", name, graph.channels(_array(layer.bias), found, FIRST))
        found = found.like(FIRST, name)
    return activated(graph, layer, found)


def _pads(layer: Any, given: Tensor, window: Sequence[int], dilations: Sequence[int]) -> list[int]:
    """What is padded at the top, left, bottom and right, as Keras pads."""
    require(layer, layer.data_format == "channels_last", f"of {layer.data_format}")
    require(layer, layer.padding in ("valid", "same"), f"with the padding {layer.padding}")
    if layer.padding == "valid":
        return [0, 0, 0, 0]
    before, after = [], []
    for side, size, stride, dilation in zip(
        given.shape[1:3], window, layer.strides, dilations, strict=True
    ):
        if side is None:
            raise UnwrittenLayer(f"{layer_words(layer)} of images of any size")
        reach = (size - 1) * dilation + 1
        total = max((-(-side // stride) - 1) * stride + reach - side, 0)
        before.append(total // 2)
        after.append(total - total // 2)
    return before + after


def _pool(operator: str, **attributes: int) -> Writer:
    def write(graph: OnnxGraph, layer: Any, inputs: list[Tensor]) -> Tensor:
        name = graph.node(
            operator, graph.name(inputs[0], FIRST), kernel_shape=list(layer.pool_size),
            strides=list(layer.strides), pads=_pads(layer, inputs[0], layer.pool_size, (1, 1)),
            **attributes,
        )  # fmt: skip
        return Tensor(_shape_after(layer, inputs), {FIRST: name})

    return write


def _global_pool(operator: str) -> Writer:
    def write(graph: OnnxGraph, layer: Any, inputs: list[Tensor]) -> Tensor:
        require(layer, layer.data_format == "channels_last", f"of {layer.data_format}")
        name = graph.node(operator, graph.name(inputs[0], FIRST))
        shape = _shape_after(layer, inputs)
        if layer.keepdims:
            return Tensor(shape, {FIRST: name})
        return Tensor(shape, {LAST: graph.node("Flatten", name)})

    return write


def _zero_padding(graph: OnnxGraph, layer: Any, inputs: list[Tensor]) -> Tensor:
    require(layer, layer.data_format == "channels_last", f"of {layer.data_format}")
    (top, bottom), (left, right) = layer.padding
    pads = graph.constant(np.array([0, 0, top, left, 0, 0, bottom, right]))
    name = graph.node("Pad", graph.name(inputs[0], FIRST), pads)
    return Tensor(_shape_after(layer, inputs), {FIRST: name})


def _cropping(graph: OnnxGraph, layer: Any, inputs: list[Tensor]) -> Tensor:
    require(layer, layer.data_format == "channels_last", f"of {layer.data_format}")
    (top, _), (left, _) = layer.cropping
    shape = _shape_after(layer, inputs)
    rows, columns = shape[1:3]
    if rows is None or columns is None:
        raise UnwrittenLayer(f"{layer_words(layer)} of images of any size")
    bounds = ([top, left], [top + rows, left + columns], [2, 3])
    corners = [graph.constant(np.array(each)) for each in bounds]
    return Tensor(shape, {FIRST: graph.node("Slice", graph.name(inputs[0], FIRST), *corners)})


# Dense layers and norms


def _dense(graph: OnnxGraph, layer: Any, inputs: list[Tensor]) -> Tensor:
    name = graph.node("MatMul", graph.name(inputs[0], LAST), graph.constant(_array(layer.kernel)))
    if layer.bias is not None:
        name = graph.node("Add", name, graph.constant(_array(layer.bias)))
    return activated(graph, layer, Tensor(_shape_after(layer, inputs), {LAST: name}))


def _batch_norm(graph: OnnxGraph, layer: Any, inputs: list[Tensor]) -> Tensor:
    (given,) = inputs
    rank = len(given.shape)
    axis = layer.axis % rank
    require(layer, rank in (2, 4) and axis == rank - 1, f"of axis {layer.axis}")
    mean = _array(layer.moving_mean)
    scale = np.ones_like(mean) if layer.gamma is None else _array(layer.gamma)
    shift = np.zeros_like(mean) if layer.beta is None else _array(layer.beta)
    arrays = [graph.constant(each) for each in (scale, shift, mean, _array(layer.moving_variance))]
    name = graph.name(given, FIRST)
    name = graph.node("BatchNormalization", name, *arrays, epsilon=float(layer.epsilon))
    return given.like(FIRST, name)


def _layer_norm(graph: OnnxGraph, layer: Any, inputs: list[Tensor]) -> Tensor:
    (given,) = inputs
    axes = np.atleast_1d(np.asarray(layer.axis)) % len(given.shape)
    require(layer, axes.tolist() == [len(given.shape) - 1], f"of axis {layer.axis}")
    size = given.shape[-1] or 1
    scale = np.ones(size) if layer.gamma is None else _array(layer.gamma)
    shift = np.zeros(size) if layer.beta is None else _array(layer.beta)
    name = graph.node(
        "LayerNormalization", graph.name(given, LAST), graph.constant(scale),
        graph.constant(shift), axis=-1, epsilon=float(layer.epsilon),
    )  # fmt: skip
    return given.like(LAST, name)


def _normalization(graph: OnnxGraph, layer: Any, inputs: list[Tensor]) -> Tensor:
    (given,) = inputs
    last = len(given.shape) - 1
    axes = [axis % len(given.shape) for axis in np.atleast_1d(np.asarray(layer.axis)).tolist()]
    require(layer, axes == [last] and not layer.invert, "that is not of channels")
    deviation = np.maximum(np.sqrt(_array(layer.variance)), np.float32(1e-7))  # Keras's epsilon
    layout = given.layout
    name = graph.name(given, layout)
    name = graph.node("Sub", name, graph.channels(_array(layer.mean), given, layout))
    name = graph.node("Div", name, graph.channels(deviation, given, layout))
    return given.like(layout, name)


def _rescaling(graph: OnnxGraph, layer: Any, inputs: list[Tensor]) -> Tensor:
    (given,) = inputs
    layout = given.layout
    name = graph.name(given, layout)
    for operator, numbers in (("Mul", layer.scale), ("Add", layer.offset)):
        values = np.asarray(numbers, np.float32)
        require(layer, values.size in (1, given.shape[-1]), "with numbers for no channels")
        if (values != (operator == "Mul")).any():
            name = graph.node(operator, name, graph.channels(values, given, layout))
    return given.like(layout, name)


def _layer_scale(graph: OnnxGraph, layer: Any, inputs: list[Tensor]) -> Tensor:
    (given,) = inputs
    layout = given.layout
    factor = graph.channels(_array(layer.gamma), given, layout)
    return given.like(layout, graph.node("Mul", graph.name(given, layout), factor))


# Several inputs, and shapes


def _merge(operator: str) -> Writer:
    def write(graph: OnnxGraph, layer: Any, inputs: list[Tensor]) -> Tensor:
        ranks = {len(given.shape) for given in inputs}
        require(layer, len(ranks) == 1 and len(inputs) > 1, "of inputs of several ranks")
        layout = FIRST if inputs[0].is_map else LAST
        name, *others = [graph.name(given, layout) for given in inputs]
        for other in others:
            name = graph.node(operator, name, other)
        largest = max(inputs, key=lambda given: math.prod(given.shape[1:]))  # pyright: ignore
        return largest.like(layout, name)

    return write


def _concatenate(graph: OnnxGraph, layer: Any, inputs: list[Tensor]) -> Tensor:
    rank = len(inputs[0].shape)
    require(layer, rank in (2, 4) and layer.axis % rank == rank - 1, f"of axis {layer.axis}")
    layout = FIRST if rank == 4 else LAST
    name = graph.node("Concat", *(graph.name(given, layout) for given in inputs), axis=1)
    channels = sum(given.shape[-1] or 0 for given in inputs)
    return Tensor((*inputs[0].shape[:-1], channels)).like(layout, name)


def _scaled_sum(graph: OnnxGraph, layer: Any, inputs: list[Tensor]) -> Tensor:
    first, second = inputs
    scaled = graph.node("Mul", graph.name(second, FIRST), graph.constant(np.float32(layer.scale)))
    return first.like(FIRST, graph.node("Add", graph.name(first, FIRST), scaled))


def _reshape(graph: OnnxGraph, layer: Any, inputs: list[Tensor]) -> Tensor:
    shape = _shape_after(layer, inputs)
    require(layer, all(side is not None for side in shape[1:]), "of images of any size")
    target = graph.constant(np.array([-1, *shape[1:]], np.int64))
    return Tensor(shape, {LAST: graph.node("Reshape", graph.name(inputs[0], LAST), target)})


def _unchanged(_graph: OnnxGraph, _layer: Any, inputs: list[Tensor]) -> Tensor:
    return inputs[0]


_WRITERS: dict[str, Writer] = {
    "Conv2D": _conv,
    "DepthwiseConv2D": _depthwise,
    "SeparableConv2D": _separable,
    "MaxPooling2D": _pool("MaxPool"),
    "AveragePooling2D": _pool("AveragePool", count_include_pad=0),
    "GlobalAveragePooling2D": _global_pool("GlobalAveragePool"),
    "GlobalMaxPooling2D": _global_pool("GlobalMaxPool"),
    "ZeroPadding2D": _zero_padding,
    "Cropping2D": _cropping,
    "Dense": _dense,
    "BatchNormalization": _batch_norm,
    "LayerNormalization": _layer_norm,
    "Normalization": _normalization,
    "Rescaling": _rescaling,
    "LayerScale": _layer_scale,
    "ReLU": relu,
    "LeakyReLU": leaky_relu,
    "Activation": activation,
    "Softmax": softmax,
    "Add": _merge("Add"),
    "Multiply": _merge("Mul"),
    "Concatenate": _concatenate,
    "CustomScaleLayer": _scaled_sum,
    "Reshape": _reshape,
    "Flatten": _reshape,
    **dict.fromkeys(
        (
            "InputLayer", "Identity", "Dropout", "SpatialDropout2D", "AlphaDropout",
            "GaussianDropout", "GaussianNoise", "ActivityRegularization", "StochasticDepth",
        ),
        _unchanged,
    ),
}  # fmt: skip
"""By the name of the layer's class; those of the last line do nothing once training is over."""
