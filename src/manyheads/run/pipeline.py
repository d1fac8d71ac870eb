"""A study from images to its best model, step by step: what the command line and Python call."""

from __future__ import annotations

import importlib.metadata
import platform
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, replace
from functools import cached_property, partial
from pathlib import Path
from typing import Any, NamedTuple

from manyheads.backbones.backbone_cost import cost_of
from manyheads.backbones.weights import Weights, resolve
from manyheads.core import accelerators
from manyheads.core.destinations import folder_for, require_room
from manyheads.core.job import SILENT, Job
from manyheads.core.settings import digest
from manyheads.core.workers import Workers
from manyheads.data.dataset import Dataset
from manyheads.errors import RunError
from manyheads.features.extraction import Features
from manyheads.findings.label_scores import thresholds_of
from manyheads.findings.study_findings import Findings, read_findings, write_comparisons
from manyheads.heads.bank import Engine, engine_named, prepare_engine
from manyheads.heads.spread_engine import SpreadEngine
from manyheads.models.checkpoints import checkpoint_names
from manyheads.models.export.exporter import write_models
from manyheads.models.templates import prepare_template
from manyheads.models.unlike_files import keep_unlikeness
from manyheads.report.figure_files import write_pictures
from manyheads.report.figures import prepare_figures
from manyheads.report.from_study import report_content
from manyheads.report.page import write_report
from manyheads.report.study_curves import draw_curves
from manyheads.report.written_report import write_or_note
from manyheads.run.estimate import remember_training
from manyheads.run.folded_features import StudyFeatures, features_by_backbone, readable_folds
from manyheads.run.hand_over.card_facts import facts_of_study
from manyheads.run.hand_over.run_card import write_run_card
from manyheads.run.plan import Plan, RunOptions, plan_study
from manyheads.run.planned_study import study_planned
from manyheads.run.progress_file import ProgressFile
from manyheads.study.baselines import keep_baselines
from manyheads.study.folder import RunFolder
from manyheads.study.head_files import BestHead
from manyheads.study.image_list import keep_images, resumed_words
from manyheads.study.kept_costs import keep_costs
from manyheads.study.refit import selected_head
from manyheads.study.results import StudyResult
from manyheads.study.run_times import timed
from manyheads.study.store import Store
from manyheads.study.study_document import Resolved, study_document
from manyheads.study.study_settings import StudySettings
from manyheads.study.table_writing import csv_as_parquet
from manyheads.study.training import best_heads, train_study
from manyheads.study.trial_heads import folds_of_candidate
from manyheads.study.work import Work
from manyheads.workers.opening import opened_workers
from manyheads.workers.worker_record import recorded

LIGHT = 200_000_000  # bytes of weights that may be in memory twice, in two children


class StudyBackbone(NamedTuple):
    """A backbone of a study: the settings of the study on it, its weights and its features."""

    settings: StudySettings
    weights: Weights
    features: StudyFeatures


