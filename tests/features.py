"""Data sets without files: generated features, and whose they are."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from manyheads.data.columns import Categorical, Digests
from manyheads.data.data_settings import ImageSettings
from manyheads.data.dataset import Dataset
from manyheads.data.paths import Paths
from manyheads.features.cache import FeatureRecipe
from manyheads.features.extraction import Features

RECIPE = FeatureRecipe(backbone="none", weights="", image=ImageSettings(), preprocessing="none")


def dataset_of(
    labels: Sequence[int] | np.ndarray,
    splits: Sequence[str] | None = None,
    *,
    names: Sequence[str] | None = None,
    contents: Sequence[object] | None = None,
    groups: Sequence[str] | None = None,
) -> Dataset:
    """Images in `/data`: by default `0.jpg`, `1.jpg`, …, all of training and all different."""
    count = len(labels)
    names = names or [f"{number}.jpg" for number in range(count)]
    contents = contents or names
    digests = [hashlib.sha256(str(content).encode()).hexdigest() for content in contents]
    return Dataset(
        name="data",
        root=Path("/data"),
        layout="class folders",
        paths=Paths.of(f"/data/{name}" for name in names),
        labels=np.asarray(labels, np.int64),
        classes=tuple(f"class {label}" for label in range(int(np.max(labels)) + 1)),
        splits=Categorical.of(splits or ["train"] * count),
        digests=Digests.of(digests),
        groups=None if groups is None else Categorical.of(groups),
    )


def features_of(matrix: np.ndarray, unreadable: Sequence[int] = ()) -> Features:
    """Row i is image i's, but for those that are unreadable."""
    rows = np.arange(len(matrix))
    rows[list(unreadable)] = -1
    reasons = dict.fromkeys(unreadable, "broken")
    return Features(matrix.astype(np.float32), rows, reasons, 0, 0.0, RECIPE)
