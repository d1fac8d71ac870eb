"""How closely do the engines' losses follow each other, and float64? (docs/decisions/0003)

    python -m benchmarks trajectories      some minutes on two cores

Takes the clothing photographs. Needs a Keras backend that trains, and the packages of the tests.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from benchmarks.machine import parser, photographs, show, table, write_result
from manyheads.backbones import registry, weights
from manyheads.data.data_settings import ImageSettings
from manyheads.data.dataset import open_dataset
from manyheads.features.extraction import extract
from manyheads.heads.bank import Fold, engine_named
from tests.banks import settings, train, training_keras
from tests.formulas import train_in_float64

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
    args = parser("How closely two float32 trainers agree.").parse_args()
    whole = features(photographs(args.data, real=True))
    rows: list[tuple[str, ...]] = [COLUMNS]
    for samples in (64, 512) if args.quick else (64, 512, len(whole.train)):
        for droprate in (0.0, 0.5):
            values = (f"{value:.0e}" for value in differences(part(whole, samples), droprate))
            rows.append((str(samples), str(droprate), *values))
            show(*rows[-1])
    lines = [
        f"Largest relative difference of a step's loss in {EPOCHS} epochs of 32 a batch, Keras on "
        f"{training_keras().config.backend()}:",
        "",
        *table(rows),
    ]
    write_result(args.results, "trajectories", lines)


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


if __name__ == "__main__":
    main()
