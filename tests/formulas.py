"""A head's training in float64, from the formulas alone: what the engines are held to."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.optimize import brentq

from manyheads.heads.bank import HeadSettings
from manyheads.heads.fold import Fold, variants_of
from manyheads.heads.hyperparameters import Hyperparameters
from manyheads.heads.random import Purpose, SeededStreams, Streams


@dataclass
class Reference:
    """A head trained in float64: every step's loss, and the parameters after the last."""

    losses: np.ndarray
    parameters: list[np.ndarray]


def train_in_float64(
    head: HeadSettings, fold: Fold, streams: Streams | None = None, *, rounded: bool
) -> Reference:
    """What a head's training gives in float64.

    `rounded` takes the constants and step sizes of optimisers as float32 makes them; otherwise
    they are exact.
    """
    streams = streams or SeededStreams(head.seed, head.fold)
    given, classes = head.hyperparameters, fold.classes
    start = streams.initial_parameters(fold.matrix.shape[1], given.size_inner, classes)
    weights = [array.astype(np.float64) for array in start]
    optimizer = _Sgd64(weights, given) if given.optimizer == "sgd" else _Adam64(weights, rounded)
    losses, batch = [], given.batch_size
    total = given.epochs * math.ceil(len(fold.train) / batch)
    for epoch in range(1, head.epochs + 1):
        order = _order(given, fold, streams, epoch)
        vectors, targets, counts = _shown(given, fold, streams, epoch, order)
        draws = streams.uniforms(epoch).random((len(order), given.size_inner), dtype=np.float32)
        rate = _droprate(given, epoch)
        keep = draws >= np.float32(rate)
        for first in range(0, len(order), batch):
            part = slice(first, first + batch)
            loss, gradients = _gradients(
                weights, vectors[part], targets[part], keep[part] / (1 - rate), counts[part],
                several_labels=fold.label_sets is not None,
            )  # fmt: skip
            for kernel, gradient in ((0, gradients[0]), (2, gradients[2])):
                gradient += 2 * given.l2 * weights[kernel]
            size = given.learning_rate
            if given.learning_rate_schedule == "cosine":
                size *= 0.5 * (1 + math.cos(math.pi * len(losses) / total))
            for array in weights:
                array *= 1 - given.weight_decay * size
            optimizer.step(gradients, np.float32(size) if rounded else size)
            if given.max_norm and given.size_inner:
                norms = np.sqrt((weights[0] ** 2).sum(axis=0))
                weights[0] *= np.minimum(norms, given.max_norm) / (1e-7 + norms)
            losses.append(loss)
    return Reference(np.array(losses), weights)


def _droprate(given: Hyperparameters, epoch: int) -> float:
    kind, _, count = given.droprate_schedule.partition(":")
    on = {"constant": True, "early": epoch <= int(count or 0), "late": epoch > int(count or 0)}
    return given.droprate if on[kind] else 0.0


def _order(given: Hyperparameters, fold: Fold, streams: Streams, epoch: int) -> np.ndarray:
    """The samples of an epoch; in balanced batches classes take turns in its places."""
    order, labels = streams.order(epoch, len(fold.train)), fold.train_labels
    if given.balanced_batches == "no":
        return order
    draws, present = streams.draws(Purpose.BALANCING, epoch), sorted(set(labels.tolist()))
    more = set(draws.permutation(len(present))[: len(labels) % len(present)].tolist())
    chosen: list[int] = []
    for place, label in enumerate(present):
        count, own = len(labels) // len(present) + (place in more), np.flatnonzero(labels == label)
        turns: list[int] = []
        while len(turns) < count:
            turns += draws.permutation(own).tolist()
        chosen += turns[:count]
    return np.array(chosen)[order]


def _class_weights(given: Hyperparameters, fold: Fold) -> np.ndarray:
    """The weight of each sample's class: n / (k · n_c), or as given, 1 without any."""
    labels = fold.train_labels.tolist()
    if given.class_weight == "none":
        return np.ones(len(labels))
    if given.class_weight == "balanced":
        return np.array([len(labels) / (len(set(labels)) * labels.count(each)) for each in labels])
    weights = json.loads(given.class_weight)
    return np.array([weights.get(fold.class_names[each], 1.0) for each in labels])


