"""EfficientNet-Lite, which `keras.applications` lacks, of Keras's own layers.

It is EfficientNet (Tan and Le 2019, arXiv:1905.11946, table 1) without squeeze and excitation, with
ReLU6, and with a stem, a head and outer stages that do not grow. Called in a child where Keras is.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from manyheads.backbones.registry import CHANNELS_FIRST

if TYPE_CHECKING:
    import keras

    from manyheads.modelfiles.keras_files import Arrays

_STEM, _HEAD = 32, 1280  # filters


class _Stage(NamedTuple):
    """So many blocks alike; the first has the `strides`."""

    kernel: int
    blocks: int
    expansion: int
    filters: int
    strides: int


_STAGES = (
    _Stage(3, 1, 1, 16, 1),
    _Stage(3, 2, 6, 24, 2),
    _Stage(5, 2, 6, 40, 2),
    _Stage(3, 3, 6, 80, 2),
    _Stage(5, 3, 6, 112, 1),
    _Stage(5, 4, 6, 192, 2),
    _Stage(3, 1, 6, 320, 1),
)
# How much wider and deeper than EfficientNet-Lite0 each is.
_SCALES = {"EfficientNetLite0": (1.0, 1.0), "EfficientNetLite2": (1.1, 1.2)}


def build(
    function: str, shape: tuple[int, int, int], data_format: str, pooling: str | None
) -> keras.Model:
    """The network called `function` for images of `shape`, untrained, up to its features.

    With the `pooling` avg these are the means of the feature map.
    """
    import keras

    layers = _Layers(keras, data_format)
    width, depth = _SCALES[function]
    images = keras.Input(shape)
    value = layers.activated(layers.convolved(images, _STEM, 3, 2, "stem"), "stem")
    for number, stage in enumerate(_STAGES, start=1):
        outer = number in (1, len(_STAGES))
        blocks = stage.blocks if outer else math.ceil(depth * stage.blocks)
        filters = _rounded(width * stage.filters)
        for block in range(blocks):
            name = f"block{number}{chr(ord('a') + block)}"
            strides = 1 if block else stage.strides
            value = layers.block(value, filters, stage, strides, name)
    value = layers.activated(layers.convolved(value, _HEAD, 1, 1, "top"), "top")
    if pooling == "avg":
        value = keras.layers.GlobalAveragePooling2D(data_format=data_format, name="avg_pool")(value)
    return keras.Model(images, value, name=function.lower())


def arrays_of(tensors: Mapping[str, np.ndarray[Any, Any]]) -> Arrays:
    """The arrays of `build`, in its order, of what PyTorch's network of the same layers holds.

    Its classifier and its counts of batches are left out. Kernels `[out, in, rows, columns]` become
    `[rows, columns, in, out]`, those for each channel alone `[rows, columns, channels, 1]`.
    """
    found = []
    for name, tensor in tensors.items():
        if name.startswith("_fc.") or name.endswith(".num_batches_tracked"):
            continue
        if tensor.ndim == 4:
            alone = tensor.shape[1] == 1
            found.append(tensor.transpose((2, 3, 0, 1) if alone else (2, 3, 1, 0)))
        else:
            found.append(tensor)
    return found


class _Layers:
    """What the network is made of, in one memory layout."""

    def __init__(self, module: Any, data_format: str) -> None:
        self._layers = module.layers
        self._how = {"data_format": data_format, "padding": "same", "use_bias": False}
        self._axis = 1 if data_format == CHANNELS_FIRST else -1

    def convolved(self, value: Any, filters: int, kernel: int, strides: int, name: str) -> Any:
        """A convolution and its normalisation."""
        conv = self._layers.Conv2D(
            filters, kernel, strides=strides, name=f"{name}_conv", **self._how
        )
        return self._normalised(conv(value), name)

    def activated(self, value: Any, name: str) -> Any:
        return self._layers.ReLU(6.0, name=f"{name}_activation")(value)

    def block(self, value: Any, filters: int, stage: _Stage, strides: int, name: str) -> Any:
        """An inverted bottleneck: wider, filtered channel by channel, narrower; added if alike."""
        before, channels = value, value.shape[self._axis]
        if stage.expansion > 1:
            wide = stage.expansion * channels
            value = self.convolved(value, wide, 1, 1, f"{name}_expand")
            value = self.activated(value, f"{name}_expand")
        depthwise = self._layers.DepthwiseConv2D(
            stage.kernel, strides=strides, name=f"{name}_dwconv", **self._how
        )
        value = self.activated(self._normalised(depthwise(value), name), name)
        value = self.convolved(value, filters, 1, 1, f"{name}_project")
        if strides == 1 and channels == filters:
            value = self._layers.Add(name=f"{name}_add")([value, before])
        return value

    def _normalised(self, value: Any, name: str) -> Any:
        layer = self._layers.BatchNormalization(self._axis, epsilon=1e-3, name=f"{name}_bn")
        return layer(value)


def _rounded(filters: float) -> int:
    """A multiple of 8 that is near, and not smaller by more than a tenth."""
    near = max(8, int(filters + 4) // 8 * 8)
    return near if near >= 0.9 * filters else near + 8
