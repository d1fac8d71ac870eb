"""What does a pack of features spare, and what does half precision change?

    python -m benchmarks feature_packs      a minute on two cores, and the features once

The lesson's photographs are packed; then their sweep runs on the pack as on another machine: with
an empty cache, without the photographs and without a backbone. Rounding to float16 is compared
feature by feature, and seed by seed in what heads make of it.
"""

from __future__ import annotations

import csv
import tempfile
from pathlib import Path

import numpy as np

from benchmarks.machine import Run, manyheads, parser, photographs, table, write_result
from manyheads import read_features

IMAGES = ("--backbone", "xception", "--image-size", "150")
STORAGES = ("f32", "f16")
RATES = ("0", "0.2", "0.5", "0.8")
SCORES = {"peak `val_accuracy`": ("val_accuracy", max), "minimum `val_loss`": ("val_loss", min)}


def main() -> None:
    options = parser("What a pack of features spares, and what half precision changes.")
    options.add_argument("--seeds", type=int, default=10)
    args = options.parse_args()
    seeds = 2 if args.quick else args.seeds
    data = photographs(args.data, real=True)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        times: dict[tuple[str, int], Run] = {}
        for storage in STORAGES:
            pack = packed(folder, storage)
            manyheads("features", "pack", data, *IMAGES, "--storage", storage, "--out", pack)
            for count in dict.fromkeys((1, seeds)) if storage == "f32" else (seeds,):
                times[storage, count] = sweep(folder, storage, count)
        lines = report(folder, times, seeds)
    write_result(args.results, "feature-packs", lines)


def packed(folder: Path, storage: str) -> Path:
    """Where a pack lies."""
    return folder / f"photographs-{storage}.safetensors"


def sweep(folder: Path, storage: str, seeds: int) -> Run:
    """The lesson's sweep on a pack, with a cache that is empty."""
    out = folder / f"run-{storage}-{seeds}"
    cache = folder / f"cache-{storage}-{seeds}"
    return manyheads(
        "sweep", packed(folder, storage), "--droprate", *RATES, "--epochs", "30",
        "--learning-rate-schedule", "constant", "--select", "best_accuracy",
        "--seeds", str(seeds), "--out", out,
        MANYHEADS_CACHE=str(cache), NUMBA_CACHE_DIR=str(cache / "numba"), MANYHEADS_OFFLINE="1",
    )  # fmt: skip


def report(folder: Path, times: dict[tuple[str, int], Run], seeds: int) -> list[str]:
    """Sizes and seconds, and what rounding changes."""
    features = {storage: read_features(packed(folder, storage)).features for storage in STORAGES}
    sizes = {storage: packed(folder, storage).stat().st_size / 1e6 for storage in STORAGES}
    exact = np.asarray(features["f32"], np.float64)
    apart = np.abs(features["f16"] - exact)
    lengths = np.linalg.norm(features["f16"] - exact, axis=1) / np.linalg.norm(exact, axis=1)
    rows = [
        (storage, f"{sizes[storage]:.1f}", f"{4 * count}", f"{run.seconds:.1f}")
        for (storage, count), run in times.items()
    ]
    scores = {storage: peaks(folder / f"run-{storage}-{seeds}") for storage in STORAGES}
    changes = []
    for rate in RATES:
        for name in SCORES:
            old, new = (np.array(scores[storage][rate, name]) for storage in STORAGES)
            change, spread = new - old, old.std(ddof=1)
            changes.append(
                (rate, name, f"{old.mean():.4f}", f"{change.mean():+.4f}",
                 f"{np.abs(change).max():.4f}", f"{spread:.4f}")
            )  # fmt: skip
    return [
        "## Feature packs",
        "",
        f"The lesson's sweep (4 rates, 30 epochs) from a pack of {len(exact):,} photographs with "
        f"{exact.shape[1]:,} features each, to the written report and model, with an empty cache, "
        "without photographs and backbone:",
        "",
        *table([("storage", "MB", "heads", "seconds"), *rows]),
        "",
        f"Half precision moves a feature by at most {apart.max():.1e} (they are up to "
        f"{exact.max():.2f}), and an image's features by {np.median(lengths):.1e} of their length "
        f"(median; at most {lengths.max():.1e}). What heads make of it, seed by seed:",
        "",
        *table([("droprate", "score", "float32", "mean change", "largest change",
                 "standard deviation over seeds"), *changes]),
        "",
    ]  # fmt: skip


def peaks(run: Path) -> dict[tuple[str, str], list[float]]:
    """The best of each score in every trial, by droprate, in the order of the seeds."""
    curves: dict[tuple[str, int], list[dict[str, str]]] = {}
    with (run / "history.csv").open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            curves.setdefault((f"{float(row['droprate']):g}", int(row["seed"])), []).append(row)
    found: dict[tuple[str, str], list[float]] = {}
    for (rate, _), rows in sorted(curves.items(), key=lambda item: item[0][1]):
        for name, (column, best) in SCORES.items():
            found.setdefault((rate, name), []).append(best(float(row[column]) for row in rows))
    return found


if __name__ == "__main__":
    main()
