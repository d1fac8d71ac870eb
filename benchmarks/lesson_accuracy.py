"""Does the sweep find what honest runs of the lesson find? Five seeds of its four dropout rates.

    python -m benchmarks.lesson_accuracy                      two minutes or three on two cores
    python -m benchmarks.lesson_accuracy --curves FILE        beside published runs

`FILE` is JSON: a name → dropout rate → metric → a list over epochs.
"""

from __future__ import annotations

import json
import tempfile
from pathlib import Path

from benchmarks.machine import parser, photographs, table, write_result
from manyheads import Study
from manyheads.study.finished import finished_result
from manyheads.study.folder import RunFolder

# Peak val_accuracy by dropout rate: what honest runs of the lesson give, and how near to be.
EXPECTED = {0.0: 0.838, 0.2: 0.841, 0.5: 0.846, 0.8: 0.827}
NEAR = 0.012


def main() -> None:
    options = parser("The lesson's accuracy over seeds.")
    options.add_argument("--curves", type=Path, help="published runs, as JSON")
    options.add_argument("--seeds", type=int, default=5)
    options.add_argument("--epochs", type=int, default=30)
    args = options.parse_args()
    published = json.loads(args.curves.read_text(encoding="utf-8")) if args.curves else {}
    with tempfile.TemporaryDirectory() as folder:
        study = Study(
            photographs(args.data, real=True),
            droprate=EXPECTED,
            learning_rate=0.001,
            size_inner=100,
            epochs=args.epochs,
            learning_rate_schedule="constant",
            select="best_accuracy",
            seeds=args.seeds,
            image_size=150,
            interpolation="nearest",
            exif=False,
            out=Path(folder, "run"),
        ).run()
        lines = report(study, published)
    write_result(args.results, "lesson-accuracy", lines)


def report(study: Study, published: dict[str, dict[str, dict[str, list[float]]]]) -> list[str]:
    """The table of peaks, and whether they are where they should be."""
    runs = {name: {float(rate): run[rate] for rate in run} for name, run in published.items()}
    head = ["droprate", "peak val_accuracy", "expected", "difference", "within"]
    head += ["mean of the last ten", "minimum val_loss", "final val_loss"]
    rows: list[list[str]] = [[*head, *(f"peak of {name}" for name in runs)]]
    result = finished_result(RunFolder(study.path), study.settings)
    for entry in result.in_order:
        rate = result.hyperparameters(entry.candidate).droprate
        peak = entry.measures["peak_val_accuracy"]
        difference = peak.mean - EXPECTED[rate]
        names = ("last_ten_val_accuracy", "min_val_loss", "final_val_loss")
        rows.append(
            [
                f"{rate:g}",
                f"{peak.mean:.4f} ± {peak.deviation or 0:.4f}",
                f"{EXPECTED[rate]:.3f}",
                f"{difference:+.4f}",
                "yes" if abs(difference) <= NEAR else "NO",
                *(f"{entry.measures[name].mean:.3f}" for name in names),
                *(f"{max(run[rate]['val_accuracy']):.4f}" for run in runs.values()),
            ]
        )
    settings = study.settings
    return [
        *table(rows),
        "",
        f"{settings.seeds} seeds (mean ± standard deviation), {settings.epochs} epochs, Xception "
        f"at 150 × 150, nearest neighbour, EXIF ignored, as the lesson has it; asked are {NEAR} at "
        "most. A published run is one seed. A peak over epochs flatters: it was chosen on the "
        "images that it is measured on.",
    ]


if __name__ == "__main__":
    main()
