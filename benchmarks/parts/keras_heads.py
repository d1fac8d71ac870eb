"""Keras on cached features, one head after the other, on the backend of `KERAS_BACKEND`."""

from __future__ import annotations

import time
from typing import Any

import numpy as np

from benchmarks.machine import answer
from benchmarks.parts.shapes import (
    BATCH,
    CLASSES,
    DROPRATE,
    FEATURES,
    LEARNING_RATE,
    UNITS,
    samples,
)


def heads(epochs: int, settings: dict[str, Any], threads: int = 0) -> dict[str, float]:
    """Milliseconds of a head's epoch by `fit`, after a first one; `settings` go to `compile`."""
    if threads:
        import torch

        torch.set_num_threads(threads)
    x, y, val_x, val_y = samples()
    return {"epoch": _epoch(x, y, val_x, val_y, epochs, settings) * 1000}


def images(train: int, epochs: int, settings: dict[str, Any]) -> dict[str, float]:
    """Microseconds a sample of a head's epoch on `train` samples in memory."""
    x, y, val_x, val_y = samples(train)
    return {"sample": _epoch(x, y, val_x, val_y, epochs, settings) * 1e6 / train}


def _epoch(x: Any, y: Any, val_x: Any, val_y: Any, epochs: int, settings: dict[str, Any]) -> float:
    import keras

    ends: list[float] = []
    clock = keras.callbacks.LambdaCallback(on_epoch_end=lambda *_: ends.append(time.perf_counter()))
    inputs = keras.Input((FEATURES,))
    hidden = keras.layers.Dense(UNITS, activation="relu")(inputs)
    hidden = keras.layers.Dropout(DROPRATE)(hidden)
    model: Any = keras.Model(inputs, keras.layers.Dense(CLASSES)(hidden))
    model.compile(
        keras.optimizers.Adam(LEARNING_RATE),
        loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        metrics=["accuracy"],
        **settings,
    )
    model.fit(x, y, BATCH, 1 + epochs, verbose=0, callbacks=[clock], validation_data=(val_x, val_y))
    return float(np.median(np.diff(ends)))


if __name__ == "__main__":
    answer(globals())
