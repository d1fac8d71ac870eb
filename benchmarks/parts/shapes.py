"""The lesson's shapes, and time."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import numpy as np
from jaxtyping import Float32, Int64

SIZE, BATCH, FEATURES, UNITS, CLASSES = 150, 32, 2048, 100, 10
TRAIN, VALIDATION = 3068, 341
DROPRATE, LEARNING_RATE = 0.5, 0.001


def samples(
    train: int = TRAIN, validation: int = VALIDATION
) -> tuple[
    Float32[np.ndarray, "train features"],
    Int64[np.ndarray, "train"],
    Float32[np.ndarray, "validation features"],
    Int64[np.ndarray, "validation"],
]:
    """Generated features and labels to train on, and to validate on."""
    random = np.random.default_rng(0)
    x = np.abs(random.standard_normal((train + validation, FEATURES), np.float32))
    y = random.integers(0, CLASSES, train + validation)
    return x[:train], y[:train], x[train:], y[train:]


def timed(one: Callable[[], Any], epochs: int, heads: int = 1) -> dict[str, float]:
    """Milliseconds of a head's epoch, after a first one; `one` is an epoch of all `heads`."""
    one()
    return {"epoch": float(np.median([seconds(one) for _ in range(epochs)])) * 1000 / heads}


def seconds(work: Callable[[], Any]) -> float:
    """How long `work` takes."""
    started = time.perf_counter()
    work()
    return time.perf_counter() - started
