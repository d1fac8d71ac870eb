"""Where a study's data and plain features come from: images through a backbone, or features."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from manyheads.backbones.weights import Weights
from manyheads.core.job import SILENT, Job
from manyheads.core.workers import Workers
from manyheads.data.columns import Rows
from manyheads.data.dataset import Dataset, open_dataset
from manyheads.data.feature_files import is_array, open_features, read_matrix
from manyheads.data.feature_packs import is_pack, read_pack
from manyheads.features.extraction import Features, extract, recipe_of
from manyheads.study.study_settings import StudySettings


def open_data(settings: StudySettings, job: Job = SILENT) -> Dataset:
    """The data set of a study; raises what `open_dataset` and `open_features` raise."""
    split, table = settings.split, settings.table
    if settings.features is None:
        return open_dataset(settings.data, split=split, table=table, job=job)
    return open_features(settings.data, settings.features, split=split, columns=table, job=job)


def plain_features(
    settings: StudySettings,
    dataset: Dataset,
    weights: Weights,
    *,
    only: Rows | None = None,
    workers: Workers | None = None,
    job: Job = SILENT,
) -> Features:
    """The plain features of the whole `dataset` as `open_data` opened it, or of the rows `only`.

    Raises what `extract` and `read_matrix` raise.
    """
    if settings.features is None:
        return extract(
            dataset, settings.spec, weights, settings.image,
            runtime=settings.runtime, device=settings.device, precision=settings.precision,
            only=only, workers=workers, job=job,
        )  # fmt: skip
    started = time.perf_counter()
    rows = np.full(len(dataset), -1)
    wanted = np.arange(len(dataset)) if only is None else only
    rows[wanted] = wanted
    return Features(
        matrix=read_matrix(dataset.file, settings.features),
        rows=rows,
        unreadable={},
        passes=0,
        seconds=time.perf_counter() - started,
        recipe=recipe_of(settings.spec, weights, settings.image),
    )


def features_words(settings: StudySettings, width: int = 0) -> str:
    """Whence the features of a study without images come, `width` of each row if that is known."""
    if is_pack(settings.data):
        return read_pack(Path(settings.data), verified=False).words
    each = f"{width:,} of each row, " if width else ""
    return f"{each}computed elsewhere: {' '.join(settings.features or ())}"


def packed_recipe(settings: StudySettings) -> dict[str, Any] | None:
    """The recipe of a pack's features; None of other studies."""
    if settings.features is None or not is_pack(settings.data):
        return None
    return read_pack(Path(settings.data), verified=False).recipe


def array_weights(features: Sequence[str], dataset: Dataset) -> Weights:
    """What stands in the place of a backbone's weights: the features' file and their digest.

    That of a pack is the digest of what its features are, whichever images they are of.
    """
    if is_pack(dataset.file):
        pack = read_pack(dataset.file, verified=False)
        return Weights(dataset.file, pack.identity(), pack.source)
    return Weights(
        path=Path(features[0]) if is_array(features) else dataset.file,
        digest=hashlib.sha256(dataset.digests.values.tobytes()).hexdigest(),
        source=f"none, features computed elsewhere: {' '.join(features)}",
    )
