"""All features of a check for shortcuts: the plain images first, then each version of them."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import replace

import numpy as np

from manyheads.backbones.weights import Weights
from manyheads.data.dataset import Dataset
from manyheads.features.extraction import Features, extract
from manyheads.heads.fold import PLAIN
from manyheads.lesson.shortcut.arrangement import Arrangement, arranged
from manyheads.lesson.shortcut.mark_variants import Key, Wanted, wanted_versions
from manyheads.lesson.shortcut.shortcut_plan import ShortcutPlan
from manyheads.lesson.shortcut.shortcut_settings import ShortcutSettings
from manyheads.run.estimate import remember_extraction
from manyheads.study.space import counted

_PLAIN = Key(False)
Progress = Callable[[int, int], None]


class Extraction:
    """Extracts what a plan wants; `passes` are those made so far.

    Unreadable images are met with the plain ones and left out, so `arrangement` may hold fewer
    images than the plan's.
    """

    def __init__(
        self,
        plan: ShortcutPlan,
        weights: Weights,
        progress: Progress,
        note: Callable[[str], None],
        stop: threading.Event | None,
    ) -> None:
        self.settings, self.weights = plan.settings, weights
        self._progress, self._stop = progress, stop
        self._total = sum(plan.missing)
        self.passes = 0
        plain = self._extracted(plan.arrangement.dataset, plan.wanted[0])
        self.arrangement = _readable(plan.settings, plan.arrangement, plain, note)
        self.features = {_PLAIN: _kept(plain, plan.arrangement.dataset, self.arrangement.dataset)}

    def rest(self) -> dict[Key, Features]:
        """The features of every version."""
        for wanted in wanted_versions(self.settings, self.arrangement):
            if wanted.key != _PLAIN:
                self.features[wanted.key] = self._extracted(self.arrangement.dataset, wanted)
        return self.features

    def _extracted(self, dataset: Dataset, wanted: Wanted) -> Features:
        study, before = self.settings.study, self.passes
        features = extract(
            dataset, study.spec, self.weights, study.image,
            runtime=study.runtime, precision=study.precision, only=wanted.images, **wanted.how,
            progress=lambda done, total: self._progress(
                before + done, max(self._total, before + total)
            ),
            stop=self._stop,
        )  # fmt: skip
        self.passes += features.passes
        if wanted.key.version == PLAIN:
            remember_extraction(study, features.passes, features.seconds)
        return features


def _readable(
    settings: ShortcutSettings, before: Arrangement, plain: Features, note: Callable[[str], None]
) -> Arrangement:
    """The arrangement of the readable images."""
    for line in plain.remarks:
        note(line)
    if not plain.unreadable:
        return before
    note(f"{counted(len(plain.unreadable), 'unreadable image')} left out:")
    for image, reason in plain.unreadable.items():
        note(f"  {before.dataset.name_of(image)}: {reason}")
    return arranged(settings, before.dataset.without(plain.unreadable))


def _kept(plain: Features, before: Dataset, after: Dataset) -> Features:
    """The features by the numbers that the readable images now have."""
    if before is after:
        return plain
    kept = np.setdiff1d(np.arange(len(before)), list(plain.unreadable))
    return replace(plain, rows=plain.rows[kept], unreadable={})
