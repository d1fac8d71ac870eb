"""Predictions of all kinds, for whatever writes them."""

from __future__ import annotations

from manyheads.models.prediction import Prediction, Uncertainty
from manyheads.models.prediction_rows import RowForm

CLASSES: tuple[str, ...] = ("cat", "error", "dog, small")
PLAIN = RowForm(classes=CLASSES)
FULL = RowForm(classes=CLASSES, top=2, abstaining=True, uncertain=True, given=True)


def entries(count: int = 9) -> list[Prediction]:
    """Answers, with an unreadable image and one that is unsure among each three."""
    return [_entry(number) for number in range(count)]


def _entry(number: int) -> Prediction:
    name = f'photos/{number} "🦊",\nb.jpg' if number % 4 == 1 else f"photos/{number}.jpg"
    if number % 3 == 1:
        return Prediction(name, None, float("nan"), {}, "a damaged or\ntruncated one")
    chances = dict(zip(CLASSES, (0.5, 0.125, 0.375), strict=True))
    unsure = number % 3 == 2
    sure = Uncertainty(0.1, 0.7, 0.25)
    return Prediction(
        name, None if unsure else "cat", 0.5, chances, abstained=unsure, uncertainty=sure
    )
