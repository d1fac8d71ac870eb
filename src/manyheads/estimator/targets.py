"""What an estimator is given as y and as `sample_weight`: classes, labels and weights."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float32, Int64, Shaped

from manyheads.errors import EstimatorError

Weights = Float32[np.ndarray, "samples"]

_MADE_OF_MISSING = frozenset(("nan", "NaN", "None", "<NA>", "NaT"))


class Targets(NamedTuple):
    """The sorted `classes`, each sample's by its number, and its weight; None: all weigh one.

    Classes that are texts are sorted as those of a study are, so that 10 comes before 2; numbers
    are sorted as numbers, as scikit-learn has them.
    """

    classes: Shaped[np.ndarray, "classes"]
    labels: Int64[np.ndarray, "samples"]
    weights: Weights | None


def require_labelled(y: Any) -> None:
    """Raise `EstimatorError`, with their number, for samples of `y` without a class.

    These are None, not-a-number, and pandas' NA and NaT; and the texts that NumPy and pandas make
    of them when they make an array of texts, for `np.array(["cat", np.nan])` has a class "nan".
    """
    if y is None or isinstance(y, str | bytes):
        return  # scikit-learn says what is wrong with these
    values = np.asarray(y)
    if values.dtype.kind in "fc":
        bad = np.isnan(values)
    elif values.dtype.kind in "mM":
        bad = np.isnat(values)
    elif values.dtype.kind in "OUT":
        flat = values.ravel().tolist()
        bad = np.fromiter(map(_is_missing, flat), bool, len(flat))
    else:
        return
    if bad.any():
        first = int(np.flatnonzero(bad)[0])
        raise EstimatorError(
            "a class for every sample",
            f"none for {np.count_nonzero(bad):,} of {bad.size:,}, "
            f"the first {values.ravel()[first]!s} as sample {first}",
            "leave these samples out of X and y; a class of that name needs another",
        )  # fmt: skip


def _is_missing(value: Any) -> bool:
    if value is None or type(value).__name__ in ("NAType", "NaTType"):
        return True
    if isinstance(value, float):
        return value != value
    return isinstance(value, str) and value in _MADE_OF_MISSING


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
