"""Templates of networks on the user's own backbones, and of heads alone; called in a child."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from manyheads.backbones import own_files, registry
from manyheads.core.places import disk_errors
from manyheads.heads.hyperparameters import Hyperparameters
from manyheads.models.export import converters
from manyheads.models.keras_models import build, with_head


def blank(
    weights: str,
    digest: str,
    preprocessing: str,
    size: int,
    size_inner: int,
    classes: int,
    target: str,
) -> dict[str, Any]:
    """Write a whole network on the one in the `.keras` file `weights`; answers as `blank_head`."""
    import keras

    own_files.require(Path(weights), digest)
    spec = registry.get(weights, preprocessing)
    model = build(keras, spec, None, size, classes, Hyperparameters(size_inner=size_inner))
    with disk_errors(Path(target)):
        converters.save(model, Path(target))
    return _answer(model)


def blank_head(size: int, size_inner: int, classes: int, target: str) -> dict[str, Any]:
    """Write a head of `size` features; answers with the names of its `dense` layers."""
    import keras

    features = keras.Input((size,), name="features")
    model = with_head(keras, features, features, classes, Hyperparameters(size_inner=size_inner))
    with disk_errors(Path(target)):
        converters.save(model, Path(target))
    return _answer(model)


def _answer(model: Any) -> dict[str, Any]:
    return {"dense": [layer.name for layer in model.layers if type(layer).__name__ == "Dense"]}
