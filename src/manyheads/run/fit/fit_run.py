"""A fit from images to the best classifier for them, and what to expect of it."""

from __future__ import annotations

import math
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np

from manyheads.core.destinations import folder_for
from manyheads.core.job import SILENT, Clock, Job, Planned
from manyheads.core.places import make_folder
from manyheads.core.settings import plain
from manyheads.core.text import counted
from manyheads.core.workers import Workers
from manyheads.data.data_settings import FORMER_SPLIT_RULE, SplitSettings
from manyheads.errors import Interrupted, RunError, SettingError
from manyheads.findings.expected_score import expect, nested_answers
from manyheads.findings.image_truth import ClassTruth, truth_of
from manyheads.report.written_report import write_or_note
from manyheads.run.fit.backbone_comparison import compare_backbones, compares
from manyheads.run.fit.fit_answers import keep_answers
from manyheads.run.fit.fit_heads import Averaged, Averaging
from manyheads.run.fit.fit_model import prepare_model_file, write_fit_model
from manyheads.run.fit.fit_plan import FitPlan, plan_fit
from manyheads.run.fit.fit_planned import fit_planned
from manyheads.run.fit.fit_record import Fitted, Tried, read_fit, require_ours, write_fit
from manyheads.run.fit.fit_schedule import Schedule
from manyheads.run.fit.fit_search import Found, search
from manyheads.run.fit.fit_settings import FitSettings, budget_words
from manyheads.run.fit.kept_division import KeptDivision
from manyheads.run.fit.time_budget import TimeBudget
from manyheads.run.hand_over.card_facts import facts_of_fit
from manyheads.run.hand_over.run_card import write_run_card
from manyheads.run.pipeline import versions
from manyheads.run.progress_file import ProgressFile
from manyheads.stats.class_metrics import BY_CLASS
from manyheads.study.folder import RunFolder, split_as_begun
from manyheads.study.image_list import change_words
from manyheads.workers.opening import opened_workers, workers_asked
from manyheads.workers.worker_record import recorded


def run_fit(
    settings: FitSettings,
    out: str | Path,
    *,
    kept: KeptDivision | None = None,
    began: float | None = None,
    clock: Clock = time.monotonic,
    workers: int | str | Workers | None = None,
    job: Job = SILENT,
) -> Fitted:
    """Look for the best classifier within the budget, and write it to the run folder `out`.

    Several backbones are compared on a sample of the images first (see `backbone_comparison`).
    Sizes and augmented copies are tried as far as the budget allows, each with the settings of
    `search_grid`, in folds; the best is trained on all images with several seeds, whose heads make
    one. What is expected of it comes from held-out images of a nested cross-validation (see
    `findings.expected_score`). A fit that was interrupted goes on; a finished one is only read.

    The budget is counted from `began`, by `clock`; None: from now. What there is no time for is
    left out, and recorded in `remarks`. With `workers`, as `opened_workers` takes them, these
    compute; with `kept`, images have the folds of a former run. Raises what `plan_fit` and
    `run_study` raise, `RunError` if `out` holds something else, `Interrupted` when `job` is
    stopped, and `SettingError`, as soon as that is known, for a budget that is too small.
    """
    folder = RunFolder(out)
    workers = workers_asked(workers)
    budget = TimeBudget(settings.budget, clock() if began is None else began, clock)
    settings = replace(settings, split=_split_as_begun(settings.split, folder.path))
    known = require_ours(folder.path, settings)
    if known is None:
        folder_for(folder.path)
    progress = ProgressFile(folder.path, job, curves=False)  # its studies have theirs
    job = progress.job
    plan = replace(_planned(settings, budget, job), kept=kept)
    if known is not None:
        _require_same_data(known, plan)
        return known
    schedule = _scheduled(plan, budget)
    job.tell(fit_planned(schedule))
    make_folder(folder.path)
    with (
        folder.held(), progress.held(), opened_workers(workers) as schedule.workers,
        recorded(folder.path, schedule.workers),
    ):  # fmt: skip
        comparison = compare_backbones(schedule, job)
        found = search(schedule, folder.path / "search", job)
        validated = found.validated
        apart, remark = found.apart(comparison.sample)
        with ThreadPoolExecutor(1, "template") as aside:
            averaged = Averaging(found, settings.heads, settings.engine, schedule, job).run(
                lambda heads: aside.submit(
                    prepare_model_file, schedule.plan, found.best, heads, job
                )
            )
            expected = expect(
                found.ranked, averaged.answers.__getitem__,
                truth_of(validated), found.fold_of, validated.units, validated.outputs,
                apart=apart,
            )  # fmt: skip
            with schedule.part("writing the model", schedule.after_averaging):
                with job.step("writing the model"):
                    aside.shutdown()
                write_fit_model(folder, schedule.plan, found.best, averaged.heads, expected, job)
        weights = schedule.plan.backbone(found.best.images.option).weights
        fitted = Fitted(
            path=folder.path,
            settings=settings,
            data=plan.dataset.name,
            content=plan.dataset.content,
            images=len(validated.labels),
            folds=plan.folds,
            heads=len(averaged.heads),
            compared=comparison.compared,
            tried=_tried(found),
            expected=expected,
            passes=found.passes,
            seconds=budget.used,
            remarks=(
                *comparison.remarks,
                *([remark] if remark else []),
                *_remarks(found, averaged, settings.heads, schedule),
            ),
            about={
                "weights": weights.digest,
                "weights_source": weights.source,
                "versions": versions(),
            },
        )
        if isinstance(truth := truth_of(validated), ClassTruth):
            answers = averaged.answers.__getitem__
            _, said = nested_answers(found.ranked, answers, truth, found.fold_of)
            keep_answers(folder.path, said, ~apart)
        write_fit(fitted)
        write_or_note(lambda: write_run_card(folder.path, facts_of_fit(fitted)), job)
    return fitted


