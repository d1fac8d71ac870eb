"""A network that costs nothing, for what stands around it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np

from manyheads.core.job import Job
from manyheads.features.cache import FeatureRecipe
from manyheads.models.prediction import Prediction
from tests.unit.features.fakes import FakeBackbone, recipe

BATCH = 4


class FakeNetwork:
    """Features are a fixed projection of the pixels; `seen` counts the images that pass."""

    def __init__(self, *, kept: bool = True) -> None:
        self.batch = BATCH
        self.recipe: FeatureRecipe | None = recipe() if kept else None
        self.backbone = FakeBackbone(BATCH)

    @property
    def seen(self) -> int:
        return self.backbone.passes

    def rows(
        self, batches: Iterable[tuple[Any, Any]], images: int, job: Job
    ) -> Iterator[tuple[Any, Any]]:
        del images
        yield from self.backbone.run(batches, job=job)


def told(name: str, content: str, row: np.ndarray) -> Prediction:
    """A prediction that tells the content, and all numbers that it was made of."""
    numbers = {str(place): float(value) for place, value in enumerate(row)}
    return Prediction(name, content, float(row.sum()), numbers)
