"""What Keras's activations are in ONNX, as layers and as arguments of other layers."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from manyheads.backbones.onnx_graph import (
    LAST,
    OnnxGraph,
    Tensor,
    UnwrittenLayer,
    layer_words,
    require,
)


def relu(graph: OnnxGraph, layer: Any, inputs: list[Tensor]) -> Tensor:
    (given,) = inputs
    slope, threshold = float(layer.negative_slope or 0), float(layer.threshold or 0)
    require(layer, not threshold and (not slope or layer.max_value is None), "with a threshold")
    layout = given.layout
    name = graph.name(given, layout)
    if slope:
        name = graph.node("LeakyRelu", name, alpha=slope)
    elif layer.max_value is None:
        name = graph.node("Relu", name)
    else:
        name = _clipped(graph, name, 0.0, float(layer.max_value))
    return given.like(layout, name)


def leaky_relu(graph: OnnxGraph, layer: Any, inputs: list[Tensor]) -> Tensor:
    (given,) = inputs
    name = graph.name(given, given.layout)
    name = graph.node("LeakyRelu", name, alpha=float(layer.negative_slope))
    return given.like(given.layout, name)


def _clipped(graph: OnnxGraph, name: str, low: float, high: float) -> str:
    bounds = (graph.constant(np.float32(low)), graph.constant(np.float32(high)))
    return graph.node("Clip", name, *bounds)


def activation(graph: OnnxGraph, layer: Any, inputs: list[Tensor]) -> Tensor:
    return activated(graph, layer, inputs[0])


def softmax(graph: OnnxGraph, layer: Any, inputs: list[Tensor]) -> Tensor:
    (given,) = inputs
    axis = layer.axis if isinstance(layer.axis, int) else 0
    require(layer, axis % len(given.shape) == len(given.shape) - 1, f"of axis {layer.axis}")
    return given.like(LAST, graph.node("Softmax", graph.name(given, LAST), axis=-1))


def activated(graph: OnnxGraph, layer: Any, given: Tensor) -> Tensor:
    """`given` behind the function that a layer has as its activation."""
    function = getattr(layer.activation, "__name__", type(layer.activation).__name__)
    if function == "linear":
        return given
    if function == "softmax":
        return given.like(LAST, graph.node("Softmax", graph.name(given, LAST), axis=-1))
    if function not in _FUNCTIONS:
        raise UnwrittenLayer(f"{layer_words(layer)} with the activation {function}")
    name = graph.name(given, given.layout)
    return given.like(given.layout, _FUNCTIONS[function](graph, name))


def _one(operator: str, **attributes: float) -> Callable[[OnnxGraph, str], str]:
    return lambda graph, name: graph.node(operator, name, **attributes)


def _silu(graph: OnnxGraph, name: str) -> str:
    return graph.node("Mul", name, graph.node("Sigmoid", name))


def _gelu(graph: OnnxGraph, name: str) -> str:
    error = graph.node("Div", name, graph.constant(np.float32(math.sqrt(2))))
    error = graph.node("Add", graph.node("Erf", error), graph.constant(np.float32(1)))
    half = graph.node("Mul", name, graph.constant(np.float32(0.5)))
    return graph.node("Mul", half, error)


_FUNCTIONS: dict[str, Callable[[OnnxGraph, str], str]] = {
    "relu": _one("Relu"),
    "relu6": lambda graph, name: _clipped(graph, name, 0.0, 6.0),
    "sigmoid": _one("Sigmoid"),
    "tanh": _one("Tanh"),
    "softplus": _one("Softplus"),
    "elu": _one("Elu", alpha=1.0),
    "silu": _silu,
    "gelu": _gelu,
    "hard_sigmoid": _one("HardSigmoid", alpha=1 / 6, beta=0.5),
    "hard_silu": _one("HardSwish"),
}
