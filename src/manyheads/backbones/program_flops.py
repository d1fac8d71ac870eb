"""How much arithmetic a program of OpenVINO's is, counted from its file."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from xml.etree import ElementTree
from xml.etree.ElementTree import Element

_Dims = list[int]


def gflop_per_image(program: Path) -> float | None:
    """2 × multiply-adds / 1e9 of an image's pass through the program in an `.xml`.

    Those of its convolutions and matrix products; a good runtime folds normalisations and
    activations into these, and a pooling is next to nothing. None if the file leaves a size open.
    """
    total, batch = 0, 0
    for layer in ElementTree.parse(program).getroot().iterfind("layers/layer"):
        kind = layer.attrib["type"]
        if kind == "Parameter":
            batch = _dims(layer, "output")[0][0]
        elif count := _MULTIPLY_ADDS.get(kind):
            (output,) = _dims(layer, "output")
            dims = [output, *_dims(layer, "input")]
            if any(side < 1 for each in dims for side in each):
                return None
            total += math.prod(output) * count(layer, *dims[1:])
    return None if batch < 1 else 2 * total / batch / 1e9


def _dims(layer: Element, side: str) -> list[_Dims]:
    """The shape of each input or output."""
    return [
        [int(dim.text or 0) for dim in port.iterfind("dim")]
        for port in layer.iterfind(f"{side}/port")
    ]


def _of_product(layer: Element, first: _Dims, _second: _Dims) -> int:
    data = layer.find("data")
    is_turned = data is not None and data.get("transpose_a") == "true" and len(first) > 1
    return first[-2 if is_turned else -1]


# How many multiply-adds each number of an output takes, by the kind of the layer. A kernel is
# `[out, in, …]`, in groups `[groups, out, in, …]`.
_MULTIPLY_ADDS: dict[str, Callable[[Element, _Dims, _Dims], int]] = {
    "Convolution": lambda _layer, _images, kernel: math.prod(kernel[1:]),
    "GroupConvolution": lambda _layer, _images, kernel: math.prod(kernel[2:]),
    "MatMul": _of_product,
}
