"""The Keras engine: the reference. Every number it yields is computed by `keras.Model.fit`.

A head is trained alone, on cached features. Its masks arrive as a second input that multiplies
the inner layer's output, which is all that a `Dropout` layer does, so that they can be the same
masks as another engine's.
"""

from __future__ import annotations

import threading
from collections.abc import Generator, Iterator, Sequence
from functools import partial
from typing import Any

import numpy as np
from jaxtyping import Float64, Int64

from manyheads.heads.bank import (
    EpochEnd,
    Fold,
    HeadEnd,
    HeadSettings,
    Metrics,
    Predictions,
    head_events,
)
from manyheads.heads.head import Parameters, compact_predictions
from manyheads.heads.streams import SeededStreams, Streams, StreamsOf, UniformSource
from manyheads.keras_backend import import_keras


class KerasEngine:
    """Trains a bank head by head with Keras, on its backend and accelerator."""

    name = "keras"

    def train(
        self,
        heads: Sequence[HeadSettings],
        folds: Sequence[Fold],
        *,
        rule: str = "best_accuracy",
        streams: StreamsOf = SeededStreams,
        stop: threading.Event | None = None,
    ) -> Generator[EpochEnd | HeadEnd]:
        """Train `heads` on their `folds`; raises `MissingExtraError` without a backend for it."""
        keras = import_keras(training=True)
        models: dict[tuple[int, ...], Any] = {}
        for index, head in enumerate(heads):
            if stop is not None and stop.is_set():
                return
            fold, draws = folds[head.fold], streams(head.seed, head.fold)
            shape = fold.matrix.shape[1], head.hyperparameters.size_inner, fold.classes
            # Heads of one shape take turns in one model: Keras compiles it once.
            model = models[shape] = models.get(shape) or _build(keras, *shape)
            _restart(keras, model, head, draws.initial_parameters(*shape))
            epochs = _epochs(keras, model, head, fold, draws, stop)
            yield from head_events(
                index, head, rule, epochs,
                partial(_parameters, model), partial(_predictions, model, head, fold),
            )  # fmt: skip


def _epochs(
    keras: Any,
    model: Any,
    head: HeadSettings,
    fold: Fold,
    streams: Streams,
    stop: threading.Event | None,
) -> Iterator[tuple[Metrics, Float64[np.ndarray, "steps"]]]:
    recorder = _recorder(keras, stop)
    for epoch in range(1, head.epochs + 1):
        order = streams.order(epoch, len(fold.train))
        # One epoch a call, for the metrics as they come; the optimiser's state goes on. The steps
        # are given: a step that finds the generator at its end would still advance Adam's counter.
        history = model.fit(
            _batches(
                head, fold, fold.train[order], fold.train_labels[order], streams.uniforms(epoch)
            ),
            steps_per_epoch=_steps(head, fold.train),
            validation_data=_batches(head, fold, fold.validation, fold.validation_labels),
            validation_steps=_steps(head, fold.validation),
            callbacks=[recorder],
            shuffle=False,
            verbose=0,
        ).history
        if stop is not None and stop.is_set():
            return
        metrics = Metrics(*(float(history[name][0]) for name in Metrics._fields))
        yield metrics, np.array(recorder.losses, np.float64)


def _build(keras: Any, features: int, units: int, classes: int) -> Any:
    vectors = keras.Input((features,))
    scale = keras.Input((units,))
    hidden = vectors
    if units:
        inner = keras.layers.Dense(units, activation="relu", name="inner")(vectors)
        hidden = keras.layers.Multiply()([inner, scale])
    outputs = keras.layers.Dense(classes, name="outer")(hidden)
    model = keras.Model([vectors, scale], outputs)
    model.compile(
        optimizer=keras.optimizers.Adam(),
        loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        metrics=["accuracy", _last_loss(keras)],
    )
    model.optimizer.build(model.trainable_variables)
    return model


def _restart(keras: Any, model: Any, head: HeadSettings, start: Parameters) -> None:
    """Make `model` as good as new for a head: first parameters, and an Adam that saw nothing."""
    model.set_weights(list(start if start.has_inner else start[2:]))
    for variable in model.optimizer.variables:
        variable.assign(keras.ops.zeros_like(variable))
    model.optimizer.learning_rate = head.hyperparameters.learning_rate


def _parameters(model: Any) -> Parameters:
    weights = [np.asarray(array, np.float32) for array in model.get_weights()]
    if len(weights) == 2:
        features = weights[0].shape[0]
        weights = [np.zeros((features, 0), np.float32), np.zeros(0, np.float32), *weights]
    return Parameters(*weights)


def _predictions(model: Any, head: HeadSettings, fold: Fold) -> Predictions:
    batches = _batches(head, fold, fold.validation, fold.validation_labels)
    logits = [np.asarray(model.predict_on_batch(inputs)) for inputs, _ in batches]
    return compact_predictions(np.concatenate(logits))


def _steps(head: HeadSettings, rows: Int64[np.ndarray, "samples"]) -> int:
    return -(-len(rows) // head.batch_size)


def _batches(
    head: HeadSettings,
    fold: Fold,
    rows: Int64[np.ndarray, "samples"],
    labels: Int64[np.ndarray, "samples"],
    uniforms: UniformSource | None = None,
) -> Iterator[tuple[Any, Any]]:
    """Batches of (features, mask scale) and labels; nothing is hidden without `uniforms`."""
    units, rate = head.hyperparameters.size_inner, head.hyperparameters.droprate
    for start in range(0, len(rows), head.batch_size):
        part = slice(start, start + head.batch_size)
        scale = np.ones((len(rows[part]), units), np.float32)
        if uniforms is not None and units and rate:
            keep = uniforms.random(scale.shape, dtype=np.float32) >= np.float32(rate)
            scale = keep * np.float32(1 / (1 - rate))
        yield (np.asarray(fold.matrix[rows[part]]), scale), labels[part]


def _last_loss(keras: Any) -> Any:
    class LastLoss(keras.metrics.Metric):
        """The mean loss of the latest batch; Keras's own `loss` is the mean of the epoch so far."""

        def __init__(self) -> None:
            super().__init__(name="last_loss")
            self.value = self.add_variable((), "zeros", name="value")

        def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
            losses = keras.losses.sparse_categorical_crossentropy(y_true, y_pred, from_logits=True)
            self.value.assign(keras.ops.average(losses, weights=sample_weight))

        def result(self) -> Any:
            return self.value

    return LastLoss()


def _recorder(keras: Any, stop: threading.Event | None) -> Any:
    class Recorder(keras.callbacks.Callback):
        losses: list[float]

        def on_epoch_begin(self, *_: Any) -> None:
            self.losses = []

        def on_train_batch_end(self, _: int, logs: Any) -> None:
            self.losses.append(float(logs["last_loss"]))
            if stop is not None and stop.is_set():
                self.model.stop_training = True

        def on_test_batch_end(self, *_: Any, **__: Any) -> None:
            if stop is not None and stop.is_set():
                self.model.stop_evaluating = True

    return Recorder()
