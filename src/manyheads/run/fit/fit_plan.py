"""What a fit will take, and what there is time for; measures how fast the backbone runs."""

from __future__ import annotations

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np

from manyheads.backbones import exported, registry
from manyheads.backbones.compiled import Batch, compile_backbone
from manyheads.backbones.registry import BackboneSpec
from manyheads.backbones.weights import Weights, resolve
from manyheads.core.job import SILENT, Job
from manyheads.core.machine import cores
from manyheads.data.columns import Rows
from manyheads.data.data_settings import ImageSettings
from manyheads.data.dataset import Dataset, open_dataset
from manyheads.data.folds import most_folds, pool_of, require_divisible
from manyheads.data.images import load_pixels, read_image_file
from manyheads.errors import ImageError
from manyheads.features.cache import FeatureCache
from manyheads.features.extraction import extract, recipe_of
from manyheads.run.estimate import estimate_extraction, estimate_training
from manyheads.run.fit.fit_settings import FitSettings
from manyheads.run.fit.image_options import ImageOption, affordable, candidate_images, study_of
from manyheads.study.division import validation_counts
from manyheads.study.feature_variants import missing_passes
from manyheads.study.study_settings import StudySettings
from manyheads.study.work import Work

_BUILDING = 20.0  # seconds that Keras takes to write a backbone's program, once for a size
_WARMING, _PROBED = 32, 64  # images
_FEW = 500  # passes that are made sooner than measured
_MOST = 0.1  # of the budget for an image option's heads; what takes longer is pruned


@dataclass(frozen=True, kw_only=True)
class FitPlan:
    """What a fit will do: its `image_options` in this order, of those in `considered`.

    `folds` may be fewer than were asked for, where there are fewer images than that. `probed` are
    the passes made to measure the rate, `deadline` is the end of the budget by `time.monotonic`.
    """

    settings: FitSettings
    dataset: Dataset
    weights: Weights
    folds: int
    image_options: tuple[ImageOption, ...]
    considered: tuple[ImageOption, ...]
    probed: int
    deadline: float


def plan_fit(settings: FitSettings, job: Job = SILENT) -> FitPlan:
    """Fetch the weights if need be, measure the backbone's rate, and choose the image options.

    Raises `DataError` for images that cannot be divided into folds, `SettingError` for a budget
    that is too small for any image option.
    """
    began = time.monotonic()
    spec = registry.get(settings.backbone, settings.preprocessing)
    dataset = open_dataset(settings.data, split=settings.split, table=settings.table, job=job)
    folds = _folds(dataset, settings.folds)
    weights = resolve(spec, settings.weights, job)
    pairs = candidate_images(settings.size, spec)
    rate = _Rate(dataset, spec, weights, pairs[0][0], job)
    considered = tuple(
        _option(settings, dataset, spec, weights, folds, pair, rate) for pair in pairs
    )
    return FitPlan(
        settings=settings,
        dataset=dataset,
        weights=weights,
        folds=folds,
        image_options=tuple(affordable(considered, settings.budget - (time.monotonic() - began))),
        considered=considered,
        probed=rate.passes,
        deadline=began + settings.budget,
    )


def _folds(dataset: Dataset, wanted: int) -> int:
    """As many folds as are wanted, or as there are units to validate them, if there are two."""
    folds = max(2, min(wanted, most_folds(dataset)))
    require_divisible(dataset, folds)
    return folds


