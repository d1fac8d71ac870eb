"""A classifier as batches need it: its passes, begun one beside the other where they can be."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np

from manyheads.backbones.compiled import Computed, StartedPass, loaded
from manyheads.backbones.exported import Program
from manyheads.backbones.single_images import SingleImageBackbone
from manyheads.core.job import SILENT, Job
from manyheads.models.classifier import ImageClassifier
from manyheads.models.prediction import Prediction
from manyheads.web.service.batching import Batch, Passes


def passes_of(classifier: ImageClassifier, job: Job = SILENT, features: int = 0) -> Passes:
    """The passes that suit a classifier's device, after a first one.

    With a number of `features`, answers have those that they were made of. Raises what opening the
    network raises.
    """
    network = classifier.network(job, features)
    if network.program is None:
        found: Passes = SerialPasses(classifier, network.batch, features)
    else:
        found = ProcessorPasses(classifier, network.program, features)
    size = classifier.card.image.size
    found.begin(np.zeros((1, size, size, 3), np.uint8), lambda: None).predictions()
    return found


@dataclass(frozen=True)
class _OverPass:
    """A pass that is over when it has begun."""

    found: Sequence[Prediction]
    over: bool = True

    def predictions(self) -> Sequence[Prediction]:
        return self.found


class SerialPasses:
    """One pass after the other, by `ImageClassifier.predict_prepared`: on every device."""

    slots = 1

    def __init__(self, classifier: ImageClassifier, batch: int, features: int = 0) -> None:
        self.batch, self._classifier, self._features = batch, classifier, features

    def begin(self, pixels: Batch, over: Callable[[], object]) -> _OverPass:
        del over
        return _OverPass(self._classifier.predict_prepared(pixels, features=self._features))


@dataclass(frozen=True)
class _RunningPass:
    """A batch in a stream of the processor."""

    work: StartedPass
    answers: Callable[[Computed], list[Prediction]]

    @property
    def over(self) -> bool:
        return self.work.over

    def predictions(self) -> Sequence[Prediction]:
        return self.answers(self.work.features())


class ProcessorPasses:
    """A pass in each stream of the processor; a few images go alone where that is the same.

    Whole batches have a program of their own, which is loaded in a thread meanwhile: a server whose
    first requests are single images answers them without it.
    """

    def __init__(self, classifier: ImageClassifier, program: Program, features: int = 0) -> None:
        size = classifier.card.image.size
        self.batch = program.batch_for(size)
        self._classifier, self._features = classifier, features
        self._few = SingleImageBackbone(program, size)
        loading = ThreadPoolExecutor(1, "load")
        self._whole = loading.submit(loaded, program, size)
        loading.shutdown(wait=False)

    @property
    def slots(self) -> int:
        """How many batches are computed at a time."""
        known = self._whole.done() and self._whole.exception() is None
        return self._whole.result().streams if known else 1

    def begin(self, pixels: Batch, over: Callable[[], object]) -> _OverPass | _RunningPass:
        # More alone would take longer than a batch that is not full.
        if 2 * len(pixels) <= self.batch and self._few.same_alone:
            ((_, rows),) = self._few.run([(0, pixels)])
            return _OverPass(self._answers(rows))
        return _RunningPass(self._whole.result().begin(pixels, over), self._answers)

    def _answers(self, rows: Computed) -> list[Prediction]:
        return [self._classifier.prediction("", row, self._features) for row in rows]
