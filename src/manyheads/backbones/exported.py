"""A backbone's inference program on disk: made once by Keras in a child, checked at each use."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from manyheads.backbones import keras_builds, own_programs
from manyheads.backbones.registry import BackboneSpec, batch_size
from manyheads.backbones.weights import Weights
from manyheads.core import artifacts
from manyheads.core.artifacts import Artifact
from manyheads.core.job import SILENT, Job

_AREA = "compiled"
_FILE = "backbone.xml"


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
    job: Job = SILENT,
    pooling: str = "avg",
) -> Program:
    """The program for images of `size` pixels, from the cache or made now; `uint8` NHWC in.

    `pooling` is avg or grid. Raises what `artifacts.made` raises.
    """
    arguments = {"weights": str(weights.path), "digest": weights.digest, "size": size}
    recipe = _recipe(spec, weights.digest, size, pooling)
    if pooling != "avg":
        arguments |= {"pooling": pooling}
    if spec.normalisation is not None:
        arguments["preprocessing"] = spec.preprocessing
        return made(recipe, own_programs.export, arguments, job)
    return made(recipe, keras_builds.export, arguments | {"backbone": spec.name}, job)


def existing(spec: BackboneSpec, digest: str, size: int, pooling: str = "avg") -> Program | None:
    """The program for the weights of `digest`, if it has been made before."""
    artifact = artifacts.existing(_AREA, _recipe(spec, digest, size, pooling))
    return None if artifact is None else _program(artifact)


def made(
    recipe: dict[str, Any],
    function: Callable[..., dict[str, Any]],
    arguments: dict[str, Any],
    job: Job = SILENT,
) -> Program:
    """The program of `recipe`, from the cache or made now by `function` in a Keras child.

    The function gets `arguments` and the `target` (.xml) to write, and answers with `features`,
    and with the `batch` if it takes no other number of images.
    """
    return _program(artifacts.made(_AREA, recipe, function, arguments, _FILE, job=job))


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


def _program(artifact: Artifact) -> Program:
    answer = artifact.answer
    return Program(artifact.folder / _FILE, int(answer["features"]), answer.get("batch"))
