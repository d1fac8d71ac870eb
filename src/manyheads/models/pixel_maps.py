"""What layers do to the pixels before a backbone, followed as numbers; nothing is run.

Keras writes a preprocessing as layers (`Rescaling`, `Normalization`) or as operations
(`TrueDivide`, `Subtract`, `GetItem`; `TFOpLambda` in Keras 2). Each is known here by its name, and
only numbers are read of it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float64

from manyheads.backbones.preprocessing_modes import NAMED
from manyheads.modelfiles.keras_files import Arrays

Held = Callable[[], Arrays]


@dataclass(frozen=True, eq=False)
class PixelMap:
    """Of a pixel x of 0 to 255 in RGB, `x @ matrix + offset`."""

    matrix: Float64[np.ndarray, "3 channels"]
    offset: Float64[np.ndarray, "channels"]

    def scaled(self, factor: Any, summand: Any) -> PixelMap:
        """The same, times `factor` and plus `summand`: numbers, or one for each channel."""
        return PixelMap(self.matrix * factor, self.offset * factor + summand)

    def taken(self, channels: Any) -> PixelMap:
        """Some of its channels, in their order."""
        return PixelMap(self.matrix[:, channels], self.offset[channels])

    def same(self, other: PixelMap) -> bool:
        """Whether both do the same to pixels, to float32's precision."""
        if self.matrix.shape != other.matrix.shape:
            return False
        return np.allclose(_numbers_of(self), _numbers_of(other), rtol=1e-5, atol=1e-7)

    @property
    def words(self) -> str | None:
        """The preprocessing as `normalisation` names it, or None if it has no name for it."""
        for words, how in NAMED.items():
            if self.same(map_of(how.mean, how.std, bgr=how.bgr)):
                return words
        scale = self.matrix.diagonal() if self.matrix.shape == (3, 3) else np.zeros(3)
        if not (scale > 0).all() or not np.allclose(self.matrix, np.diag(scale), atol=1e-12):
            return None
        mean, std = -self.offset / scale / 255, 1 / scale / 255
        return f"mean={_listed(mean)},std={_listed(std)}"


AS_THEY_ARE = PixelMap(np.eye(3), np.zeros(3))
"""What is done to pixels where nothing is done."""


def map_of(mean: Any, std: Any, *, bgr: bool = False) -> PixelMap:
    """`(x − mean) / std` of a pixel in RGB, or in BGR."""
    pixels = AS_THEY_ARE.taken([2, 1, 0]) if bgr else AS_THEY_ARE
    return pixels.scaled(1 / np.asarray(std, np.float64), -np.asarray(mean) / np.asarray(std))


def mapped(
    layer: dict[str, Any], inputs: list[PixelMap], arguments: list[Any], held: Held
) -> PixelMap | None:
    """What `layer` makes of `inputs`; None for a layer that does anything else to pixels.

    `arguments` are those of an operation, in order, its inputs among them; `held` yields the
    arrays that the layer keeps in its file.
    """
    kind, config = layer["class_name"], layer["config"]
    try:
        if kind in ("TFOpLambda", "SlicingOpLambda"):
            kind = FUNCTIONS.get(str(config.get("function")), "")
        if kind in ("Stack", "Concatenate"):
            return _joined(layer, inputs)
        (pixels,) = inputs
        if kind == "Rescaling":
            return pixels.scaled(_constant(config["scale"]), _constant(config["offset"]))
        if kind == "Normalization":
            return _normalised(pixels, config, held)
        if kind == "GetItem":
            channels = _channels(arguments[-1])
            return None if channels is None else pixels.taken(channels)
        if kind == "Cast":
            return pixels
        return _operation(kind, pixels, arguments)
    except (ValueError, TypeError, LookupError):
        return None


# As Keras 2 names TensorFlow's functions.
FUNCTIONS = {
    "math.truediv": "TrueDivide", "math.divide": "TrueDivide",
    "__operators__.truediv": "TrueDivide",
    "math.subtract": "Subtract", "__operators__.sub": "Subtract",
    "math.add": "Add", "__operators__.add": "Add", "nn.bias_add": "Add",
    "math.multiply": "Multiply", "__operators__.mul": "Multiply",
    "__operators__.getitem": "GetItem", "cast": "Cast",
}  # fmt: skip


def _operation(kind: str, pixels: PixelMap, arguments: list[Any]) -> PixelMap | None:
    first, second = arguments
    left = isinstance(first, PixelMap)
    number = _constant(second if left else first)
    if kind == "Add":
        return pixels.scaled(1.0, number)
    if kind == "Subtract":
        return pixels.scaled(1.0, -number) if left else pixels.scaled(-1.0, number)
    if kind == "Multiply":
        return pixels.scaled(number, 0.0)
    if kind in ("TrueDivide", "Divide") and left:
        return pixels.scaled(1 / number, 0.0)
    return None


def _normalised(pixels: PixelMap, config: dict[str, Any], held: Held) -> PixelMap | None:
    if config.get("invert"):
        return None
    mean, variance = config.get("mean"), config.get("variance")
    if mean is None or variance is None:  # learned from images, and kept beside the weights
        mean, variance = held()[:2]
    deviation = np.maximum(np.sqrt(_constant(variance)), 1e-7)  # as Keras bounds it
    return pixels.scaled(1 / deviation, -_constant(mean) / deviation)


def _joined(layer: dict[str, Any], inputs: list[PixelMap]) -> PixelMap | None:
    if layer["config"].get("axis", -1) not in (-1, 3):
        return None
    matrices = [each.matrix.reshape(3, -1) for each in inputs]
    return PixelMap(np.hstack(matrices), np.hstack([each.offset.reshape(-1) for each in inputs]))


def _channels(slices: Any) -> Any:
    """The channels that `x[..., slices]` takes, as NumPy has it; None if it takes other things."""
    if isinstance(slices, dict):
        slices = slices.get("items")
    if not isinstance(slices, list) or len(slices) < 2:
        return None
    *others, last = slices
    if any(_slice(each) != slice(None) for each in others):
        return None
    return last if isinstance(last, int) else _slice(last)


def _slice(entry: Any) -> slice | None:
    if not isinstance(entry, dict):
        return None
    if entry.get("class_name") == "__ellipsis__":
        return slice(None)
    sides = entry.get("config", entry)
    return slice(sides.get("start"), sides.get("stop"), sides.get("step"))


def _constant(value: Any) -> Float64[np.ndarray, "..."]:
    """A number, or one for each channel; raises `ValueError` for anything else."""
    if isinstance(value, dict):
        value = value["config"]["value"]
    number = np.asarray(value, np.float64)
    if number.size not in (1, 3) or not np.isfinite(number).all():
        raise ValueError(f"a constant of {number.size} numbers")
    return number.reshape(-1) if number.size == 3 else number.reshape(())


def _numbers_of(pixels: PixelMap) -> Float64[np.ndarray, "..."]:
    # Of pixels of 255, so that both parts are on one scale.
    return np.vstack([pixels.matrix * 255, pixels.offset])


def _listed(numbers: Float64[np.ndarray, "3"]) -> str:
    return ",".join(f"{number:.7g}" for number in numbers)
