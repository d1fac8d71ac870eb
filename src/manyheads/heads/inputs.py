"""What a head is shown in an epoch: augmented copies, hidden cells, mixed pairs, hidden features.

All engines train on what is made here, in this order: of each image it or a copy of it is drawn;
cells of its feature map are hidden, and the others averaged; pairs are mixed; features are hidden.
A head that asks for none of it is shown the rows of its matrix as they are.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property, lru_cache

import numpy as np
from jaxtyping import Bool, Float32, Int64

from manyheads.heads.balanced_samples import balanced_order, class_weights
from manyheads.heads.cells import mean_cells, mean_half_cells
from manyheads.heads.fold import PLAIN, Fold, Source, variants_of
from manyheads.heads.hyperparameters import Hyperparameters
from manyheads.heads.random import Purpose, Streams

Vectors = Float32[np.ndarray, "samples features"]


@dataclass(frozen=True)
class Shown:
    """Samples in the order of training: sample i is `vectors[rows[i]]`.

    Its label is `labels[i]` to the share `shares[i]`, at least a half, and `partners[i]` to the
    rest. Its loss counts `weights[i]` times.
    """

    vectors: Vectors
    rows: Int64[np.ndarray, "samples"]
    labels: Int64[np.ndarray, "samples"]
    partners: Int64[np.ndarray, "samples"]
    shares: Float32[np.ndarray, "samples"]
    weights: Float32[np.ndarray, "samples"]


class TrainingInputs:
    """What the head of a setting is shown, epoch by epoch."""

    def __init__(self, setting: Hyperparameters, fold: Fold, streams: Streams) -> None:
        self.setting, self.fold, self.streams = setting, fold, streams
        self.sources = [fold.source(variant) for variant in variants_of(setting)]
        self.plain = (
            variants_of(setting) == (PLAIN,) and not setting.input_droprate and not setting.mixup
        )
        self.weights = _weights(setting, fold)

    def epoch(self, number: int) -> EpochInputs:
        """What is shown in an epoch, counted from 1."""
        return EpochInputs(self, number)


def _weights(setting: Hyperparameters, fold: Fold) -> Float32[np.ndarray, "train"] | None:
    """What multiplies each training sample's loss: its own weight times that of its class."""
    of_class = class_weights(
        setting.class_weight, fold.train_labels, fold.classes, fold.class_names
    )
    if of_class is None:
        return fold.weights
    weights = of_class[fold.train_labels]
    return weights if fold.weights is None else weights * fold.weights


class EpochInputs:
    """What is shown in one epoch; parts are asked for in their order, each a run of batches."""

    def __init__(self, inputs: TrainingInputs, number: int) -> None:
        setting, fold, streams = inputs.setting, inputs.fold, inputs.streams
        self._inputs, self._setting, self._fold = inputs, setting, fold
        self.order = streams.order(number, len(fold.train))
        if setting.balanced_batches == "yes":
            draws = streams.draws(Purpose.BALANCING, number)
            self.order = balanced_order(fold.train_labels, self.order, draws)
        self.labels = fold.train_labels[self.order]
        self.weights = np.ones(len(self.order), np.float32)
        if inputs.weights is not None:
            self.weights = inputs.weights[self.order]
        self._cells = streams.draws(Purpose.CELLS, number)
        self._features = streams.draws(Purpose.FEATURES, number)
        self._copies = streams.draws(Purpose.VIEWS, number)
        self._mixing = streams.draws(Purpose.MIXING, number)

    def part(self, part: slice) -> Shown:
        """The samples of `part` of the order, which begins with a batch and holds whole ones."""
        order, labels, weights = self.order[part], self.labels[part], self.weights[part]
        if self._inputs.plain:
            ones = np.ones(len(order), np.float32)
            return Shown(self._fold.matrix, self._fold.train[order], labels, labels, ones, weights)
        vectors, rows = self._looked_at(part), np.arange(len(order))
        partners, shares = labels, np.ones(len(order), np.float32)
        if self._setting.mixup:
            pairs, lambdas = self._mixed
            partners, shares = self.labels[pairs[part]], lambdas[part]
            weights = shares * weights + (1 - shares) * self.weights[pairs[part]]
            share = shares[:, None]
            vectors = share * vectors + (1 - share) * vectors[pairs[part] - part.start]
        if rate := self._setting.input_droprate:
            draws = self._features.random(vectors.shape, dtype=np.float32)
            vectors = dropped(vectors, draws, rate)
        return Shown(vectors, rows, labels, partners, shares, weights)

    def _looked_at(self, part: slice) -> Vectors:
        """The features of each sample or of a copy, averaged over the cells that are not hidden."""
        order, sources = self.order[part], self._inputs.sources
        keep = self._kept(len(order))
        vectors = np.empty((len(order), self._fold.matrix.shape[1]), np.float32)
        for copy, source in enumerate(sources):
            places = np.arange(len(order))
            if len(sources) > 1:
                places = np.flatnonzero(self._chosen[part] == copy)
            vectors[places] = _read(source, order[places], None if keep is None else keep[places])
        return vectors

    def _kept(self, samples: int) -> Bool[np.ndarray, "samples cells"] | None:
        if not self._setting.dropblock:
            return None
        assert self._fold.cells is not None
        rows, columns = self._fold.cells
        draws = self._cells.random((samples, rows * columns), dtype=np.float32)
        return kept_cells(
            draws, self._setting.dropblock, self._setting.dropblock_size, (rows, columns)
        )

    @cached_property
    def _chosen(self) -> Int64[np.ndarray, "train"]:
        """The copy of each sample, 0 for itself."""
        return self._copies.integers(0, len(self._inputs.sources), len(self.order))

    @cached_property
    def _mixed(self) -> tuple[Int64[np.ndarray, "train"], Float32[np.ndarray, "train"]]:
        """The sample of the same batch that each is mixed with, and its own share, at least 1/2."""
        samples, batch = len(self.order), self._setting.batch_size
        pairs = np.empty(samples, np.int64)
        for start in range(0, samples, batch):
            count = min(batch, samples - start)
            pairs[start : start + count] = start + self._mixing.permutation(count)
        drawn = self._mixing.beta(self._setting.mixup, self._setting.mixup, samples)
        return pairs, np.maximum(drawn, 1 - drawn).astype(np.float32)


