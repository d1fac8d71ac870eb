"""What tests of the engines are made of: small banks, recorded draws, and a float64 trainer."""

from __future__ import annotations

import importlib.util
import os
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest

from manyheads.heads.bank import Engine, EpochEnd, Fold, HeadEnd, HeadSettings
from manyheads.heads.head import Hyperparameters, Parameters
from manyheads.heads.streams import SeededStreams, Streams
from manyheads.keras_backend import TRAINING_BACKENDS


def training_keras() -> Any:
    """Keras on a backend that trains; skips the test where none is installed."""
    chosen = os.environ.get("KERAS_BACKEND")
    backends = (chosen,) if chosen else TRAINING_BACKENDS
    if not any(name in TRAINING_BACKENDS and importlib.util.find_spec(name) for name in backends):
        pytest.skip("no Keras backend that trains is installed (pip install '.[tensorflow]')")
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    from manyheads.keras_backend import import_keras

    return import_keras(training=True)


def settings(
    *, seed: int = 0, fold: int = 0, epochs: int = 2, batch_size: int = 32, **changes: Any
) -> HeadSettings:
    """A head with the lesson's hyperparameters (learning rate 0.001), but for `changes`."""
    given = {"learning_rate": 0.001, "size_inner": 16, "droprate": 0.5} | changes
    return HeadSettings(
        hyperparameters=Hyperparameters(**given),
        seed=seed,
        fold=fold,
        epochs=epochs,
        batch_size=batch_size,
    )


def generated_fold(
    train: int = 70, features: int = 40, classes: int = 3, *, validation: int = 33, seed: int = 0
) -> Fold:
    """Samples about a centre for each class, not negative, as pooled features are not."""
    random = np.random.default_rng(seed)
    labels = random.integers(0, classes, train + validation)
    labels[:classes] = np.arange(classes)
    centres = random.normal(size=(classes, features))
    noise = random.normal(size=(len(labels), features))
    matrix = np.maximum(centres[labels] + noise, 0).astype(np.float32)
    rows = np.arange(len(labels))
    return Fold(matrix, rows[:train], labels[:train], rows[train:], labels[train:], classes)


@dataclass
class Story:
    """What an engine told about one head."""

    epochs: list[EpochEnd] = field(default_factory=list)
    end: HeadEnd | None = None

    @property
    def losses(self) -> np.ndarray:
        """Every step's loss, all epochs in a row."""
        return np.concatenate([epoch.batch_losses for epoch in self.epochs])

    @property
    def parameters(self) -> Parameters:
        """The chosen parameters of a head that has some."""
        assert self.end is not None
        assert self.end.parameters is not None
        return self.end.parameters


def train(
    engine: Engine, heads: Sequence[HeadSettings], folds: Sequence[Fold], **options: Any
) -> dict[int, Story]:
    """Train a bank to its end, and check what holds for the events of every bank."""
    return told(engine.train(heads, folds, **options))


def told(events: Iterable[EpochEnd | HeadEnd]) -> dict[int, Story]:
    """Events, by head; fails if a head's epochs are out of order, or follow its end."""
    stories: dict[int, Story] = defaultdict(Story)
    for event in events:
        story = stories[event.head]
        assert story.end is None
        if isinstance(event, HeadEnd):
            story.end = event
        else:
            assert event.epoch == len(story.epochs) + 1
            story.epochs.append(event)
    return dict(stories)


def same(left: Story, right: Story) -> bool:
    """Whether two stories are equal, bit for bit, apart from the head's place in its bank."""
    assert left.end is not None
    assert right.end is not None
    return (
        [epoch.metrics for epoch in left.epochs] == [epoch.metrics for epoch in right.epochs]
        and left.losses.tobytes() == right.losses.tobytes()
        and (left.end.status, left.end.epoch) == (right.end.status, right.end.epoch)
        and all(
            a.shape == b.shape and a.tobytes() == b.tobytes()
            for a, b in zip(left.parameters, right.parameters, strict=True)
        )
    )


class RecordedStreams:
    """Streams that play back first parameters, orders, and masks of kept units, by epoch."""

    def __init__(
        self, start: Parameters, orders: Sequence[np.ndarray], keeps: Sequence[np.ndarray]
    ) -> None:
        self.start, self.orders, self.keeps = start, orders, keeps

    def __call__(self, *_: int) -> RecordedStreams:
        """The same for every head."""
        return self

    def initial_parameters(self, features: int, size_inner: int, classes: int) -> Parameters:
        """The recorded ones."""
        assert self.start.inner_kernel.shape == (features, size_inner)
        assert self.start.bias.shape == (classes,)
        return self.start.copy()

    def order(self, epoch: int, samples: int) -> np.ndarray:
        """The recorded one."""
        assert len(self.orders[epoch - 1]) == samples
        return self.orders[epoch - 1]

    def uniforms(self, epoch: int) -> _Playback:
        """One where the recorded mask keeps a unit, zero where it hides it."""
        return _Playback(self.keeps[epoch - 1].astype(np.float32).ravel())


