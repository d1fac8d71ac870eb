"""The arrays of a head in as few dense layers as do the same once training is over.

Layers that only scale and shift are one with the dense layer beside them: `BatchNormalization`
with its moving averages (Ioffe and Szegedy 2015, section 3.1), `Rescaling`, and a dense layer with
no activation behind it.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from manyheads.modelfiles.keras_files import Arrays
from manyheads.models.importing.head_configs import HeadConfig
from manyheads.models.importing.layer_graph import Layer, Lookup, Step, layer_words

Array = np.ndarray[Any, Any]


def folded(head: HeadConfig, lookup: Lookup) -> list[tuple[Array, Array]]:
    """Kernel and bias of each dense layer, of which only a relu parts two.

    Arrays of layers that stand alone are as they are in the file; others are multiplied in
    float64. Raises `ValueError` for arrays that do not fit their layer.
    """
    found = [_Affine()]
    for step in head.layers:
        if isinstance(step, str):
            found.append(_Affine())
        else:
            kind = step.layer["class_name"]
            arrays = [] if kind == "Rescaling" else lookup(step.path)
            found[-1] = found[-1].then(_affine(step, arrays))
    return [each.dense() for each in found]


class _Affine(NamedTuple):
    """`x ⊙ kernel + bias` for a kernel of one axis, `x @ kernel + bias` for one of two."""

    kernel: Array | None = None
    bias: Array | None = None

    def then(self, other: _Affine) -> _Affine:
        """This and then another one."""
        if self.kernel is None or self.bias is None:
            return other
        assert other.kernel is not None
        assert other.bias is not None
        kernel, bias, by = (np.asarray(each, np.float64) for each in (*self, other.kernel))
        if by.ndim < 2:  # each number by itself
            return _Affine(kernel * by, bias * by + other.bias)
        bias = np.broadcast_to(bias, by.shape[:1])  # of a `Rescaling`, one number
        kernel = kernel[:, np.newaxis] * by if kernel.ndim == 1 else kernel @ by
        return _Affine(kernel, bias @ by + other.bias)

    def dense(self) -> tuple[Array, Array]:
        """Both arrays; raises `ValueError` if this is no dense layer."""
        if self.kernel is None or self.bias is None or self.kernel.ndim != 2:
            raise ValueError("layers without a dense one between them")
        return self.kernel, self.bias


def _affine(step: Step, arrays: Arrays) -> _Affine:
    layer = step.layer
    if layer["class_name"] == "Dense":
        return _dense(layer, arrays)
    if layer["class_name"] == "Rescaling":
        config = layer["config"]
        scale, offset = (np.asarray(config[key], np.float64) for key in ("scale", "offset"))
        if scale.ndim or offset.ndim:
            raise ValueError(f"{layer_words(layer)} with a number for each feature")
        return _Affine(scale.reshape(1), offset.reshape(1))
    return _normalisation(layer, arrays)


def _dense(layer: Layer, arrays: Arrays) -> _Affine:
    biased = layer["config"].get("use_bias", True) is not False
    shapes = [array.shape for array in arrays]
    if len(arrays) != 1 + biased or len(shapes[0]) != 2 or (biased and shapes[1] != shapes[0][1:]):
        raise ValueError(f"{layer_words(layer)} with arrays of {str(shapes)[:80]}")
    bias = arrays[1] if biased else np.zeros(shapes[0][1:], arrays[0].dtype)
    return _Affine(arrays[0], bias)


def _normalisation(layer: Layer, arrays: Arrays) -> _Affine:
    config = layer["config"]
    waiting = [np.asarray(array, np.float64) for array in arrays]
    scaled, centred = (config.get(key, True) is not False for key in ("scale", "center"))
    wanted = 2 + scaled + centred
    if len(waiting) != wanted or any(array.ndim != 1 for array in waiting):
        raise ValueError(f"{layer_words(layer)} with {len(waiting)} arrays, where it has {wanted}")
    gamma = waiting.pop(0) if scaled else 1.0
    beta = waiting.pop(0) if centred else 0.0
    mean, variance = waiting
    scale = gamma / np.sqrt(variance + float(config.get("epsilon", 1e-3)))
    return _Affine(scale, beta - mean * scale)
