"""Finished studies that nobody trained: a store filled with made-up curves and predictions.

They have the shape of a real one, and its size, in a minute instead of days.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from manyheads.core.places import make_folder, write_text
from manyheads.heads.bank import Metrics
from manyheads.heads.epoch_rules import scored_by
from manyheads.study.folder import RunFolder
from manyheads.study.results import read_result, write_results
from manyheads.study.space import Grid
from manyheads.study.store import Division, Store
from manyheads.study.study_document import Resolved, study_document, to_toml
from manyheads.study.study_settings import StudySettings

CLASSES = ("cat", "dog", "red panda")


def grid_of(candidates: int, epochs: int) -> Grid:
    """So many candidates or a few more: dropout rates vary fastest, then sizes, then rates."""
    sizes = (50, 100, 200, 400) if candidates >= 40 else (100,)
    rates = min(25, max(1, candidates // len(sizes)))
    learning = -(-candidates // (rates * len(sizes)))
    return Grid(
        tuple(round(0.0003 * 1.02**n, 8) for n in range(learning)),
        sizes,
        tuple(round(0.9 * n / rates, 4) for n in range(rates)),
        epochs=(epochs,),
    )


def made_run(
    path: Path,
    candidates: int = 4,
    *,
    seeds: int = 3,
    epochs: int = 5,
    images: int = 24,
    classes: tuple[str, ...] = CLASSES,
    **changes: Any,
) -> RunFolder:
    """A finished study in the folder `path`: its settings, its store and its table of results."""
    given = {"grid": grid_of(candidates, epochs), "seeds": seeds, "select": "last"} | changes
    settings = StudySettings(data="/photos", **given)
    folder = RunFolder(make_folder(path))
    resolved = Resolved(
        content="c0ffee" * 10, weights="beef" * 16, weights_source="made up", classes=classes,
        versions={"manyheads": "0.1.0"},
    )  # fmt: skip
    write_text(folder.settings, to_toml(study_document(settings, resolved)))
    with Store(folder.store) as store:
        fill(store, settings, images, len(classes))
        write_results(folder.results, read_result(store, settings))
    write_text(folder.report, "<!doctype html><title>made up</title>\n")
    return folder


def fill(store: Store, settings: StudySettings, images: int, classes: int) -> None:
    """Record every trial of a study as done."""
    random = np.random.default_rng(0)
    labels = random.integers(0, classes, images)
    rows = np.arange(images)
    folds, scored = settings.folds or 1, scored_by(settings.select)
    store.prepare(settings.trials())
    store.divide([
        Division(rows[rows % folds == fold], labels[rows % folds == fold],
                 rows[rows % folds == fold])
        for _ in range(settings.repeats or 1) for fold in range(folds)
    ])  # fmt: skip
    for trial in settings.trials():
        setting = settings.grid[trial.candidate - 1]
        mine = rows[rows % folds == trial.fold % folds]
        skill = 1.2 - abs(setting.droprate - 0.3) + 0.1 * random.standard_normal()
        curve = [
            Metrics(
                accuracy=min(1.0, 0.3 + 0.1 * skill * epoch**0.5), loss=1.5 / (1 + skill * epoch),
                val_accuracy=min(1.0, 0.25 + 0.1 * skill * epoch**0.5),
                val_loss=1.6 / (1 + 0.8 * skill * epoch),
                val_score=min(1.0, 0.2 + 0.1 * skill * epoch**0.5) if scored else 0.0,
            )
            for epoch in range(1, setting.epochs + 1)
        ]  # fmt: skip
        logits = random.standard_normal((len(mine), classes))
        logits[np.arange(len(mine)), labels[mine]] += skill
        predicted = (logits - np.log(np.exp(logits).sum(axis=1, keepdims=True))).astype(np.float16)
        store.finish(trial.number, "done", setting.epochs, "", curve, {setting.epochs: predicted})
