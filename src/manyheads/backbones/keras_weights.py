"""Arrays for a backbone, out of a user's file or at random; called in a child with Keras."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from manyheads.backbones import arrays, keras_builds, keras_files, registry
from manyheads.backbones.keras_files import Arrays
from manyheads.backbones.registry import CHANNELS_LAST, BackboneSpec
from manyheads.errors import WeightsError

if TYPE_CHECKING:
    import keras


def convert(backbone: str, file: str, target: str, metadata: dict[str, str]) -> dict[str, str]:
    """Copy a backbone's arrays from `file` (.h5, .weights.h5, .keras, .safetensors) to `target`.

    `target` is a safetensors file, and gets `metadata`; the answer holds the arrays' `digest`.
    Raises `WeightsError` if no network in the file has the backbone's shapes.
    """
    spec = registry.get(backbone)
    model = keras_builds.network(spec, spec.default_size, CHANNELS_LAST)
    expected = [tuple(variable.shape) for variable in model.weights]
    try:
        candidates = _candidates(Path(file), spec, model)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise _wrong(spec, expected, file, f"a file that cannot be read ({error})") from error
    for found in candidates:
        if [array.shape for array in found] == expected:
            return {"digest": arrays.save(Path(target), found, metadata)}
    raise _wrong(spec, expected, file, _difference(expected, candidates))


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


def _candidates(file: Path, spec: BackboneSpec, model: Any) -> list[Arrays]:
    if file.suffix.lower() == ".safetensors":
        return [arrays.load(file)]
    if file.suffix.lower() == ".keras":
        return [found for _, found in keras_files.networks(file)]
    return _from_hdf5(file, spec, model)


def _from_hdf5(file: Path, spec: BackboneSpec, model: Any) -> list[Arrays]:
    import h5py

    with h5py.File(file, "r") as group:
        if "layers" in group:
            layers = model.get_config()["layers"]
            outer: Any = group["layers"]
            nested = [outer[key]["layers"] for key in outer if "layers" in outer[key]]
            return [keras_files.in_order(layers, at) for at in (outer, *nested)]
    # The older format, in which Keras's own server keeps them: with or without the classifier,
    # whose arrays come last.
    count = len(model.weights)
    try:
        model.load_weights(file)
    except ValueError:
        model = keras_builds.network(spec, spec.default_size, CHANNELS_LAST, top=True)
        model.load_weights(file)
    return [model.get_weights()[:count]]


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
