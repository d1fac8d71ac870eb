"""What a claim is checked on: a finished study, opened again with its images and its features."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from manyheads.errors import Interrupted
from manyheads.findings.reading import read_validated
from manyheads.heads.bank import Fold
from manyheads.run.estimate import estimate_extraction, estimate_training
from manyheads.run.pipeline import readable_folds, study_features
from manyheads.run.plan import Plan, plan_study
from manyheads.stats.validation_predictions import Validated
from manyheads.study.division import validation_counts
from manyheads.study.finished import finished_result
from manyheads.study.folder import RunFolder
from manyheads.study.listener import Listener
from manyheads.study.reopened import perhaps_moved, require_same_data, same_weights
from manyheads.study.results import StudyResult
from manyheads.study.space import setting_words
from manyheads.study.store import Store
from manyheads.study.study_settings import Resolved, StudySettings, lasting, read_study
from manyheads.study.work import epoch_cost


@dataclass(frozen=True, kw_only=True)
class Cost:
    """What a claim takes: `passes` through the backbone, and `epochs` of `heads` to train.

    `most`: heads may end earlier. `seconds` are for both together; `measured` tells whether this
    machine has done such work before.
    """

    passes: int
    heads: int
    epochs: int
    most: bool
    seconds: float
    measured: bool


class ClaimListener(Listener):
    """A `Listener` that also hears what is asked of whom, and what it will cost, beforehand."""

    def asked(self, images: int, question: str, cost: Cost, /) -> None:
        """A claim is about to be checked on so many validation images."""


@dataclass(frozen=True)
class Ground:
    """A finished study in a folder that is held."""

    folder: RunFolder
    settings: StudySettings
    resolved: Resolved
    result: StudyResult
    validated: Validated
    plan: Plan
    listener: ClaimListener
    stop: threading.Event | None

    def name(self, candidate: int) -> str:
        """A candidate in words."""
        grid = self.settings.grid
        return setting_words(grid[candidate - 1], grid.varying)

    def cost(self, heads: Sequence[tuple[int, int]], *, most: bool = False) -> Cost:
        """What training heads costs: of each its candidate and its epochs."""
        grid, samples = self.settings.grid, validation_counts(self.settings, self.plan.dataset)[0]
        units = sum(epochs * epoch_cost(grid[candidate - 1]) for candidate, epochs in heads)
        extraction, known = estimate_extraction(self.settings, self.plan.missing)
        training, shown = estimate_training(self.settings, samples * units)
        return Cost(
            passes=self.plan.missing,
            heads=len(heads),
            epochs=sum(epochs for _, epochs in heads),
            most=most,
            seconds=extraction + training,
            measured=known and shown,
        )

    def folds(self) -> list[Fold]:
        """What the study's heads were trained on; its features are computed where missing."""
        weights = same_weights(self.settings, self.resolved, self.listener, self.stop)
        features = study_features(self.plan, weights, self.listener, self.stop)
        with Store(self.folder.store) as store:
            return readable_folds(self.plan, features, store, self.listener.note)

    def check_stop(self) -> None:
        """Raise `Interrupted` if a stop was asked for."""
        if self.stop is not None and self.stop.is_set():
            raise Interrupted("the claim", "repeat the same command; nothing was recorded")


@contextmanager
def reopened(
    run: str | Path,
    data: str | Path | None,
    listener: ClaimListener | None,
    stop: threading.Event | None,
) -> Iterator[Ground]:
    """Hold the run folder of a finished study, with its data set, which may lie at `data` now.

    Raises `RunError` for a study that is not finished, was trained by an earlier version or is at
    work; `DataError` if the data set has changed.
    """
    folder = RunFolder(run)
    settings, resolved = read_study(folder.document())
    with folder.held():
        result = finished_result(folder, settings)
        validated = read_validated(folder.store, settings, result, resolved.classes)
        moved = settings if data is None else replace(settings, data=lasting(data))
        with perhaps_moved():
            plan = plan_study(moved, stop=stop)
        require_same_data(plan.dataset, resolved, folder, moved.data)
        listener = listener or ClaimListener()
        yield Ground(folder, settings, resolved, result, validated, plan, listener, stop)