@dataclass(frozen=True)
class Finished:
    """A finished study: where it lies, what it came to, and how many trials this run trained.

    `findings` are None for a study that an earlier version trained, of which no predictions are.
    """

    settings: StudySettings
    folder: RunFolder
    dataset: Dataset
    backbones: tuple[StudyBackbone, ...]
    result: StudyResult
    trained: int

    @property
    def backbone(self) -> StudyBackbone:
        """The backbone of the selected candidate."""
        best = self.result.ranking[0].candidate if self.result.ranking else 1
        return self.backbones[self.settings.place_of(best)]

    @property
    def weights(self) -> Weights:
        """The weights of the selected candidate's backbone."""
        return self.backbone.weights

    @property
    def features(self) -> StudyFeatures:
        """The features of the selected candidate's backbone."""
        return self.backbone.features

    @property
    def passes(self) -> int:
        """The backbone passes of this run."""
        return sum(each.features.passes for each in self.backbones)

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
    progress = ProgressFile(out, job)
    job = progress.job
    plan = plan_study(settings, options, out, job=job)
    if not plan.ended:
        disk = plan.disk
        require_room(Path(out), disk.model + disk.heads + disk.predictions)
    job.tell(study_planned(plan))
    settings = plan.settings
    dataset = plan.dataset
    weights = [
        part.weights or resolve(part.settings.spec, part.settings.weights, job)
        for part in plan.by_backbone
    ]
    resolved = resolved_from(settings, dataset, weights)

    def changed_data(former: dict[str, Any]) -> str:
        return resumed_words(RunFolder(out), former, plan.dataset)

    document = study_document(settings, resolved)
    to_train = len(settings.trials()) - plan.ended
    claimed = RunFolder(out).opened(document, grows=grows, changed_data=changed_data)
    # What is there already needs no workers, and no cluster.
    asked = options.workers if to_train or plan.missing else None
    with (
        claimed as folder, opened_workers(asked) as workers, recorded(folder.path, workers),
        ExitStack() as told, ExitStack() as clock,
    ):  # fmt: skip
        if to_train:
            clock.enter_context(timed(folder))
        told.enter_context(progress.held(wanted=to_train > 0))
        keep_images(folder, plan.dataset)
        features = _features(plan, weights, workers, job)
        if grouped is not None:
            dataset = grouped(dataset, features[0].plain)
            plan = replace(plan, dataset=dataset)
        with Store(folder.store) as store:
            folds = readable_folds(plan, features, store, job)
            engine, work = study_engine(settings.engine, workers), Work(settings)
            if options.models and (to_train or not folder.figure.exists()):
                prepare_figures()  # beside the training
            result = train_study(
                settings, folder, store, folds, engine,
                keep_heads=options.keep_heads, work=work, job=job,
            )  # fmt: skip
            clock.close()  # the report says how long it took
            if workers is None or workers.here:
                remember_training(settings, len(folds[0].train), work)
            if options.baselines and result.ranking:
                one = slice(settings.folds or 1)
                best = result.ranking[0].candidate
                own = folds_of_candidate(settings, best, folds)[one]
                place = settings.place_of(best)
                keep_baselines(folder, own, store.divisions()[one], job, place=place)
            backbones = [
                StudyBackbone(part.settings, own, found)
                for part, own, found in zip(plan.by_backbone, weights, features, strict=True)
            ]
            _keep_costs(folder, backbones)
            finished = Finished(settings, folder, dataset, tuple(backbones), result, to_train)
            _write_outcome(finished, store, options, job)
    return finished


def _require_place(folder: RunFolder) -> None:
    """Raise what is wrong with a run folder before anything is computed for it."""
    if folder.settings.is_file():
        return
    folder_for(folder.path)
    if folder.path.is_dir():
        folder.require_no_strangers()


def resolved_from(
    settings: StudySettings, dataset: Dataset, weights: Sequence[Weights]
) -> Resolved:
    """What the settings of a study came to, with the `weights` of each of its backbones."""
    first = weights[0]
    several = len(weights) > 1
    digests = tuple(each.digest for each in weights)
    sources = dict.fromkeys(each.source for each in weights)
    return Resolved(
        content=dataset.content,
        weights=digest(digests) if several else first.digest,
        weights_source="; ".join(sources),
        classes=dataset.classes,
        versions=versions(settings.engine),
        backbones=digests if several else (),
        label_names=dataset.label_names,
    )


def study_engine(name: str, workers: Workers | None) -> Engine:
    """The engine that trains a study's heads: the named one, on `workers` if there are any."""
    return engine_named(name) if workers is None else SpreadEngine(name, workers)


def _features(
    plan: Plan, weights: Sequence[Weights], workers: Workers | None, job: Job
) -> list[StudyFeatures]:
    """Extract; what comes later is prepared while Keras, on one core, builds the backbone."""
    settings, dataset = plan.settings, plan.dataset
    spec, size = settings.spec, settings.image.size
    with ThreadPoolExecutor(1, "template") as aside:
        if plan.plain:
            prepare_engine(settings.engine)
            light = spec.in_keras and weights[0].size < LIGHT
            light = light and settings.features is None and not plan.parts
            light = light and not dataset.label_names
            if light and len(settings.grid.size_inner) == 1:
                shape = (size, settings.grid.size_inner[0], len(dataset.classes))
                aside.submit(prepare_template, spec, weights[0], *shape, job.heard_by(None))
        return features_by_backbone(plan, weights, job, workers)


