"""Model files as Keras 2 wrote them, made of ones that Keras 3 has written.

The layout was compared with what TensorFlow 2.15.1 (Keras 2.15.0) writes for the lesson's script,
with Xception and with MobileNetV2, by `model.save("….h5")`, `save_weights` and `ModelCheckpoint`:
groups and attributes, names, shapes and order of the arrays, what the import reads of each layer's
configuration, and the keywords at which Keras 3 stops. Left out are the optimiser's arrays and
keywords that neither Keras 3 nor the import looks at.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import h5py

_KERNELS = {"DepthwiseConv2D": "depthwise_kernel"}
# Keywords that layers inherited in Keras 2 and that Keras 3 does not know.
_INHERITED = {
    "DepthwiseConv2D": {"groups": 1},
    "SeparableConv2D": {"groups": 1, "kernel_initializer": {}, "kernel_regularizer": None},
}


def as_keras2(source: Path, target: Path, *, first: int = 4, weights_only: bool = False) -> Path:
    """Write the `.h5` of Keras 3 in `source` as Keras 2 would have written it to `target`.

    `first` is the number of the first layers that a running number names, as in a session that
    has made others before.
    """
    with h5py.File(source, "r") as old, h5py.File(target, "w") as new:
        config = json.loads(str(old.attrs["model_config"]))
        kinds = _kinds(config)
        names = {name: _renumbered(name, kind, first) for name, kind in kinds.items()}
        group = new if weights_only else new.create_group("model_weights")
        for place in (new, group):
            place.attrs["keras_version"], place.attrs["backend"] = "2.15.0", "tensorflow"
        if not weights_only:
            new.attrs["model_config"] = json.dumps(_older(config, names))
            new.attrs["training_config"] = json.dumps({"loss": None, "optimizer_config": {}})
        held: Any = old["model_weights"]
        layers = list(held.attrs["layer_names"])
        group.attrs["layer_names"] = [names.get(name, name) for name in layers]
        group.create_group("top_level_model_weights").attrs["weight_names"] = []
        for name in layers:
            layer = group.create_group(names.get(name, name))
            weights = list(held[name].attrs["weight_names"])
            layer.attrs["weight_names"] = [_weight(weight, kinds, names) for weight in weights]
            for weight in weights:
                layer[_weight(weight, kinds, names)] = held[name][weight][()]
    return target


def _kinds(config: dict[str, Any]) -> dict[str, str]:
    kinds = {}
    for layer in config["config"].get("layers", []):
        kinds[layer["config"]["name"]] = layer["class_name"]
        kinds |= _kinds(layer)
    return kinds


def _renumbered(name: str, kind: str, first: int) -> str:
    words = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", kind).lower()
    match = re.fullmatch(rf"{words}(?:_(\d+))?", name.replace("conv2_d", "conv2d"))
    number = None if match is None else int(match[1] or 0) + first
    return name if number is None else f"{words}_{number}"


def _weight(weight: str, kinds: dict[str, str], names: dict[str, str]) -> str:
    layer, variable = weight.split("/")[-2:]
    if variable == "kernel":
        variable = _KERNELS.get(kinds[layer], variable)
    return f"{names[layer]}/{variable}:0"


def _older(layer: dict[str, Any], names: dict[str, str]) -> dict[str, Any]:
    """A configuration in the words of Keras 2."""
    kind, config = layer["class_name"], dict(layer["config"])
    name = config["name"] = names.get(config["name"], config["name"])
    if "batch_shape" in config:
        config["batch_input_shape"] = config.pop("batch_shape")
    config.pop("optional", None)
    if isinstance(config.get("dtype"), dict):
        config["dtype"] = config["dtype"]["config"]["name"]
    config |= _INHERITED.get(kind, {})
    for ends in ("input_layers", "output_layers"):
        if ends in config:
            end = config[ends] if isinstance(config[ends][0], str) else config[ends][0]
            config[ends] = [[names.get(end[0], end[0]), 0, 0]]
    if "layers" in config:
        config["layers"] = [_older(inner, names) for inner in config["layers"]]
    nodes = [[[names.get(s, s), 0, 0, {}] for s in _sources(n)] for n in _nodes(layer)]
    return {"class_name": kind, "config": config, "name": name, "inbound_nodes": nodes}


def _nodes(layer: dict[str, Any]) -> list[Any]:
    return layer.get("inbound_nodes") or []


def _sources(node: Any) -> list[str]:
    if isinstance(node, dict):
        history = node.get("keras_history")
        return [history[0]] if history else [s for v in node.values() for s in _sources(v)]
    return [s for v in node for s in _sources(v)] if isinstance(node, list) else []
