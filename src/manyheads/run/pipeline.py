"""A study from images to its best model, step by step: what the command line and Python call."""

from __future__ import annotations

import importlib.metadata
import platform
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from manyheads.backbones.weights import Weights, resolve
from manyheads.core.destinations import folder_for, require_room
from manyheads.core.job import SILENT, Job
from manyheads.data.dataset import Dataset
from manyheads.errors import DataError, RunError
from manyheads.features.extraction import Features
from manyheads.findings.study_findings import Findings, read_findings, write_comparisons
from manyheads.heads.bank import Fold, engine_named, prepare_engine
from manyheads.models.checkpoints import checkpoint_names
from manyheads.models.export.exporter import write_models
from manyheads.models.templates import prepare_template
from manyheads.report.figures import prepare_figures
from manyheads.report.study_curves import draw_curves
from manyheads.run.estimate import remember_extraction, remember_training
from manyheads.run.plan import Plan, RunOptions, plan_study
from manyheads.run.planned_study import study_planned
from manyheads.study.division import divisions, folds_of, recorded, trained_on
from manyheads.study.feature_variants import VariantFeatures, extract_variants
from manyheads.study.folder import RunFolder
from manyheads.study.image_list import keep_images, resumed_words
from manyheads.study.refit import selected_head
from manyheads.study.results import StudyResult
from manyheads.study.sources import plain_features
from manyheads.study.space import counted
from manyheads.study.store import Division, Store
from manyheads.study.study_settings import Resolved, StudySettings, study_document
from manyheads.study.table_writing import csv_as_parquet
from manyheads.study.training import best_heads, train_study
from manyheads.study.work import Work

_LIGHT = 200_000_000  # bytes of weights that may be in memory twice, in two children


class StudyFeatures(NamedTuple):
    """The plain features of all images, and variants of those that heads train on."""

    plain: Features
    variants: VariantFeatures

    @property
    def passes(self) -> int:
        """The backbone passes that they cost."""
        return self.plain.passes + self.variants.passes


@dataclass(frozen=True)
class Finished:
    """A finished study: where it lies, what it came to, and how many trials this run trained.

    `findings` are None for a study that an earlier version trained, of which no predictions are.
    """

    settings: StudySettings
    folder: RunFolder
    dataset: Dataset
    weights: Weights
    features: StudyFeatures
    result: StudyResult
    trained: int

    @cached_property
    def findings(self) -> Findings | None:
        """The verdict, and what it rests on."""
        with Store(self.folder.store) as store:
            if not store.divisions() or not store.has_predictions():
                return None
        return read_findings(self.folder)


def run_study(
    settings: StudySettings,
    out: str | Path,
    *,
    options: RunOptions | None = None,
    grouped: Callable[[Dataset, Features], Dataset] | None = None,
    grows: bool = False,
    job: Job = SILENT,
) -> Finished:
    """Run a study, or go on with it, in the run folder `out`; a finished one is only read.

    `grouped` gives the images other groups, by their plain features, before they are divided. If it
    `grows`, the study in `out` may have had fewer seeds or repeats.
    Raises `DataError` for a data set that cannot be trained on, `RunError` if `out` holds another
    study, another process is at work in it, or every head diverged, and `Interrupted` when `job`
    is stopped.
    """
    options = options or RunOptions()
    _require_place(RunFolder(out))
    plan = plan_study(settings, options, out, job=job)
    if not plan.ended:
        disk = plan.disk
        require_room(Path(out), disk.model + disk.heads + disk.predictions)
    job.tell(study_planned(plan))
    settings = plan.settings
    spec, dataset = settings.spec, plan.dataset
    weights = plan.weights
    if weights is None:
        weights = resolve(spec, None, job)
    resolved = Resolved(
        content=dataset.content,
        weights=weights.digest,
        weights_source=weights.source,
        classes=dataset.classes,
        versions=versions(),
    )

    def changed_data(former: dict[str, Any]) -> str:
        return resumed_words(RunFolder(out), former, plan.dataset)

    document = study_document(settings, resolved)
    with RunFolder(out).opened(document, grows=grows, changed_data=changed_data) as folder:
        keep_images(folder, plan.dataset)
        features = _features(plan, weights, job)
        if grouped is not None:
            dataset = grouped(dataset, features.plain)
            plan = replace(plan, dataset=dataset)
        with Store(folder.store) as store:
            folds = readable_folds(plan, features, store, job)
            engine, work = engine_named(settings.engine), Work(settings)
            if plan.ended < len(settings.trials()) or not folder.figure.exists():
                prepare_figures()  # beside the training
            result = train_study(
                settings, folder, store, folds, engine,
                keep_heads=options.keep_heads, work=work, job=job,
            )  # fmt: skip
            remember_training(settings, len(folds[0].train), work)
            trained = len(settings.trials()) - plan.ended
            finished = Finished(settings, folder, dataset, weights, features, result, trained)
            _write_outcome(finished, store, options, job)
    return finished


def _require_place(folder: RunFolder) -> None:
    """Raise what is wrong with a run folder before anything is computed for it."""
    if folder.settings.is_file():
        return
    folder_for(folder.path)
    if folder.path.is_dir():
        folder.require_no_strangers()