def versions(engine: str = "fused") -> dict[str, str]:
    """The versions that a result may depend on, and of JAX's what it computes on."""
    names = ("manyheads", "keras", "numba", "numpy", "openvino", "pillow")
    found = {name: importlib.metadata.version(name) for name in names}
    if engine == "stacked":
        device = accelerators.of_jax() or "processor"
        found["jax"] = f"{importlib.metadata.version('jax')} ({device})"
    return {"python": platform.python_version()} | found


def _write_outcome(finished: Finished, store: Store, options: RunOptions, job: Job) -> None:
    settings, folder, result = finished.settings, finished.folder, finished.result
    if not result.ranking:
        raise RunError(
            "at least one head that trains", "every one that was not pruned diverged"
            if result.pruned else "every one diverged",
            "list a lower `learning_rate`, with another `out`",
        )  # fmt: skip
    if not options.models:
        # A search has no report and no picture, and those of fewer seeds go.
        if finished.trained:
            folder.report.unlink(missing_ok=True)
            folder.figure.unlink(missing_ok=True)
        return
    best = folder.best_for(in_keras=finished.backbone.settings.spec.in_keras)
    wanted = [(selected_head(settings, folder, result), best)]
    if options.checkpoint_pattern is not None:
        heads = best_heads(settings, folder, result, options.checkpoints(len(settings.grid)))
        for best, name in checkpoint_names(options.checkpoint_pattern, heads):
            wanted.append((best, folder.checkpoints / name))
    with ThreadPoolExecutor(1, "models") as aside:  # copying and hashing leave a core to the figure
        models = aside.submit(_write_models, finished, wanted, job.heard_by(None))
        with job.step("comparing the candidates"):
            if finished.trained or not folder.figure.exists():
                draw_curves(folder.figure, store, result, finished.dataset.name)
            if finished.findings is not None:
                write_comparisons(finished.findings)
        with job.step("writing the report"):
            _write_report(finished, job)
        with job.step("writing the model"):
            models.result()
            keep_unlikeness(
                wanted[0][1], finished.features.plain, finished.dataset, store.divisions(),
                settings.folds,
            )  # fmt: skip
    if options.parquet:
        for table in (folder.history, folder.results, folder.comparisons):
            if table.is_file():
                csv_as_parquet(table)


def _keep_costs(folder: RunFolder, backbones: Sequence[StudyBackbone]) -> None:
    """Keep what each of several backbones costs, as it is known after their features were made."""
    if len(backbones) > 1 and not folder.costs.is_file():
        costs = [
            cost_of(each.settings.spec, each.weights, each.settings.image.size)
            for each in backbones
        ]
        keep_costs(folder, costs)


def _write_models(finished: Finished, wanted: Sequence[tuple[BestHead, Path]], job: Job) -> None:
    """Write the whole network of each head, on its own backbone."""
    classes, folder = finished.dataset.outputs, finished.folder
    thresholds = None
    if finished.dataset.label_names and finished.findings is not None:
        thresholds = partial(thresholds_of, finished.findings.validated)
    for place, backbone in enumerate(finished.backbones):
        own = [each for each in wanted if finished.settings.place_of(each[0].candidate) == place]
        if own:
            write_models(
                backbone.settings, backbone.weights, classes, folder, own, job=job,
                thresholds=thresholds,
            )  # fmt: skip


def _write_report(finished: Finished, job: Job) -> None:
    """Write the report, and pictures beside it, of a study that trained something or has none.

    The study is done, so what keeps a report from being written is a note.
    """
    folder, findings = finished.folder, finished.findings
    if findings is None or not (finished.trained or not folder.report.exists()):
        return

    def write() -> None:
        content = report_content(findings, dataset=finished.dataset, job=job)
        write_report(folder.report, content)
        write_pictures(folder.path, content)
        write_run_card(folder.path, facts_of_study(findings))

    write_or_note(write, job)
