"""What a Keras configuration says about a head, read as data.

The head is what stands behind the backbone in the outermost network: pooling, one or two dense
layers and dropout, one behind the other. Whatever else stands there is refused by its name.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from manyheads.backbones.keras_files import layer_name

NETWORKS = frozenset({"Functional", "Model", "Sequential"})

_POOLING = "GlobalAveragePooling2D"
_LAST_INSIDE = (_POOLING, "LayerNormalization")  # ConvNeXt normalises what it has pooled
# A letter for what each layer does, and what a head may look like in them. Dropout before the
# first dense layer is allowed: it does nothing once training is over.
_LETTERS = {"Dense": "D", "Dropout": "o", "Activation": "", "Softmax": "s", "ReLU": "r"}
_ACTIVATIONS = {None: "", "linear": "", "relu": "r", "softmax": "s"}
_HEAD = re.compile(r"o*(Dr?o*)?Ds?")


@dataclass(frozen=True)
class HeadConfig:
    """What a configuration tells of a head.

    `size` of the images in pixels (None: any), the names of its `dense` layers, whether a `relu`
    stands between them and a `softmax` behind, the `droprate` between them, and the `backbone`'s
    own name where it is one nested layer.
    """

    size: int | None
    dense: tuple[str, ...]
    relu: bool
    softmax: bool
    droprate: float
    backbone: str | None


def read_config(config: dict[str, Any]) -> HeadConfig:
    """The head in a whole model's configuration; raises `ValueError` for what is none."""
    layers = config["config"].get("layers")
    if not isinstance(layers, list) or not layers:
        raise ValueError("a model without layers")
    before, behind = _divided(layers)
    letters = "".join(map(_letter, behind))
    if not _HEAD.fullmatch(letters):
        chain = " → ".join(map(layer_words, behind)) or "nothing"
        raise ValueError(f"{chain} behind the pooling")
    _check_chain(config["config"], [before[-1], *behind])
    dense = [layer for layer in behind if layer["class_name"] == "Dense"]
    between = behind[behind.index(dense[0]) :]
    droprates = [float(layer["config"]["rate"]) for layer in between if _is(layer, "Dropout")]
    return HeadConfig(
        size=_size(layers),
        dense=tuple(map(layer_name, dense)),
        relu="r" in letters,
        softmax="s" in letters,
        droprate=droprates[-1] if droprates else 0.0,
        backbone=_backbone(config["config"], before),
    )


def layer_words(layer: dict[str, Any]) -> str:
    """A layer in a message: its name and its class."""
    return f"{layer_name(layer)[:60]} ({str(layer['class_name'])[:60]})"


def _is(layer: dict[str, Any], *kinds: str) -> bool:
    return layer["class_name"] in kinds


def _divided(layers: list[dict[str, Any]]) -> tuple[list[Any], list[Any]]:
    """The layers up to the backbone or the pooling behind it, and those that follow."""
    for count in range(len(layers), 0, -1):
        if _is(layers[count - 1], *NETWORKS, _POOLING):
            return layers[:count], layers[count:]
    raise ValueError(f"a model without {_POOLING} between its backbone and its head")


def _letter(layer: dict[str, Any]) -> str:
    letter = _LETTERS.get(layer["class_name"])
    if letter is None:
        raise ValueError(f"{layer_words(layer)} in the head")
    if letter == "D" and layer["config"].get("use_bias") is False:
        raise ValueError(f"{layer_words(layer)} without a bias")
    if not _is(layer, "Dense", "Activation"):
        return letter
    activation = layer["config"].get("activation")
    if not (activation is None or isinstance(activation, str)) or activation not in _ACTIVATIONS:
        raise ValueError(f"the activation {str(activation)[:60]!r} of {layer_words(layer)}")
    return letter + _ACTIVATIONS[activation]


def _check_chain(config: dict[str, Any], chain: list[dict[str, Any]]) -> None:
    """Raise `ValueError` unless each layer of a functional model sees the one before, alone."""
    if "output_layers" not in config:  # a sequential one
        return
    for former, layer in itertools.pairwise(chain):
        if set(_sources(layer.get("inbound_nodes"))) != {layer_name(former)}:
            raise ValueError(f"{layer_words(layer)} behind other layers than {layer_name(former)}")
    outputs = set(_sources(config["output_layers"]))
    if outputs != {layer_name(chain[-1])}:
        raise ValueError(f"the outputs {', '.join(sorted(outputs))[:120] or 'nowhere'}")


def _sources(nodes: Any) -> Iterator[str]:
    """The names in references to layers, `[name, node, tensor]`, wherever they stand."""
    waiting = [nodes]
    while waiting:
        entry = waiting.pop()
        if isinstance(entry, dict):
            waiting += entry.values()
        elif isinstance(entry, list):
            if len(entry) >= 3 and isinstance(entry[0], str) and isinstance(entry[1], int):
                yield entry[0]
            else:
                waiting += entry


def _backbone(config: dict[str, Any], before: list[dict[str, Any]]) -> str | None:
    """The name of the nested backbone; None where its layers stand in the model itself."""
    nested = [layer for layer in before if _is(layer, *NETWORKS)]
    if not nested:
        return None
    for layer in before:
        if layer is not nested[0] and not _is(layer, "InputLayer", _POOLING):
            raise ValueError(f"{layer_words(layer)} before the head")
    inside = nested[0]["config"].get("layers") or [{}]
    if before[-1] is nested[0]:
        last = inside[-1]
        if last.get("class_name") not in _LAST_INSIDE:
            raise ValueError(f"{layer_words(nested[0])} without {_POOLING}")
    else:
        _check_chain({**config, "output_layers": [layer_name(before[-1]), 0, 0]}, before[-2:])
    return layer_name(nested[0])


def _size(layers: list[dict[str, Any]]) -> int | None:
    """The side of the images that the first layer takes, None for any."""
    first = layers[0]
    settings = first["config"]
    shape = settings.get("batch_shape") or settings.get("batch_input_shape")
    if shape is None and settings.get("layers"):
        return _size(settings["layers"])
    if shape is None or list(shape[1:3]) == [None, None]:
        return None
    if len(shape) != 4 or shape[1] != shape[2] or shape[3] != 3 or not isinstance(shape[1], int):
        raise ValueError(f"inputs of the shape {str(shape)[:60]}")
    return shape[1]
