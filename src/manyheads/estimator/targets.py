"""What an estimator is given as y and as `sample_weight`: classes, labels and weights."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float32, Int64, Shaped

from manyheads.errors import EstimatorError

Weights = Float32[np.ndarray, "samples"]


class Targets(NamedTuple):
    """The sorted `classes`, each sample's by its number, and its weight; None: all weigh one."""

    classes: Shaped[np.ndarray, "classes"]
    labels: Int64[np.ndarray, "samples"]
    weights: Weights | None


def targets_of(y: Shaped[np.ndarray, "samples"], sample_weight: Any) -> Targets:
    """The targets of samples with the classes `y`.

    Raises `EstimatorError` unless two classes or more have samples with weight, and for weights
    that are not a finite number from 0 for each sample.
    """
    classes, labels = np.unique(y, return_inverse=True)
    weights = None if sample_weight is None else _weights(sample_weight, len(y))
    there = np.unique(labels if weights is None else labels[weights > 0])
    if len(there) < 2:
        weighted = "" if weights is None else " with weight"
        raise EstimatorError(
            f"samples{weighted} of two or more classes", f"one class, {str(classes[there[0]])!r}",
            "give samples of another class",
        )  # fmt: skip
    return Targets(classes, labels, weights)


def _weights(given: Any, samples: int) -> Weights:
    try:
        weights = np.asarray(given, np.float32)
    except (TypeError, ValueError) as error:
        raise _refused(samples, str(error)) from error
    if weights.ndim == 0:
        weights = np.full(samples, weights)
    if weights.shape != (samples,):
        raise _refused(samples, f"an array {list(weights.shape)}")
    if not np.isfinite(weights).all() or weights.min() < 0:
        raise _refused(samples, "one that is negative or not finite")
    if not weights.any():
        raise _refused(samples, "nothing but zeros: every sample weighs nothing")
    return weights


def _refused(samples: int, found: str) -> EstimatorError:
    return EstimatorError(
        f"{samples} sample weights, finite and from 0, that are not all zero", found,
        "give one for each sample",
    )  # fmt: skip
