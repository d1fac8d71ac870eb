"""Images → features: each content once, and never again."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from jaxtyping import Float, Int64

from manyheads.backbones.compiled import CompiledBackbone, compile_backbone
from manyheads.backbones.registry import BackboneSpec
from manyheads.backbones.weights import Weights
from manyheads.core.job import SILENT, Job
from manyheads.core.locks import alone
from manyheads.core.workers import Workers
from manyheads.data.alterations import Alteration, describe
from manyheads.data.columns import Digests, Rows
from manyheads.data.data_settings import ImageSettings
from manyheads.data.dataset import Dataset
from manyheads.data.paths import Paths
from manyheads.data.remarks import Remarks
from manyheads.features.cache import FeatureCache, FeatureRecipe, lacking
from manyheads.features.shard import fill
from manyheads.features.stage_times import StageTimes
from manyheads.features.worker_filling import MissingImages, fill_by_workers, require_processor
from manyheads.features.worker_shards import ShardContext

_SHARD = 65_536  # images
_TURN = 1024  # images; each turn ends as a shard does, with a processor that is idle for a moment


@dataclass(frozen=True)
class Features:
    """The features of a data set: sample i's are `matrix[rows[i]]`; -1 where it is unreadable.

    `unreadable` gives the reason for each such sample; `passes` and `seconds` are what this call
    cost, and `stages` the seconds of each stage of extraction. The matrix is mapped from the cache
    and may hold rows of other images. Feature maps are `[stored, cells, features]`, cells row by
    row, of the rows and columns that `grid` tells. Those of backbones side by side are in memory, a
    row for each content. Of samples that were not asked for, rows are -1 too. `remarks` are lines
    on the images that were read this time.
    """

    matrix: Float[np.ndarray, "stored *cells features"]
    rows: Int64[np.ndarray, "samples"]
    unreadable: dict[int, str]
    passes: int
    seconds: float
    recipe: FeatureRecipe
    grid: tuple[int, int] | None = None
    remarks: tuple[str, ...] = ()
    stages: dict[str, float] = field(default_factory=dict[str, float])


def extract(
    dataset: Dataset,
    spec: BackboneSpec,
    weights: Weights,
    image: ImageSettings,
    *,
    runtime: str = "openvino",
    device: str = "cpu",
    precision: str = "f32",
    pooling: str = "avg",
    storage: str = "f32",
    alteration: Alteration | None = None,
    only: Rows | None = None,
    in_turn: bool = False,
    workers: Workers | None = None,
    job: Job = SILENT,
) -> Features:
    """The features of every image of `dataset`, from the cache or computed now.

    With the `pooling` grid, those of every cell of the feature map, kept as `storage` says. The
    backbone sees each image after its `alteration`. `only` are the images that are wanted: an
    alteration that is meant for training is made of no other. Processes that extract `in_turn` fill
    the cache one at a time, a thousand images each, so that none computes what another one has
    begun; others may compute the same images at the same moment. Backbones side by side see the
    images one after the other, and an image that one of them lacks has no features. With `workers`,
    these compute, and the features are the same. Raises `BackboneError` for feature maps where
    there are none, `SettingError` for features that are too large for the storage f16 and for
    `workers` on another device than the processor, and `Interrupted` within about a second once
    `job` is stopped; what was finished is kept, and the same call goes on from there.
    """
    started = time.perf_counter()
    spec.check_size(image.size)
    recipe = recipe_of(
        spec, weights, image, runtime, precision, device,
        pooling=pooling, storage=storage, alteration=alteration,
    )  # fmt: skip
    digests = dataset.digests if only is None else dataset.digests.take(only)
    if spec.members:
        if pooling == "grid":
            spec.check_grid()
        left = [lacking(part, digests.take(digests.distinct()[0])).passes for part in recipe.parts]
        how: dict[str, Any] = {
            "runtime": runtime, "device": device, "precision": precision,
            "alteration": alteration, "only": only, "in_turn": in_turn, "workers": workers,
        }  # fmt: skip
        members = [
            extract(dataset, *each, image, job=job.counting_on(sum(left[:n]), sum(left)), **how)
            for n, each in enumerate(zip(spec.members, weights.members, strict=True))
        ]
        return _side_by_side(members, recipe)
    every = dataset.paths if only is None else dataset.paths.take(only)
    remarks, times = Remarks(), StageTimes()
    with FeatureCache(recipe) as cache:
        # Each content once, however many files hold it.
        first, place = digests.distinct()
        contents, paths = digests.take(first), every.take(first)

        def compute(missing: Rows) -> tuple[int, dict[str, str]]:
            wanted, files = contents.take(missing), paths.take(missing)
            if workers is not None:
                require_processor(device)
                context = ShardContext(
                    spec=spec, weights=weights, image=image, runtime=runtime, precision=precision,
                    pooling=pooling, alteration=alteration,
                )  # fmt: skip
                lacks = MissingImages(wanted, files)
                return fill_by_workers(workers, cache, lacks, context, remarks, times, job)
            with compile_backbone(
                spec, weights, image.size,
                runtime=runtime, device=device, precision=precision, pooling=pooling,
                images=len(missing), job=job,
            ) as backbone:  # fmt: skip
                return _fill(
                    cache, wanted, files, backbone, image, alteration, job, remarks, times,
                    in_turn=in_turn,
                )  # fmt: skip

        def stored() -> tuple[Int64[np.ndarray, "contents"], dict[str, str]]:
            found = cache.rows(contents)
            return found, _reasons(cache, contents, found) | unread

        # Work begins with what is absent. Rows are read afterwards, because that takes minutes of
        # ten million; those that are damaged are computed again then.
        absent = cache.absent(contents)
        passes, unread = compute(absent) if len(absent) else (0, {})
        rows, reasons = stored()
        lost = np.flatnonzero(rows < 0)
        damaged = lost[[content not in reasons for content in contents.take(lost)]]
        if len(damaged):
            again, failed = compute(damaged)
            passes, unread = passes + again, unread | failed
            rows, reasons = stored()
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
            stages=times.seconds,
        )


def _side_by_side(members: Sequence[Features], recipe: FeatureRecipe) -> Features:
    """The features of the same images by several backbones, one behind the other."""
    unreadable = {}
    for each in members:
        unreadable = each.unreadable | unreadable
    rows = np.stack([each.rows for each in members])
    samples = np.flatnonzero((rows >= 0).all(axis=0))
    # Samples of one content have one row.
    _, first, place = np.unique(rows[0, samples], return_index=True, return_inverse=True)
    stored = rows[:, samples[first]]
    ends = np.cumsum([each.matrix.shape[1] for each in members])
    matrix = np.empty((len(first), ends[-1]), np.float32)
    for each, kept, end in zip(members, stored, ends.tolist(), strict=True):
        width = each.matrix.shape[1]
        for start in range(0, len(kept), _SHARD):
            part = slice(start, start + _SHARD)
            matrix[part, end - width : end] = each.matrix[kept[part]]
    joined = np.full(rows.shape[1], -1)
    joined[samples] = place
    return Features(
        matrix=matrix,
        rows=joined,
        unreadable=unreadable,
        passes=sum(each.passes for each in members),
        seconds=sum(each.seconds for each in members),
        recipe=recipe,
        remarks=tuple(dict.fromkeys(line for each in members for line in each.remarks)),
        stages=dict(sum((Counter(each.stages) for each in members), Counter())),
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
    times: StageTimes,
    *,
    in_turn: bool,
) -> tuple[int, dict[str, str]]:
    """`fill` shard by shard, so that what is in memory at once does not grow with the data set."""
    passes, unread = 0, {}
    size = _TURN if in_turn else _SHARD
    for start in range(0, len(contents), size):
        part = slice(start, start + size)
        images = dict(zip(contents[part], paths[part], strict=True))
        rest = job.counting_on(start, len(contents))
        with ExitStack() as turn:
            if in_turn:
                turn.enter_context(alone(cache.folder / "turn.lock", "extracting", rest))
            done, failed = fill(cache, images, backbone, image, alteration, rest, remarks, times)
        passes += done
        unread |= failed
    return passes, unread


def recipe_of(
    spec: BackboneSpec,
    weights: Weights,
    image: ImageSettings,
    runtime: str = "openvino",
    precision: str = "f32",
    device: str = "cpu",
    *,
    pooling: str = "avg",
    storage: str = "f32",
    alteration: Alteration | None = None,
) -> FeatureRecipe:
    """The recipe under which `extract` keeps its features."""
    members = tuple(
        recipe_of(
            member, known, image, runtime, precision, device,
            pooling=pooling, storage=storage, alteration=alteration,
        )
        for member, known in zip(spec.members, weights.members, strict=True)
    )  # fmt: skip
    return FeatureRecipe(
        backbone=spec.name,
        weights=weights.digest,
        image=image,
        preprocessing=spec.preprocessing,
        runtime=runtime,
        device=device,
        precision=precision,
        pooling=spec.tokens if spec.tokens and pooling == "avg" else pooling,
        storage=storage,
        alteration=None if alteration is None else describe(alteration),
        members=members,
    )