def planned_fit(
    settings: FitSettings,
    out: str | Path,
    *,
    kept: KeptDivision | None = None,
    job: Job = SILENT,
) -> Planned:
    """What `run_fit` would do, and about how long each part will take; nothing is trained.

    Weights that are missing are fetched. Raises what `run_fit` raises before it begins.
    """
    path = RunFolder(out).path
    budget = TimeBudget(settings.budget, time.monotonic())
    settings = replace(settings, split=_split_as_begun(settings.split, path))
    if require_ours(path, settings) is None:
        folder_for(path)
    plan = replace(_planned(settings, budget, job), kept=kept)
    return fit_planned(_scheduled(plan, budget))


def _scheduled(plan: FitPlan, budget: TimeBudget) -> Schedule:
    """What there is time for; raises `SettingError` if there is none for anything."""
    schedule = Schedule(plan, budget)
    schedule.narrow(plan.backbones)
    if not compares(plan):
        schedule.add_pair(schedule.plan.backbones)
    schedule.require_time()
    return schedule


def _planned(settings: FitSettings, budget: TimeBudget, job: Job) -> FitPlan:
    """The plan; raises `SettingError` if the budget is used up before it is there."""
    part = job.limited(job.tell, budget.latest, budget.clock)
    try:
        return plan_fit(settings, budget, part)
    except Interrupted:
        job.check("the fit", "repeat the same command to resume")
        raise SettingError(
            "a budget that lasts beyond reading the images and fetching the weights",
            budget_words(settings.budget),
            "give a larger `budget`; what was read and fetched is kept",
        ) from None


def _remarks(found: Found, averaged: Averaged, heads: int, schedule: Schedule) -> tuple[str, ...]:
    """What there was no time for, and by how much the budget was exceeded."""
    remarks = [*found.remarks]
    if failed := int(np.isinf(found.ranked.losses).sum()):
        remarks.append(f"{counted(failed, 'setting')} left out, as heads of it diverged")
    if averaged.seeds < heads:
        remarks.append(
            f"only {averaged.seeds} of {counted(heads, 'head')} averaged, for want of time"
        )
    if schedule.excess:
        remarks.append(schedule.excess)
    return tuple(remarks)


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
        scores = known.expected.scores
        classes = tuple(each.name for each in scores.classes) if scores else ()
        words = change_words(RunFolder(known.path), classes, plan.dataset)
        raise RunError(
            f"the images and labels that {known.path} was fitted to",
            f"that the data set has changed since: {words}",
            "restore them, or choose another `out`",
        )


def _tried(found: Found) -> tuple[Tried, ...]:
    """The options that trained to their end in every fold, the best first."""
    ranked = found.ranked
    return tuple(
        Tried(
            backbone=option.images.option.backbone,
            study=option.finished.folder.path.name,
            size=option.images.option.size,
            augmented_copies=option.setting.augmented_copies,
            words=option.words,
            hyperparameters=plain(option.setting),
            log_loss=float(ranked.losses[place]),
            accuracy=float(ranked.accuracies[place]),
            score=float(ranked.scores[place]) if ranked.metric in BY_CLASS else None,
            folds=ranked.without.count(place),
            pruned=option.images.effort == "pruned",
        )
        for place, option in ((place, found.options[place]) for place in ranked.order)
        if math.isfinite(ranked.losses[place])
    )
