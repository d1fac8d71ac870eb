"""What needs a framework: a member described, and converted; called in a child process.

The framework computes the features of a few images too, and a conversion that does not agree with
it is none.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict
from textwrap import shorten
from typing import Any, NoReturn

import numpy as np

from manyheads.backbones.framework_members import OUTPUTS, Library, Member
from manyheads.backbones.registry import batch_size
from manyheads.core import openvino_runtime
from manyheads.core.download import OFFLINE
from manyheads.errors import BackboneError, DownloadError, ManyheadsError, MissingExtraError

_LEAST, _MOST = 32, 2048  # pixels, as `ImageSettings` has them
_AGREEMENT = 1e-3  # of the largest feature; another network is off by far more
_SEED = 1  # of the images that are compared


def describe(framework: str, member: str, version: str | None) -> dict[str, Any]:
    """The fields of `frameworks.Described`; its weights are not fetched.

    Raises `BackboneError` for a member that is no backbone of square images, and
    `MissingExtraError` for a framework that cannot be imported, or is of another version.
    """
    library = _imported(framework, version)
    name = library.whole_name(member)
    shown = f"{framework}:{name}"
    try:
        found = library.opened(name, trained=False)
        facts = found.facts
        _check_size(shown, facts.preparation.size)
        outputs = found.run(_images(found, 2, facts.preparation.size))
    except ManyheadsError:
        raise
    except OSError as error:
        raise _not_fetched(f"what {framework} says of {name}", framework, error) from error
    except Exception as error:
        raise _refused(shown, framework, error) from error
    how = facts.preparation
    said = asdict(facts) | {"size": how.size, "resize": how.resize}
    del said["preparation"]
    return said | {
        "framework": framework,
        "member": name,
        "version": library.version,
        "interpolation": how.interpolation,
        "preprocessing": how.normalisation.words,
        "tokens": pooled_from(outputs),
        "fixed": facts.fixed or not _takes(found, _others(how.size)),
    }


def build(
    framework: str, member: str, version: str, target: str, seed: int | None = None
) -> dict[str, Any]:
    """Write a member as OpenVINO's `target` (.xml): preprocessed images → its `OUTPUTS`, float32.

    Its weights are random ones of a `seed`, or those that the framework fetches. Its shapes are
    those for which it agrees with the framework: any number of images of any size, unless it is
    one for a fixed size, or number. Raises `DownloadError` if the weights are not to be had,
    `BackboneError` if no conversion agrees, and what `describe` raises.
    """
    library = _imported(framework, version)
    shown = f"{framework}:{member}"
    try:
        found = library.opened(member, trained=seed is None, seed=seed or 0)
    except Exception as error:
        if seed is not None:
            raise _refused(shown, framework, error) from error
        what = f"the weights of {shown}, which {framework} fetches"
        raise _not_fetched(what, framework, error) from error
    openvino_runtime.openvino().serialize(_agreeing(shown, found), target)
    return {}


def pooled_from(outputs: dict[str, np.ndarray]) -> str | None:
    """What a network's own pooled output is made of, in the words of `BackboneSpec.tokens`.

    None is the mean of a feature map. Without a pooled output, it is what is usual: the mean of a
    map or of patches, and the token of the class where there is one.
    """
    last, pooled = (outputs.get(name) for name in OUTPUTS)
    if last is None or last.ndim not in (3, 4):
        return "pooler"
    if last.ndim == 4:
        first = last.shape[2] == last.shape[3] != last.shape[1]
        choices = {None: last.mean((2, 3) if first else (1, 2))}
    else:
        patches = int(last.shape[1] ** 0.5) ** 2
        mean = last[:, -patches:].mean(1)
        choices = {"mean": mean} if patches == last.shape[1] else {"cls": last[:, 0], "mean": mean}
    if pooled is None:
        return next(iter(choices))
    near = (word for word, features in choices.items() if _distance(features, pooled) < 1e-5)
    return next(near, "pooler")


def _imported(framework: str, version: str | None) -> Library:
    if os.environ.get(OFFLINE):
        _leave_the_network()
    from manyheads.backbones import keras_hub_members, torch_members

    libraries: dict[str, Callable[[], Library]] = {
        "timm": torch_members.Timm,
        "open_clip": torch_members.OpenClip,
        "keras_hub": keras_hub_members.KerasHub,
    }
    try:
        library = libraries[framework]()
    except Exception as error:  # a package whose parts do not fit raises anything
        raise MissingExtraError(
            f"{framework} to be imported", _reason(error),
            "install versions of its packages that belong together",
        ) from error  # fmt: skip
    if version not in (None, library.version):
        raise MissingExtraError(
            f"{framework} {version}, the version that the network is pinned to",
            f"{framework} {library.version}",
            f"install that version, or name the network with @{library.version}, as another one",
        )
    return library


def _leave_the_network() -> None:
    """Let every attempt to reach another machine fail at once; this process is ours."""

    def refuse(*_: object, **__: object) -> NoReturn:
        raise OSError(f"no network, by {OFFLINE}")

    os.environ["HF_HUB_OFFLINE"] = "1"
    socket.getaddrinfo = socket.create_connection = refuse
    socket.socket.connect = refuse


def _agreeing(shown: str, found: Member) -> Any:
    """The network, converted for as much as agrees with the framework."""
    size, differences = found.facts.preparation.size, []
    tries: list[tuple[int | None, int | None]] = [(None, None)]
    if found.facts.fixed or not _takes(found, _others(size)):
        tries = []
    for batch, side in (*tries, (None, size), (batch_size(size), size)):
        try:
            model = found.converted(batch, side)
            sizes = (size, *_others(size)) if side is None else (size,)
            distance = max(_difference(found, model, each) for each in sizes)
        except Exception as error:
            differences.append(_reason(error))
            continue
        if distance < _AGREEMENT:
            return model
        differences.append(f"features that differ by {distance:.2g} of the largest")
    raise BackboneError(
        f"OpenVINO to convert {shown}", differences[-1],
        "take another network, or export this one as ONNX and give that file",
    )  # fmt: skip


def _difference(found: Member, model: Any, size: int) -> float:
    """How far the converted network is from its framework, as a share of the largest number."""
    declared = model.input().get_partial_shape()
    count = declared[0].get_length() if declared[0].is_static else 3
    images = _images(found, count, size)
    fixed = model.clone()
    fixed.reshape(list(images.shape))
    exact = {"INFERENCE_PRECISION_HINT": "f32"}
    answer = openvino_runtime.core().compile_model(fixed, "CPU", exact)(images)
    wanted = found.run(images)
    return max(_distance(answer[name], wanted[name]) for name in wanted)


def _distance(found: np.ndarray, wanted: np.ndarray) -> float:
    if found.shape != wanted.shape or not np.isfinite(found).all():
        return float("inf")
    return float(np.abs(found - wanted).max() / max(np.abs(wanted).max(), 1e-12))


def _takes(found: Member, sizes: tuple[int, ...]) -> bool:
    with suppress(Exception):
        for size in sizes:
            found.run(_images(found, 1, size))
        return True
    return False


def _others(size: int) -> tuple[int, ...]:
    """A larger size, and a smaller one that is odd."""
    return size + 32, max(_LEAST, size * 5 // 8 | 1)


def _images(found: Member, count: int, size: int) -> np.ndarray:
    shape = (count, size, size, 3) if found.is_last else (count, 3, size, size)
    return np.random.default_rng(_SEED).standard_normal(shape, np.float32)


def _check_size(shown: str, size: int) -> None:
    if not _LEAST <= size <= _MOST:
        raise BackboneError(
            f"images of {_LEAST} to {_MOST:,} pixels for {shown}", str(size), "take another one"
        )


def _refused(shown: str, framework: str, error: Exception) -> BackboneError:
    return BackboneError(
        f"a network of images that {framework} builds, as {shown}", _reason(error),
        "take another one",
    )  # fmt: skip


def _not_fetched(what: str, framework: str, error: BaseException) -> DownloadError:
    while (before := error.__cause__ or error.__context__) is not None:
        error = before  # libraries wrap it, and wrap it again
    remedy = f"check the network, and the cache and the mirror that {framework} is set to"
    if os.environ.get(OFFLINE):
        remedy = "fetch it once without `offline`"
    return DownloadError(what, _reason(error), remedy)


def _reason(error: BaseException) -> str:
    return shorten(" ".join(str(error).split()), 200, placeholder=" …") or type(error).__name__
