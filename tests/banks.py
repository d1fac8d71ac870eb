"""What tests of the engines are made of: small banks and recorded draws."""

from __future__ import annotations

import dataclasses
import importlib.util
import os
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest

from manyheads.core.keras_backend import TRAINING_BACKENDS
from manyheads.heads.bank import Engine, EpochEnd, HeadEnd, HeadSettings, engine_named
from manyheads.heads.fold import PLAIN, Fold, Source, Variant
from manyheads.heads.head import Parameters
from manyheads.heads.hyperparameters import Hyperparameters
from manyheads.heads.random import Purpose, SeededStreams
from manyheads.heads.spread_engine import SpreadEngine
from tests.in_process_workers import InProcessWorkers


def training_keras() -> Any:
    """Keras on a backend that trains; skips the test where none is installed."""
    chosen = os.environ.get("KERAS_BACKEND")
    backends = (chosen,) if chosen else TRAINING_BACKENDS
    if not any(name in TRAINING_BACKENDS and importlib.util.find_spec(name) for name in backends):
        pytest.skip("no Keras backend that trains is installed (pip install '.[tensorflow]')")
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    from manyheads.core.keras_backend import import_keras

    return import_keras(training=True)


def ready_engine(name: str) -> Engine:
    """The engine of that name, or `spread` over workers; skips the test if it cannot train here."""
    if name == "spread":
        return SpreadEngine("fused", InProcessWorkers())
    if name == "keras":
        training_keras()
    if name == "stacked":
        pytest.importorskip("jax")
    return engine_named(name)


def settings(
    *, seed: int = 0, fold: int = 0, epochs: int = 2, batch_size: int = 32, **changes: Any
) -> HeadSettings:
    """A head with the lesson's hyperparameters (learning rate 0.001), but for `changes`."""
    given = {"learning_rate": 0.001, "size_inner": 16, "droprate": 0.5} | changes
    hyperparameters = Hyperparameters(**given, epochs=epochs, batch_size=batch_size)
    return HeadSettings(hyperparameters=hyperparameters, seed=seed, fold=fold, epochs=epochs)


def with_versions(fold: Fold, cells: tuple[int, int] = (3, 4), views: int = 3) -> Fold:
    """`fold` with views and grids of its training samples: its own features, and noise."""
    random = np.random.default_rng(7)
    samples, features = len(fold.train), fold.matrix.shape[1]
    sources = {}
    for view in range(views):
        noise = random.normal(size=(samples, cells[0] * cells[1], features))
        grids = np.maximum(fold.matrix[fold.train][:, None] + noise, 0).astype(np.float32)
        rows = random.permutation(samples)
        for hidden in (0.0, 0.3) if view else (0.0,):
            for grid in (True, False):
                array = grids if grid else grids.mean(axis=1) + np.float32(hidden)
                sources[Variant(view, hidden, grid)] = Source(array[np.argsort(rows)], rows)
    del sources[PLAIN]
    return dataclasses.replace(fold, sources=sources, cells=cells)


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


def several_labels_fold(
    train: int = 70, features: int = 40, labels: int = 4, *, validation: int = 33, seed: int = 0
) -> Fold:
    """Samples about a sum of centres, one for each label that they have; some have none."""
    random = np.random.default_rng(seed)
    count = train + validation
    members = random.random((count, labels)) < 0.4
    members[: labels + 1] = np.vstack([np.eye(labels, dtype=bool), np.zeros((1, labels), bool)])
    label_sets, numbers = np.unique(members, axis=0, return_inverse=True)
    centres, noise = (random.normal(size=(n, features)) for n in (labels, count))
    matrix = np.maximum(members @ centres + noise, 0).astype(np.float32)
    rows, numbers = np.arange(count), numbers.astype(np.int64).ravel()
    return Fold(
        matrix, rows[:train], numbers[:train], rows[train:], numbers[train:], labels,
        label_sets=label_sets,
    )  # fmt: skip


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
        self,
        start: Parameters,
        orders: Sequence[np.ndarray],
        keeps: Sequence[np.ndarray],
        feature_keeps: Sequence[np.ndarray] = (),
    ) -> None:
        self.start, self.orders, self.keeps = start, orders, keeps
        self.feature_keeps = feature_keeps

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

    def draws(self, purpose: Purpose, epoch: int) -> Any:
        """Those that keep features as recorded, if any are; others are those of seed 0."""
        if purpose == Purpose.FEATURES and self.feature_keeps:
            return _Playback(self.feature_keeps[epoch - 1].astype(np.float32).ravel())
        return SeededStreams(0).draws(purpose, epoch)

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
