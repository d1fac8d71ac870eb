"""Which images of a class carry a mark, and which are kept clean of it: decided by content.

The law. Images of one class and one unit (a group, or else one content) share their fate. Units
come in the order of their places in `[0, 1)` (see `splits.py`), and each is taken if it fits into
what is still wanted. So where every image is a unit, the share is exact to rounding, and a larger
share keeps every image that a smaller one had; and names, the order of the files and the machine
have no part in it.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Sequence

import numpy as np

from manyheads.data.columns import Rows
from manyheads.data.dataset import Dataset
from manyheads.data.splits import place, unit_keys
from manyheads.errors import DataError


def planted(dataset: Dataset, pool: Rows, share: float) -> Rows:
    """The images among `pool`, ascending, that carry the mark: `share` of each class in it."""
    chosen = []
    for label in np.unique(dataset.labels[pool]):
        images = pool[dataset.labels[pool] == label]
        chosen.append(_taken(dataset, images, math.floor(share * len(images) + 0.5), "mark"))
    return np.sort(np.concatenate(chosen)) if chosen else pool[:0]


def held_out(dataset: Dataset, pool: Rows, count: int) -> Rows:
    """The images among `pool`, ascending, that are kept aside: `count` of each class in it.

    Raises `DataError` for a class that would have none left to train on, or whose units are too
    large to make up that number.
    """
    chosen = [pool[:0]]
    for label in np.unique(dataset.labels[pool]):
        images = pool[dataset.labels[pool] == label]
        taken = _taken(dataset, images, count, "clean")
        if len(images) <= count or len(taken) < count:
            raise DataError(
                f"more than {count} training images of every class in {dataset.name}, to keep so "
                "many clean", f"{len(images)} of {dataset.classes[label]!r}",
                "give a smaller `clean`, or add images",
            )  # fmt: skip
        chosen.append(taken)
    return np.sort(np.concatenate(chosen))


def _taken(dataset: Dataset, images: Rows, wanted: int, purpose: str) -> Rows:
    """At most `wanted` of `images`, unit by unit."""
    units: defaultdict[str, list[int]] = defaultdict(list)
    for image, key in zip(images.tolist(), _keys(dataset, images), strict=True):
        units[key].append(image)
    taken: list[int] = []
    for key in sorted(units, key=lambda key: place(0, f"{purpose}\0{key}")):
        if len(taken) + len(units[key]) <= wanted:
            taken += units[key]
    return np.array(taken, np.int64)


def _keys(dataset: Dataset, images: Rows) -> Sequence[str]:
    groups = None if dataset.groups is None else dataset.groups.take(images)
    return list(unit_keys(dataset.digests.take(images), groups))
