"""A model on a backbone in an ONNX file, as one ONNX file; called in a child process.

The backbone's graph stays as it is. What goes in front of it and behind it is written around it:
preprocessing, pooling, the head.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np

from manyheads.backbones import own_files
from manyheads.backbones.own_programs import (
    is_channels_last,
    is_map_channels_first,
    opened_network,
)
from manyheads.backbones.preprocessing_layers import channel_map
from manyheads.backbones.registry import from_card
from manyheads.core.places import disk_errors
from manyheads.errors import ModelError
from manyheads.models.export.formats import INPUT, OUTPUT
from manyheads.models.openvino_models import head_of

_PREFIX = "backbone/"  # of all names in the backbone's graph, so that none is one of ours
_OLDEST = 11  # operator set; older ones take the bounds of a Slice otherwise
_AXES_ARE_INPUTS = 18  # the first operator set whose ReduceMean takes them so
_MOST = (1 << 31) - 1  # bytes of one ONNX file


def write(
    file: str,
    target: str,
    about: dict[str, str],
    backbone: str | None,
    preprocessing: str,
    weights: str,
    digest: str,
    size: int,
    tokens: str | None,
    several_labels: bool = False,
) -> dict[str, Any]:
    """Write the head of the model `file` (.xml) on the backbone `weights` (.onnx) as `target`.

    It takes float32 images as the `preprocessing` gives them and gives logits; with a `backbone`,
    the name of it, uint8 images as they are, and gives probabilities, of `several_labels` each by
    itself. The batch is open where the
    backbone's is. Raises `WeightsError` if the backbone's file has changed, and `ModelError` for a
    graph around which nothing can be written.
    """
    import onnx

    own_files.require(Path(weights), digest)
    network = opened_network(Path(weights), size, tokens=tokens)
    graph = _Around(onnx.load(weights), network, size)
    given = graph.pixels(*channel_map(from_card(backbone, preprocessing))) if backbone else INPUT
    graph.feed(given)
    logits = graph.head(graph.features(tokens), Path(file))
    if backbone is not None:
        logits = graph.probabilities(logits, several_labels=several_labels)
    whole = graph.whole(logits, np.uint8 if backbone else np.float32)
    onnx.helper.set_model_props(whole, about)
    if (length := whole.ByteSize()) > _MOST:
        raise ModelError(
            "a model of at most 2 GiB, as an ONNX file holds", f"{length:,} bytes",
            "export it as openvino",
        )  # fmt: skip
    with disk_errors(Path(target)):
        onnx.save(whole, target)
    return {}


class _Around:
    """The graph of a backbone, and nodes in front of it and behind it.

    `network` is the same backbone as OpenVINO reads it, which knows all shapes.
    """

    def __init__(self, model: Any, network: Any, size: int) -> None:
        import onnx

        self._model = onnx.compose.add_prefix(model, _PREFIX)
        self._network, self._size = network, size
        self._opset = next(each.version for each in model.opset_import if not each.domain)
        if self._opset < _OLDEST:
            raise ModelError(
                f"an ONNX backbone of operator set {_OLDEST} or newer", str(self._opset),
                "export the network anew, or export the model as openvino",
            )  # fmt: skip
        graph = self._model.graph
        constants = {each.name for each in graph.initializer}
        (self._given,) = [each for each in graph.input if each.name not in constants]
        self._front: list[Any] = []
        self._behind: list[Any] = []
        self._nodes = self._front

    def pixels(self, matrix: np.ndarray, offset: np.ndarray) -> str:
        """Preprocess raw pixels: `pixel @ matrix + offset`."""
        value = self._node("Cast", INPUT, to=1)
        if (matrix == np.diag(matrix.diagonal())).all():
            value = self._node("Mul", value, self._constant(np.float32(matrix.diagonal())))
        else:
            value = self._node("MatMul", value, self._constant(np.float32(matrix)))
        return self._node("Add", value, self._constant(np.float32(offset)))

    def feed(self, images: str) -> None:
        """Give the backbone float32 images, channels last, in the layout and type that it takes."""
        if not is_channels_last(self._network.input().get_partial_shape()):
            images = self._node("Transpose", images, perm=[0, 3, 1, 2])
        kind = self._given.type.tensor_type.elem_type
        self._node("Cast", images, to=kind, output=self._given.name)
        self._nodes = self._behind

    def features(self, tokens: str | None) -> str:
        """The float32 features `[n, features]`, pooled as `own_programs.features_out` pools."""
        output = self._network.output()
        names = {f"{_PREFIX}{name}" for name in output.get_names()}
        (name,) = [each.name for each in self._model.graph.output if each.name in names]
        value = self._node("Cast", name, to=1)
        shape = list(output.get_partial_shape().to_shape())
        if len(shape) == 4:
            first = is_map_channels_first(shape, self._network)
            return self._mean(value, [2, 3] if first else [1, 2])
        return self._of_tokens(value, shape[1], tokens) if len(shape) == 3 else value

    def head(self, value: str, model: Path) -> str:
        """The logits of the head of a `model` (.xml)."""
        layers = head_of(model).layers
        for place, (kernel, bias) in enumerate(layers):
            if place:
                value = self._node("Relu", value)
            value = self._node("Gemm", value, self._constant(kernel), self._constant(bias))
        self._classes = len(layers[-1][1])
        return value

    def probabilities(self, logits: str, *, several_labels: bool) -> str:
        """A softmax, or of several labels a sigmoid."""
        return (
            self._node("Sigmoid", logits)
            if several_labels
            else self._node("Softmax", logits, axis=1)
        )

    def whole(self, answers: str, kind: type) -> Any:
        """The model with all its nodes, for images of a `kind` of number."""
        from onnx import helper

        self._node("Identity", answers, output=OUTPUT)
        graph, first = self._model.graph, self._given.type.tensor_type.shape.dim[0]
        count: int | str = first.dim_value or "n"
        nodes = [*self._front, *graph.node, *self._behind]
        others = [each for each in graph.input if each.name != self._given.name]
        images = helper.make_tensor_value_info(
            INPUT, helper.np_dtype_to_tensor_dtype(np.dtype(kind)),
            [count, self._size, self._size, 3],
        )  # fmt: skip
        outputs = helper.make_tensor_value_info(OUTPUT, 1, [count, self._classes])
        for field, values in (
            (graph.node, nodes), (graph.input, [images, *others]), (graph.output, [outputs])
        ):  # fmt: skip
            _replace(field, values)
        return self._model

    def _of_tokens(self, value: str, count: int, kind: str | None) -> str:
        others = count - math.isqrt(count) ** 2
        parts = []
        if kind in ("cls", "cls+mean"):
            parts.append(self._node("Gather", value, self._constant(np.int64(0)), axis=1))
        if kind in ("mean", "cls+mean"):
            bounds = [self._constant(np.array([each])) for each in (others, count, 1)]
            parts.append(self._mean(self._node("Slice", value, *bounds), [1]))
        return parts[0] if len(parts) == 1 else self._node("Concat", *parts, axis=1)

    def _mean(self, value: str, axes: list[int]) -> str:
        if self._opset >= _AXES_ARE_INPUTS:
            return self._node("ReduceMean", value, self._constant(np.array(axes)), keepdims=0)
        return self._node("ReduceMean", value, axes=axes, keepdims=0)

    def _node(self, operator: str, *inputs: str, output: str | None = None, **how: Any) -> str:
        from onnx import helper

        name = output or f"{operator.lower()}_{len(self._front) + len(self._behind)}"
        self._nodes.append(helper.make_node(operator, inputs, [name], name, **how))
        return name

    def _constant(self, array: Any) -> str:
        from onnx import numpy_helper

        constants = self._model.graph.initializer
        name = f"constant_{len(constants)}"
        constants.append(numpy_helper.from_array(np.asarray(array, order="C"), name))
        return name


def _replace(field: Any, values: list[Any]) -> None:
    del field[:]
    field.extend(values)
