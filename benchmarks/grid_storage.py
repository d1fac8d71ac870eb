"""What does it change to keep feature maps in half precision?

    python -m benchmarks grid_storage      five minutes on two cores

How far the mean of a grid's cells moves, for the photographs that train and for those that validate
(whose grids no study keeps: they are a check on other images), and what that does to the lesson's
heads with half of the cells hidden.
"""

from __future__ import annotations

import csv
import tempfile
from pathlib import Path

import numpy as np

from benchmarks.machine import parser, photographs, table, write_result
from manyheads import Study
from manyheads.backbones import registry
from manyheads.backbones.weights import resolve
from manyheads.data.data_settings import ImageSettings
from manyheads.data.dataset import open_dataset
from manyheads.features.extraction import extract
from manyheads.study.finished import finished_result
from manyheads.study.folder import RunFolder

IMAGE = ImageSettings(size=150, interpolation="nearest", exif=False)
STORAGES = ("f32", "f16")


def main() -> None:
    options = parser("What half-precision grids change.")
    options.add_argument("--seeds", type=int, default=20)
    args = options.parse_args()
    data = photographs(args.data, real=True)
    apart = {split: distances(data, split) for split in ("train", "validation")}
    with tempfile.TemporaryDirectory() as folder:
        studies = {
            storage: Study(
                data,
                droprate=0.5,
                dropblock=[0, 0.5],
                image_size=IMAGE.size,
                interpolation=IMAGE.interpolation,
                exif=IMAGE.exif,
                seeds=2 if args.quick else args.seeds,
                epochs=2 if args.quick else 30,
                learning_rate_schedule="constant",
                select="best_accuracy",
                grid_storage=storage,
                out=Path(folder, storage),
            ).run()
            for storage in STORAGES
        }
        lines = report(apart, studies, differences(Path(folder)))
    write_result(args.results, "grid-storage", lines)


def distances(data: Path, split: str) -> np.ndarray:
    """How far the mean of each image's cells moves, as a share of its length."""
    dataset, spec = open_dataset(data), registry.get("xception")
    images = dataset.rows(split)
    means = {}
    for storage in STORAGES:
        found = extract(
            dataset, spec, resolve(spec), IMAGE, pooling="grid", storage=storage, only=images
        )
        grids = (found.matrix[row].astype(np.float64) for row in found.rows[images])
        means[storage] = np.stack([grid.mean(axis=0) for grid in grids])
    exact, rounded = (means[storage] for storage in STORAGES)
    return np.linalg.norm(rounded - exact, axis=1) / np.linalg.norm(exact, axis=1)


def differences(runs: Path) -> dict[str, np.ndarray]:
    """By how much f16 is above f32 in each seed of the heads that train on grids."""
    peaks, losses = [], []
    for storage in STORAGES:
        curves: dict[str, list[tuple[float, float]]] = {}
        with (runs / storage / "history.csv").open(encoding="utf-8", newline="") as file:
            for row in csv.DictReader(file):
                if float(row["dropblock"]):
                    numbers = float(row["val_accuracy"]), float(row["val_loss"])
                    curves.setdefault(row["seed"], []).append(numbers)
        scores = np.array([curves[seed] for seed in sorted(curves)])  # [seeds, epochs, 2]
        peaks.append(scores[:, :, 0].max(axis=1))
        losses.append(scores[:, :, 1].min(axis=1))
    return {
        "peak `val_accuracy`": peaks[1] - peaks[0],
        "minimum `val_loss`": losses[1] - losses[0],
    }


def report(
    apart: dict[str, np.ndarray], studies: dict[str, Study], paired: dict[str, np.ndarray]
) -> list[str]:
    """How far features move, and what that does to scores, also seed by seed."""
    rows = [("storage", "dropblock", "peak val_accuracy", "minimum val_loss")]
    for storage, study in studies.items():
        result = finished_result(RunFolder(study.path), study.settings)
        for entry in result.in_order:
            peak, loss = (entry.measures[name] for name in ("peak_val_accuracy", "min_val_loss"))
            rows.append(
                (
                    storage,
                    f"{result.hyperparameters(entry.candidate).dropblock:g}",
                    f"{peak.mean:.4f} ± {peak.deviation or 0:.4f}",
                    f"{loss.mean:.4f} ± {loss.deviation or 0:.4f}",
                )
            )
    return [
        "## Feature maps in half precision",
        "",
        "How far the mean over an image's cells moves, as a share of its length:",
        "",
        *table(
            [
                ("split", "images", "median", "most"),
                *(
                    (split, f"{len(found):,}", f"{np.median(found):.1e}", f"{found.max():.1e}")
                    for split, found in apart.items()
                ),
            ]
        ),
        "",
        "What heads make of it:",
        "",
        *table(rows),
        "",
        "Means over seeds ± standard deviation; the droprate is 0.5. The plain candidates train on "
        "the same pooled features, so they are the same heads. With half of the cells hidden, "
        "half precision is above float32, seed by seed (mean ± standard error), by "
        + ", ".join(
            f"{each.mean():+.4f} ± {each.std(ddof=1) / len(each) ** 0.5:.4f} ({name})"
            for name, each in paired.items()
        )
        + ".",
        "",
    ]


if __name__ == "__main__":
    main()