def dropped(vectors: Vectors, draws: Vectors, rate: float) -> Vectors:
    """Inverted dropout of inputs: `x / (1 − rate)` where its draw is at least `rate`, else 0."""
    scale = np.float32(1 / (1 - rate))
    return np.where(draws >= np.float32(rate), vectors * scale, np.float32(0))


def kept_cells(
    draws: Float32[np.ndarray, "samples cells"], rate: float, block: int, shape: tuple[int, int]
) -> Bool[np.ndarray, "samples cells"]:
    """Which cells of a grid of `shape` stay, of which a share `rate` is hidden in the mean.

    A block of `block` by `block` cells is hidden wherever the draw of its first cell is below γ
    (DropBlock: Ghiasi et al. 2018, algorithm 1). γ is such that the mean share is `rate`, overlaps
    counted; blocks lie wholly inside. Where nothing would stay, the cell of the greatest draw does.
    """
    rows, columns = shape
    grid = draws.reshape(-1, rows, columns)
    first = grid[:, : rows - block + 1, : columns - block + 1] < np.float32(
        block_rate(rate, block, shape)
    )
    hidden = np.zeros(grid.shape, np.bool_)
    for row in range(block):
        for column in range(block):
            down, right = row + first.shape[1], column + first.shape[2]
            hidden[:, row:down, column:right] |= first
    keep = ~hidden.reshape(draws.shape)
    nothing = np.flatnonzero(~keep.any(axis=1))
    keep[nothing, draws[nothing].argmax(axis=1)] = True
    return keep


@lru_cache
def block_rate(rate: float, block: int, shape: tuple[int, int]) -> float:
    """The γ of `kept_cells`: the mean over cells of `1 − (1 − γ)^k` is `rate`.

    k is how many blocks can cover the cell.
    """
    rows, columns = shape
    covers = np.outer(_covers(rows, block), _covers(columns, block))
    low, high = 0.0, 1.0
    for _ in range(60):
        middle = (low + high) / 2
        too_much = (1 - (1 - middle) ** covers).mean() > rate
        low, high = (low, middle) if too_much else (middle, high)
    return (low + high) / 2


def _covers(cells: int, block: int) -> Int64[np.ndarray, "cells"]:
    return np.convolve(np.ones(cells - block + 1, np.int64), np.ones(block, np.int64))


def _read(
    source: Source,
    samples: Int64[np.ndarray, "samples"],
    keep: Bool[np.ndarray, "samples cells"] | None,
) -> Vectors:
    rows = source.rows[samples]
    if keep is None:
        return np.asarray(source.array[rows], np.float32)
    # A view that cannot be written, memory-mapped or not: the kernels are compiled once.
    grids = source.array.view(np.ndarray)
    grids.flags.writeable = False
    out = np.empty((len(rows), grids.shape[2]), np.float32)
    if grids.dtype == np.float16:
        mean_half_cells(grids.view(np.uint16), rows, keep, out)
    else:
        mean_cells(grids, rows, keep, out)
    return out
