"""manyheads' own engines, on features in memory and on a mapped file of them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from benchmarks.machine import answer
from benchmarks.parts.shapes import (
    BATCH,
    CLASSES,
    DROPRATE,
    FEATURES,
    UNITS,
    VALIDATION,
    samples,
    seconds,
)
from manyheads.heads.bank import Fold, HeadSettings, engine_named
from manyheads.heads.hyperparameters import Hyperparameters


def heads(count: int, epochs: int, engine: str = "fused") -> dict[str, float]:
    """Milliseconds of a head's epoch in a bank of `count` candidates of one seed."""
    x, y, val_x, val_y = samples()
    rows = np.arange(len(x) + len(val_x))
    fold = Fold(np.concatenate([x, val_x]), rows[: len(x)], y, rows[len(x) :], val_y, CLASSES)
    return {"epoch": _epoch(fold, count, epochs, engine) * 1000}


def images(file: str, train: int, epochs: int) -> dict[str, float]:
    """Microseconds a sample of one head's epochs on the first `train` rows of a mapped file.

    The file holds float32 `[stored, FEATURES]`; its last rows are validated on.
    """
    stored = Path(file).stat().st_size // (4 * FEATURES)
    matrix = np.memmap(file, np.float32, "r", shape=(stored, FEATURES))
    labels = np.random.default_rng(0).integers(0, CLASSES, stored)
    held = np.arange(stored - VALIDATION, stored)
    fold = Fold(matrix, np.arange(train), labels[:train], held, labels[held], CLASSES)
    return {"sample": _epoch(fold, 1, epochs) * 1e6 / train}


def _epoch(fold: Fold, count: int, epochs: int, name: str = "fused") -> float:
    """Seconds of a head's epoch: what `epochs` more of them add, so that no start is counted."""
    engine = engine_named(name)

    def train(each: int, bank: int = count, fold: Fold = fold) -> None:
        heads = [
            HeadSettings(
                hyperparameters=Hyperparameters(
                    learning_rate=float(rate), size_inner=UNITS, droprate=DROPRATE, batch_size=BATCH
                ),
                seed=1,
                fold=0,
                epochs=each,
            )
            for rate in np.geomspace(1e-4, 1e-2, bank)
        ]
        for _ in engine.train(heads, [fold]):
            pass

    if name == "stacked":  # which compiles a program for each shape
        train(1)
    train(1, 1, replace(fold, train=fold.train[:BATCH], train_labels=fold.train_labels[:BATCH]))
    short, long = (seconds(lambda each=each: train(each)) for each in (1, 1 + epochs))
    return (long - short) / count / epochs


if __name__ == "__main__":
    answer(globals())
