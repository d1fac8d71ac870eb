"""The search of a fit: a study for each image option, its heads' answers as options."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Bool, Int64

from manyheads.core.job import SILENT, Job
from manyheads.core.text import counted
from manyheads.data.columns import Rows
from manyheads.data.dataset import Dataset
from manyheads.errors import BackboneError, Interrupted, RunError
from manyheads.features.extraction import Features
from manyheads.findings.expected_score import Ranked, rank
from manyheads.findings.image_truth import Answers, truth_of
from manyheads.findings.reading import read_validated
from manyheads.heads.bank import prepare_engine
from manyheads.heads.hyperparameters import Hyperparameters
from manyheads.run.estimate import remember_preparation
from manyheads.run.fit.fit_backbones import unusable
from manyheads.run.fit.fit_plan import counted_again
from manyheads.run.fit.fit_schedule import Schedule, TimedOption
from manyheads.run.fit.fit_settings import AUTO
from manyheads.run.fit.fit_watch import FeatureWatch, TrainingWatch
from manyheads.run.fit.image_options import EFFORTS, Effort, ImageOption, Place
from manyheads.run.fit.near_duplicates import NearDuplicates
from manyheads.run.folded_features import study_features
from manyheads.run.pipeline import Finished, run_study
from manyheads.run.plan import RunOptions, plan_study
from manyheads.stats.validation_predictions import Validated
from manyheads.study.space import setting_words
from manyheads.study.store import Store

_SETTLED, _SETTLED_SHARE = 2.0, 0.02  # seconds, and of the budget, before a rate means something
_COMPILING = 60.0  # seconds of a budget, from which on the engine is compiled in advance
_MOST_APART = 0.5  # of the images, that may be in no score
_QUICKER = 1.2  # times sooner, at least, another option must come to be taken instead


@dataclass(frozen=True)
class Searched:
    """An image option, and how thoroughly it was searched."""

    option: ImageOption
    effort: Effort


@dataclass(frozen=True)
class Option:
    """An image option's study and one of its candidates, counted from 1."""

    images: Searched
    finished: Finished
    candidate: int

    @property
    def setting(self) -> Hyperparameters:
        """The setting of its heads."""
        return self.finished.settings.grid[self.candidate - 1]

    @property
    def words(self) -> str:
        """Such as `299×299; learning_rate 0.001, size_inner 100`."""
        varying = self.finished.settings.grid.varying
        return f"{self.images.option.at}; {setting_words(self.setting, varying)}"


@dataclass(frozen=True)
class Found:
    """The options of a search, ranked, and the images by which they were.

    `validated` is the first study's record of the `images`, by their places in the data set, which
    is every study's. `passes` is what the search cost, and `remarks` tell what there was no time
    for.
    """

    options: tuple[Option, ...]
    ranked: Ranked
    validated: Validated
    images: Rows
    passes: int
    remarks: tuple[str, ...]

    @property
    def fold_of(self) -> Int64[np.ndarray, "images"]:
        """The fold that left an image out."""
        return self.validated.fold_of[0]

    def apart(self, sample: Rows) -> tuple[Bool[np.ndarray, "images"], str]:
        """The images that are in no score as those of `sample` chose backbones, and a remark.

        They are those in a unit with any of the sample; but the sample alone, if near-duplicates
        of it would leave less than half of the images, which the remark tells.
        """
        inside = np.isin(self.images, sample)
        units = self.validated.units
        touched = np.isin(units, units[inside])
        if touched.mean() <= _MOST_APART:
            return touched, ""
        return inside, (
            "near-duplicates of the sample that chose backbones are in the scores, which are "
            "slightly optimistic so"
        )

    @property
    def best(self) -> Option:
        """The option that answers for new images."""
        return self.options[self.ranked.best]


