"""What a Keras configuration says about a head, read as data.

The head is what stands behind the backbone: pooling, one or two dense layers and dropout, one
behind the other. What only scales and shifts (`BatchNormalization`, a dense layer without an
activation) is no layer of its own in use. Whatever else stands there is refused by its name.
"""

from __future__ import annotations

import json
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from manyheads.modelfiles.keras_files import Arrays
from manyheads.models.importing.layer_graph import Head, Layer, Step, followed, layer_words
from manyheads.models.pixel_maps import AS_THEY_ARE, PixelMap

LOGITS, SOFTMAX, LOG_ODDS, SIGMOID = "logits", "softmax", "log-odds", "sigmoid"
"""What a head gives: of each class, or of the second of two classes alone."""

_RELU_PLAIN = {"max_value": None, "negative_slope": 0.0, "threshold": 0.0}
_BINARY = ("binary_crossentropy", "BinaryCrossentropy", "binary_focal_crossentropy",
           "BinaryFocalCrossentropy")  # fmt: skip


@dataclass(frozen=True)
class HeadConfig:
    """What a configuration tells of a head.

    `size` of the images in pixels (None: any); the `layers` of the head that hold arrays, with a
    "relu" where one stands between them; what it gives as its `output`; the `droprate` between its
    dense layers; the `backbone`'s own name where it is one nested network. `pixels` is what layers
    before the backbone do to images, None where there are none, and `entered` the same without
    layers in the backbone's own network. `pooling` are the layers that pool, and `inactive` the
    names of layers that do nothing in use. `normalised` tells of a `LayerNormalization` behind the
    pooling, as ConvNeXt has it.
    """

    size: int | None
    layers: tuple[Step | str, ...]
    output: str
    droprate: float
    backbone: str | None
    pooling: tuple[Layer, ...] = ()
    pixels: PixelMap | None = None
    entered: PixelMap | None = None
    inactive: frozenset[str] = field(default_factory=frozenset)
    normalised: str = ""

    @property
    def relu(self) -> bool:
        """Whether a relu stands between two dense layers."""
        return "relu" in self.layers

    @property
    def dense(self) -> tuple[str, ...]:
        """The names of the dense layers."""
        steps = [step for step in self.layers if isinstance(step, Step)]
        return tuple(step.path[-1] for step in steps if step.layer["class_name"] == "Dense")


def _no_arrays(_: tuple[str, ...]) -> Arrays:
    return []


def read_config(config: dict[str, Any], lookup: Any = _no_arrays) -> HeadConfig:
    """The head in a whole model's configuration; raises `ValueError` for what is none.

    `lookup` yields the arrays of a layer, by its name behind those of the networks it is in; it is
    asked only for a `Normalization` of the images.
    """
    layers = config["config"].get("layers")
    if not isinstance(layers, list) or not layers:
        raise ValueError("a model without layers")
    size = _size(config)
    head, inactive = followed(config, size, lookup)
    pooling, steps = _pooled(head)
    normalised = ""
    if steps and steps[0].layer["class_name"] == "LayerNormalization":
        normalised = layer_words(steps.pop(0).layer)
    arrays, ends, droprate = _flattened(steps)
    return HeadConfig(
        size=size,
        layers=arrays,
        output=_output(ends, arrays, config),
        droprate=droprate,
        backbone=head.body.name,
        pooling=tuple(step.layer for step in pooling),
        pixels=_told(head.body.pixels),
        entered=_told(head.body.entered),
        inactive=frozenset(inactive),
        normalised=normalised,
    )


def _told(pixels: PixelMap) -> PixelMap | None:
    return None if pixels is AS_THEY_ARE else pixels


def _pooled(head: Head) -> tuple[list[Step], list[Step]]:
    """The steps that pool, and those behind them."""
    kinds = ("GlobalAveragePooling2D", "AveragePooling2D", "Flatten", "Reshape")
    first = head.steps[0].layer
    if first["class_name"] not in kinds:
        raise ValueError(f"{layer_words(first)} where manyheads takes GlobalAveragePooling2D")
    count = 1
    while count < len(head.steps) and head.steps[count].layer["class_name"] in kinds:
        count += 1
    rest = list(head.steps[count:])
    # A pooled image is flat already, whatever keeps its axes of one.
    behind = [step for step in rest if step.layer["class_name"] not in ("Flatten", "Reshape")]
    flattened = [step for step in rest if step.layer["class_name"] in ("Flatten", "Reshape")]
    for step in [*head.steps[:count], *flattened]:
        shape = step.layer["config"].get("target_shape")
        flat = isinstance(shape, list) and len(shape) == 1
        if step.layer["class_name"] == "Reshape" and not flat:
            raise ValueError(f"{layer_words(step.layer)} in the head")
    return [*head.steps[:count], *flattened], behind


