"""What a backbone costs: its size, its arithmetic, and its speed on this machine."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from manyheads.backbones import exported, framework_backbones, hub_backbones, own_files
from manyheads.backbones.known import known
from manyheads.backbones.program_flops import gflop_per_image
from manyheads.backbones.registry import BackboneSpec
from manyheads.backbones.weights import Weights
from manyheads.core.measurements import remember, remembered_rate
from manyheads.core.settings import digest

RATES = "rates.json"
"""Where the cache keeps how fast this machine was."""


@dataclass(frozen=True)
class BackboneCost:
    """What a backbone costs; None for what is not known.

    `megabytes` (1e6 bytes) of weights; `gflop` for an image, 2 × multiply-adds / 1e9 of its
    convolutions and matrix products; `images_per_second`, from files to features, of the last
    extraction here of 500 images or more, on whatever device it was.
    """

    megabytes: float | None
    gflop: float | None
    images_per_second: float | None


def cost_of(spec: BackboneSpec, weights: Weights | None, size: int) -> BackboneCost:
    """What a backbone costs for images of `size` pixels, without making or fetching anything.

    The arithmetic is known once its program for this size is in the cache. Raises `BackboneError`
    if its file cannot be read.
    """
    known_of = (None,) * len(spec.parts) if weights is None else weights.parts
    each = list(zip(spec.parts, known_of, strict=True))
    return BackboneCost(
        megabytes=_sum(_megabytes(*part) for part in each),
        gflop=_sum(_gflop(*part, size) for part in each),
        images_per_second=remembered_rate(RATES, _images_key(spec.name, size)),
    )


def remember_images(name: str, size: int, per_second: float) -> None:
    """Learn how many images of `size` pixels an extraction took through the backbone `name`."""
    remember(RATES, _images_key(name, size), per_second)


def _images_key(name: str, size: int) -> str:
    return f"last-images-{digest([name, size])[:16]}"


def _sum(values: Iterable[float | None]) -> float | None:
    """The sum over the members of a backbone; None if it is not known of one."""
    found = list(values)
    return None if None in found else sum(value for value in found if value is not None)


def _gflop(spec: BackboneSpec, weights: Weights | None, size: int) -> float | None:
    program = None if weights is None else exported.existing(spec, weights.digest, size)
    return None if program is None else gflop_per_image(program.path)


def _megabytes(spec: BackboneSpec, weights: Weights | None) -> float | None:
    if spec.hub is not None:
        return hub_backbones.size_of(spec) / 1e6
    if spec.framework is not None:
        return framework_backbones.size_of(spec) / 1e6
    if spec.file is not None:
        return own_files.size_of(spec.file) / 1e6
    if (entry := known(spec)) is not None:
        return 4 * entry.numbers / 1e6  # as float32
    return None if weights is None else weights.size / 1e6
