"""The variants of training images that a study's heads learn from: augmented copies, feature maps.

They are of training images alone: what validates a head is never altered, and has no variants.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Int64

from manyheads.backbones.weights import Weights
from manyheads.core.job import SILENT, Job
from manyheads.core.workers import Workers
from manyheads.data.columns import Rows
from manyheads.data.dataset import Dataset
from manyheads.data.folds import pool_of
from manyheads.errors import SettingError
from manyheads.features import variants
from manyheads.features.extraction import Features
from manyheads.features.variants import Extractor, Wanted
from manyheads.heads.fold import PLAIN, Fold, Source, Variant, variants_of
from manyheads.study.space import Candidates
from manyheads.study.study_settings import StudySettings

_STRIDE = 32  # pixels of the image to a cell of the grid, in nearly all backbones


def variants_needed(grid: Candidates) -> list[Variant]:
    """The variants that the candidates of a study train on beside the plain features, in order."""
    if (grid.augmented_copies, grid.dropblock) == ((0,), (0.0,)):
        return []
    needed = {variant for setting in grid for variant in variants_of(setting)}
    return sorted(needed - {PLAIN})


def training_images(folds: int | None, dataset: Dataset) -> Rows:
    """The images that any of the heads trains on: all that variants are made of."""
    return dataset.rows("train") if folds is None else pool_of(dataset)


def extractor_of(
    settings: StudySettings, weights: Weights, workers: Workers | None = None
) -> Extractor:
    """What turns the images of a study into features."""
    where = settings.runtime, settings.precision, settings.device
    return Extractor(settings.spec, weights, settings.image, *where, workers)


def missing_passes(
    settings: StudySettings, weights: Weights | None, dataset: Dataset
) -> dict[Variant, int]:
    """The backbone passes that each variant still needs: all of them without `weights`."""
    extractor = None if weights is None else extractor_of(settings, weights)
    times = len(settings.spec.parts) if extractor is None else 1
    wanted = _wanted(settings, dataset, variants_needed(settings.grid))
    return {
        variant: times * variants.missing_passes(dataset, each, extractor)
        for variant, each in wanted.items()
    }


def variant_bytes(settings: StudySettings, variant: Variant, features: int) -> int:
    """About the bytes of an image's features in `variant`, of a backbone with so many features."""
    if not variant.grid:
        return 4 * features
    cells = math.ceil(settings.image.size / _STRIDE) ** 2
    return (2 if settings.grid_storage == "f16" else 4) * cells * features


@dataclass(frozen=True)
class VariantFeatures:
    """The features of each variant, as `extract` gives them, and what they cost."""

    features: Mapping[Variant, Features]

    @property
    def cells(self) -> tuple[int, int] | None:
        """Rows and columns of the feature maps, if there are any."""
        return next((each.grid for each in self.features.values() if each.grid), None)

    @property
    def passes(self) -> int:
        """The backbone passes of this call."""
        return sum(each.passes for each in self.features.values())

    @property
    def seconds(self) -> float:
        """How long they took."""
        return sum(each.seconds for each in self.features.values())

    def given_to(
        self, folds: Sequence[Fold], trained: Sequence[Int64[np.ndarray, "train"]]
    ) -> list[Fold]:
        """`folds` with the variants of their training samples, by their images in the data set."""
        return [
            replace(
                fold,
                cells=self.cells,
                sources={
                    variant: Source(each.matrix, each.rows[images])
                    for variant, each in self.features.items()
                },
            )
            for fold, images in zip(folds, trained, strict=True)
        ]


def extract_variants(
    settings: StudySettings,
    dataset: Dataset,
    weights: Weights,
    missing: Mapping[Variant, int],
    *,
    workers: Workers | None = None,
    job: Job = SILENT,
) -> VariantFeatures:
    """The features of the variants that `missing_passes` told, from the cache or computed now.

    Raises `SettingError` for blocks that are larger than the feature map, and what `extract`
    raises.
    """
    found = extractor_of(settings, weights, workers).extract_all(
        dataset, _wanted(settings, dataset, missing),
        total=sum(missing.values()), job=job,
    )  # fmt: skip
    features = VariantFeatures(dict(found))
    _check_blocks(settings.grid, features.cells)
    return features


def _wanted(
    settings: StudySettings, dataset: Dataset, needed: Iterable[Variant]
) -> dict[Variant, Wanted]:
    images = training_images(settings.folds, dataset)
    return {
        variant: Wanted(
            variant=variant, images=images, augmentation=settings.augmentation,
            storage=settings.grid_storage,
        )
        for variant in needed
    }  # fmt: skip


def _check_blocks(grid: Candidates, cells: tuple[int, int] | None) -> None:
    largest = max(grid.dropblock_size)
    if cells is not None and largest > min(cells):
        raise SettingError(
            f"a dropblock_size within the feature map of {cells[0]}×{cells[1]} cells",
            f"{largest}", "list smaller ones, or larger images",
        )  # fmt: skip
