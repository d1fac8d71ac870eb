"""All features of a check for shortcuts: the plain images first, then each variant of them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from manyheads.backbones.weights import Weights
from manyheads.core.job import Job
from manyheads.data.dataset import Dataset
from manyheads.features.extraction import Features
from manyheads.features.variants import Wanted
from manyheads.heads.fold import PLAIN
from manyheads.lesson.shortcut.arrangement import Arrangement, Key, arranged, wanted_variants
from manyheads.lesson.shortcut.shortcut_plan import ShortcutPlan
from manyheads.lesson.shortcut.shortcut_settings import ShortcutSettings
from manyheads.run.estimate import remember_extraction
from manyheads.study.feature_variants import extractor_of
from manyheads.study.space import counted

_PLAIN = Key(False)


class Extraction:
    """Extracts what a plan wants; `passes` are those made so far.

    Unreadable images are met with the plain ones and left out, so `arrangement` may hold fewer
    images than the plan's.
    """

    def __init__(self, plan: ShortcutPlan, weights: Weights, job: Job) -> None:
        self._study = plan.settings.study
        self._extractor = extractor_of(self._study, weights)
        self._job = job
        self._total = sum(plan.missing.values())
        self.passes = 0
        dataset = plan.arrangement.dataset
        plain = self._extracted(dataset, {_PLAIN: plan.wanted[_PLAIN]})[_PLAIN]
        self.arrangement = _readable(plan.settings, plan.arrangement, plain, job)
        self._plain = _kept(plain, dataset, self.arrangement.dataset)
        self._rest = wanted_variants(plan.settings, self.arrangement)
        del self._rest[_PLAIN]

    def rest(self) -> dict[Key, Features]:
        """The features of every variant."""
        return {_PLAIN: self._plain} | self._extracted(self.arrangement.dataset, self._rest)

    def _extracted(self, dataset: Dataset, wanted: dict[Key, Wanted]) -> dict[Key, Features]:
        found = {}
        for key, features in self._extractor.extract_all(
            dataset, wanted, total=self._total, before=self.passes, job=self._job
        ):  # fmt: skip
            found[key] = features
            self.passes += features.passes
            if key.variant == PLAIN:
                remember_extraction(self._study, features.passes, features.seconds)
        return found


def _readable(
    settings: ShortcutSettings, before: Arrangement, plain: Features, job: Job
) -> Arrangement:
    """The arrangement of the readable images."""
    for line in plain.remarks:
        job.note(line)
    if not plain.unreadable:
        return before
    job.note(f"{counted(len(plain.unreadable), 'unreadable image')} left out:")
    for image, reason in plain.unreadable.items():
        job.note(f"  {before.dataset.name_of(image)}: {reason}")
    return arranged(settings, before.dataset.without(plain.unreadable))


def _kept(plain: Features, before: Dataset, after: Dataset) -> Features:
    """The features by the numbers that the readable images now have."""
    if before is after:
        return plain
    kept = np.setdiff1d(np.arange(len(before)), list(plain.unreadable))
    return replace(plain, rows=plain.rows[kept], unreadable={})
