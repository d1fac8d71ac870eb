"""A classifier as batches need it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from manyheads.models.classifier import ImageClassifier
from manyheads.models.prediction import Prediction
from manyheads.web.service.batching import Batch, Passes


@dataclass(frozen=True)
class _Answered:
    """A pass that is over when it has begun."""

    found: Sequence[Prediction]
    over: bool = True

    def predictions(self) -> Sequence[Prediction]:
        return self.found


class SerialPasses:
    """One pass after the other, by `ImageClassifier.predict_prepared`: on every device."""

    slots = 1

    def __init__(self, classifier: ImageClassifier, batch: int) -> None:
        self.batch, self._classifier = batch, classifier

    def begin(self, pixels: Batch, over: Callable[[], object]) -> _Answered:
        del over
        return _Answered(self._classifier.predict_prepared(pixels))


def passes_of(classifier: ImageClassifier) -> Passes:
    """The passes that suit a classifier's device."""
    return SerialPasses(classifier, 16)
