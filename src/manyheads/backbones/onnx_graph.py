"""An ONNX graph that is being written: its nodes, its constants, and tensors in two layouts.

Keras's images are channels last and ONNX's channels first. Each layer takes its inputs in the
layout that its operator needs, and a transpose is written where that is not the layout they
came in, once for each tensor.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

FIRST, LAST = "first", "last"  # where the channels of images are
OPSET, IR_VERSION = 17, 8  # of 2022: the oldest with all operators used here, LayerNormalization
_TO = {FIRST: (0, 3, 1, 2), LAST: (0, 2, 3, 1)}


class UnwrittenLayer(Exception):
    """A layer that the writer does not know, in words."""


@dataclass
class Tensor:
    """What a layer yields: its `shape` in Keras, batch first, and its names in the graph.

    A tensor of rank 4 has a name for each layout in which it is there; others have one, as `LAST`.
    """

    shape: tuple[int | None, ...]
    names: dict[str, str] = field(default_factory=dict[str, str])

    @property
    def is_map(self) -> bool:
        """Whether it has rows, columns and channels."""
        return len(self.shape) == 4

    @property
    def layout(self) -> str:
        """The layout in which it came."""
        return next(iter(self.names))

    def like(self, layout: str, name: str) -> Tensor:
        """Another tensor of this shape, which came in a layout under `name`."""
        return Tensor(self.shape, {layout if self.is_map else LAST: name})


def layer_words(layer: Any) -> str:
    """A layer in a message: its name and its class."""
    return f"{layer.name} ({type(layer).__name__})"


def require(layer: Any, holds: bool, found: str) -> None:
    """Raise `UnwrittenLayer` of a layer and what was `found` unless it `holds`."""
    if not holds:
        raise UnwrittenLayer(f"{layer_words(layer)} {found}")


class OnnxGraph:
    """The nodes and the constants of a graph that is being written."""

    def __init__(self) -> None:
        self.nodes: list[Any] = []
        self.constants: list[Any] = []

    def node(self, operator: str, *inputs: str, **attributes: Any) -> str:
        """Add a node with one output; returns its name."""
        from onnx import helper

        name = f"{operator.lower()}_{len(self.nodes)}"
        self.nodes.append(helper.make_node(operator, inputs, [name], name, **attributes))
        return name

    def constant(self, array: Any) -> str:
        """Add an array, float32 or int64; returns its name."""
        from onnx import numpy_helper

        values = np.asarray(array)
        values = values.astype(np.int64 if values.dtype.kind == "i" else np.float32)
        name = f"constant_{len(self.constants)}"
        self.constants.append(numpy_helper.from_array(np.ascontiguousarray(values), name))
        return name

    def channels(self, array: Any, tensor: Tensor, layout: str) -> str:
        """A number for each channel (or one for all), as a constant that fits `tensor`."""
        values = np.asarray(array, np.float32).reshape(-1)
        if tensor.is_map and layout == FIRST:
            values = values.reshape(1, -1, 1, 1)
        return self.constant(values)

    def name(self, tensor: Tensor, layout: str) -> str:
        """The name of `tensor` in a layout."""
        if not tensor.is_map:
            return tensor.names[LAST]
        if layout not in tensor.names:
            given = tensor.names[tensor.layout]
            tensor.names[layout] = self.node("Transpose", given, perm=_TO[layout])
        return tensor.names[layout]

    def proto(self, given: Any, found: Tensor, output: str) -> Any:
        """The whole model from the input `given`, a value's description, to the tensor `found`."""
        from onnx import TensorProto, helper

        last = self.name(found, LAST)
        makers = [node for node in self.nodes if last in node.output]
        if makers and not any(last in node.input for node in self.nodes):
            makers[0].output[0] = output
        else:
            self.nodes.append(helper.make_node("Identity", [last], [output]))
        shape = ["n", *found.shape[1:]]
        target = helper.make_tensor_value_info(output, TensorProto.FLOAT, shape)
        graph = helper.make_graph(self.nodes, "model", [given], [target], self.constants)
        opset = [helper.make_opsetid("", OPSET)]
        return helper.make_model(
            graph, opset_imports=opset, ir_version=IR_VERSION, producer_name="manyheads"
        )
