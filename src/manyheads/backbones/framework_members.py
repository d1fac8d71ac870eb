"""What a framework has to give of a network, and what is wrong with one that is no backbone."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from manyheads.backbones import preprocessing_modes
from manyheads.backbones.preprocessing_modes import Normalisation
from manyheads.backbones.processors import Preparation
from manyheads.errors import BackboneError

OUTPUTS = ("last_hidden_state", "pooler_output")
"""The names of the outputs of a converted network, of which it has one or both."""

_INTERPOLATIONS = ("nearest", "bilinear", "bicubic", "lanczos")


@dataclass(frozen=True)
class Facts:
    """What a framework says of a network without running it.

    `parameters` are those of the whole model that it fetches. A `fixed` network takes images of one
    size alone, and a `trained` one has weights.
    """

    preparation: Preparation
    licence: str
    parameters: int
    fixed: bool
    trained: bool


class Member(Protocol):
    """A network in its framework, ready to run."""

    facts: Facts
    is_last: bool
    """Whether its channels come last."""

    def run(self, images: np.ndarray) -> dict[str, np.ndarray]:
        """The `OUTPUTS` for preprocessed float32 images, NHWC where `is_last`, or else NCHW."""
        ...

    def converted(self, batch: int | None, size: int | None) -> Any:
        """The same as an `openvino.Model`, for so many images of so many pixels, or for any."""
        ...


class Library(Protocol):
    """A framework, imported."""

    version: str

    def whole_name(self, member: str) -> str:
        """The full name of a member; raises `BackboneError` with the nearest if there is none."""
        ...

    def opened(self, member: str, *, trained: bool, seed: int = 0) -> Member:
        """The member with its weights, or with random ones. Raises what the framework raises."""
        ...


def square(shown: str, channels: int, height: int, width: int) -> int:
    """The side of square RGB images; raises `BackboneError` for others."""
    if channels != 3 or height != width:
        raise BackboneError(
            f"square RGB images for {shown}", f"{channels} × {height} × {width}", "take another one"
        )
    return int(height)


def interpolation(shown: str, given: str) -> str:
    """Raises `BackboneError` for one that is none of ours."""
    if given not in _INTERPOLATIONS:
        raise unprepared(shown, f"interpolation {given}")
    return given


def normalisation(mean: Iterable[float], std: Iterable[float]) -> Normalisation:
    """(x / 255 − mean) / std for each channel."""
    numbers = [",".join(f"{number:.9g}" for number in each) for each in (mean, std)]
    return preprocessing_modes.parse(f"mean={numbers[0]},std={numbers[1]}")


def unprepared(shown: str, found: str) -> BackboneError:
    """What is wrong with a network whose images are prepared in a way that is none of ours."""
    return BackboneError(
        f"images squashed, cropped or between black bars for {shown}", found,
        "export the network as ONNX, and give that file with its `preprocessing`",
    )  # fmt: skip


def unknown(framework: str, member: str, known: Iterable[str]) -> BackboneError:
    """What is wrong with a name that the framework does not have."""
    near = difflib.get_close_matches(member, list(known), n=1, cutoff=0.3)
    remedy = f"did you mean {framework}:{near[0]}?" if near else f"see what {framework} lists"
    return BackboneError(f"the name of a network of {framework}", repr(member), remedy)
