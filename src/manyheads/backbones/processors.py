"""How a repository of the hub says that images are prepared, as numbers.

A processor's name means different things in different versions of the library that has it, so that
nothing follows from the name. Every field that shapes pixels is read, or refused.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from manyheads.backbones import preprocessing_modes
from manyheads.backbones.preprocessing_modes import Normalisation
from manyheads.errors import BackboneError

# Pillow's numbers; 5, Hamming, is none of ours.
_RESAMPLING = {0: "nearest", 1: "lanczos", 2: "bilinear", 3: "bicubic", 4: "box"}
_LEAST_UNCROPPED = 384  # pixels, from which `crop_pct` crops nothing
_READ = (
    "do_resize", "size", "resample", "do_center_crop", "crop_size", "crop_pct", "do_rescale",
    "rescale_factor", "do_normalize", "image_mean", "image_std",
)  # fmt: skip
# These say nothing about pixels, or nothing if they are off.
_IDLE = (
    "image_processor_type", "feature_extractor_type", "processor_class", "do_convert_rgb",
    "data_format", "input_data_format", "return_tensors", "device", "include_top", "num_channels",
    "image_seq_length", "disable_grouping", "auto_map",
)  # fmt: skip


@dataclass(frozen=True)
class Preparation:
    """How images are prepared: their side in pixels, and `ImageSettings`' words for the rest."""

    size: int
    resize: str | None
    interpolation: str
    normalisation: Normalisation


def read_processor(fields: dict[str, Any], of: str) -> Preparation:
    """The preparation that a `preprocessor_config.json` of the repository `of` describes.

    Raises `BackboneError` for a field that is not known, and for a preparation that does not end in
    one square of each image.
    """
    reader = _Reader(fields, of)
    reader.check_names()
    size, resize = reader.square()
    return Preparation(size, resize, reader.interpolation(), reader.normalisation())


class _Reader:
    def __init__(self, fields: dict[str, Any], of: str) -> None:
        self._fields, self._of = fields, of

    def check_names(self) -> None:
        for name, value in self._fields.items():
            known = name in _READ or name in _IDLE or name.startswith("_")
            if not known and value not in (False, None):
                raise self._refused(f"only fields that are known, {', '.join(_READ)}", name)

    def square(self) -> tuple[int, str | None]:
        """The side of the square, and how an image becomes one."""
        given = self._fields.get("size")
        if not self._does("resize") or given is None:
            raise self._refused("a size that images are resized to", "none")
        sides = {"height": given, "width": given} if isinstance(given, int) else given
        crops = self._does("center_crop", usually=False)
        if not isinstance(sides, dict):
            raise self._refused("a size in pixels", repr(given))
        if set(sides) == {"height", "width"}:
            side = self._one_side("size", sides)
            if crops and self._one_side("crop_size", self._crop()) != side:
                raise self._refused("images squashed, or cropped, but not both", repr(self._fields))
            return side, None
        if set(sides) != {"shortest_edge"}:
            raise self._refused("height and width, or shortest_edge, as the size", repr(given))
        shortest = self._whole("size", sides["shortest_edge"])
        share = self._fields.get("crop_pct")
        if share is not None:
            if shortest >= _LEAST_UNCROPPED:
                return shortest, None
            return shortest, f"crop:{self._number('crop_pct', share):.9g}"
        if not crops:
            raise self._refused("a crop to a square after shortest_edge", "none")
        side = self._one_side("crop_size", self._crop())
        if side > shortest:
            raise self._refused(f"a crop_size of at most {shortest}", str(side))
        return side, "crop" if side == shortest else f"crop:{side / shortest:.9g}"

    def interpolation(self) -> str:
        given = self._fields.get("resample")
        if given not in _RESAMPLING or isinstance(given, bool):
            raise self._refused("resample as one of 0 to 4", repr(given))
        return _RESAMPLING[given]

    def normalisation(self) -> Normalisation:
        factor = self._number("rescale_factor", self._fields.get("rescale_factor", 1 / 255))
        if not self._does("rescale"):
            factor = 1.0
        mean, std = [0.0] * 3, [1.0] * 3
        if self._does("normalize"):
            mean, std = self._channels("image_mean"), self._channels("image_std")
        if factor <= 0 or min(std) <= 0:
            raise self._refused("a rescale_factor and an image_std above 0", f"{factor:g}, {std}")
        # The words are those of x/255.
        numbers = [",".join(f"{n / (factor * 255):.9g}" for n in each) for each in (mean, std)]
        return preprocessing_modes.parse(f"mean={numbers[0]},std={numbers[1]}")

    def _does(self, what: str, *, usually: bool = True) -> bool:
        return bool(self._fields.get(f"do_{what}", usually))

    def _crop(self) -> dict[str, Any]:
        given = self._fields.get("crop_size")
        return {"height": given, "width": given} if isinstance(given, int) else given or {}

    def _one_side(self, name: str, sides: dict[str, Any]) -> int:
        if set(sides) != {"height", "width"} or sides["height"] != sides["width"]:
            raise self._refused(f"a square as the {name}", repr(sides))
        return self._whole(name, sides["height"])

    def _whole(self, name: str, given: Any) -> int:
        if not isinstance(given, int) or isinstance(given, bool) or given < 1:
            raise self._refused(f"{name} in whole pixels", repr(given))
        return given

    def _number(self, name: str, given: Any) -> float:
        if not isinstance(given, int | float) or isinstance(given, bool):
            raise self._refused(f"{name} as a number", repr(given))
        return float(given)

    def _channels(self, name: str) -> list[float]:
        given = self._fields.get(name)
        if not isinstance(given, list) or len(given) != 3:
            raise self._refused(f"three numbers as {name}", repr(given))
        return [self._number(name, each) for each in given]

    def _refused(self, expected: str, found: str) -> BackboneError:
        return BackboneError(
            f"{expected} in preprocessor_config.json of {self._of}", found[:160],
            "give its .onnx file as the backbone, with a stated `preprocessing`",
        )  # fmt: skip
