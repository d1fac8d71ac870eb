"""Images → features: each content once, and never again."""

from __future__ import annotations

import time
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int64

from manyheads.backbones.compiled import CompiledBackbone, compile_backbone
from manyheads.backbones.registry import BackboneSpec
from manyheads.backbones.weights import Weights
from manyheads.core.job import SILENT, Job
from manyheads.data.alterations import Alteration, describe
from manyheads.data.columns import Digests, Rows
from manyheads.data.data_settings import ImageSettings
from manyheads.data.dataset import Dataset
from manyheads.data.paths import Paths
from manyheads.data.remarks import Remarks
from manyheads.features.cache import FeatureCache, FeatureRecipe
from manyheads.features.shard import fill

_SHARD = 65_536  # images


@dataclass(frozen=True)
class Features:
    """The features of a data set: sample i's are `matrix[rows[i]]`; -1 where it is unreadable.

    `unreadable` gives the reason for each such sample; `passes` and `seconds` are what this call
    cost. The matrix is mapped from the cache and may hold rows of other images. Feature maps are
    `[stored, cells, features]`, cells row by row, of the rows and columns that `grid` tells. Of
    samples that were not asked for, rows are -1 too. `remarks` are lines on the images that were
    read this time.
    """

    matrix: Float[np.ndarray, "stored *cells features"]
    rows: Int64[np.ndarray, "samples"]
    unreadable: dict[int, str]
    passes: int
    seconds: float
    recipe: FeatureRecipe
    grid: tuple[int, int] | None = None
    remarks: tuple[str, ...] = ()


def extract(
    dataset: Dataset,
    spec: BackboneSpec,
    weights: Weights,
    image: ImageSettings,
    *,
    runtime: str = "openvino",
    precision: str = "f32",
    pooling: str = "avg",
    storage: str = "f32",
    alteration: Alteration | None = None,
    only: Rows | None = None,
    job: Job = SILENT,
) -> Features:
    """The features of every image of `dataset`, from the cache or computed now.

    With the `pooling` grid, those of every cell of the feature map, kept as `storage` says. The
    backbone sees each image after its `alteration`. `only` are the images that are wanted: an
    alteration that is meant for training is made of no other. Raises `SettingError` for features
    that are too large for the storage f16, and `Interrupted` within about a second once `job` is
    stopped; what was finished is kept, and the same call goes on from there.
    """
    started = time.perf_counter()
    spec.check_size(image.size)
    recipe = recipe_of(
        spec, weights, image, runtime, precision,
        pooling=pooling, storage=storage, alteration=alteration,
    )  # fmt: skip
    digests = dataset.digests if only is None else dataset.digests.take(only)
    every = dataset.paths if only is None else dataset.paths.take(only)
    remarks = Remarks()
    with FeatureCache(recipe) as cache:
        # Each content once, however many files hold it.
        first, place = digests.distinct()
        contents, paths = digests.take(first), every.take(first)
        rows = cache.rows(contents)
        reasons = _reasons(cache, contents, rows)
        absent = np.flatnonzero(rows < 0)
        missing = absent[[content not in reasons for content in contents.take(absent)]]
        passes = 0
        if len(missing):
            wanted = contents.take(missing)
            with compile_backbone(
                spec, weights, image.size,
                runtime=runtime, precision=precision, pooling=pooling, images=len(missing),
                job=job,
            ) as backbone:  # fmt: skip
                passes, unread = _fill(
                    cache, wanted, paths.take(missing), backbone, image, alteration, job, remarks,
                )  # fmt: skip
            rows[missing] = cache.rows(wanted)
            reasons = _reasons(cache, contents, rows) | unread
        samples = np.arange(len(dataset)) if only is None else only
        of_samples = np.full(len(dataset), -1)
        of_samples[samples] = rows[place]
        return Features(
            matrix=cache.matrix(),
            rows=of_samples,
            unreadable={
                sample: reasons.get(
                    dataset.digests[sample], "its features did not stay as they were written"
                )
                for sample in samples[of_samples[samples] < 0].tolist()
            },
            passes=passes,
            seconds=time.perf_counter() - started,
            recipe=recipe,
            grid=cache.grid,
            remarks=remarks.lines(image),
        )


def _reasons(
    cache: FeatureCache, contents: Digests, rows: Int64[np.ndarray, "contents"]
) -> dict[str, str]:
    return cache.failures(contents.take(np.flatnonzero(rows < 0)))


def _fill(
    cache: FeatureCache,
    contents: Digests,
    paths: Paths,
    backbone: CompiledBackbone,
    image: ImageSettings,
    alteration: Alteration | None,
    job: Job,
    remarks: Remarks,
) -> tuple[int, dict[str, str]]:
    """`fill` shard by shard, so that what is in memory at once does not grow with the data set."""
    passes, unread = 0, {}
    for start in range(0, len(contents), _SHARD):
        part = slice(start, start + _SHARD)
        images = dict(zip(contents[part], paths[part], strict=True))
        rest = job.counting_on(start, len(contents))
        done, failed = fill(cache, images, backbone, image, alteration, rest, remarks)
        passes += done
        unread |= failed
    return passes, unread


def recipe_of(
    spec: BackboneSpec,
    weights: Weights,
    image: ImageSettings,
    runtime: str = "openvino",
    precision: str = "f32",
    *,
    pooling: str = "avg",
    storage: str = "f32",
    alteration: Alteration | None = None,
) -> FeatureRecipe:
    """The recipe under which `extract` keeps its features."""
    return FeatureRecipe(
        backbone=spec.name,
        weights=weights.digest,
        image=image,
        preprocessing=spec.preprocessing,
        runtime=runtime,
        precision=precision,
        pooling=pooling,
        storage=storage,
        alteration=None if alteration is None else describe(alteration),
    )