def search(schedule: Schedule, out: Path, job: Job = SILENT) -> Found:
    """Search the image options that there is time for, one after the other, and rank all settings.

    Each is an ordinary study in a folder of `out`, resumed if it was begun; by the features of the
    first, near-duplicates are joined into units for all of them. Features that would come too late
    are given up, and so is a study, if another one is done. Raises what `run_study` raises,
    `SettingError` if there is time for no option, and `RunError` if studies left out different
    images.
    """
    searching = _Searches(schedule, out, job)
    searching.run()
    records = [_validated(finished) for _, finished in searching.studies]
    _require_same(records)
    options: list[Option] = []
    answers: list[Answers] = []
    for (images, finished), validated in zip(searching.studies, records, strict=True):
        for candidate in validated.candidates:
            options.append(Option(images, finished, candidate))
            answers.append(validated.log_probabilities(candidate)[0, 0])
    first = records[0]
    metric = schedule.plan.settings.metric
    return Found(
        tuple(options), rank(answers, truth_of(first), first.fold_of[0], metric), first,
        images=_validating(searching.studies[0][1]),
        passes=searching.passes, remarks=tuple(searching.remarks),
    )  # fmt: skip


class _Searches:
    """The studies of a search, made one after the other as time allows."""

    def __init__(self, schedule: Schedule, out: Path, job: Job) -> None:
        self._schedule, self._out, self._job = schedule, out, job
        self._near = NearDuplicates(out, schedule.plan.folds, job)
        self._late: set[ImageOption] = set()
        self.studies: list[tuple[Searched, Finished]] = []
        self.passes = 0
        self.remarks: list[str] = []

    def run(self) -> None:
        """Make the studies; at least one, or raise `SettingError`."""
        # Python waits at its end for what is being compiled, which a refusal may be too short for.
        if self._schedule.budget.seconds >= _COMPILING:
            prepare_engine(self._schedule.plan.settings.engine)
        while option := self._next():
            place = len(self.studies) + 1
            self._job.note(f"Search {place}: {option.images.words}")
            try:
                if self._has_features(option):
                    self._study(option)
            except BackboneError as error:
                self._forgo(option.images, error)
        if not self.studies:
            raise self._schedule.refusal("; what was computed is kept")

    def _grouped(self, dataset: Dataset, features: Features) -> Dataset:
        """The data set as it is divided: near-duplicates together, and as a former run did it."""
        kept = self._schedule.plan.kept
        grouped = self._near(dataset, features)
        return grouped if kept is None else kept.given_to(grouped)

    @property
    def _places(self) -> set[Place]:
        return {images.option.place for images, _ in self.studies}

    @property
    def _last(self) -> float:
        """When the results are to be there, by the clock: later if there are none without this."""
        budget = self._schedule.budget
        return budget.deadline if self.studies else budget.latest

    @property
    def _training_ends(self) -> float:
        """When the heads of a search are to be there."""
        return self._last - self._schedule.finishing()

    @property
    def _settled(self) -> float:
        """Seconds, before a rate means something."""
        return max(_SETTLED, _SETTLED_SHARE * self._schedule.budget.seconds)

    def _next(self) -> TimedOption | None:
        option = self._schedule.next(self._late, self._places)
        return option if option or self.studies else self._schedule.last_resort(self._late)

    def _has_features(self, option: TimedOption) -> bool:
        """Compute the features of an option; whether they came in time."""
        schedule, budget = self._schedule, self._schedule.budget

        def late(features: float) -> bool:
            rest = features + option.training[-1]
            if rest + schedule.finishing() <= budget.left:
                return False
            others = schedule.options({*self._late, option.images})
            if self.studies or any(_QUICKER * other.least < rest for other in others):
                return True
            return schedule.hopeless(features, option, begun=True)

        study = schedule.plan.study(option.images)
        watch = FeatureWatch(
            option, schedule.pace(option.images), self._job, late=late, clock=budget.clock,
            ends=self._last - schedule.least_rest(option), settled=self._settled,
        )  # fmt: skip
        try:
            with schedule.part(f"computing features of {option.images.words}", option.features):
                plan = plan_study(study, job=watch.job)
                weights = schedule.plan.backbone(option.images).weights
                study_features(plan, weights, watch.job, schedule.workers)
        except Interrupted:
            self._give_up(option, "its features would come too late")
            return False
        finally:
            self.passes += watch.passes
        remember_preparation(study.backbone, watch.built)
        return True

    def _study(self, option: TimedOption) -> None:
        """Search the settings of the heads of an option, as thoroughly as there is time for."""
        schedule, images = self._schedule, option.images
        option = schedule.timed(images)
        if not self.studies and schedule.hopeless(0.0, option):
            self._give_up(option, "the rest would come too late")
            return
        finished, effort = None, schedule.effort(option, self._places)
        while effort and not (finished := self._searched(images, effort)):
            effort = self._less_thorough(images, effort)
        if effort is None or finished is None:
            self._give_up(option, "its heads would come too late")
            return
        schedule.efforts.append(effort)
        self.studies.append((Searched(images, effort), finished))
        if effort == "few":
            settings = counted(len(finished.settings.grid), "setting")
            self._remark(f"{images.words}: only {settings} of the head, for want of time")

    def _searched(self, images: ImageOption, effort: Effort) -> Finished | None:
        """The study of images; None if it came too late, or a less thorough one would not."""
        schedule, budget = self._schedule, self._schedule.budget

        def late(rest: float) -> bool:
            too_late = budget.clock() + rest > self._training_ends
            return too_late and self._less_thorough(images, effort) is not None

        watch = TrainingWatch(
            schedule.pace(images), schedule.plan.trained, self._job, late=late,
            ends=self._training_ends, settled=self._settled, clock=budget.clock,
        )  # fmt: skip
        expected = schedule.timed(images).training[EFFORTS.index(effort)]
        folder = f"{schedule.plan.backbone(images).folder}{_folder_name(images, effort)}"
        try:
            with schedule.part(f"training at {images.words}", expected):
                finished = run_study(
                    schedule.plan.study(images, effort), self._out / folder,
                    options=RunOptions(
                        models=False, baselines=False, keep_heads=1, workers=schedule.workers
                    ),
                    grouped=self._grouped, job=watch.job,
                )  # fmt: skip
        except Interrupted:
            self._job.check("the fit", "repeat the same command to resume")
            return None
        watch.ended()
        return finished

    def _less_thorough(self, images: ImageOption, effort: Effort) -> Effort | None:
        """The search after `effort`, at the present pace, that ends in time; None if none does."""
        left = self._training_ends - self._schedule.budget.clock()
        timed = [*zip(EFFORTS, self._schedule.timed(images).training, strict=True)]
        others = timed[EFFORTS.index(effort) + 1 :]
        return next((each for each, seconds in others if seconds <= left), None)

    def _forgo(self, images: ImageOption, error: BackboneError) -> None:
        """Go on without a backbone that is none after all, if it was not asked for."""
        plan = self._schedule.plan
        others = [each for each in plan.backbones if each.name != images.backbone]
        if not others or not (images.pair or plan.settings.backbone == AUTO):
            raise error
        self._schedule.narrow(others)
        self._remark(f"{images.at}: given up, {unusable(error)}")

    def _give_up(self, option: TimedOption, why: str) -> None:
        """Go on without an option; raises `Interrupted` if it was the fit that was stopped."""
        self._job.check("the fit", "repeat the same command to resume")
        self._late.add(option.images)
        self._schedule.plan = counted_again(self._schedule.plan)
        self._remark(f"{option.images.words}: given up, {why}")

    def _remark(self, words: str) -> None:
        self.remarks.append(words)
        self._job.note(words)


def _folder_name(images: ImageOption, effort: Effort) -> str:
    name = f"{images.size}px-{images.copies + 1}"
    return name if effort == "whole" else f"{name}-{effort}"


def _validating(finished: Finished) -> Rows:
    """The images that validate some fold, in the order of a study's record of them."""
    with Store(finished.folder.store) as store:
        return np.unique(np.concatenate([each.images for each in store.divisions()]))


def _validated(finished: Finished) -> Validated:
    dataset = finished.dataset
    return read_validated(
        finished.folder.store, finished.settings, finished.result,
        dataset.classes, dataset.label_names,
    )  # fmt: skip


def _require_same(records: Sequence[Validated]) -> None:
    first = records[0]
    for other in records[1:]:
        same = (
            np.array_equal(first.labels, other.labels)
            and np.array_equal(first.fold_of, other.fold_of)
            and np.array_equal(first.units, other.units)
        )
        if not same:
            raise RunError(
                "the same readable images at every size", "some that one size could not read",
                "check the files with `manyheads check`, and begin in another run folder",
            )  # fmt: skip