def _flattened(steps: list[Step]) -> tuple[tuple[Step | str, ...], list[str], float]:
    """The layers with arrays and what is between them, how it ends, and the rate of its dropout."""
    found: list[Step | str] = []
    droprate, waiting = 0.0, 0.0
    for step in steps:
        layer = step.layer
        kind, config = layer["class_name"], layer["config"]
        if kind == "Dropout":
            waiting = float(config["rate"]) if found else 0.0
            continue
        if kind in ("Dense", "BatchNormalization", "Rescaling"):
            if kind == "Dense" and found:
                droprate, waiting = waiting or droprate, 0.0
            found.append(step)
        elif kind == "LayerNormalization":
            raise ValueError(f"{layer_words(layer)} in the head")
        activation = _activation(layer)
        if activation:
            found.append(activation)
    chain = " → ".join(layer_words(step.layer) for step in steps) or "nothing"
    ends = []
    while found and isinstance(found[-1], str):
        ends.append(found.pop())
    dense = [isinstance(each, Step) and each.layer["class_name"] == "Dense" for each in found]
    if any(dense) and ends == ["relu"]:
        raise ValueError(f"a relu behind the last dense layer: {chain}")
    if not any(dense) or (ends and ends != ["softmax"] and ends != ["sigmoid"]):
        raise ValueError(f"{chain} behind the pooling")
    hidden = [each for each in found if isinstance(each, str)]
    if set(hidden) - {"relu"}:
        raise ValueError(f"a {hidden[0]} inside a head: {chain}")
    if len(hidden) > 1:
        raise ValueError(
            f"{len(hidden)} inner layers, each with an activation, where a head has one: {chain}"
        )
    if hidden and not any(dense[: found.index("relu")]):
        raise ValueError(f"an activation before the first dense layer: {chain}")
    if hidden and not any(dense[found.index("relu") :]):
        raise ValueError(f"an activation behind the last dense layer: {chain}")
    return tuple(found), ends, droprate


def _activation(layer: Layer) -> str:
    """The activation that a layer ends with, or "" for none; raises `ValueError` for a strange."""
    kind, config = layer["class_name"], layer["config"]
    if kind == "Softmax":
        return "softmax"
    if kind == "ReLU":
        plain = {"negative_slope": config.get("negative_slope", config.get("alpha", 0.0)), **config}
        if any((plain.get(key) or 0.0) != (usual or 0.0) for key, usual in _RELU_PLAIN.items()):
            raise ValueError(f"{layer_words(layer)} in the head, which is more than a relu")
        return "relu"
    if kind not in ("Dense", "Activation", "BatchNormalization", "Rescaling"):
        raise ValueError(f"{layer_words(layer)} in the head")
    activation = config.get("activation") if kind in ("Dense", "Activation") else None
    if isinstance(activation, dict):  # a function by its name, or a layer
        inner = activation.get("config")
        if activation.get("class_name") == "function" and isinstance(inner, str):
            activation = inner
        elif activation.get("class_name") in ("ReLU", "Softmax") and isinstance(inner, dict):
            return _activation({"class_name": activation["class_name"], "config": inner})
    if activation in (None, "linear"):
        return ""
    if not isinstance(activation, str) or activation not in ("relu", "softmax", "sigmoid"):
        raise ValueError(f"the activation {str(activation)[:60]!r} of {layer_words(layer)}")
    return activation


def _output(ends: list[str], layers: tuple[Step | str, ...], config: dict[str, Any]) -> str:
    """What the head gives; raises `ValueError` if that is not one class of several."""
    last = next(step for step in reversed(layers)
                if isinstance(step, Step) and step.layer["class_name"] == "Dense")  # fmt: skip
    units = last.layer["config"].get("units")
    words = layer_words(last.layer)
    if units != 1:
        if ends == ["sigmoid"]:
            raise ValueError(
                f"a sigmoid behind {words}: a probability for each class by itself (several labels "
                "an image), where a head of manyheads gives one class"
            )
        return SOFTMAX if ends else LOGITS
    if ends == ["softmax"]:
        raise ValueError(f"a softmax of one unit behind {words}, which is always 1")
    loss = _loss(config)
    if not ends and loss is not None and loss not in _BINARY:
        raise ValueError(f"one output of {words}, trained with {loss[:60]}: a number and no class")
    return SIGMOID if ends else LOG_ODDS


def _loss(config: dict[str, Any]) -> str | None:
    """The name of the loss that the model was compiled with, where that is told."""
    compiled = config.get("compile_config")
    with suppress(ValueError):  # .h5 files keep it as text
        compiled = compiled or json.loads(config.get("training_config") or "null")
    loss = compiled.get("loss") if isinstance(compiled, dict) else None
    if isinstance(loss, dict):
        inner = loss.get("config")
        loss = inner if isinstance(inner, str) else loss.get("class_name")
    return loss if isinstance(loss, str) else None


def _size(config: dict[str, Any]) -> int | None:
    """The side of the images that the model takes, None for any."""
    for shape in _shapes(config):
        if list(shape[1:3]) == [None, None]:
            continue
        side = shape[1] if len(shape) == 4 else None
        if list(shape[2:]) != [side, 3] or not isinstance(side, int):
            raise ValueError(f"inputs of the shape {str(shape)[:60]}")
        return side
    return None


def _shapes(config: dict[str, Any]) -> list[Any]:
    """The shapes that the layers up to the backbone tell of their inputs, the outermost first."""
    inside = config["config"]
    keys = ("batch_shape", "batch_input_shape", "build_input_shape")
    own = [inside[key] for key in keys if isinstance(inside.get(key), list)]
    for layer in inside.get("layers") or []:
        found = _shapes(layer)
        own += found
        if layer["config"].get("layers") and any(shape[1:3] != [None, None] for shape in found):
            break
    return own
