"""A backbone's inference program on disk: made once by Keras in a child, checked at each use."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from manyheads.backbones import joined_programs, keras_builds, own_programs
from manyheads.backbones.registry import BackboneSpec, batch_size
from manyheads.backbones.weights import Weights
from manyheads.core import artifacts
from manyheads.core.artifacts import Artifact
from manyheads.core.job import SILENT, Job
from manyheads.errors import BackboneError

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
    recipe = program_recipe(spec, weights.digest, size, pooling)
    if spec.members:
        arguments = _joined(spec, weights, size, job)
        return made(recipe, joined_programs.join, arguments, job, of=spec.name)
    arguments = {"weights": str(weights.path), "digest": weights.digest, "size": size}
    if pooling != "avg":
        arguments |= {"pooling": pooling}
    if spec.is_own:
        arguments |= {"preprocessing": spec.preprocessing} | _tokens(spec)
        return made(recipe, own_programs.export, arguments, job, of=spec.name)
    return made(recipe, keras_builds.export, arguments | {"backbone": spec.name}, job, of=spec.name)


def _joined(spec: BackboneSpec, weights: Weights, size: int, job: Job) -> dict[str, Any]:
    """What `join` takes, after the programs of all members are made."""
    each = [program(*part, size, job) for part in zip(spec.parts, weights.parts, strict=True)]
    fixed = {known.batch_for(size) for known in each} - {batch_size(size)}
    if len(fixed) > 1:
        raise BackboneError(
            f"backbones that take equally many images at a time, in {spec.name}",
            " and ".join(map(str, sorted(fixed))), "export them with an open batch dimension",
        )  # fmt: skip
    batch = min(fixed, default=batch_size(size))
    return {"programs": [str(known.path) for known in each], "size": size, "batch": batch}


def existing(spec: BackboneSpec, digest: str, size: int, pooling: str = "avg") -> Program | None:
    """The program for the weights of `digest`, if it has been made before."""
    artifact = artifacts.existing(_AREA, program_recipe(spec, digest, size, pooling))
    return None if artifact is None else _program(artifact)


@dataclass(frozen=True)
class ProgramFiles:
    """A program to be sent to another machine: the name of its folder, and its files."""

    name: str
    files: dict[str, bytes]


def program_files(found: Program) -> ProgramFiles:
    """The files of a program in the cache."""
    folder = found.path.parent
    files = {path.name: path.read_bytes() for path in sorted(folder.iterdir())}
    return ProgramFiles(folder.name, files)


def receive(sent: ProgramFiles) -> None:
    """Put a program that another machine has made into the cache; raises `DiskError`."""
    artifacts.receive(_AREA, sent.name, sent.files)


def is_prepared(spec: BackboneSpec, weights: Weights, size: int) -> bool:
    """Whether the programs of all that extraction runs have been made before."""
    parts = zip(spec.parts, weights.parts, strict=True)
    return all(existing(part, known.digest, size) is not None for part, known in parts)


def made(
    recipe: dict[str, Any],
    function: Callable[..., dict[str, Any]],
    arguments: dict[str, Any],
    job: Job = SILENT,
    *,
    of: str = "the model",
) -> Program:
    """The program of `recipe`, from the cache or made now by `function` in a Keras child.

    `of` names the network that it is of, for whoever waits.
    The function gets `arguments` and the `target` (.xml) to write, and answers with `features`,
    and with the `batch` if it takes no other number of images.
    """
    what = f"preparing {of}"
    return _program(artifacts.made(_AREA, recipe, function, arguments, _FILE, what=what, job=job))


def program_recipe(spec: BackboneSpec, digest: str, size: int, pooling: str) -> dict[str, Any]:
    """What a backbone's program depends on, beside the versions of what makes it."""
    if spec.members:
        members = [program_recipe(member, "", size, pooling) for member in spec.members]
        return {"members": members, "weights": digest}
    own = {} if spec.is_application else {"preprocessing": spec.preprocessing}
    own |= _tokens(spec)
    recipe = {
        "backbone": spec.name,
        "weights": digest,
        "size": size,
        "batch": batch_size(size),
        "layout": spec.data_format,
        **own,
    }
    return recipe if pooling == "avg" else {**recipe, "pooling": pooling}


def _tokens(spec: BackboneSpec) -> dict[str, Any]:
    return {} if spec.tokens is None else {"tokens": spec.tokens}


def _program(artifact: Artifact) -> Program:
    answer = artifact.answer
    return Program(artifact.folder / _FILE, int(answer["features"]), answer.get("batch"))
