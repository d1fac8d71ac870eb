"""The search of a fit: a study for each image option, its heads' answers as options."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Int64

from manyheads.core.job import SILENT, Job, Planned
from manyheads.errors import RunError
from manyheads.findings.expected_score import LogProbabilities, Ranked, rank
from manyheads.findings.reading import read_validated
from manyheads.heads.hyperparameters import Hyperparameters
from manyheads.run.fit.fit_plan import FitPlan
from manyheads.run.fit.image_options import ImageOption, study_of
from manyheads.run.fit.near_duplicates import NearDuplicates
from manyheads.run.pipeline import Finished, run_study
from manyheads.run.plan import RunOptions
from manyheads.stats.validation_predictions import Validated
from manyheads.study.space import setting_words


@dataclass(frozen=True)
class Option:
    """An image option's study and one of its candidates, counted from 1."""

    images: ImageOption
    finished: Finished
    candidate: int

    @property
    def setting(self) -> Hyperparameters:
        """The setting of its heads."""
        return self.finished.settings.grid[self.candidate - 1]

    @property
    def words(self) -> str:
        """Such as `299×299, plain and mirrored; learning_rate 0.001, size_inner 100`."""
        size = f"{self.images.size}×{self.images.size}"
        return f"{size}; {setting_words(self.setting, self.finished.settings.grid.varying)}"


@dataclass(frozen=True)
class Found:
    """The options of a search, ranked, and the images by which they were.

    `validated` is the first study's record of the images, which is every study's.
    """

    options: tuple[Option, ...]
    ranked: Ranked
    validated: Validated

    @property
    def fold_of(self) -> Int64[np.ndarray, "images"]:
        """The fold that left an image out."""
        return self.validated.fold_of[0]

    @property
    def studies(self) -> list[Finished]:
        """The studies that the options are of."""
        return list({option.images: option.finished for option in self.options}.values())

    @property
    def best(self) -> Option:
        """The option that answers for new images."""
        return self.options[self.ranked.best]


def search(plan: FitPlan, out: Path, job: Job = SILENT) -> Found:
    """Train every setting with every image option that there is still time for, and rank them.

    Each image option is an ordinary study in a folder of `out`, resumed if it was begun; by the
    features of the first, near-duplicates are joined into units for all of them. Raises
    what `run_study` raises, and `RunError` if studies left out different images.
    """
    studies: list[tuple[ImageOption, Finished]] = []
    grouped = NearDuplicates(out, plan.folds, job)
    for place, images in enumerate(plan.image_options):
        left = plan.deadline - time.monotonic()
        if studies and images.seconds > left:
            job.note(f"{images.words}: left out, for want of time")
            continue
        job.note(f"Search {place + 1} of {len(plan.image_options)}: {images.words}")
        finished = run_study(
            study_of(plan.settings, plan.folds, (images.size, images.copies), images.pruned),
            out / f"{images.size}px-{images.copies + 1}",
            options=RunOptions(models=False, keep_heads=1), grouped=grouped,
            job=_without_plan(job),
        )  # fmt: skip
        studies.append((images, finished))
    records = [_validated(finished) for _, finished in studies]
    _require_same(records)
    options: list[Option] = []
    answers: list[LogProbabilities] = []
    for (images, finished), validated in zip(studies, records, strict=True):
        for candidate in validated.candidates:
            options.append(Option(images, finished, candidate))
            answers.append(validated.log_probabilities(candidate)[0, 0])
    first = records[0]
    return Found(tuple(options), rank(answers, first.labels, first.fold_of[0]), first)


def _without_plan(job: Job) -> Job:
    """The part of `job` that runs a study of the fit, whose own plan was told."""
    return job.heard_by(lambda event: None if isinstance(event, Planned) else job.tell(event))


def _validated(finished: Finished) -> Validated:
    return read_validated(
        finished.folder.store, finished.settings, finished.result, finished.dataset.classes
    )


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
