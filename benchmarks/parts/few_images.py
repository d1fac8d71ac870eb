"""Random subsets of features: images to train on, some to choose an epoch by, the rest to score.

The folders that images come from do not matter here: what is called held out is held out of a
draw. Nothing is ever drawn from a folder of test images.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Hashable, Iterator
from dataclasses import dataclass, field
from typing import Any, NamedTuple, TypeVar

import numpy as np
from jaxtyping import Float32, Int64
from sklearn.model_selection import train_test_split

from manyheads.heads.fold import Fold

Made = TypeVar("Made")
Rows = Int64[np.ndarray, "images"]


class Features(NamedTuple):
    """The features of all images of a data set, and their classes, numbered from 0."""

    name: str
    matrix: Float32[np.ndarray, "images features"]
    labels: Int64[np.ndarray, "images"]

    @property
    def classes(self) -> int:
        """How many classes there are."""
        return int(self.labels.max()) + 1


class Timed(NamedTuple):
    """What was made, and the seconds of processor time that it took."""

    made: Any
    seconds: float


@dataclass(frozen=True)
class Draw:
    """One division of a data set's images; `number` also seeds the heads that are trained on it.

    `train` are the images that every contender learns from; `choosing`, a quarter as many, are
    seen only by those that choose an epoch, a setting or a temperature; all others are `scored`.
    """

    features: Features
    train: Rows
    choosing: Rows
    scored: Rows
    number: int
    _made: dict[Hashable, Timed] = field(default_factory=dict[Hashable, Timed])

    @property
    def labelled(self) -> Rows:
        """The training and the choosing images together."""
        return np.concatenate([self.train, self.choosing])

    def fold(self, train: Rows) -> Fold:
        """Some images to train a head on, and the choosing images to validate it by."""
        _, matrix, labels = self.features
        return Fold(
            matrix, train, labels[train], self.choosing, labels[self.choosing],
            self.features.classes,
        )  # fmt: skip

    def of(self, rows: Rows) -> tuple[Float32[np.ndarray, "rows features"], Rows]:
        """The features and the labels of some images."""
        return self.features.matrix[rows], self.features.labels[rows]

    def once(self, key: Hashable, make: Callable[[], Made]) -> tuple[Made, float]:
        """What `make` makes, and its seconds; made once, however many contenders share it."""
        if key not in self._made:
            started = time.process_time()
            made = make()
            self._made[key] = Timed(made, time.process_time() - started)
        return self._made[key]


def draws(features: Features, size: int, count: int) -> Iterator[Draw]:
    """`count` random draws of `size` training images, each class in its share of all images.

    A quarter as many further images choose; near the end of a data set, half of what is left.
    """
    every = np.arange(len(features.labels))
    for number in range(count):
        train, rest = _divided(features, every, size, number)
        choosing, scored = _divided(features, rest, min(size // 4, len(rest) // 2), number)
        yield Draw(features, train, choosing, scored, number)


def _divided(features: Features, rows: Rows, size: int, seed: int) -> tuple[Rows, Rows]:
    labels = features.labels[rows]
    parts = train_test_split(rows, train_size=size, stratify=labels, random_state=seed)
    first, second = map(np.asarray, parts)
    return first, second
