"""Images → features: each content once, and never again."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float32, Int64

from manyheads.backbones.compiled import CompiledBackbone, compile_backbone
from manyheads.backbones.registry import BackboneSpec
from manyheads.backbones.weights import Weights
from manyheads.data.columns import Digests
from manyheads.data.dataset import Dataset
from manyheads.data.paths import Paths
from manyheads.features.cache import FeatureCache, FeatureRecipe
from manyheads.features.shard import Progress, fill
from manyheads.settings import ImageSettings

_SHARD = 65_536  # images


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
    precision: str = "f32",
    progress: Progress | None = None,
    stop: threading.Event | None = None,
) -> Features:
    """The features of every image of `dataset`, from the cache or computed now.

    `progress` counts the images that were missing. Raises `Interrupted` within about a second
    once `stop` is set; what was finished is kept, and the same call goes on from there.
    """
    started = time.perf_counter()
    spec.check_size(image.size)
    recipe = recipe_of(spec, weights, image, runtime, precision)
    with FeatureCache(recipe) as cache:
        # Each content once, however many files hold it.
        first, place = dataset.digests.distinct()
        contents, paths = dataset.digests.take(first), dataset.paths.take(first)
        rows = cache.rows(contents)
        reasons = _reasons(cache, contents, rows)
        absent = np.flatnonzero(rows < 0)
        missing = absent[[content not in reasons for content in contents.take(absent)]]
        passes = 0
        if len(missing):
            wanted = contents.take(missing)
            with compile_backbone(
                spec, weights, image.size,
                runtime=runtime, precision=precision, images=len(missing), stop=stop,
            ) as backbone:  # fmt: skip
                passes, unread = _fill(
                    cache, wanted, paths.take(missing), backbone, image, progress, stop
                )
            rows[missing] = cache.rows(wanted)
            reasons = _reasons(cache, contents, rows) | unread
        of_samples = rows[place]
        return Features(
            matrix=cache.matrix(),
            rows=of_samples,
            unreadable={
                sample: reasons.get(
                    dataset.digests[sample], "its features did not stay as they were written"
                )
                for sample in np.flatnonzero(of_samples < 0).tolist()
            },
            passes=passes,
            seconds=time.perf_counter() - started,
            recipe=recipe,
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
    progress: Progress | None,
    stop: threading.Event | None,
) -> tuple[int, dict[str, str]]:
    """`fill` shard by shard, so that what is in memory at once does not grow with the data set."""
    passes, unread = 0, {}
    for start in range(0, len(contents), _SHARD):
        part = slice(start, start + _SHARD)
        images = dict(zip(contents[part], paths[part], strict=True))
        tell = None if progress is None else _continued(progress, start, len(contents))
        done, failed = fill(cache, images, backbone, image, tell, stop)
        passes += done
        unread |= failed
    return passes, unread


def _continued(progress: Progress, before: int, total: int) -> Progress:
    return lambda done, _: progress(before + done, total)


def recipe_of(
    spec: BackboneSpec,
    weights: Weights,
    image: ImageSettings,
    runtime: str = "openvino",
    precision: str = "f32",
) -> FeatureRecipe:
    """The recipe under which `extract` keeps its features."""
    return FeatureRecipe(
        backbone=spec.name,
        weights=weights.digest,
        image=image,
        preprocessing=spec.preprocessing,
        runtime=runtime,
        precision=precision,
    )
