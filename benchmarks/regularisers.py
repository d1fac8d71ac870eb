"""What does each regulariser add to a head's epoch? Beside the plain head's, in one run.

    python -m benchmarks regularisers      a minute

One thread of the fused engine trains the lesson's head on made-up features of the lesson's size,
with one regulariser at a time. Times are processor time of an epoch, validation included; the
plain head is timed before and after each, and the ratio is to the mean of the two.
"""

from __future__ import annotations

import time
from typing import Any

import numpy as np

from benchmarks.machine import middle, parser, table, write_result
from benchmarks.parts.shapes import BATCH, CLASSES, DROPRATE, FEATURES, TRAIN, UNITS, samples
from manyheads.heads.bank import HeadSettings
from manyheads.heads.fold import Fold, Source, Variant
from manyheads.heads.fused.engine import FusedEngine
from manyheads.heads.hyperparameters import Hyperparameters, epoch_cost

CELLS = (5, 5)
COPIES = 3
REGULARISERS: dict[str, dict[str, Any]] = {
    "input_droprate 0.2": {"input_droprate": 0.2},
    "dropblock 0.5, grids in float32": {"dropblock": 0.5},
    "dropblock 0.5, grids in float16": {"dropblock": 0.5},
    "dropblock 0.5 in blocks of 2": {"dropblock": 0.5, "dropblock_size": 2},
    f"augmented_copies {COPIES}": {"augmented_copies": COPIES},
    "mixup 0.4": {"mixup": 0.4},
    "label_smoothing 0.1": {"label_smoothing": 0.1},
    "l2 0.001": {"l2": 0.001},
    "weight_decay 0.01, adamw": {"weight_decay": 0.01, "optimizer": "adamw"},
    "max_norm 3": {"max_norm": 3.0},
    "sgd, momentum 0.9": {"optimizer": "sgd", "momentum": 0.9},
    "learning_rate_schedule cosine": {"learning_rate_schedule": "cosine"},
}


def main() -> None:
    args = parser("What each regulariser adds to a head's epoch.").parse_args()
    repeats, epochs = (1, 1) if args.quick else (5, 4)
    found = {name: ratio(name, repeats, epochs) for name in REGULARISERS}
    write_result(args.results, "regularisers", report(found))


def ratio(name: str, repeats: int, epochs: int) -> tuple[float, float]:
    """Milliseconds of an epoch of the plain head, and how many times that one with `name` takes."""
    fold, given = made_up(name), setting(**REGULARISERS[name])
    _epoch(fold, given, 1)  # compiles
    plain, ratios = [], []
    for _ in range(repeats):
        before = _epoch(fold, setting(), epochs)
        regularised = _epoch(fold, given, epochs)
        plain.append((before + _epoch(fold, setting(), epochs)) / 2)
        ratios.append(regularised / plain[-1])
    return 1000 * middle(plain), middle(ratios)


def setting(**changes: Any) -> Hyperparameters:
    """The lesson's head, but for `changes`."""
    lesson: dict[str, Any] = {"learning_rate": 0.001, "size_inner": UNITS, "droprate": DROPRATE}
    given: dict[str, Any] = lesson | {"batch_size": BATCH} | changes
    return Hyperparameters(**given)


def made_up(name: str) -> Fold:
    """Features of the lesson's size, with the versions that the regulariser `name` needs."""
    x, y, val_x, val_y = samples()
    rows = np.arange(len(x) + len(val_x))
    sources: dict[Variant, Source] = {}
    train = rows[: len(x)]
    if "dropblock" in name:
        kind = np.float16 if "float16" in name else np.float32
        grids = np.repeat(x[:, None].astype(kind), CELLS[0] * CELLS[1], axis=1)
        sources[Variant(grid=True)] = Source(grids, train)
    if "copies" in name:
        sources = {
            Variant(view): Source(x + np.float32(view), train) for view in range(1, COPIES + 1)
        }
    return Fold(
        np.concatenate([x, val_x]), train, y, rows[len(x) :], val_y, CLASSES, sources, CELLS
    )


def _epoch(fold: Fold, given: Hyperparameters, epochs: int) -> float:
    head = HeadSettings(hyperparameters=given, seed=0, fold=0, epochs=epochs)
    started = time.process_time()
    for _ in FusedEngine(1).train([head], [fold]):
        pass
    return (time.process_time() - started) / epochs


def report(found: dict[str, tuple[float, float]]) -> list[str]:
    """The table, beside what the plan of a study counts on."""
    plain = epoch_cost(setting())
    rows = [("regulariser", "plain, ms", "with it, times as much", "planned")]
    for name, (milliseconds, times) in found.items():
        planned = epoch_cost(setting(**REGULARISERS[name])) / plain
        rows.append((name, f"{milliseconds:.1f}", f"{times:.2f}", f"{planned:.2f}"))
    return [
        "## What a regulariser adds to a head's epoch",
        "",
        *table(rows),
        "",
        f"Processor time of one thread, medians. {FEATURES:,} features, {UNITS} inner units, "
        f"{CLASSES} classes, batches of {BATCH}, {TRAIN:,} training samples, feature maps of "
        f"{CELLS[0]}×{CELLS[1]} cells.",
        "",
    ]


if __name__ == "__main__":
    main()
