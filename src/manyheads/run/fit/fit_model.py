"""The model that a fit hands over: the average of its heads on the best backbone, in one file."""

from __future__ import annotations

from dataclasses import asdict, replace

from manyheads.core.job import Job
from manyheads.core.places import make_folder
from manyheads.core.settings import plain
from manyheads.findings.expected_score import Expected
from manyheads.heads.averaged import averaged
from manyheads.heads.files import save_head
from manyheads.heads.head import Parameters
from manyheads.models.card import model_files, side_files
from manyheads.models.export.exporter import write_models
from manyheads.models.templates import prepare_template
from manyheads.models.unlike_files import keep_unlikeness
from manyheads.run.fit.fit_plan import FitPlan
from manyheads.run.fit.fit_search import Option
from manyheads.run.pipeline import LIGHT
from manyheads.stats.class_metrics import BY_CLASS
from manyheads.stats.intervals import Estimate
from manyheads.study.folder import RunFolder
from manyheads.study.head_files import BestHead
from manyheads.study.space import Grid
from manyheads.study.store import Store
from manyheads.study.study_settings import StudySettings


def prepare_model_file(plan: FitPlan, best: Option, heads: int, job: Job) -> None:
    """Let Keras make the file of such a model, but for the numbers of its heads."""
    backbone = plan.backbone(best.images.option)
    spec, weights = backbone.spec, backbone.weights
    if spec.in_keras and weights.size < LIGHT:
        wide = heads * best.setting.size_inner
        size, outputs = best.images.option.size, len(plan.dataset.outputs)
        prepare_template(
            spec, weights, size, wide, outputs, job.heard_by(None),
            several_labels=bool(plan.dataset.label_names),
        )  # fmt: skip


def write_fit_model(
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
    scores, metric = expected.measured, plan.settings.metric
    shown = ("accuracy", metric) if metric in BY_CLASS else ("accuracy",)
    told: dict[str, Estimate] = {name: getattr(scores, name) for name in shown}
    about = {
        **plain(setting),
        "heads": len(heads),
        "temperature": expected.temperature,
        **{
            f"expected_{name}{end}": value
            for name, each in told.items()
            for end, value in (("", each.value), ("_low", each.low), ("_high", each.high))
            if value is not None
        },
        "expected_log_loss": scores.log_loss.value,
    }
    shape = replace(setting, size_inner=len(wide.inner_bias))
    written: StudySettings = replace(
        best.finished.settings,
        grid=Grid(**{name: (value,) for name, value in asdict(shape).items()}),
        prune=None,
        augmentation=best.finished.settings.augmentation if setting.augmented_copies else None,
    )
    make_folder(folder.heads)
    thresholds = expected.thresholds
    save_head(folder.selected, wide, {})  # which cannot be read out of every kind of model
    target = folder.best_for(in_keras=written.spec.in_keras)
    write_models(
        written, plan.backbone(best.images.option).weights, plan.dataset.outputs, folder,
        [(BestHead(1, about, wide), target)], job=job,
        thresholds=None if thresholds is None else lambda _: thresholds,
    )  # fmt: skip
    study = best.finished
    with Store(study.folder.store) as store:
        divided = store.divisions()
    keep_unlikeness(target, study.features.plain, study.dataset, divided, study.settings.folds)
    for former in folder.models:  # of another backbone, that was best within a smaller budget
        if former != target:
            for file in (*model_files(former), *side_files(former)):
                file.unlink(missing_ok=True)
