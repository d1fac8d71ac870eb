"""What a claim is checked on: a finished study, opened again with its images and its features."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from manyheads.core.job import Job, Planned
from manyheads.core.label_sets import require_one_label
from manyheads.core.text import counted
from manyheads.findings.reading import read_validated
from manyheads.heads.bank import Fold
from manyheads.heads.hyperparameters import epoch_cost
from manyheads.run.estimate import Cost, cost_of
from manyheads.run.folded_features import features_by_backbone, readable_folds
from manyheads.run.plan import Plan, plan_study
from manyheads.stats.validation_predictions import Validated
from manyheads.study.division import validation_counts
from manyheads.study.finished import finished_result
from manyheads.study.folder import RunFolder
from manyheads.study.reopened import perhaps_moved, require_same_data, same_weights
from manyheads.study.results import StudyResult
from manyheads.study.space import setting_words
from manyheads.study.store import Store
from manyheads.study.study_document import Resolved, read_study
from manyheads.study.study_settings import StudySettings, lasting


@dataclass(frozen=True)
class ReopenedStudy:
    """A finished study in a folder that is held."""

    folder: RunFolder
    settings: StudySettings
    resolved: Resolved
    result: StudyResult
    validated: Validated
    plan: Plan
    job: Job

    def name(self, candidate: int) -> str:
        """A candidate in words."""
        grid = self.settings.grid
        return setting_words(grid[candidate - 1], grid.varying)

    def cost(self, heads: Sequence[tuple[int, int]], *, most: bool = False) -> Cost:
        """What training heads costs: of each its candidate and its epochs."""
        grid = self.settings.grid
        samples = validation_counts(self.settings.folds, self.plan.dataset)[0]
        units = sum(epochs * epoch_cost(grid[candidate - 1]) for candidate, epochs in heads)
        return cost_of(
            self.settings, self.plan.missing, samples * units,
            heads=len(heads), epochs=sum(epochs for _, epochs in heads), at_most=most,
        )  # fmt: skip

    def announce(self, question: str, cost: Cost) -> None:
        """Tell what is about to be checked on the validation images, and what it takes."""
        images = counted(len(self.validated.labels), "validation image")
        lines = ("Claim", question), ("Images", images), ("Cost", cost.words())
        self.job.tell(Planned(lines))

    def folds(self) -> list[Fold]:
        """What the study's heads were trained on; its features are computed where missing."""
        weights = [
            same_weights(self.settings, self.resolved, self.job, place)
            for place in range(self.settings.backbones)
        ]
        features = features_by_backbone(self.plan, weights, self.job)
        with Store(self.folder.store) as store:
            return readable_folds(self.plan, features, store, self.job)

    def check(self) -> None:
        """Raise `Interrupted` if the job is stopped."""
        self.job.check("the claim", "repeat the same command; nothing was recorded")


@contextmanager
def reopened(
    run: str | Path,
    data: str | Path | None,
    job: Job,
) -> Iterator[ReopenedStudy]:
    """Hold the run folder of a finished study, with its data set, which may lie at `data` now.

    Raises `RunError` for a study that is not finished, was trained by an earlier version or is at
    work; `DataError` if the data set has changed.
    """
    folder = RunFolder(run)
    settings, resolved = read_study(folder.document())
    require_one_label(
        resolved.label_names, "the lesson's claims", "check them on a study of one class per image"
    )
    with folder.held():
        result = finished_result(folder, settings)
        validated = read_validated(
            folder.store, settings, result, resolved.classes, resolved.label_names
        )
        moved = settings if data is None else replace(settings, data=lasting(data))
        with perhaps_moved():
            plan = plan_study(moved, job=job)
        require_same_data(plan.dataset, resolved, folder, moved.data)
        yield ReopenedStudy(folder, settings, resolved, result, validated, plan, job)