def _shown(
    given: Hyperparameters, fold: Fold, streams: Streams, epoch: int, order: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The inputs, the targets and the weights of an epoch, sample by sample."""
    sources = [fold.source(version) for version in variants_of(given)]
    views = np.zeros(len(order), np.int64)
    if len(sources) > 1:
        views = streams.draws(Purpose.VIEWS, epoch).integers(0, len(sources), len(order))
    vectors = np.empty((len(order), fold.matrix.shape[1]))
    cells = streams.draws(Purpose.CELLS, epoch)
    for place, (sample, view) in enumerate(zip(order, views, strict=True)):
        source = sources[view]
        seen = source.array[source.rows[sample]].astype(np.float64)
        if given.dropblock:
            assert fold.cells is not None
            draws = cells.random(len(seen), dtype=np.float32)
            seen = seen[_kept(given, draws, fold.cells)].mean(axis=0)
        vectors[place] = seen
    rows = np.eye(fold.classes) if fold.label_sets is None else fold.label_sets.astype(np.float64)
    targets = rows[fold.train_labels[order]]
    counts = _class_weights(given, fold)[order]
    if fold.weights is not None:
        counts = counts * fold.weights[order]
    if given.mixup:
        mixing, batch = streams.draws(Purpose.MIXING, epoch), given.batch_size
        starts = range(0, len(order), batch)
        pairs = [s + mixing.permutation(min(batch, len(order) - s)) for s in starts]
        share = mixing.beta(given.mixup, given.mixup, len(order))[:, None]
        share, partner = np.maximum(share, 1 - share), np.concatenate(pairs)
        vectors = share * vectors + (1 - share) * vectors[partner]
        targets = share * targets + (1 - share) * targets[partner]
        counts = share[:, 0] * counts + (1 - share[:, 0]) * counts[partner]
    if rate := given.input_droprate:
        draws = streams.draws(Purpose.FEATURES, epoch).random(vectors.shape, dtype=np.float32)
        vectors = vectors * (draws >= np.float32(rate)) / (1 - rate)
    answers = fold.classes if fold.label_sets is None else 2
    smoothed = (1 - given.label_smoothing) * targets + given.label_smoothing / answers
    return vectors, smoothed, counts


def _kept(given: Hyperparameters, draws: np.ndarray, cells: tuple[int, int]) -> np.ndarray:
    """Which cells stay: every block whose first cell draws below γ is hidden."""
    (rows, columns), block = cells, given.dropblock_size
    blocks = [
        [(r + i) * columns + c + j for i in range(block) for j in range(block)]
        for r in range(rows - block + 1)
        for c in range(columns - block + 1)
    ]
    covers = np.bincount(np.concatenate(blocks), minlength=len(draws))
    chance: Any = brentq(lambda g: (1 - (1 - g) ** covers).mean() - given.dropblock, 0, 1)
    keep = np.ones(len(draws), np.bool_)
    for block_cells in blocks:
        if draws[block_cells[0]] < chance:
            keep[block_cells] = False
    keep[draws.argmax()] |= not keep.any()
    return keep


def _gradients(
    weights: list[np.ndarray],
    vectors: np.ndarray,
    targets: np.ndarray,
    scale: np.ndarray,
    counts: np.ndarray,
    *,
    several_labels: bool,
) -> tuple[float, list[np.ndarray]]:
    inner_kernel, inner_bias, kernel, bias = weights
    before = vectors @ inner_kernel + inner_bias
    hidden = np.maximum(before, 0) * scale if inner_bias.size else vectors
    logits = hidden @ kernel + bias
    counts = counts[:, None]
    if several_labels:
        shares, answers = 1 / (1 + np.exp(-logits)), logits.shape[1]
        each = np.log(shares) * targets + np.log1p(-shares) * (1 - targets)
    else:
        logits -= logits.max(axis=1, keepdims=True)
        shares, answers = np.exp(logits), 1
        shares /= shares.sum(axis=1, keepdims=True)
        each = np.log(shares) * targets
    loss = -float((counts * each).sum() / len(targets) / answers)
    delta = counts * (shares - targets) / len(targets) / answers
    back = (delta @ kernel.T) * scale * (before > 0) if inner_bias.size else before
    return loss, [vectors.T @ back, back.sum(axis=0), hidden.T @ delta, delta.sum(axis=0)]


class _Sgd64:
    def __init__(self, weights: list[np.ndarray], given: Hyperparameters) -> None:
        self.weights, self.momentum = weights, given.momentum
        self.velocities = [np.zeros_like(array) for array in weights]

    def step(self, gradients: list[np.ndarray], size: Any) -> None:
        for weights, gradient, velocity in zip(
            self.weights, gradients, self.velocities, strict=True
        ):
            velocity *= self.momentum
            velocity -= float(size) * gradient
            weights += velocity


class _Adam64:
    def __init__(self, weights: list[np.ndarray], rounded: bool) -> None:
        self.kind = np.float32 if rounded else np.float64
        self.weights, self.steps = weights, 0
        self.first = [np.zeros_like(array) for array in weights]
        self.second = [np.zeros_like(array) for array in weights]

    def step(self, gradients: list[np.ndarray], size: Any) -> None:
        self.steps += 1
        size = float(self._step_size(self.kind(size)))
        gain_1, gain_2 = float(self.kind(1 - 0.9)), float(self.kind(1 - 0.999))
        epsilon = float(self.kind(1e-7))
        for weights, gradient, first, second in zip(
            self.weights, gradients, self.first, self.second, strict=True
        ):
            first += (gradient - first) * gain_1
            second += (gradient**2 - second) * gain_2
            weights -= size * first / (np.sqrt(second) + epsilon)

    def _step_size(self, rate: Any) -> Any:
        one, power = self.kind(1), self.kind(self.steps)
        beta_1, beta_2 = self.kind(0.9), self.kind(0.999)
        return rate * np.sqrt(one - beta_2**power) / (one - beta_1**power)
