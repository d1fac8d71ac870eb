"""Do class weights and balanced batches help, and do their intervals hold?

    python -m benchmarks.imbalance                    some minutes on two cores
    python -m benchmarks.imbalance --only intervals

The training photographs are made unequal: of each class a stated share is kept, the validation
photographs stay as they are. Four settings are compared by balanced accuracy. Then candidates with
known differences are simulated, and the intervals of their differences counted that hold them.
"""

from __future__ import annotations

import csv
import tempfile
from pathlib import Path

import numpy as np

from benchmarks.machine import parser, photographs, show, table, write_result
from manyheads.data.data_settings import ImageSettings
from manyheads.data.dataset import Dataset, open_dataset
from manyheads.findings.study_findings import Findings
from manyheads.run.pipeline import run_study
from manyheads.stats.comparisons import Differences
from manyheads.stats.metrics import METRICS
from manyheads.stats.paired import SHARES, Family
from manyheads.stats.validation_predictions import Validated
from manyheads.study.space import Grid
from manyheads.study.study_settings import StudySettings

KEPT = {
    "t-shirt": 1.0, "longsleeve": 1.0, "pants": 0.6, "shoes": 0.4, "shirt": 0.3, "dress": 0.2,
    "outwear": 0.15, "shorts": 0.1, "hat": 0.1, "skirt": 0.1,
}  # fmt: skip
"""The share of each class's training photographs that is kept: the first ones by name."""

UNEQUAL = np.array([0.3, 0.2, 0.15, 0.1, 0.08, 0.06, 0.05, 0.03, 0.02, 0.01])
CASES = (
    (300, np.array([0.8, 0.15, 0.05]), 0.3),
    (341, UNEQUAL, 0.3),
    (341, UNEQUAL, 0.0),
    (341, np.full(10, 0.1), 0.3),
    (2000, UNEQUAL, 0.3),
)
SEEDS = 5


def main() -> None:
    options = parser("Class weights and balanced batches.")
    options.add_argument("--only", choices=("photographs", "intervals"))
    options.add_argument("--studies", type=int, default=300)
    args = options.parse_args()
    lines: list[str] = []
    if args.only != "intervals":
        lines += _photographs(photographs(args.data, real=True), 2 if args.quick else 10)
    if args.only != "photographs":
        lines += _intervals(20 if args.quick else args.studies)
    write_result(args.results, "imbalance", lines)


def _photographs(data: Path, seeds: int) -> list[str]:
    with tempfile.TemporaryDirectory() as folder:
        manifest = Path(folder) / "unequal.csv"
        counts = _write_unequal(open_dataset(data), manifest)
        settings = StudySettings(
            data=str(manifest), select="last_balanced_accuracy", seeds=seeds,
            image=ImageSettings(size=150),
            grid=Grid(
                (0.001,), (100,), (0.5,), learning_rate_schedule=("cosine",),
                class_weight=("none", "balanced"), balanced_batches=("no", "yes"),
            ),
        )  # fmt: skip
        findings = run_study(settings, Path(folder) / "run").findings
        assert findings is not None
        sizes = ", ".join(f"{name} {count}" for name, count in counts.items())
        return [
            f"Training photographs: {sizes}. Xception, 150 × 150, {seeds} seeds.",
            "", *table(_scores(findings)), "",
            *(f"- {line}" for line in findings.verdict.sentences), "",
        ]  # fmt: skip


def _write_unequal(dataset: Dataset, manifest: Path) -> dict[str, int]:
    """Write a manifest of the kept photographs; how many train, by class."""
    counts: dict[str, int] = {}
    with manifest.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(("path", "label", "split"))
        for split in ("train", "validation"):
            rows = dataset.rows(split)
            for label, name in enumerate(dataset.classes):
                own = sorted(rows[dataset.labels[rows] == label], key=dataset.name_of)
                if split == "train":
                    own = own[: int(len(own) * KEPT[name])]
                    counts[name] = len(own)
                writer.writerows((dataset.paths[row], name, split) for row in own)
    return counts


def _scores(findings: Findings) -> list[list[object]]:
    measures = {
        "balanced accuracy": "chosen_val_balanced_accuracy", "accuracy": "chosen_val_accuracy",
        "log loss": "chosen_val_loss",
    }  # fmt: skip
    rows: list[list[object]] = [["class_weight", "balanced_batches", *measures, "macro F1"]]
    for entry in findings.result.ranking:
        setting = findings.result.hyperparameters(entry.candidate)
        means = [entry.measures[name] for name in measures.values()]
        rows.append([
            setting.class_weight, setting.balanced_batches,
            *(f"{each.mean:.3f} ± {each.deviation or 0:.3f}" for each in means),
            f"{findings.differences.mean(entry.candidate, 'macro_f1'):.3f}",
        ])  # fmt: skip
        show(*rows[-1])
    return rows


def _intervals(studies: int) -> list[str]:
    rows: list[list[object]] = [
        ["images", "classes", "smallest", "metric", "difference", "held", "half width", "1.96 σ"]
    ]
    for images, shares, apart in CASES:
        shares = shares / shares.sum()
        random = np.random.default_rng(0)
        large = [_simulated(random, 20_000, shares, apart, 1) for _ in range(60)]
        for metric in SHARES:
            values = [
                [float(METRICS[metric](found.log_probabilities(c)[0, 0], found.labels))
                 for c in (1, 2)] for found in large
            ]  # fmt: skip
            truth = -float(np.diff(values).mean())
            found = [_interval(seed, images, shares, apart, metric) for seed in range(studies)]
            centres, widths = np.array(found).T
            held = np.mean(np.abs(centres - truth) <= widths)
            rows.append([
                f"{images:,}", len(shares), f"{100 * shares.min():.0f} %", metric,
                f"{100 * truth:.1f}", f"{100 * held:.1f} %", f"{100 * widths.mean():.1f}",
                f"{196 * centres.std():.1f}",
            ])  # fmt: skip
            show(*rows[-1])
    return [
        f"Two candidates with a known difference, in points; {studies} studies of {SEEDS} seeds "
        "each; how many of the 95 % intervals hold it.",
        "", *table(rows), "",
    ]  # fmt: skip


def _interval(
    seed: int, images: int, shares: np.ndarray, apart: float, metric: str
) -> tuple[float, float]:
    """The difference and the half width of its interval."""
    random = np.random.default_rng((1, seed))
    pair = Differences(_simulated(random, images, shares, apart, SEEDS)).between(1, 2, metric)
    assert pair is not None
    family = Family([pair])
    return float(family.difference[0]), float(family.half_width(0.05)[0])


def _simulated(
    random: np.random.Generator, images: int, shares: np.ndarray, apart: float, seeds: int
) -> Validated:
    """Two candidates that find the same images hard, and frequent classes likelier."""
    classes = len(shares)
    labels = random.choice(classes, images, p=shares)
    hard = random.normal(size=(images, classes)) + 0.5 * np.log(shares)
    said = {}
    for candidate in (1, 2):
        heads = []
        for _ in range(seeds):
            logits = hard + 0.4 * random.normal(size=(images, classes))
            logits += 0.2 * random.normal(size=classes)
            logits[np.arange(images), labels] += 2 + apart * (candidate - 1)
            heads.append(logits - np.log(np.exp(logits).sum(axis=1, keepdims=True)))
        said[candidate] = np.array(heads, np.float32)[:, None]
    return Validated(
        (1, 2), ("apart 1", "apart 2"), labels, tuple(map(str, range(classes))),
        np.arange(images), np.zeros((1, images), np.int64), 1, said.__getitem__,
    )  # fmt: skip


if __name__ == "__main__":
    main()
