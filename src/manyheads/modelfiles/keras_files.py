"""The arrays in Keras's own file formats, read without Keras: nothing in a file is executed.

A `.keras` file is a zip archive of `config.json` (the layers) and `model.weights.h5` (their
arrays). The arrays of a network stand in `layers/<class in snake case>[_<count>]/vars/<index>`,
and those of a network inside a network one `layers` deeper. Keras's order is the layers' order in
the configuration.

In the older `.h5`, which Keras 2 wrote and Keras 3 still writes, each outer layer has a group with
the attribute `weight_names`, entries of `[<outer>/]<layer>/<variable>[:0]`; the attribute
`layer_names` above has their order, and `model_config` beside them the configuration. Files of
weights alone have no configuration.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, NamedTuple

import numpy as np

from manyheads.modelfiles import hdf5, keras_archive
from manyheads.modelfiles.members import StoredMember

Arrays = list[np.ndarray[Any, Any]]


class StoredNetwork(NamedTuple):
    """A network by its name, and the layers in it that hold arrays, in Keras's order.

    Layers of a network inside it are among them, under their own names.
    """

    name: str
    layers: list[tuple[str, Arrays]]

    @property
    def arrays(self) -> Arrays:
        """All arrays in Keras's order."""
        return [array for _, arrays in self.layers for array in arrays]


# How a file begins, by how its name ends; safetensors begin with the length of a header in JSON.
_BEGINNINGS = {".keras": b"PK", ".h5": b"\x89HDF", ".hdf5": b"\x89HDF", ".safetensors": b""}


def problem(file: Path) -> str:
    """What speaks against `file` being weights at all, told by its name and first bytes, or ""."""
    beginning = _BEGINNINGS.get(file.suffix.lower())
    if beginning is None:
        return f"a name that ends with none of {', '.join(_BEGINNINGS)}"
    with file.open("rb") as opened:
        first = opened.read(9)
    if not first.startswith(beginning) or (not beginning and first[8:] != b"{"):
        return f"a file that is no {file.suffix.lower()} inside"
    return ""


def networks(file: Path | IO[bytes]) -> Iterator[tuple[str, Arrays]]:
    """Every network in a `.keras` file as its name and its arrays, the outermost first.

    Raises `ValueError`, `KeyError` or `OSError` if the file is something else.
    """
    with _archive(file) as (config, group):
        for network in found(config, group):
            yield network.name, network.arrays


@contextmanager
def opened(file: Path) -> Iterator[tuple[dict[str, Any] | None, Any]]:
    """Yield the configuration of a `.keras` or HDF5 file, or None, and the group with its arrays.

    Raises `ValueError`, `KeyError` or `OSError` if the file is something else, or does not keep
    to what Keras writes.
    """
    if file.suffix.lower() == ".keras":
        with _archive(file) as contents:
            yield contents
        return
    with hdf5.opened(file) as group:
        config = group.attrs.get("model_config")
        config = None if config is None else keras_archive.parsed(config)
        if config is not None and "training_config" in group.attrs:
            config["training_config"] = str(group.attrs["training_config"])
        yield config, group.get("model_weights", group)


def found(config: dict[str, Any] | None, group: Any) -> list[StoredNetwork]:
    """The networks in what `opened` yields, the outermost first.

    None in a file of the newer kind without its configuration: there the order of the layers is
    not told.
    """
    if _listed(group.attrs, "layer_names"):
        return _older(config, group)
    return [] if config is None else list(_networks(config, group))


def leaves(layers: list[dict[str, Any]], group: Any) -> Iterator[tuple[str, Arrays]]:
    """The name and arrays of each of `layers`, as Keras's configuration lists them.

    `group` is the HDF5 group `layers` of the newer format. Layers without arrays are left out.
    """
    for layer, key in _keyed(layers):
        if key not in group:
            continue
        inner = layer["config"].get("layers")
        if inner is not None:
            if "layers" in group[key]:
                yield from leaves(inner, group[key]["layers"])
        elif "vars" in group[key] and len(group[key]["vars"]):
            variables = group[key]["vars"]
            arrays = [variables[str(index)][()] for index in range(len(variables))]
            yield layer_name(layer), arrays


