"""A backbone's inference program on disk: made once by Keras in a child, checked at each use."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from manyheads.backbones.registry import BackboneSpec
from manyheads.backbones.weights import Weights
from manyheads.core import artifacts
from manyheads.core.artifacts import Artifact

_AREA = "compiled"
_EXPORT = "manyheads.backbones.keras_builds:export"
_EXPORT_OWN = "manyheads.backbones.own_programs:export"
_FILE = "backbone.xml"

# Measured: more images at a time gain less than a tenth; fewer keep large images in memory.
_BATCH = 16
_PIXELS = 16 * 224 * 224


@dataclass(frozen=True)
class Program:
    """OpenVINO's `path` (.xml, its .bin beside it) and the number of `features` it yields.

    It takes `uint8 [n, size, size, 3]`, and yields features, pooled or as a grid. A network of the
    user's own may take only `batch` images at a time; None: any number, as `batch_size(size)` is.
    """

    path: Path
    features: int
    batch: int | None = None

    def batch_for(self, size: int) -> int:
        """How many images it takes at a time."""
        return self.batch or batch_size(size)


def program(
    spec: BackboneSpec,
    weights: Weights,
    size: int,
    stop: threading.Event | None = None,
    pooling: str = "avg",
) -> Program:
    """The program for images of `size` pixels, from the cache or made now; `uint8` NHWC in.

    `pooling` is avg or grid. Raises what `products.made` raises.
    """
    arguments = {"weights": str(weights.path), "digest": weights.digest, "size": size}
    recipe = _recipe(spec, weights.digest, size, pooling)
    if pooling != "avg":
        arguments |= {"pooling": pooling}
    if spec.normalisation is not None:
        return made(recipe, _EXPORT_OWN, arguments | {"preprocessing": spec.preprocessing}, stop)
    return made(recipe, _EXPORT, arguments | {"backbone": spec.name}, stop)


def existing(spec: BackboneSpec, digest: str, size: int, pooling: str = "avg") -> Program | None:
    """The program for the weights of `digest`, if it has been made before."""
    product = artifacts.existing(_AREA, _recipe(spec, digest, size, pooling))
    return None if product is None else _program(product)


def batch_size(size: int) -> int:
    """Images in a batch: 16, fewer for large images, so that memory stays bounded."""
    return max(1, min(_BATCH, _PIXELS // size**2))


def made(
    recipe: dict[str, Any],
    function: str,
    arguments: dict[str, Any],
    stop: threading.Event | None = None,
) -> Program:
    """The program of `recipe`, from the cache or made now by `function` in a Keras child.

    The function gets `arguments` and the `target` (.xml) to write, and answers with `features`,
    and with the `batch` if it takes no other number of images.
    """
    return _program(artifacts.made(_AREA, recipe, function, arguments, _FILE, stop=stop))


def _recipe(spec: BackboneSpec, digest: str, size: int, pooling: str) -> dict[str, Any]:
    own = {} if spec.normalisation is None else {"preprocessing": spec.preprocessing}
    recipe = {
        "backbone": spec.name,
        "weights": digest,
        "size": size,
        "batch": batch_size(size),
        "layout": spec.data_format,
        **own,
    }
    return recipe if pooling == "avg" else {**recipe, "pooling": pooling}


def _program(product: Artifact) -> Program:
    answer = product.answer
    return Program(product.folder / _FILE, int(answer["features"]), answer.get("batch"))
