"""Arrays for a backbone, out of a user's file or at random; called in a child with Keras."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from manyheads.backbones import keras_builds, registry
from manyheads.backbones.registry import CHANNELS_LAST, BackboneSpec
from manyheads.errors import WeightsError
from manyheads.modelfiles import arrays, keras_files, untrusted
from manyheads.modelfiles.keras_files import Arrays, StoredNetwork

if TYPE_CHECKING:
    import keras


def convert(backbone: str, file: str, target: str, metadata: dict[str, str]) -> dict[str, str]:
    """Copy a backbone's arrays from `file` (.h5, .weights.h5, .keras, .safetensors) to `target`.

    The file may be the backbone's own or a whole model's that holds it, as a network inside or
    layer by layer. `target` is a safetensors file, and gets `metadata`; the answer holds the
    arrays' `digest`. Raises `WeightsError` if no network in the file has the backbone's shapes,
    or if the arrays hold what is no number.
    """
    spec = registry.get(backbone)
    model = keras_builds.network(spec, spec.default_size, CHANNELS_LAST)
    expected = [tuple(variable.shape) for variable in model.weights]
    untrusted.bound(Path(file))
    tried: list[Arrays] = []
    try:
        for found in _candidates(Path(file), spec, model):
            tried.append(found)
            if [array.shape for array in found] == expected:
                break
        else:
            raise _wrong(spec, expected, file, _difference(expected, tried))
    except (OSError, ValueError, LookupError, TypeError, AttributeError, MemoryError) as error:
        reason = " ".join(str(error).split())[:200]
        raise _wrong(spec, expected, file, f"a file that cannot be read ({reason})") from error
    if not all(np.isfinite(array).all() for array in tried[-1]):
        raise _wrong(spec, expected, file, "arrays with what is no finite number")
    return {"digest": arrays.save(Path(target), tried[-1], metadata)}


def randomise(backbone: str, seed: int, target: str, metadata: dict[str, str]) -> dict[str, str]:
    """Write random arrays of the backbone's shapes, the same for the same seed everywhere."""
    spec = registry.get(backbone)
    model = keras_builds.network(spec, spec.default_size, CHANNELS_LAST)
    return {"digest": arrays.save(Path(target), drawn(model, seed), metadata)}


def drawn(model: keras.Model, seed: int) -> Arrays:
    """Random arrays for a model, in its order."""
    generator = np.random.default_rng(seed)
    return [
        _random(generator, variable.path.rpartition("/")[2], tuple(variable.shape))
        for variable in model.weights
    ]


def _random(
    generator: np.random.Generator, name: str, shape: tuple[int, ...]
) -> np.ndarray[Any, Any]:
    # Keras's own initial values leave some networks constant (ConvNeXt's layer scale is 1e-6)
    # and every normalisation the identity: a mistake in either would go unseen.
    if name == "count":
        return np.ones(shape)
    if "kernel" in name:
        # A kernel for each channel alone ends in 1; then the channels are not summed over.
        fan_in = np.prod(shape[:2]) if shape[-1] == 1 else np.prod(shape[:-1])
        return _normal(generator, np.sqrt(2.0 / fan_in), shape)
    if "variance" in name or "gamma" in name:
        return generator.uniform(0.5, 1.5, shape)
    return _normal(generator, 0.1, shape)


def _normal(
    generator: np.random.Generator, spread: float, shape: tuple[int, ...]
) -> np.ndarray[Any, Any]:
    return generator.standard_normal(shape, np.float32) * np.float32(spread)


def _candidates(file: Path, spec: BackboneSpec, model: Any) -> Iterator[Arrays]:
    """What in a file may be the backbone's arrays, the most likely first."""
    if file.suffix.lower() == ".safetensors":
        yield arrays.load(file)
        return
    with keras_files.opened(file) as (config, group):
        networks = keras_files.found(config, group)
        if not networks and "layers" in group:
            layers = model.get_config()["layers"]
            outer: Any = group["layers"]
            nested = [outer[key]["layers"] for key in outer if "layers" in outer[key]]
            networks = [
                StoredNetwork("", list(keras_files.leaves(layers, at))) for at in (outer, *nested)
            ]
        older = config is None and "layers" not in group
        yield from filter(None, (_by_name(model, network) for network in networks))
        yield from (network.arrays for network in networks)
    if older:
        yield from _as_keras_loads(file, spec, model)


def _by_name(model: keras.Model, network: StoredNetwork) -> Arrays:
    """The model's arrays, each layer's found by its name, or [] if one is missing.

    The order in a file depends on which layers could be trained. Layers that Keras named by a
    running number (`conv2d_4`) are taken in the order of their numbers, for the first number
    depends on what else the session had made.
    """
    held: defaultdict[str, list[tuple[int, Arrays]]] = defaultdict(list)
    for name, kept in network.layers:
        held[name].append((0, kept))
        base, number = _numbered(name)
        if base != name:
            held[base].append((number, kept))
    found: Arrays = []
    for name, rank in _places(model):
        same = sorted(held[name], key=lambda entry: entry[0])
        if len(same) <= rank:
            return []
        found += same[rank][1]
    return found


def _places(model: keras.Model) -> list[tuple[str, int]]:
    """For each layer with arrays, its name and 0, or the name of its kind and its rank in that."""
    layers = [layer for layer in _leaves(model) if layer.weights]
    ranks: defaultdict[str, list[int]] = defaultdict(list)
    for layer in layers:
        base, number = _numbered(layer.name)
        ranks[base].append(number)
    places = []
    for layer in layers:
        base, number = _numbered(layer.name)
        automatic = base == keras_files.snake_case(type(layer).__name__)
        places.append((base, sorted(ranks[base]).index(number)) if automatic else (layer.name, 0))
    return places


def _leaves(model: Any) -> Iterator[Any]:
    for layer in model.layers:
        if hasattr(layer, "layers"):
            yield from _leaves(layer)
        else:
            yield layer


def _numbered(name: str) -> tuple[str, int]:
    match = re.fullmatch(r"(.*?)_(\d{1,9})", name)
    return (match[1], int(match[2])) if match else (name, 0)


def _as_keras_loads(file: Path, spec: BackboneSpec, model: Any) -> Iterator[Arrays]:
    """By Keras's own reading of the older format, in which its server keeps them.

    With or without the classifier, whose arrays come last.
    """
    count = len(model.weights)
    with suppress(ValueError):
        model.load_weights(file)
        yield model.get_weights()
    with suppress(ValueError):
        whole = keras_builds.network(spec, spec.default_size, CHANNELS_LAST, top=True)
        whole.load_weights(file)
        yield whole.get_weights()[:count]


def _difference(expected: list[tuple[int, ...]], candidates: list[Arrays]) -> str:
    found = max(candidates, key=len, default=[])
    if len(found) != len(expected):
        return f"{len(found)} arrays"
    index = next(i for i, array in enumerate(found) if array.shape != expected[i])
    return f"array {index} of shape {found[index].shape} where {expected[index]} is expected"


def _wrong(
    spec: BackboneSpec, expected: list[tuple[int, ...]], file: str, found: str
) -> WeightsError:
    return WeightsError(
        f"the weights of {spec.name} ({len(expected)} arrays, the first of shape {expected[0]})",
        f"{found} in {file}",
        f"give a file that Keras saved from {spec.function}, or none to fetch ImageNet's",
    )