def layer_arrays(config: dict[str, Any], group: Any, path: Sequence[str]) -> Arrays:
    """The arrays of one layer; `path` is its name behind those of the networks that it is in.

    Raises `LookupError` if the file, as `opened` yields it, has none of that layer.
    """
    if _listed(group.attrs, "layer_names"):
        kept = _grouped(path[0], group[path[0]])
        named = [arrays for name, arrays in kept if name == path[-1]]
        # Of a network around one layer, the names in a file may be the network's or the layer's.
        if len(named) != 1 and len(kept) == 1:
            named = [kept[0][1]]
        if len(named) != 1:
            raise KeyError(f"no arrays of {path[-1][:60]}")
        return named[0]
    layers, place = config["config"]["layers"], group
    for name in path:
        same = [each for each in _keyed(layers) if layer_name(each[0]) == name]
        if not same:
            raise KeyError(f"no arrays of {name[:60]}")
        layer, key = same[0]
        place = place["layers"][key]
        layers = layer["config"].get("layers") or []
    variables = place["vars"]
    return [variables[str(index)][()] for index in range(len(variables))]


def layer_name(layer: dict[str, Any]) -> str:
    """The name of a layer in a configuration."""
    return str(layer["config"].get("name") or layer.get("name") or layer["class_name"])


def snake_case(name: str) -> str:
    """The name of a class as Keras writes it in HDF5: `SeparableConv2D` → `separable_conv2d`."""
    words = re.sub(r"(?<=.)(?=[A-Z][a-z])", "_", re.sub(r"\W", "", name))
    return re.sub(r"(?<=[a-z])(?=[A-Z])", "_", words).lower()


@contextmanager
def _archive(file: Path | IO[bytes]) -> Iterator[tuple[dict[str, Any], Any]]:
    config = keras_archive.config(file)
    with StoredMember(file, keras_archive.WEIGHTS) as weights, hdf5.opened(weights) as group:
        yield config, group


def _networks(config: dict[str, Any], group: Any) -> Iterator[StoredNetwork]:
    layers = config["config"].get("layers")
    if layers is None or "layers" not in group:
        return
    name = config["config"].get("name", "")
    yield StoredNetwork(name, list(leaves(layers, group["layers"])))
    for layer, key in _keyed(layers):
        if key in group["layers"]:
            yield from _networks(layer, group["layers"][key])


def _keyed(layers: list[dict[str, Any]]) -> Iterator[tuple[dict[str, Any], str]]:
    seen: Counter[str] = Counter()
    for layer in layers:
        name = snake_case(layer["class_name"])
        yield layer, f"{name}_{seen[name]}" if seen[name] else name
        seen[name] += 1


def _older(config: dict[str, Any] | None, group: Any) -> list[StoredNetwork]:
    outer = [(name, _grouped(name, group[name])) for name in _listed(group.attrs, "layer_names")]
    whole = [layer for _, layers in outer for layer in layers]
    name = layer_name(config) if config else ""
    return [StoredNetwork(name, whole)] + [
        StoredNetwork(name, layers) for name, layers in outer if len(layers) > 1
    ]


def _grouped(name: str, group: Any) -> list[tuple[str, Arrays]]:
    """The arrays of an outer layer by the layers inside it; what can be trained comes first."""
    layers: dict[str, Arrays] = {}
    for weight in _listed(group.attrs, "weight_names"):
        parts = weight.split("/")
        layers.setdefault(parts[-2] if len(parts) > 1 else name, []).append(group[weight][()])
    # A layer that is no network has one name, whatever its arrays were called by.
    return [(name, kept) for kept in layers.values()] if len(layers) == 1 else list(layers.items())


def _listed(attributes: Any, name: str) -> list[str]:
    """A list of names in an attribute, or where it is too long for one in `<name>0`, `<name>1` …"""
    if name in attributes:
        pieces = [attributes[name]]
    else:
        pieces = []
        while f"{name}{len(pieces)}" in attributes:
            pieces.append(attributes[f"{name}{len(pieces)}"])
    words = [word for piece in pieces for word in np.ravel(piece)]
    return [word.decode() if isinstance(word, bytes) else str(word) for word in words]
