"""What does `--precision bf16` gain, and what does it do to features and scores?

    python -m benchmarks.precision          three minutes on two cores

The lesson's sweep, five seeds, on features of either precision, each extracted anew.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.machine import answer, fresh_cache, parser, part, photographs, table, write_result
from manyheads import Study, extract

RATES = (0.0, 0.2, 0.5, 0.8)


def main() -> None:
    options = parser("What bfloat16 gains and costs.")
    options.add_argument("--seeds", type=int, default=5)
    args = options.parse_args()
    data = photographs(args.data, real=True)
    with tempfile.TemporaryDirectory() as folder:
        runs = {
            precision: part(
                "precision.study",
                fresh_cache(Path(folder, precision)),
                data=str(data),
                precision=precision,
                seeds=1 if args.quick else args.seeds,
                epochs=3 if args.quick else 30,
                features=str(Path(folder, f"{precision}.npy")),
            )
            for precision in ("f32", "bf16")
        }
        exact, rounded = (np.load(Path(folder, f"{precision}.npy")) for precision in runs)
    write_result(args.results, "precision", report(runs, exact, rounded))


def report(runs: dict[str, Any], exact: np.ndarray, rounded: np.ndarray) -> list[str]:
    """The table of rates and scores, and how far the features are apart."""
    head = ["", "images/s", *(f"peak, droprate {rate:g}" for rate in RATES)]
    head += [f"val_loss, droprate {rate:g}" for rate in RATES]
    rows: list[list[str]] = [head]
    for precision, run in runs.items():
        scores = [f"{mean:.4f} ± {spread:.4f}" for mean, spread in run["peaks"] + run["losses"]]
        rows.append([precision, f"{run['rate']:.1f}", *scores])
    apart = np.linalg.norm(rounded - exact, axis=1) / np.linalg.norm(exact, axis=1)
    return [
        *table(rows),
        "",
        f"Features differ by {np.median(apart):.1e} of their length in the median image, by "
        f"{apart.max():.1e} at most. Peaks of `val_accuracy` and minima of `val_loss` are means "
        "over seeds ± standard deviation. The rate is that of whole extractions, building the "
        "backbone included.",
    ]


def study(data: str, precision: str, seeds: int, epochs: int, features: str) -> dict[str, Any]:
    """The lesson's sweep on features of one precision."""
    with tempfile.TemporaryDirectory() as folder:
        how: dict[str, Any] = {
            "image_size": 150, "interpolation": "nearest", "exif": False, "precision": precision,
        }  # fmt: skip
        found = extract(data, **how)
        np.save(features, found.features)
        results = Study(
            data,
            droprate=RATES,
            learning_rate=0.001,
            size_inner=100,
            epochs=epochs,
            learning_rate_schedule="constant",
            select="best_accuracy",
            seeds=seeds,
            out=Path(folder, "run"),
            **how,
        ).run().results  # fmt: skip

        def pairs(name: str) -> list[tuple[float, float]]:
            return [(row[f"{name}_mean"], row[f"{name}_std"] or 0.0) for row in results]

        return {
            "rate": found.passes / found.seconds,
            "peaks": pairs("peak_val_accuracy"),
            "losses": pairs("min_val_loss"),
        }


if __name__ == "__main__":
    if len(sys.argv) > 1 and sys.argv[1] == "study":
        answer({"study": study})
    else:
        main()
