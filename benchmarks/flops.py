"""How many floating-point operations a head's epoch is, 2 a multiply-add, and bytes it passes."""

from __future__ import annotations

import math

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