class _Rate:
    """Seconds for passes at a size: measured before, or measured now at one size for all others.

    It is measured on images that the cache lacks, whose features are then kept; where too few are
    left of them, as in a fit that is begun again, on others, without the cache. `passes` counts.
    """

    def __init__(
        self,
        dataset: Dataset,
        spec: BackboneSpec,
        weights: Weights,
        size: int,
        job: Job,
    ) -> None:
        self._dataset, self._spec, self._weights = dataset, spec, weights
        self._size, self._job = size, job
        self._probed: float | None = None
        self.passes = 0

    def seconds(self, study: StudySettings, passes: int) -> float:
        """How long so many passes will take in `study`."""
        if not passes:
            return 0.0
        size = study.image.size
        program = exported.existing(self._spec, self._weights.digest, size)
        building = 0.0 if program is not None else _BUILDING
        known, measured = estimate_extraction(study, passes)
        if measured or passes < _FEW:
            return known + building
        if self._probed is None:
            self._probed = self._measured(replace(study.image, size=self._size))
        return passes / (self._probed * (self._size / size) ** 2) + building

    def _measured(self, image: ImageSettings) -> float:
        pool = pool_of(self._dataset)
        self._job.note(f"Measuring the backbone at {self._size}×{self._size} on {_PROBED} images …")
        fresh = self._lacking(pool, image)
        if len(fresh) < _WARMING + _PROBED:
            return self._without_cache(pool, image)
        passes, seconds = 0, 0.0
        for part in (fresh[:_WARMING], fresh[_WARMING:]):
            found = extract(
                self._dataset, self._spec, self._weights, image, only=part, job=self._job
            )
            passes, seconds = found.passes, found.seconds
            self.passes += passes
        return max(passes, 1) / seconds

    def _lacking(self, pool: Rows, image: ImageSettings) -> Rows:
        """The first images, each of another content, that the cache lacks."""
        digests = self._dataset.digests.take(pool)
        found: list[int] = []
        with FeatureCache(recipe_of(self._spec, self._weights, image)) as cache:
            for row in digests.distinct()[0].tolist():
                if not cache.known([digests[row]]):
                    found.append(row)
                if len(found) == _WARMING + _PROBED:
                    break
        return pool[found]

    def _without_cache(self, pool: Rows, image: ImageSettings) -> float:
        with compile_backbone(self._spec, self._weights, image.size, job=self._job) as backbone:
            done, seconds = 0, 0.0
            for part in (pool[:_WARMING], pool[:_PROBED]):
                started = time.perf_counter()
                batches = self._pixels(part, image, backbone.batch)
                done = sum(len(rows) for _, rows in backbone.run(batches, job=self._job))
                seconds = time.perf_counter() - started
                self._job.check("measuring the backbone")
                self.passes += done
        return max(done, 1) / seconds

    def _pixels(self, part: Rows, image: ImageSettings, batch: int) -> Iterator[tuple[int, Batch]]:
        paths = self._dataset.paths.take(part)
        with ThreadPoolExecutor(cores(), "decode") as pool:
            decoded = list(pool.map(partial(_decoded, image=image), paths))
        found = [pixels for pixels in decoded if pixels is not None]
        for start in range(0, len(found), batch):
            yield start, np.stack(found[start : start + batch])


def _decoded(path: Path, image: ImageSettings) -> np.ndarray | None:
    try:
        return load_pixels(read_image_file(path), image, str(path))
    except ImageError:
        return None


def _option(
    settings: FitSettings,
    dataset: Dataset,
    spec: BackboneSpec,
    weights: Weights,
    folds: int,
    pair: tuple[int, int],
    rate: _Rate,
) -> ImageOption:
    study = study_of(settings, folds, pair, prune=False)
    recipe = recipe_of(spec, weights, study.image, study.runtime, study.precision)
    with FeatureCache(recipe) as cache:
        plain = cache.missing(dataset.contents)
    passes = plain + sum(missing_passes(study, weights, dataset).values())
    training, pruned = _training(study, dataset), False
    if training > _MOST * settings.budget:
        study = study_of(settings, folds, pair, prune=True)
        training, pruned = _training(study, dataset), True
    size, copies = pair
    return ImageOption(
        size=size,
        copies=copies,
        passes=passes,
        extraction=rate.seconds(study, passes),
        training=training,
        pruned=pruned,
    )


def _training(study: StudySettings, dataset: Dataset) -> float:
    products = validation_counts(study.folds, dataset)[0] * Work(study).left.units
    return estimate_training(study, products)[0]
