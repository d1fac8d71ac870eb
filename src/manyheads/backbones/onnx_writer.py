"""A Keras network as an ONNX file, written layer by layer; called where Keras is imported.

TensorFlow is not needed for it: the layers of a network are followed as its configuration says, and
`onnx_layers` knows what each of them is in ONNX.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from manyheads.backbones.onnx_graph import LAST, OnnxGraph, Tensor, UnwrittenLayer
from manyheads.backbones.onnx_layers import write_layer, write_operation

if TYPE_CHECKING:
    import keras


def write_onnx(
    model: keras.Model, target: Path, about: dict[str, str], given: str, output: str
) -> None:
    """Write `model`, of one input and one output, as `target`, with `about` in its metadata.

    The input and the output are called `given` and `output`, and take any number of images.
    Raises `UnwrittenLayer` for a layer that this writer does not know.
    """
    import onnx
    from onnx import TensorProto, helper

    graph, shape = OnnxGraph(), tuple(model.input_shape)
    images: Any = model.input
    is_raw = str(images.dtype) == "uint8"
    kind = TensorProto.UINT8 if is_raw else TensorProto.FLOAT
    name = graph.node("Cast", given, to=int(TensorProto.FLOAT)) if is_raw else given
    found = _network(graph, model, Tensor(shape, {LAST: name}))
    described = helper.make_tensor_value_info(given, kind, ["n", *shape[1:]])
    proto = graph.proto(described, found, output)
    helper.set_model_props(proto, about)
    onnx.checker.check_model(proto)
    onnx.save(proto, target)


def _network(graph: OnnxGraph, model: Any, tensor: Tensor) -> Tensor:
    """Write all layers of a network behind `tensor`; returns what comes out of the last."""
    import keras

    if isinstance(model, keras.Sequential):
        for layer in model.layers:
            tensor = _layer(graph, layer, [tensor])
        return tensor
    config = model.get_config()
    operations = {operation.name: operation for operation in model.operations}
    values = {(name, place): tensor for name, place, _ in _references(config["input_layers"])}
    waiting = [
        (entry["name"], place, node)
        for entry in config["layers"]
        for place, node in enumerate(entry["inbound_nodes"])
    ]
    while waiting:
        left: list[tuple[str, int, Any]] = []
        for name, place, node in waiting:
            sources = [(other, at) for other, at, _ in _references(node)]
            if not all(source in values for source in sources):
                left.append((name, place, node))
                continue
            inputs = [values[source] for source in sources]
            values[name, place] = _layer(graph, operations[name], inputs, node)
        if len(left) == len(waiting):
            raise UnwrittenLayer(f"{left[0][0]}, whose inputs come from nowhere")
        waiting = left
    outputs = list(_references(config["output_layers"]))
    if len(outputs) != 1:
        raise UnwrittenLayer(f"{model.name}, a network of {len(outputs)} outputs")
    name, place, _ = outputs[0]
    # Keras counts the calls of a network within one from 1 here, and from 0 everywhere else.
    return values[name, place - _is_nested(operations[name])]


def _layer(graph: OnnxGraph, layer: Any, inputs: list[Tensor], node: Any = None) -> Tensor:
    """Write one layer, a network within the network, or an operation that no layer stands for.

    `node` is its call in the configuration.
    """
    import keras

    if not isinstance(layer, keras.layers.Layer):
        return write_operation(graph, layer, inputs, node)
    if isinstance(node, dict) and (node.get("kwargs") or {}).get("training"):
        raise UnwrittenLayer(f"{layer.name} in training mode")
    if not hasattr(layer, "layers"):
        return write_layer(graph, layer, inputs)
    if len(inputs) != 1:
        raise UnwrittenLayer(f"{layer.name}, a network of {len(inputs)} inputs")
    return _network(graph, layer, inputs[0])


def _is_nested(operation: Any) -> bool:
    import keras

    return hasattr(operation, "layers") and not isinstance(operation, keras.Sequential)


def _references(node: Any) -> Iterator[tuple[str, int, int]]:
    """The tensors `(layer, call, output)` that part of a configuration refers to, in order."""
    if isinstance(node, dict):
        node = list(node.values())
    if not isinstance(node, list | tuple):
        return
    if len(node) == 3 and isinstance(node[0], str) and isinstance(node[1], int):
        yield node[0], node[1], int(node[2])
        return
    for part in node:
        yield from _references(part)
