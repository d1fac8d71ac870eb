"""What an engine is held to: `keras.Model.fit` on a plain model, with what it drew written down."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from manyheads.heads.bank import HeadSettings
from manyheads.heads.head import Parameters
from manyheads.heads.hyperparameters import Hyperparameters
from tests.banks import RecordedStreams


@dataclass
class KerasFit:
    """A fit: every step's loss, the head's final arrays, and the draws for another trainer.

    `epochs` are the loss and the accuracy that Keras reports of each.
    """

    losses: np.ndarray
    weights: list[np.ndarray]
    streams: RecordedStreams
    epochs: list[tuple[float, float]]


def fit(
    keras: Any,
    head: HeadSettings,
    inputs: np.ndarray,
    labels: np.ndarray,
    classes: int,
    *,
    backbone: Any = None,
    weights: np.ndarray | None = None,
    label_sets: np.ndarray | None = None,
    class_weight: dict[int, float] | None = None,
) -> KerasFit:
    """Train the lesson's head on `inputs`: features, or images that a frozen `backbone` sees.

    Regularised, weighted and optimised by what Keras itself has for that. With `label_sets` an
    image may have several labels, and the loss is Keras's binary one.
    """
    given = head.hyperparameters
    dropout = keras.layers.Dropout(given.droprate, seed=head.seed + 7)
    hide = keras.layers.Dropout(given.input_droprate, seed=head.seed + 8)
    penalty = keras.regularizers.L2(given.l2) if given.l2 else None
    dense = [
        keras.layers.Dense(
            given.size_inner,
            activation="relu",
            kernel_initializer=_glorot(keras, 1),
            kernel_regularizer=penalty,
            kernel_constraint=keras.constraints.MaxNorm(given.max_norm) if given.max_norm else None,
        ),
        keras.layers.Dense(
            classes, kernel_initializer=_glorot(keras, 2), kernel_regularizer=penalty
        ),
    ]
    given_inputs = keras.Input(inputs.shape[1:])
    vectors = given_inputs
    if backbone is not None:
        backbone.trainable = False
        vectors = keras.layers.GlobalAveragePooling2D()(backbone(given_inputs, training=False))
    model = keras.Model(given_inputs, dense[1](dropout(dense[0](hide(vectors)))))
    model.compile(
        optimizer=_optimizer(keras, given, len(inputs)),
        loss=(
            keras.losses.CategoricalCrossentropy
            if label_sets is None
            else keras.losses.BinaryCrossentropy
        )(from_logits=True, label_smoothing=given.label_smoothing),
        metrics=["accuracy"],
    )
    start = Parameters(*_arrays(dense))
    random = np.random.default_rng(head.seed)
    orders = [random.permutation(len(inputs)) for _ in range(head.epochs)]
    rows = np.eye(classes) if label_sets is None else label_sets
    truth = rows.astype(np.float32)[labels]
    recorder = _running_losses(keras)
    losses, epochs = [], []
    for order in orders:
        history = model.fit(
            inputs[order],
            truth[order],
            sample_weight=None if weights is None else weights[order],
            class_weight=class_weight,
            batch_size=head.hyperparameters.batch_size,
            shuffle=False,
            callbacks=[recorder],
            verbose=0,
        ).history
        epochs.append((history["loss"][0], history["accuracy"][0]))
        losses += _step_losses(recorder.means, head.hyperparameters.batch_size, len(order))
    keeps = _masks(keras, dropout, head, (len(inputs), given.size_inner), 7)
    features = _masks(keras, hide, head, (len(inputs), dense[0].kernel.shape[0]), 8)
    streams = RecordedStreams(start, orders, keeps, features)
    return KerasFit(np.array(losses), _arrays(dense), streams, epochs)


def _optimizer(keras: Any, given: Hyperparameters, samples: int) -> Any:
    rate: Any = given.learning_rate
    if given.learning_rate_schedule == "cosine":
        steps = given.epochs * math.ceil(samples / given.batch_size)
        rate = keras.optimizers.schedules.CosineDecay(rate, steps)
    if given.optimizer == "sgd":
        return keras.optimizers.SGD(
            rate, momentum=given.momentum, weight_decay=given.weight_decay or None
        )
    if given.optimizer == "adamw":
        return keras.optimizers.AdamW(rate, weight_decay=given.weight_decay)
    return keras.optimizers.Adam(rate)


def _glorot(keras: Any, seed: int) -> Any:
    return keras.initializers.GlorotUniform(seed=seed)


def _arrays(layers: list[Any]) -> list[np.ndarray]:
    return [np.array(array) for layer in layers for array in layer.get_weights()]


def _running_losses(keras: Any) -> Any:
    class Recorder(keras.callbacks.Callback):
        means: list[float]

        def on_epoch_begin(self, *_: Any) -> None:
            self.means = []

        def on_train_batch_end(self, _: int, logs: Any) -> None:
            self.means.append(float(logs["loss"]))

    return Recorder()


def _step_losses(means: list[float], batch_size: int, samples: int) -> list[float]:
    """Each step's loss from Keras's own `loss`, which is the mean of the epoch so far."""
    seen = np.minimum(batch_size * np.arange(1, len(means) + 1), samples)
    totals = np.array(means) * seen
    return list(np.diff(totals, prepend=0) / np.diff(seen, prepend=0))


def _masks(
    keras: Any, dropout: Any, head: HeadSettings, shape: tuple[int, int], seed: int
) -> list[np.ndarray]:
    """The masks that `dropout` drew, by epoch: drawn again from a generator of the same seed."""
    if not dropout.rate:
        return [np.ones(shape, np.bool_)] * head.epochs
    generator = keras.random.SeedGenerator(head.seed + seed)
    (samples, width), batch, keeps = shape, head.hyperparameters.batch_size, []
    for _ in range(head.epochs):
        parts = []
        for first in range(0, samples, batch):
            ones = np.ones((min(batch, samples - first), width), np.float32)
            shown = keras.random.dropout(ones, dropout.rate, seed=generator)
            parts.append(keras.ops.convert_to_numpy(shown) > 0)
        keeps.append(np.concatenate(parts))
    assert list(dropout.seed_generator.state.numpy()) == list(generator.state.numpy())
    return keeps
