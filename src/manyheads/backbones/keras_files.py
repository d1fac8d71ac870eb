"""The arrays in Keras's own file formats, read without Keras: nothing in a file is executed.

A `.keras` file is a zip archive of `config.json` (the layers) and `model.weights.h5` (their
arrays). The arrays of a network stand in `layers/<class in snake case>[_<count>]/vars/<index>`,
and those of a network inside a network one `layers` deeper. Keras's order is the layers' order in
the configuration.
"""

from __future__ import annotations

import io
import json
import re
import zipfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

import numpy as np

Arrays = list[np.ndarray[Any, Any]]


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
    import h5py

    try:
        with zipfile.ZipFile(file) as archive:
            config = json.loads(archive.read("config.json"))
            weights = io.BytesIO(archive.read("model.weights.h5"))
    except zipfile.BadZipFile as error:
        raise ValueError(str(error)) from error
    with h5py.File(weights, "r") as group:
        yield from _networks(config, group)


def in_order(layers: list[dict[str, Any]], group: Any) -> Arrays:
    """The arrays of `layers` (as Keras's configuration lists them) in the HDF5 group `layers`."""
    arrays: Arrays = []
    for layer, key in _keyed(layers):
        if key not in group:
            continue
        inner = layer["config"].get("layers")
        if inner is not None:
            arrays += in_order(inner, group[key]["layers"]) if "layers" in group[key] else []
        elif "vars" in group[key]:
            variables = group[key]["vars"]
            arrays += [variables[str(index)][()] for index in range(len(variables))]
    return arrays


def _networks(config: dict[str, Any], group: Any) -> Iterator[tuple[str, Arrays]]:
    layers = config["config"].get("layers")
    if layers is None or "layers" not in group:
        return
    yield config["config"].get("name", ""), in_order(layers, group["layers"])
    for layer, key in _keyed(layers):
        if key in group["layers"]:
            yield from _networks(layer, group["layers"][key])


def _keyed(layers: list[dict[str, Any]]) -> Iterator[tuple[dict[str, Any], str]]:
    seen: Counter[str] = Counter()
    for layer in layers:
        name = snake_case(layer["class_name"])
        yield layer, f"{name}_{seen[name]}" if seen[name] else name
        seen[name] += 1


def snake_case(name: str) -> str:
    """The name of a class as Keras writes it in HDF5: `SeparableConv2D` → `separable_conv2d`."""
    words = re.sub(r"(?<=.)(?=[A-Z][a-z])", "_", re.sub(r"\W", "", name))
    return re.sub(r"(?<=[a-z])(?=[A-Z])", "_", words).lower()
