"""Backbones compared on a sample of the images, before any of them sees all.

Each shows with a few hundred images how fast it is, and by logistic regression in folds how good
its features are. What is clearly worse is dropped. The labels of the sample have chosen then, so
the fit leaves these images out of the scores that it promises; they train as all others do
(docs/decisions/0038-a-fit-looks-among-backbones.md).

Of few images too many would be lost for the scores: then nothing is compared beforehand, and every
backbone is an option of the search, whose choice the nested cross-validation covers.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float64

from manyheads.core.job import Job
from manyheads.core.text import counted, decimal, joined
from manyheads.data.columns import Rows
from manyheads.data.data_settings import SplitSettings
from manyheads.data.dataset import Dataset
from manyheads.data.folds import pool_of
from manyheads.data.iterative import deal
from manyheads.data.splits import assign_splits
from manyheads.errors import BackboneError, Interrupted
from manyheads.features.extraction import Features
from manyheads.findings.image_truth import ClassTruth, LabelTruth
from manyheads.heads.fold import Fold
from manyheads.run.estimate import remember_preparation
from manyheads.run.fit.fit_backbones import FitBackbone, unusable
from manyheads.run.fit.fit_plan import FitPlan, image_option
from manyheads.run.fit.fit_record import ComparedBackbone
from manyheads.run.fit.fit_schedule import Schedule, TimedOption
from manyheads.run.fit.fit_settings import AUTO
from manyheads.run.fit.fit_watch import FeatureWatch
from manyheads.study.baselines import REGRESSION, fit_baselines
from manyheads.study.sources import plain_features
from manyheads.study.store import Division

SAMPLE = 300  # images, about
_TIMES = 4  # as many images as in the sample there must be, or nothing is compared beforehand
_SHARE = 0.25  # of the budget, that comparing may take
_MOST = 3  # backbones that go on
_WORSE = 2.0  # standard errors of a paired difference in log loss, above which it is clear
_FOLDS = 5
_LEAST = np.float32(np.log(1e-4))  # what a regression says is no less sure than this
_SETTLED = 2.0  # seconds, before a rate means something

_Split = tuple[Rows, Rows]  # the places of those that train, and of those that are left out


@dataclass(frozen=True)
class BackboneComparison:
    """What was compared on the images of `sample`, the best first; none where nothing was chosen.

    `remarks` tell what there was no time for.
    """

    sample: Rows
    compared: tuple[ComparedBackbone, ...] = ()
    remarks: tuple[str, ...] = ()


@dataclass(frozen=True)
class _Judged:
    backbone: FitBackbone
    losses: Float64[np.ndarray, "images"]
    accuracy: float
    rate: float | None


def compares(plan: FitPlan) -> bool:
    """Whether the backbones of a plan are compared on a sample first."""
    return len(plan.backbones) > 1 and plan.pool >= _TIMES * SAMPLE


def compare_backbones(schedule: Schedule, job: Job) -> BackboneComparison:
    """Compare the backbones of the schedule's plan, and leave in it those that go on.

    They come in the order of their cost, and the best two side by side behind them. Where there is
    time for one alone, it goes on, and no label has chosen it. Raises `Interrupted` when `job` is
    stopped.
    """
    if compares(schedule.plan):
        return _Comparing(schedule, job).run()
    return BackboneComparison(np.zeros(0, np.int64))


def sample_of(dataset: Dataset, images: int) -> Rows:
    """About so many images for training and validation, of each class, or label, by its share.

    Units are whole; the same data set has the same sample on every machine.
    """
    pool = pool_of(dataset)
    groups = None if dataset.groups is None else dataset.groups.take(pool)
    settings = SplitSettings(validation=round(images / len(pool), 6), test=0.0, seed=0)
    members = None if dataset.label_sets is None else dataset.label_sets.members
    splits = assign_splits(
        dataset.labels[pool], dataset.digests.take(pool), groups, settings, members
    )
    return pool[splits.where("validation")]


class _Comparing:
    """The backbones of a plan, looked at one after the other as time allows."""

    def __init__(self, schedule: Schedule, job: Job) -> None:
        self._schedule, self._job = schedule, job
        plan = schedule.plan
        self._sample = sample_of(plan.dataset, SAMPLE)
        rest = np.setdiff1d(np.arange(len(plan.dataset)), self._sample)
        self._images = plan.dataset.without(rest.tolist())
        self._plan = replace(plan, dataset=self._images)
        least = min(each.least for each in schedule.options())
        spare = schedule.budget.left - schedule.finishing() - least
        self._ends = schedule.budget.clock() + min(_SHARE * schedule.budget.seconds, spare)
        self._remarks: list[str] = []

    def run(self) -> BackboneComparison:
        """Compare them."""
        plan = self._schedule.plan
        judged = [each for backbone in plan.backbones if (each := self._judged(backbone))]
        kept = _kept(judged) if judged else [plan.backbones[0]]
        self._schedule.narrow(kept)
        self._schedule.add_pair(kept)
        if len(judged) < 2:
            return BackboneComparison(np.zeros(0, np.int64), (), tuple(self._remarks))
        compared = [
            ComparedBackbone(
                backbone=each.backbone.label,
                size=each.backbone.own_size,
                kept=each.backbone in kept,
                log_loss=float(each.losses.mean()),
                accuracy=each.accuracy,
                images_per_second=each.rate,
            )
            for each in sorted(judged, key=lambda each: each.losses.mean())
        ]
        self._tell(compared)
        return BackboneComparison(self._sample, tuple(compared), tuple(self._remarks))

    def _judged(self, backbone: FitBackbone) -> _Judged | None:
        """What the sample says of a backbone; None if there is no time for it."""
        schedule, clock = self._schedule, self._schedule.budget.clock
        option = schedule.timed(image_option(self._plan, backbone, (backbone.own_size, 0)))
        if clock() + option.features > self._ends:
            return self._left_out(backbone, "no time to compare it with others")
        self._job.note(f"Comparing {option.images.at} on {counted(len(self._images), 'image')}")
        try:
            features = self._features(backbone, option)
            losses, accuracy = judge(self._images, features, self._job)
        except Interrupted:
            self._job.check("the fit", "repeat the same command to resume")
            return self._left_out(backbone, "its features of the sample would come too late")
        except BackboneError as error:
            if schedule.plan.settings.backbone != AUTO:
                raise
            return self._left_out(backbone, unusable(error))
        seconds = schedule.pace(option.images).extraction(schedule.plan.study(option.images), 1)
        return _Judged(backbone, losses, accuracy, 1 / seconds if features.passes else None)

    def _features(self, backbone: FitBackbone, option: TimedOption) -> Features:
        budget, pace = self._schedule.budget, self._schedule.pace(option.images)
        watch = FeatureWatch(
            option, pace, self._job, clock=budget.clock, ends=self._ends, settled=_SETTLED,
            late=lambda rest: budget.clock() + rest > self._ends,
        )  # fmt: skip
        study = self._plan.study(option.images)
        features = plain_features(
            study, self._images, backbone.weights, workers=self._schedule.workers, job=watch.job
        )
        remember_preparation(study.backbone, watch.built)
        return features

    def _left_out(self, backbone: FitBackbone, why: str) -> None:
        words = f"{backbone.label}: left out, {why}"
        self._remarks.append(words)
        self._job.note(words)

    def _tell(self, compared: Sequence[ComparedBackbone]) -> None:
        words = [f"{each.backbone} {decimal(each.log_loss)}" for each in compared]
        dropped = [each.backbone for each in compared if not each.kept]
        self._job.note(
            f"Log loss of logistic regression on them: {joined(words)}"
            + (f"; going on without {joined(dropped)}" if dropped else "")
        )


def judge(
    images: Dataset, features: Features, job: Job
) -> tuple[Float64[np.ndarray, "judged"], float]:
    """The log loss of each image and the accuracy, of logistic regression on the others' features.

    Left out are unreadable images, and classes of fewer units than there are folds; losses are
    those after temperature scaling. Raises `Interrupted` when `job` is stopped.
    """
    readable = np.flatnonzero(features.rows >= 0)
    sets = None if images.label_sets is None else images.label_sets.members
    if sets is None:
        judged, labels, splits = _class_folds(images, readable)
        truth, outputs = ClassTruth(labels), int(labels.max()) + 1
    else:
        judged, labels, splits = readable, images.labels[readable], _label_folds(images, readable)
        truth, outputs = LabelTruth(sets[labels]), sets.shape[1]
    rows, units = features.rows[judged], images.units[judged]
    folds = [
        Fold(
            matrix=features.matrix,
            train=rows[train],
            train_labels=labels[train],
            validation=rows[left],
            validation_labels=labels[left],
            classes=outputs,
            label_sets=sets,
        )
        for train, left in splits
    ]
    divisions = [Division(left, labels[left], units[left]) for _, left in splits]
    found = next(each for each in fit_baselines(folds, divisions, job) if each.name == REGRESSION)
    said = found.log_probabilities.astype(np.float32).clip(_LEAST, -_LEAST)
    losses = truth.losses(truth.scaled(said, truth.temperature(said)))
    return losses, truth.score("accuracy", said)


def _class_folds(images: Dataset, readable: Rows) -> tuple[Rows, Rows, list[_Split]]:
    """The images of classes with enough units, their labels, numbered anew, and their folds."""
    from sklearn.model_selection import StratifiedGroupKFold

    units_of = [
        len(np.unique(images.units[images.labels == c])) for c in range(len(images.classes))
    ]
    judged = readable[np.array(units_of)[images.labels[readable]] >= _FOLDS]
    _, labels = np.unique(images.labels[judged], return_inverse=True)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a class in few groups is judged all the same
        splits = list(StratifiedGroupKFold(_FOLDS).split(judged, labels, images.units[judged]))
    return judged, labels, splits


def _label_folds(images: Dataset, readable: Rows) -> list[_Split]:
    """The folds of images that may have several labels."""
    assert images.label_sets is not None
    members = images.label_sets.members[images.labels[readable]]
    _, units = np.unique(images.units[readable], return_inverse=True)
    fold_of = deal(members, units, np.arange(units.max() + 1), [1 / _FOLDS] * _FOLDS)
    return [(np.flatnonzero(fold_of != k), np.flatnonzero(fold_of == k)) for k in range(_FOLDS)]


def _kept(judged: Sequence[_Judged]) -> list[FitBackbone]:
    """The best of them, and those that are not clearly worse, up to `_MOST`."""
    ordered = sorted(judged, key=lambda each: each.losses.mean())
    best = ordered[0].losses
    return [each.backbone for each in ordered[:_MOST] if not _is_worse(each.losses - best)]


def _is_worse(differences: Float64[np.ndarray, "images"]) -> bool:
    error = differences.std(ddof=1) / np.sqrt(len(differences))
    return bool(differences.mean() > _WORSE * error)
