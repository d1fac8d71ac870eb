"""How closely do the engines' losses follow each other, and float64? (docs/decisions/0003)

    python -m benchmarks.trajectories DATA

DATA is the folder of the clothing photographs. Needs a Keras backend that trains, and the
packages of the tests. Prints a table in Markdown.
"""

from __future__ import annotations

import argparse
import datetime
import importlib.metadata
import os
import platform
from pathlib import Path

import numpy as np

from manyheads.backbones import registry, weights
from manyheads.data.dataset import open_dataset
from manyheads.features.extract import extract
from manyheads.heads.bank import Fold, engine_named
from manyheads.settings import ImageSettings
from tests.banks import settings, train, train_in_float64, training_keras

EPOCHS = 10
LESSON = ImageSettings(size=150, interpolation="nearest", exif=False)
COLUMNS = (
    "photographs",
    "droprate",
    "fused, Keras",
    "fused, float64",
    "Keras, float64",
    "fused, float64 rounded",
    "Keras, float64 rounded",
)


def main() -> None:
    parser = argparse.ArgumentParser(description="How closely two float32 trainers agree.")
    parser.add_argument("data", type=Path, metavar="DATA")
    whole = features(parser.parse_args().data)
    keras = training_keras()
    packages = ("manyheads", "numpy", "numba", "scipy", "keras", keras.config.backend())
    versions = ", ".join(f"{name} {version(name)}" for name in packages)
    print(f"{datetime.date.today()}, {platform.machine()}, {os.cpu_count()} cores, {versions}.")
    print(f"Largest relative difference of a step's loss in {EPOCHS} epochs of 32 a batch:\n")
    print(f"| {' | '.join(COLUMNS)} |\n|{' --- |' * len(COLUMNS)}")
    for samples in (64, 512, len(whole.train)):
        for droprate in (0.0, 0.5):
            values = (f"{value:.0e}" for value in differences(part(whole, samples), droprate))
            print(f"| {samples} | {droprate} | {' | '.join(values)} |", flush=True)


def features(data: Path) -> Fold:
    """The photographs' features by Xception, as the lesson sees them."""
    spec = registry.get("xception")
    dataset = open_dataset(data)
    found = extract(dataset, spec, weights.resolve(spec), LESSON)
    train_rows, validation_rows = dataset.rows("train"), dataset.rows("validation")
    return Fold(
        found.matrix,
        found.rows[train_rows],
        dataset.labels[train_rows],
        found.rows[validation_rows],
        dataset.labels[validation_rows],
        len(dataset.classes),
    )


def part(whole: Fold, samples: int) -> Fold:
    """A fold that trains on some of the photographs, drawn at random."""
    chosen = np.random.default_rng(0).permutation(len(whole.train))[:samples]
    return Fold(
        whole.matrix,
        whole.train[chosen],
        whole.train_labels[chosen],
        whole.validation,
        whole.validation_labels,
        whole.classes,
    )


def differences(fold: Fold, droprate: float) -> tuple[float, ...]:
    """The columns of the table after the first two."""
    head = settings(size_inner=100, droprate=droprate, epochs=EPOCHS)
    fused, keras = (
        train(engine_named(name), [head], [fold], rule="last")[0].losses
        for name in ("fused", "keras")
    )
    exact = train_in_float64(head, fold, rounded=False).losses
    rounded = train_in_float64(head, fold, rounded=True).losses
    pairs = ((fused, keras), (fused, exact), (keras, exact), (fused, rounded), (keras, rounded))
    return tuple(float(np.max(np.abs(left - right) / right)) for left, right in pairs)


def version(package: str) -> str:
    """The installed version; TensorFlow goes by two names."""
    names = importlib.metadata.packages_distributions().get(package, [package])
    return importlib.metadata.version(names[0])


if __name__ == "__main__":
    main()
