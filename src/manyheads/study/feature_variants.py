"""The versions of the training images that a study's heads learn from: views, and feature grids.

Views and grids are of training images alone: what validates a head is never altered, and has no
other version.
"""

from __future__ import annotations

import math
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Int64

from manyheads.backbones.registry import BackboneSpec
from manyheads.backbones.weights import Weights
from manyheads.data.augmentation import View
from manyheads.data.columns import Rows
from manyheads.data.dataset import Dataset
from manyheads.data.folds import pool_of
from manyheads.errors import SettingError
from manyheads.features.cache import FeatureCache, FeatureRecipe
from manyheads.features.extraction import Features, extract, recipe_of
from manyheads.heads.fold import PLAIN, Fold, Source, Version, versions_of
from manyheads.study.study_settings import StudySettings

_STRIDE = 32  # pixels of the image to a cell of the grid, in nearly all backbones


def versions_needed(settings: StudySettings) -> list[Version]:
    """The versions that the candidates of a study train on beside the plain features, in order."""
    grid = settings.grid
    if (grid.augmented_copies, grid.dropblock) == ((0,), (0.0,)):
        return []
    needed = {version for setting in grid for version in versions_of(setting)}
    return sorted(needed - {PLAIN})


def training_images(settings: StudySettings, dataset: Dataset) -> Rows:
    """The images that any of the heads trains on: all that versions are made of."""
    return dataset.rows("train") if settings.folds is None else pool_of(dataset)


def version_recipe(
    settings: StudySettings, spec: BackboneSpec, weights: Weights, version: Version
) -> FeatureRecipe:
    """The recipe under which the features of `version` are kept."""
    return recipe_of(
        spec, weights, settings.image, settings.runtime, settings.precision,
        **_how(settings, version),
    )  # fmt: skip


def missing_passes(
    settings: StudySettings, spec: BackboneSpec, weights: Weights | None, dataset: Dataset
) -> dict[Version, int]:
    """The backbone passes that each version still needs: all of them without `weights`."""
    images = training_images(settings, dataset)
    contents = dataset.digests.take(images)
    contents = contents.take(contents.distinct()[0])
    passes = {}
    for version in versions_needed(settings):
        passes[version] = len(contents)
        if weights is not None:
            with FeatureCache(version_recipe(settings, spec, weights, version)) as cache:
                passes[version] = cache.missing(contents)
    return passes


def version_bytes(settings: StudySettings, version: Version, features: int) -> int:
    """About the bytes of an image's features in `version`, of a backbone with so many features."""
    if not version.grid:
        return 4 * features
    cells = math.ceil(settings.image.size / _STRIDE) ** 2
    return (2 if settings.grid_storage == "f16" else 4) * cells * features


@dataclass(frozen=True)
class Versions:
    """The features of each version, as `extract` gives them, and what they cost."""

    features: Mapping[Version, Features]

    @property
    def cells(self) -> tuple[int, int] | None:
        """Rows and columns of the feature grids, if there are any."""
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
        """`folds` with the versions of their training samples, by their images in the data set."""
        return [
            replace(
                fold,
                cells=self.cells,
                sources={
                    version: Source(each.matrix, each.rows[images])
                    for version, each in self.features.items()
                },
            )
            for fold, images in zip(folds, trained, strict=True)
        ]


def extract_versions(
    settings: StudySettings,
    dataset: Dataset,
    spec: BackboneSpec,
    weights: Weights,
    *,
    progress: Callable[[int, int], None] | None = None,
    stop: threading.Event | None = None,
) -> Versions:
    """The features of all versions that the study needs, from the cache or computed now.

    `progress` counts the passes of all versions together. Raises `SettingError` for blocks that
    are larger than the feature grid, and what `extract` raises.
    """
    passes = missing_passes(settings, spec, weights, dataset)
    total, before = sum(passes.values()), 0
    found: dict[Version, Features] = {}
    for version, missing in passes.items():
        tell = None if progress is None else _after(before, total, progress)
        found[version] = extract(
            dataset, spec, weights, settings.image,
            runtime=settings.runtime, precision=settings.precision,
            only=training_images(settings, dataset), progress=tell, stop=stop,
            **_how(settings, version),
        )  # fmt: skip
        before += missing
    versions = Versions(found)
    _check_blocks(settings, versions.cells)
    return versions


def _how(settings: StudySettings, version: Version) -> dict:
    """What makes the features of `version` others than the plain ones."""
    alteration = None
    if version.view:
        assert settings.augmentation is not None
        alteration = View(
            number=version.view, augmentation=settings.augmentation, hide_pixels=version.hide_pixels
        )
    grid = {"pooling": "grid", "storage": settings.grid_storage} if version.grid else {}
    return {"alteration": alteration, **grid}


def _after(
    before: int, total: int, progress: Callable[[int, int], None]
) -> Callable[[int, int], None]:
    return lambda done, _: progress(before + done, total)


def _check_blocks(settings: StudySettings, cells: tuple[int, int] | None) -> None:
    largest = max(settings.grid.dropblock_size)
    if cells is not None and largest > min(cells):
        raise SettingError(
            f"a dropblock_size within the feature grid of {cells[0]}×{cells[1]} cells",
            f"{largest}", "list smaller ones, or larger images",
        )  # fmt: skip
