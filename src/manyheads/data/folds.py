"""Folds: every image trains in all of them but one, which it validates.

The law. Images of one unit (a group, or else one content) share a fold. Units are dealt the
largest first, then in the order of their places in `[0, 1)` (see `splits.py`), each to the fold
that has the fewest images of its class, then the fewest images. So where no unit holds
two images, the folds' shares of a class differ by at most one image; and names, the order of the
files and the machine have no part in it. Each repeat deals anew.
"""

from __future__ import annotations

from collections import defaultdict

import numpy as np
from jaxtyping import Int64

from manyheads.data.columns import Rows
from manyheads.data.dataset import Dataset
from manyheads.data.splits import place, unit_keys
from manyheads.errors import DataError


def pool_of(dataset: Dataset) -> Rows:
    """The images that folds are made of: those for training and for validation, ascending."""
    return np.sort(np.concatenate([dataset.rows("train"), dataset.rows("validation")]))


def divide(
    dataset: Dataset, pool: Rows, folds: int, repeats: int, seed: int
) -> Int64[np.ndarray, "repeats pool"]:
    """The fold, from 0, of each image in `pool`, for each repeat.

    Raises `DataError` unless every fold validates, and leaves to train on, images of every class.
    """
    require_divisible(dataset, folds)
    units = _units(dataset, pool)
    keys = list(unit_keys(dataset.digests, dataset.groups))
    dealt = np.empty((repeats, len(pool)), np.int64)
    where = {int(image): position for position, image in enumerate(pool)}
    for repeat in range(repeats):
        counts = np.zeros((folds, len(dataset.classes)), np.int64)
        ordered = sorted(
            units,
            key=lambda unit: (-len(unit), place(seed, f"repeat {repeat}\0{keys[unit[0]]}")),
        )
        for unit in ordered:
            labels = np.bincount(dataset.labels[unit], minlength=counts.shape[1])
            own = counts[:, labels.argmax()]
            fold = min(range(folds), key=lambda f: (own[f], counts[f].sum(), f))
            counts[fold] += labels
            dealt[repeat, [where[image] for image in unit]] = fold
        _require_all(dataset, counts)
    return dealt


def require_divisible(dataset: Dataset, folds: int) -> None:
    """Raise `DataError` unless every class has as many units of images as there are folds."""
    pool = pool_of(dataset)
    pairs = np.unique(np.stack([dataset.labels[pool], dataset.units[pool]]), axis=1)
    found = np.bincount(pairs[0], minlength=len(dataset.classes))
    least = int(found.argmin())
    if found[least] < folds:
        kind = "different images" if dataset.groups is None else "groups of images"
        raise DataError(
            f"at least {folds} {kind} of every class, for {folds} folds, among those for training "
            f"and validation in {dataset.name}",
            f"{found[least]} of {dataset.classes[least]!r}",
            "divide into fewer folds, add images to this class, or take it out",
        )


def _units(dataset: Dataset, pool: Rows) -> list[list[int]]:
    members: defaultdict[int, list[int]] = defaultdict(list)
    for image, unit in zip(pool.tolist(), dataset.units[pool].tolist(), strict=True):
        members[unit].append(image)
    return list(members.values())


def _require_all(dataset: Dataset, counts: Int64[np.ndarray, "folds classes"]) -> None:
    lacking = np.flatnonzero((counts == 0).any(axis=0))
    if len(lacking):
        raise DataError(
            f"images of every class in every one of {len(counts)} folds of {dataset.name}",
            f"a fold without {dataset.classes[lacking[0]]!r}, whose images come in few groups",
            "divide into fewer folds, or group the images less coarsely",
        )
