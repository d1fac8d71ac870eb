"""Several labels per image: is one temperature for all of them enough, or does each need its own?

    python -m benchmarks label_temperatures      a few minutes on two cores

The photographs get labels that follow from their classes, as in `benchmarks.several_labels`. The
settings of the head that a fit searches are trained in five folds, on small samples of the
photographs and, two of them, on all. What each head says of the images that it left out is divided
by no temperature, by one for all labels, and by one for each label, fitted on the answers of the
other folds. Nothing here sees a test image.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np

from benchmarks.machine import parser, photographs, show, table, write_result
from benchmarks.several_labels import garments
from manyheads.backbones import registry
from manyheads.data.data_settings import TableSettings
from manyheads.findings.image_truth import LabelTruth
from manyheads.findings.reading import read_validated
from manyheads.run.fit.fit_settings import few_settings, search_grid
from manyheads.run.pipeline import run_study
from manyheads.run.plan import RunOptions
from manyheads.stats.validation_predictions import Validated
from manyheads.study.space import Grid
from manyheads.study.study_settings import StudySettings

BACKBONE, SIZE = "efficientnet_lite0", 224
SAMPLES = 100, 200, 400, 0  # photographs, about; 0: all
WAYS = "no temperature", "one for all labels", "one for each label"


def main() -> None:
    args = parser("One temperature for all labels, or one for each?").parse_args()
    clothing = photographs(args.data, real=True)
    rows: list[list[object]] = [["images", "settings", *WAYS, "each better than one, of settings"]]
    with tempfile.TemporaryDirectory() as folder:
        for wanted in SAMPLES[:2] if args.quick else SAMPLES:
            rows.append(_measured(clothing, Path(folder), wanted))
            show(*rows[-1])
    write_result(args.results, "label-temperatures", [
        f"{BACKBONE} at {SIZE}²; log loss (the mean of the labels' binary cross-entropies) of "
        "single heads on the images that they left out, mean over settings:", "", *table(rows),
    ])  # fmt: skip


def _measured(clothing: Path, folder: Path, wanted: int) -> list[object]:
    step = max(1, round(len([*clothing.glob("*/*/*.jpg")]) / wanted)) if wanted else 1
    table_of = garments(clothing, folder / f"garments-{wanted}.csv", slice(0, None, step))
    validated = _validated(table_of, search_grid(0) if wanted else few_settings(0))
    losses = np.array([_losses(validated, each) for each in validated.candidates])
    better = (losses[:, 2] < losses[:, 1]).sum()
    means = [f"{loss:.4f}" for loss in losses.mean(axis=0)]
    count = len(losses)
    return [f"{len(validated.labels):,}", count, *means, f"{better} of {count}"]


def _validated(data: Path, grid: Grid) -> Validated:
    settings = StudySettings(
        data=str(data),
        grid=grid,
        backbone=BACKBONE,
        image=registry.get(BACKBONE).prepared(SIZE),
        table=TableSettings(label_column="labels", label_separator=";"),
        seeds=1,
        folds=5,
        select="last",
    )
    options = RunOptions(models=False, baselines=False, keep_heads=1)
    finished = run_study(settings, data.with_suffix(""), options=options)
    dataset = finished.dataset
    return read_validated(
        finished.folder.store, settings, finished.result, dataset.classes, dataset.label_names
    )


def _losses(validated: Validated, candidate: int) -> list[float]:
    """The log loss of a candidate's heads by each of the `WAYS`."""
    said, fold_of = validated.log_probabilities(candidate)[0, 0], validated.fold_of[0]
    targets = validated.targets
    assert targets is not None
    by_one, by_each = np.empty_like(said), np.empty_like(said)
    for fold in range(validated.folds):
        inside = fold_of == fold
        others, known = said[~inside], targets[~inside]
        by_one[inside] = said[inside] / np.float32(LabelTruth(known).temperature(others))
        for label in range(targets.shape[1]):
            own = slice(label, label + 1)
            temperature = LabelTruth(known[:, own]).temperature(others[:, own])
            by_each[inside, own] = said[inside, own] / np.float32(temperature)
    truth = LabelTruth(targets)
    return [float(truth.losses(each).mean()) for each in (said, by_one, by_each)]


if __name__ == "__main__":
    main()
