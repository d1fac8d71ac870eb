"""Images → features: each content once, and never again."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float32, Int64

from manyheads.backbones.compiled import compile_backbone
from manyheads.backbones.registry import BackboneSpec
from manyheads.backbones.weights import Weights
from manyheads.data.dataset import Dataset
from manyheads.features.cache import FeatureCache, FeatureRecipe
from manyheads.features.shard import Progress, fill
from manyheads.settings import ImageSettings


@dataclass(frozen=True)
class Features:
    """The features of a data set: sample i's are `matrix[rows[i]]`; -1 where it is unreadable.

    `unreadable` gives the reason for each such sample; `passes` and `seconds` are what this call
    cost. The matrix is mapped from the cache and may hold rows of other images.
    """

    matrix: Float32[np.ndarray, "stored features"]
    rows: Int64[np.ndarray, "samples"]
    unreadable: dict[int, str]
    passes: int
    seconds: float
    recipe: FeatureRecipe


def extract(
    dataset: Dataset,
    spec: BackboneSpec,
    weights: Weights,
    image: ImageSettings,
    *,
    runtime: str = "openvino",
    progress: Progress | None = None,
    stop: threading.Event | None = None,
) -> Features:
    """The features of every image of `dataset`, from the cache or computed now.

    `progress` counts the images that were missing. Raises `Interrupted` within about a second
    once `stop` is set; what was finished is kept, and the same call goes on from there.
    """
    started = time.perf_counter()
    spec.check_size(image.size)
    recipe = recipe_of(spec, weights, image, runtime)
    with FeatureCache(recipe) as cache:
        contents = list(dict.fromkeys(dataset.digests))
        rows = cache.lookup(contents)
        settled = rows.keys() | cache.failures(contents).keys()
        paths = zip(dataset.digests, dataset.paths, strict=True)
        missing = {content: path for content, path in paths if content not in settled}
        passes, unread = 0, {}
        if missing:
            with compile_backbone(
                spec, weights, image.size, runtime=runtime, stop=stop
            ) as backbone:
                passes, unread = fill(cache, missing, backbone, image, progress, stop)
            rows |= cache.lookup(list(missing))
        reasons = cache.failures(contents) | unread
        return Features(
            matrix=cache.matrix(),
            rows=np.array([rows.get(content, -1) for content in dataset.digests], np.int64),
            unreadable={
                sample: reasons.get(content, "its features did not stay as they were written")
                for sample, content in enumerate(dataset.digests)
                if content not in rows
            },
            passes=passes,
            seconds=time.perf_counter() - started,
            recipe=recipe,
        )


def recipe_of(
    spec: BackboneSpec, weights: Weights, image: ImageSettings, runtime: str = "openvino"
) -> FeatureRecipe:
    """The recipe under which `extract` keeps its features."""
    return FeatureRecipe(
        backbone=spec.name,
        weights=weights.digest,
        image=image,
        preprocessing=spec.preprocessing,
        runtime=runtime,
    )
