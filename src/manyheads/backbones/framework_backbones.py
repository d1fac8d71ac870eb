"""Networks of other frameworks as backbones: their records, and their files in the cache."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from manyheads.backbones import frameworks, preprocessing_modes
from manyheads.backbones.frameworks import Described, FrameworkName
from manyheads.backbones.registry import CHANNELS_LAST, BackboneSpec
from manyheads.core import artifacts
from manyheads.core.artifacts import Artifact
from manyheads.core.job import SILENT, Job
from manyheads.core.text import size_words
from manyheads.errors import BackboneError

_AREA, _FILE = "frameworks/networks", "network.xml"
_LEAST = 32  # pixels, as `ImageSettings` has them


def spec_of(name: str, preprocessing: str | None = None) -> BackboneSpec:
    """The backbone that `timm:…`, `keras_hub:…` or `open_clip:…` names; it is not built yet.

    A stated `preprocessing` replaces the framework's mean and deviation. Raises what
    `frameworks.described` raises, and `SettingError`.
    """
    asked = FrameworkName.of(name)
    found = frameworks.described(asked)
    tokens = asked.pooling or found.tokens
    return BackboneSpec(
        name=f"{found.framework}:{found.member}",
        module="",
        function="",
        default_size=found.size,
        min_size=_LEAST,
        data_format=CHANNELS_LAST,
        file=artifacts.place(_AREA, _recipe(found, None)) / _FILE,
        normalisation=preprocessing_modes.parse(preprocessing or found.preprocessing),
        fixed=found.fixed,
        framework=_pinned(found, tokens),
        tokens=tokens,
        resize=found.resize,
        interpolation=found.interpolation,
    )


def fetch(spec: BackboneSpec, seed: int | None = None, job: Job = SILENT) -> tuple[Path, str]:
    """The file of a network, built by its framework if it is not in the cache; its source in words.

    Its weights are the framework's, or random ones of a `seed`. Says first of which size they are,
    and under which licence. Raises what `framework_builds.build` raises.
    """
    from manyheads.backbones import framework_builds

    found = _described(spec)
    recipe, source = _recipe(found, seed), _source(found, seed)
    artifact = artifacts.existing(_AREA, recipe, lasting=True)
    if artifact is None:
        if seed is None and not found.trained:
            raise BackboneError(
                f"weights that {found.framework} has for {found.member}", "none",
                "take another network, or set `weights` to random:0",
            )  # fmt: skip
        frameworks.require(found.name)
        if seed is None:
            size = size_words(size_of(spec))
            job.note(f"Fetching about {size}, unless {found.framework} has them: {source}")
        arguments: dict[str, Any] = {
            "framework": found.framework,
            "member": found.member,
            "version": found.version,
            "seed": seed,
        }
        artifact = artifacts.made(
            _AREA, recipe, framework_builds.build, arguments, _FILE,
            lasting=True, what=f"building {spec.name} with {found.framework}, once", job=job,
        )  # fmt: skip
    return artifact.folder / _FILE, source


def present(spec: BackboneSpec) -> tuple[Path, str] | None:
    """What `fetch` gives, if a network with the framework's weights is in the cache."""
    found = _described(spec)
    artifact: Artifact | None = artifacts.existing(_AREA, _recipe(found, None), lasting=True)
    return None if artifact is None else (artifact.folder / _FILE, _source(found, None))


def size_of(spec: BackboneSpec) -> int:
    """The bytes of a network's parameters as float32, about; of an image tower, with its text's."""
    return 4 * _described(spec).parameters


def _described(spec: BackboneSpec) -> Described:
    assert spec.framework is not None
    return frameworks.described(FrameworkName.of(spec.framework))


def _recipe(found: Described, seed: int | None) -> dict[str, Any]:
    weights = "trained" if seed is None else f"random:{seed}"
    return {"network": _pinned(found, None), "weights": weights}


def _pinned(found: Described, tokens: str | None) -> str:
    return f"{found.framework}:{found.member}@{found.version}" + (f"#{tokens}" if tokens else "")


def _source(found: Described, seed: int | None) -> str:
    return found.source if seed is None else f"random numbers, seed {seed}, in {found.source}"