def _features(plan: Plan, weights: Weights, job: Job) -> StudyFeatures:
    """Extract; what comes later is prepared while Keras, on one core, builds the backbone."""
    settings, dataset = plan.settings, plan.dataset
    spec, size = settings.spec, settings.image.size
    with ThreadPoolExecutor(1, "template") as aside:
        if plan.plain:
            prepare_engine(settings.engine)
            light = spec.in_keras and weights.path.stat().st_size < _LIGHT
            light = light and settings.features is None
            if light and len(settings.grid.size_inner) == 1:
                shape = (size, settings.grid.size_inner[0], len(dataset.classes))
                aside.submit(prepare_template, spec, weights, *shape, job)
        return study_features(plan, weights, job)


def study_features(plan: Plan, weights: Weights, job: Job) -> StudyFeatures:
    """The features that the heads of a study need, from the cache or computed now."""
    settings = plan.settings
    plain = plain_features(settings, plan.dataset, weights, job=job)
    remember_extraction(settings, plain.passes, plain.seconds)
    variants = extract_variants(settings, plan.dataset, weights, plan.variants, job=job)
    remember_extraction(settings, variants.passes, variants.seconds)
    return StudyFeatures(plain, variants)


def readable_folds(plan: Plan, features: StudyFeatures, store: Store, job: Job) -> list[Fold]:
    """What heads train on: the readable images, by the given split or in folds; `store` keeps it.

    Raises `DataError` if an image is unreadable and `strict` forbids that, or if what is left
    cannot be trained on, and `RunError` if the study was divided in another way before.
    """
    settings, dataset, strict = plan.settings, plan.dataset, plan.options.strict
    plain = features.plain
    bad = {dataset.name_of(index): reason for index, reason in plain.unreadable.items()}
    if bad and strict:
        name, reason = next(iter(bad.items()))
        more = f" and {len(bad) - 1} more" if len(bad) > 1 else ""
        raise DataError(
            "every image to be readable", f"{name}: {reason}{more}",
            "mend or remove it, or leave out `strict`",
        )  # fmt: skip
    if bad:
        job.note(f"{counted(len(bad), 'unreadable image')} left out:")
        for name, reason in bad.items():
            job.note(f"  {name}: {reason}")
    for line in plain.remarks:
        job.note(line)
    divided = divided_features(settings, dataset, features)
    _require_same_folds(store, divided.recorded)
    store.divide(divided.recorded)
    return divided.folds


def _require_same_folds(store: Store, divided: Sequence[Division]) -> None:
    """Heads that were trained on other images than now would be no heads of this study."""
    known = [division.images for division in store.divisions()]
    if known and not all(map(np.array_equal, known, (division.images for division in divided))):
        raise RunError(
            f"the images to be divided as they were for {store.path}", "other folds",
            "give the images the groups that they had then, or choose another `out`",
        )  # fmt: skip


@dataclass(frozen=True)
class Divided:
    """What heads train on, fold by fold, and which images validate them."""

    folds: list[Fold]
    recorded: list[Division]


def divided_features(settings: StudySettings, dataset: Dataset, features: StudyFeatures) -> Divided:
    """The readable images of a data set divided as a study divides them.

    Raises `DataError` if they cannot be trained on so.
    """
    plain = features.plain
    readable = dataset.without(plain.unreadable)
    original = np.flatnonzero(plain.rows >= 0)
    divided = divisions(settings, readable)
    folds = folds_of(divided, readable, plain.rows[original], plain.matrix)
    return Divided(
        folds=features.variants.given_to(folds, trained_on(divided, original)),
        recorded=recorded(divided, readable, original),
    )


def versions() -> dict[str, str]:
    """The versions that a result may depend on."""
    names = ("manyheads", "keras", "numba", "numpy", "openvino", "pillow")
    return {"python": platform.python_version()} | {
        name: importlib.metadata.version(name) for name in names
    }


def _write_outcome(finished: Finished, store: Store, options: RunOptions, job: Job) -> None:
    settings, folder, result = finished.settings, finished.folder, finished.result
    if not result.ranking:
        raise RunError(
            "at least one head that trains", "every one that was not pruned diverged"
            if result.pruned else "every one diverged",
            "list a lower `learning_rate`, with another `out`",
        )  # fmt: skip
    best = folder.best_for(in_keras=settings.spec.in_keras)
    wanted = [(selected_head(settings, folder, result), best)] if options.models else []
    if options.checkpoint_pattern is not None:
        heads = best_heads(settings, folder, result, options.checkpoints(len(settings.grid)))
        for best, name in checkpoint_names(options.checkpoint_pattern, heads):
            wanted.append((best, folder.checkpoints / name))
    with ThreadPoolExecutor(1, "models") as aside:  # copying and hashing leave a core to the figure
        classes = finished.dataset.classes
        models = aside.submit(
            write_models, settings, finished.weights, classes, folder, wanted, job=job
        )
        if finished.trained or not folder.figure.exists():
            draw_curves(folder.figure, store, result, finished.dataset.name)
        if finished.findings is not None:
            write_comparisons(finished.findings)
        models.result()
    if options.parquet:
        for table in (folder.history, folder.results, folder.comparisons):
            if table.is_file():
                csv_as_parquet(table)
