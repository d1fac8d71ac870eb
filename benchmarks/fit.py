"""How good is what a fit finds in half an hour, and is it right about that?

    python -m benchmarks fit      about forty minutes on two cores

A fit to the lesson's photographs with an empty cache and a budget of 30 minutes; then, on the
features that it left: its heads alone and averaged in two ways, and the same search with and
without pruning. Nothing here sees a test image.
"""

from __future__ import annotations

import os
import tempfile
import time
from pathlib import Path

import numpy as np
from scipy.special import log_softmax

from benchmarks.machine import parser, photographs, table, write_result
from manyheads.cli.screen import shown
from manyheads.core.job import Job
from manyheads.findings.expected_score import expect, rank
from manyheads.findings.image_truth import truth_of
from manyheads.findings.reading import read_validated
from manyheads.heads.bank import HeadEnd, HeadSettings, engine_named
from manyheads.heads.hyperparameters import Hyperparameters
from manyheads.run.fit.fit_record import Fitted
from manyheads.run.fit.fit_run import run_fit
from manyheads.run.fit.fit_settings import FitSettings
from manyheads.run.fit.image_options import Effort, study_of
from manyheads.run.folded_features import divided_features
from manyheads.run.pipeline import run_study
from manyheads.run.plan import RunOptions
from manyheads.stats import metrics
from manyheads.stats.calibration import fit_temperature, scaled

SEEDS = 8


def main() -> None:
    options = parser("What a fit finds in half an hour.")
    options.add_argument("--minutes", type=float, default=30)
    args = options.parse_args()
    data = photographs(args.data, real=not args.quick)
    with tempfile.TemporaryDirectory() as folder:
        os.environ["MANYHEADS_CACHE"] = str(Path(folder, "cache"))
        settings = FitSettings(
            data=str(data),
            backbone="xception",
            budget=60 * (1 if args.quick else args.minutes),
            size=96 if args.quick else None,
            weights="random:0" if args.quick else None,
        )
        started = time.perf_counter()
        with shown(Job()) as job:
            fitted = run_fit(settings, Path(folder, "fit"), job=job)
        seconds = time.perf_counter() - started
        lines = found(fitted, seconds)
        lines += ["", *averages(settings, fitted, Path(folder, "one"))]
        lines += ["", *pruning(settings, fitted, Path(folder))]
    write_result(args.results, "fit", lines)


def found(fitted: Fitted, seconds: float) -> list[str]:
    """What the fit found, how long it took, and what it says of itself."""
    scores = fitted.expected.measured
    rows = [("", "value", "95 % interval")]
    for name in ("accuracy", "balanced_accuracy", "log_loss", "ece"):
        each = getattr(scores, name)
        rows.append((name, f"{each.value:.4f}", f"{each.low:.4f} to {each.high:.4f}"))
    sizes = sorted({each.size for each in fitted.tried})
    best = {size: next(each for each in fitted.tried if each.size == size) for size in sizes}
    tried = [("size", "log loss", "accuracy", "the best setting at this size, single heads")]
    tried += [
        (str(size), f"{each.log_loss:.4f}", f"{each.accuracy:.4f}", each.words)
        for size, each in best.items()
    ]
    return [
        f"{seconds:.0f} s of a budget of {fitted.settings.budget:.0f} s with an empty cache, "
        f"{fitted.passes:,} passes. Expected on new images, by nested cross-validation on "
        f"{scores.images:,}:",
        "", *table(rows), "", f"Chosen: {fitted.tried[0].words}.", "", *table(tried),
    ]  # fmt: skip


def averages(settings: FitSettings, fitted: Fitted, out: Path) -> list[str]:
    """One head, and the means of logits and of probabilities, scaled, on images left out."""
    best = fitted.tried[0]
    study = study_of(settings, fitted.folds, (best.size, best.augmented_copies))
    finished = run_study(study, out, options=RunOptions(models=False, keep_heads=1))
    divided = divided_features(study, finished.dataset, finished.features)
    setting = Hyperparameters(**best.hyperparameters)
    heads = [
        HeadSettings(hyperparameters=setting, seed=1 + seed, fold=fold, epochs=setting.epochs)
        for fold in range(fitted.folds)
        for seed in range(SEEDS)
    ]
    images = np.concatenate([each.images for each in divided.recorded])
    labels = np.empty(images.max() + 1, np.int64)
    labels[images] = np.concatenate([each.labels for each in divided.recorded])
    predictions = np.zeros((SEEDS, len(labels), divided.folds[0].classes), np.float32)
    for event in engine_named(settings.engine).train(heads, divided.folds, rule="last"):
        if isinstance(event, HeadEnd) and event.chosen is not None:
            place = heads[event.head]
            predictions[place.seed - 1, divided.recorded[place.fold].images] = event.chosen
    kept = np.sort(images)
    ways = {
        "one head": predictions[0],
        f"mean of the logits of {SEEDS} (what a fit writes)": log_softmax(
            predictions.mean(0), axis=1
        ),
        f"mean of the probabilities of {SEEDS}": np.log(np.exp(predictions).mean(0)),
    }
    rows = [("", "accuracy", "log loss at its best temperature")]
    for name, each in ways.items():
        answer, truth = each[kept].astype(np.float32), labels[kept]
        right = scaled(answer, fit_temperature(answer, truth))
        accuracy, loss = metrics.accuracy(right, truth), metrics.log_loss(right, truth)
        rows.append((name, f"{float(accuracy):.4f}", f"{float(loss):.4f}"))
    return table(rows)


def pruning(settings: FitSettings, fitted: Fitted, folder: Path) -> list[str]:
    """What is expected of a search with pruning and of one without, single heads."""
    best = fitted.tried[0]
    rows = [("search", "options", "naive accuracy", "expected accuracy", "expected log loss")]
    searches: tuple[Effort, ...] = ("whole", "pruned")
    for name in searches:
        study = study_of(settings, fitted.folds, (best.size, best.augmented_copies), name)
        finished = run_study(
            study, folder / name, options=RunOptions(models=False, keep_heads=1)
        )  # fmt: skip
        validated = read_validated(
            finished.folder.store, study, finished.result, finished.dataset.classes
        )
        predictions = [validated.log_probabilities(each)[0, 0] for each in validated.candidates]
        ranked = rank(predictions, truth_of(validated), validated.fold_of[0])
        scores = expect(
            ranked, predictions.__getitem__,
            truth_of(validated), validated.fold_of[0], validated.units, validated.classes,
        ).measured  # fmt: skip
        rows.append(
            (
                name, str(len(predictions)), f"{ranked.accuracies[ranked.best]:.4f}",
                f"{scores.accuracy.value:.4f}", f"{scores.log_loss.value:.4f}",
            )
        )  # fmt: skip
    return table(rows)


if __name__ == "__main__":
    main()
