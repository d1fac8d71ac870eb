"""How many floating-point operations a head's epoch and a network's pass are; 2 a multiply-add."""

from __future__ import annotations

import math
from typing import Any

from benchmarks.parts.shapes import BATCH, CLASSES, FEATURES, TRAIN, UNITS, VALIDATION


def head_epoch_flops(
    train: int = TRAIN,
    validation: int = VALIDATION,
    features: int = FEATURES,
    units: int = UNITS,
    classes: int = CLASSES,
) -> int:
    """Operations of the matrix products in one epoch of a head with an inner layer.

    A training sample costs two products with the inner kernel (forward, its gradient; there is
    none with respect to the features) and three with the outer; a validation sample one each.
    """
    inner, outer = 2 * features * units, 2 * units * classes
    return train * (2 * inner + 3 * outer) + validation * (inner + outer)


def head_epoch_bytes(
    train: int = TRAIN,
    batch: int = BATCH,
    features: int = FEATURES,
    units: int = UNITS,
    classes: int = CLASSES,
) -> int:
    """Bytes of Adam's state passed in an epoch: each step reads and writes three float32 arrays."""
    parameters = (features + 1) * units + (units + 1) * classes
    return math.ceil(train / batch) * parameters * 3 * 2 * 4


def network_flops(model: Any) -> int:
    """Operations of the convolutions and dense layers of a Keras model on one image.

    Counted layer by layer from their kernels and output shapes, `channels_last`. Normalisation,
    activations and pooling are left out: a good runtime folds them into their neighbours.
    """
    total = 0
    for layer in model.layers:
        if hasattr(layer, "layers"):
            total += network_flops(layer)
            continue
        kernels = [weight for weight in layer.weights if "kernel" in weight.name]
        cells = math.prod(layer.output.shape[1:-1])
        total += sum(2 * cells * math.prod(kernel.shape) for kernel in kernels)
    return total
