"""A fit from images to the best classifier for them, and what to expect of it."""

from __future__ import annotations

import time
from dataclasses import asdict, replace
from pathlib import Path

from manyheads.core.destinations import folder_for
from manyheads.core.job import SILENT, Job
from manyheads.core.places import make_folder
from manyheads.data.data_settings import FORMER_SPLIT_RULE, SplitSettings
from manyheads.errors import RunError
from manyheads.findings.expected_score import Expected, expect
from manyheads.heads.averaged import averaged
from manyheads.heads.head import Parameters
from manyheads.models.export.exporter import write_models
from manyheads.run.fit.fit_heads import Averaging
from manyheads.run.fit.fit_plan import FitPlan, plan_fit
from manyheads.run.fit.fit_planned import fit_planned
from manyheads.run.fit.fit_record import Fitted, Tried, read_fit, require_ours, write_fit
from manyheads.run.fit.fit_search import Found, Option, search
from manyheads.run.fit.fit_settings import FitSettings
from manyheads.run.pipeline import versions
from manyheads.study.folder import RunFolder, split_as_begun
from manyheads.study.head_files import BestHead
from manyheads.study.image_list import change_words
from manyheads.study.space import Grid
from manyheads.study.study_settings import StudySettings


def run_fit(
    settings: FitSettings,
    out: str | Path,
    *,
    job: Job = SILENT,
) -> Fitted:
    """Look for the best classifier within the budget, and write it to the run folder `out`.

    Sizes and augmented copies are tried as far as the budget allows, each with every setting of
    `search_grid`, in folds; the best is trained on all images with several seeds, whose heads make
    one. What is expected of it comes from held-out images of a nested cross-validation (see
    `evidence.expected`). A fit that was interrupted goes on; a finished one is only read.

    Raises what `plan_fit` and `run_study` raise, `RunError` if `out` holds something else, and
    `Interrupted` when `job` is stopped.
    """
    began, folder = time.monotonic(), RunFolder(out)
    settings = replace(settings, split=_split_as_begun(settings.split, folder.path))
    known = require_ours(folder.path, settings)
    if known is None:
        folder_for(folder.path)
    plan = plan_fit(settings, job)
    if known is not None:
        _require_same_data(known, plan)
        return known
    job.tell(fit_planned(plan))
    make_folder(folder.path)
    with folder.held():
        found = search(plan, folder.path / "search", job)
        averaging = Averaging(found, settings.heads, settings.engine, job)
        validated = found.validated
        expected = expect(
            found.ranked, averaging.answers().__getitem__,
            validated.labels, found.fold_of, validated.units, validated.classes,
        )  # fmt: skip
        heads = averaging.final()
        _write_model(folder, plan, found.best, heads, expected, job)
        fitted = Fitted(
            path=folder.path,
            settings=settings,
            data=plan.dataset.name,
            content=plan.dataset.content,
            images=len(validated.labels),
            folds=plan.folds,
            heads=len(heads),
            tried=_tried(found),
            expected=expected,
            passes=plan.probed + sum(each.features.passes for each in found.studies),
            seconds=time.monotonic() - began,
            about={
                "weights": plan.weights.digest,
                "weights_source": plan.weights.source,
                "versions": versions(),
            },
        )
        write_fit(fitted)
    return fitted


def _split_as_begun(split: SplitSettings, path: Path) -> SplitSettings:
    """`split` by the rule that the fit in `path` was begun by, if one was."""
    known = read_fit(path) if path.is_dir() else None
    if known is not None:
        former = known.settings.split.rule == FORMER_SPLIT_RULE
        return replace(split, rule=FORMER_SPLIT_RULE) if former else split
    for search_study in sorted((path / "search").glob("*/study.toml")):
        split = split_as_begun(split, search_study.parent)
    return split


def _require_same_data(known: Fitted, plan: FitPlan) -> None:
    if known.content != plan.dataset.content:
        classes = tuple(each.name for each in known.expected.scores.classes)
        words = change_words(RunFolder(known.path), classes, plan.dataset)
        raise RunError(
            f"the images and labels that {known.path} was fitted to",
            f"that the data set has changed since: {words}",
            "restore them, or choose another `out`",
        )


def _tried(found: Found) -> tuple[Tried, ...]:
    """All options, the best first."""
    ranked = found.ranked
    return tuple(
        Tried(
            size=option.images.size,
            augmented_copies=option.setting.augmented_copies,
            words=option.words,
            hyperparameters=asdict(option.setting),
            log_loss=float(ranked.losses[place]),
            accuracy=float(ranked.accuracies[place]),
            folds=ranked.without.count(place),
            pruned=option.images.pruned,
        )
        for place, option in sorted(
            enumerate(found.options), key=lambda each: float(ranked.losses[each[0]])
        )
    )


def _write_model(
    folder: RunFolder,
    plan: FitPlan,
    best: Option,
    heads: list[Parameters],
    expected: Expected,
    job: Job,
) -> None:
    """Write the heads as one head on the backbone, with the temperature in its last layer."""
    setting = best.setting
    wide = averaged(heads, expected.temperature)
    accuracy = expected.scores.accuracy
    about = {
        **asdict(setting),
        "heads": len(heads),
        "temperature": expected.temperature,
        "expected_accuracy": accuracy.value,
        "expected_accuracy_low": accuracy.low,
        "expected_accuracy_high": accuracy.high,
        "expected_log_loss": expected.scores.log_loss.value,
    }
    shape = replace(setting, size_inner=len(wide.inner_bias))
    written: StudySettings = replace(
        best.finished.settings,
        grid=Grid(**{name: (value,) for name, value in asdict(shape).items()}),
        prune=None,
        augmentation=best.finished.settings.augmentation if setting.augmented_copies else None,
    )
    write_models(
        written, plan.weights, plan.dataset.classes, folder,
        [(BestHead(1, about, wide), folder.best_for(in_keras=written.spec.in_keras))], job=job,
    )  # fmt: skip
