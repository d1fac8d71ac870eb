"""Do maps point at a logo that a head has learnt? Part of the benchmark `explain`."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from jaxtyping import Float32

from manyheads.backbones.registry import BackboneSpec
from manyheads.backbones.weights import Weights
from manyheads.data.columns import Rows
from manyheads.data.data_settings import ImageSettings
from manyheads.data.dataset import Dataset
from manyheads.data.marks import Mark
from manyheads.features.extraction import Features, extract
from manyheads.heads.bank import HeadEnd, HeadSettings
from manyheads.heads.fold import Fold
from manyheads.heads.fused.engine import FusedEngine
from manyheads.heads.head import Parameters
from manyheads.heads.hyperparameters import Hyperparameters
from manyheads.models.explain.maps import Map

SETTING = Hyperparameters(learning_rate=0.001, size_inner=100, droprate=0.5)


class Photographs(NamedTuple):
    """A data set, and what turns it into features."""

    dataset: Dataset
    spec: BackboneSpec
    weights: Weights
    image: ImageSettings

    def features(self, images: Rows, mark: Mark | None = None, *, grid: bool = False) -> Features:
        """The features of some images, with a mark or without."""
        return extract(
            self.dataset, self.spec, self.weights, self.image,
            only=images, alteration=mark, pooling="grid" if grid else "avg",
        )  # fmt: skip

    def grids(
        self, images: Rows, mark: Mark | None = None
    ) -> Float32[np.ndarray, "images rows columns features"]:
        """The feature maps of some images."""
        found = self.features(images, mark, grid=True)
        assert found.grid is not None
        grids = found.matrix[found.rows[images]]
        return grids.reshape(len(images), *found.grid, -1).astype(np.float32)


def trained(
    photographs: Photographs, mark: Mark | None, target: int, seeds: int, epochs: int
) -> list[Parameters]:
    """The lesson's head, once a seed; the `mark` lies on all training images of class `target`."""
    dataset = photographs.dataset
    train, validation = dataset.rows("train"), dataset.rows("validation")
    labels = dataset.labels
    plain = photographs.features(np.concatenate([train, validation]))
    matrix = np.array(plain.matrix[plain.rows[np.concatenate([train, validation])]])
    if mark is not None:
        marked = np.flatnonzero(labels[train] == target)
        found = photographs.features(train[marked], mark)
        matrix[marked] = found.matrix[found.rows[train[marked]]]
    rows = np.arange(len(matrix))
    fold = Fold(
        matrix, rows[: len(train)], labels[train], rows[len(train) :], labels[validation],
        len(dataset.classes),
    )  # fmt: skip
    heads = [
        HeadSettings(hyperparameters=SETTING, seed=seed, fold=0, epochs=epochs)
        for seed in range(seeds)
    ]
    ends = [end for end in FusedEngine().train(heads, [fold]) if isinstance(end, HeadEnd)]
    return [end.parameters for end in sorted(ends, key=lambda end: end.head) if end.parameters]


class Pointing(NamedTuple):
    """How often the greatest value of a map lies on the logo, and how often chance would have it.

    `on`: the middle of the cell lies in the logo's bounding box; `touching`: the cell overlaps it.
    """

    on: float
    touching: float

    @classmethod
    def of(cls, maps: list[Map], boxes: list[tuple[Map, Map]]) -> Pointing:
        """How often the maximum of each map is a hit."""
        places = [np.unravel_index(int(map_.argmax()), map_.shape) for map_ in maps]
        hits = [[cells[place] for cells in box] for place, box in zip(places, boxes, strict=True)]
        return cls(*np.mean(hits, axis=0))

    @classmethod
    def chance(cls, boxes: list[tuple[Map, Map]]) -> Pointing:
        """The share of cells that are hits: what a place drawn at random gives."""
        return cls(*np.mean([[cells.mean() for cells in box] for box in boxes], axis=0))


def logo_cells(mark: Mark, size: int, content: str, shape: tuple[int, int]) -> tuple[Map, Map]:
    """1 for each cell whose middle lies in the logo's bounding box, and that overlaps it, or 0."""
    covered = mark.covered(size, content)
    on, touching = [], []
    for axis, count in enumerate(shape):
        along = np.flatnonzero(covered.any(axis=1 - axis))
        low, high = along[0], along[-1] + 1
        edges = np.arange(count + 1) * size / count
        middles = (edges[:-1] + edges[1:]) / 2
        on.append((low <= middles) & (middles < high))
        touching.append((edges[1:] > low) & (edges[:-1] < high))
    return np.outer(*on).astype(np.float32), np.outer(*touching).astype(np.float32)
