"""A backbone's preprocessing as plain Keras layers; called where Keras is imported."""

from __future__ import annotations

from typing import Any

import numpy as np
from jaxtyping import Float64

from manyheads.backbones import keras_builds
from manyheads.backbones.registry import CHANNELS_LAST, BackboneSpec
from manyheads.errors import BackboneError

_PROBE = np.array([[0, 0, 0], [255, 0, 0], [0, 255, 0], [0, 0, 255], [1, 77, 201]], np.float64)


def preprocessing_layers(spec: BackboneSpec) -> list[Any]:
    """Layers that are together what `spec` does to raw RGB; the first also makes it float32."""
    import keras

    matrix, offset = channel_map(spec)
    scale = matrix.diagonal()
    if (matrix == np.diag(scale)).all():
        # It takes a number for each channel too, which its signature does not say.
        rescaling: Any = keras.layers.Rescaling
        return [rescaling(_shortest(scale), _shortest(offset), name="preprocessing")]
    # Channels change places: a convolution of one pixel, for slicing has no layer.
    mixing = keras.layers.Conv2D(
        3, 1, data_format=CHANNELS_LAST, trainable=False, name="preprocessing"
    )
    mixing.build((None, None, None, 3))
    mixing.set_weights([matrix[np.newaxis, np.newaxis], offset])
    return [keras.layers.Rescaling(1.0, name="float"), mixing]


def channel_map(spec: BackboneSpec) -> tuple[Float64[np.ndarray, "3 3"], Float64[np.ndarray, "3"]]:
    """`matrix` and `offset` such that the preprocessing of a pixel is `pixel @ matrix + offset`.

    They are measured on the backbone's own function. Raises `BackboneError` if that does anything
    else to a pixel.
    """
    probe = _PROBE.reshape(len(_PROBE), 1, 1, 3).copy()
    found = np.asarray(keras_builds.preprocessed(spec, probe, CHANNELS_LAST)).reshape(-1, 3)
    offset, matrix = found[0], (found[1:4] - found[0]) / 255
    # Rounding leaves traces where nothing is.
    matrix = np.where(abs(matrix) < 1e-9, 0.0, matrix)
    if not np.allclose(_PROBE @ matrix + offset, found, rtol=1e-6, atol=1e-6):
        raise BackboneError(
            f"a preprocessing of {spec.name} that treats every pixel by itself",
            spec.preprocessing,
            "export it `raw`",
        )
    return matrix, offset


def _shortest(numbers: Float64[np.ndarray, "3"]) -> float | list[float]:
    values = numbers.tolist()
    return values[0] if np.ptp(numbers) < 1e-12 else values