class _Playback:
    def __init__(self, draws: np.ndarray) -> None:
        self.draws, self.used = draws, 0

    def random(self, size: Any, dtype: Any) -> np.ndarray:
        count = int(np.prod(size))
        part = self.draws[self.used : self.used + count]
        assert len(part) == count
        self.used += count
        return part.reshape(size).astype(dtype)


@dataclass
class Reference:
    """A head trained in float64: every step's loss, and the parameters after the last."""

    losses: np.ndarray
    parameters: list[np.ndarray]


def train_in_float64(
    head: HeadSettings, fold: Fold, streams: Streams | None = None, *, rounded: bool
) -> Reference:
    """What a head's training gives in float64, from the formulas alone.

    `rounded` takes Adam's constants, its step sizes among them, as float32 makes them; otherwise
    they are exact.
    """
    streams = streams or SeededStreams(head.seed, head.fold)
    given, classes = head.hyperparameters, fold.classes
    start = streams.initial_parameters(fold.matrix.shape[1], given.size_inner, classes)
    weights = [array.astype(np.float64) for array in start]
    adam = _Adam64(weights, given.learning_rate, rounded)
    losses = []
    for epoch in range(1, head.epochs + 1):
        order = streams.order(epoch, len(fold.train))
        draws = streams.uniforms(epoch).random((len(order), given.size_inner), dtype=np.float32)
        keep = draws >= np.float32(given.droprate)
        for first in range(0, len(order), head.batch_size):
            part = order[first : first + head.batch_size]
            scale = keep[first : first + head.batch_size] / (1 - given.droprate)
            vectors = fold.matrix[fold.train[part]].astype(np.float64)
            loss, gradients = _gradients64(weights, vectors, fold.train_labels[part], scale)
            losses.append(loss)
            adam.step(gradients)
    return Reference(np.array(losses), weights)


def _gradients64(
    weights: list[np.ndarray], vectors: np.ndarray, labels: np.ndarray, scale: np.ndarray
) -> tuple[float, list[np.ndarray]]:
    inner_kernel, inner_bias, kernel, bias = weights
    before = vectors @ inner_kernel + inner_bias
    hidden = np.maximum(before, 0) * scale if inner_bias.size else vectors
    logits = hidden @ kernel + bias
    logits -= logits.max(axis=1, keepdims=True)
    shares = np.exp(logits)
    shares /= shares.sum(axis=1, keepdims=True)
    truth = np.eye(len(bias))[labels]
    loss = -float((np.log(shares) * truth).sum() / len(labels))
    delta = (shares - truth) / len(labels)
    back = (delta @ kernel.T) * scale * (before > 0) if inner_bias.size else before
    return loss, [vectors.T @ back, back.sum(axis=0), hidden.T @ delta, delta.sum(axis=0)]


class _Adam64:
    def __init__(self, weights: list[np.ndarray], learning_rate: float, rounded: bool) -> None:
        self.kind = np.float32 if rounded else np.float64
        self.weights, self.learning_rate, self.steps = weights, learning_rate, 0
        self.first = [np.zeros_like(array) for array in weights]
        self.second = [np.zeros_like(array) for array in weights]

    def step(self, gradients: list[np.ndarray]) -> None:
        self.steps += 1
        size = float(self._step_size())
        gain_1, gain_2 = float(self.kind(1 - 0.9)), float(self.kind(1 - 0.999))
        epsilon = float(self.kind(1e-7))
        for weights, gradient, first, second in zip(
            self.weights, gradients, self.first, self.second, strict=True
        ):
            first += (gradient - first) * gain_1
            second += (gradient**2 - second) * gain_2
            weights -= size * first / (np.sqrt(second) + epsilon)

    def _step_size(self) -> Any:
        one, power = self.kind(1), self.kind(self.steps)
        rate = self.kind(self.learning_rate)
        beta_1, beta_2 = self.kind(0.9), self.kind(0.999)
        return rate * np.sqrt(one - beta_2**power) / (one - beta_1**power)
