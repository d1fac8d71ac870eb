"""The Keras engine: the reference. Every number it yields is computed by `keras.Model.fit`.

A head is trained alone, on cached features. Its masks arrive as a second input that multiplies
the inner layer's output, which is all that a `Dropout` layer does, so that they can be the same
masks as another engine's.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator, Sequence
from functools import partial
from typing import Any

import numpy as np
from jaxtyping import Float32, Float64, Int64

from manyheads.core.job import SILENT, Job
from manyheads.core.keras_backend import import_keras
from manyheads.heads.bank import EpochEnd, HeadEnd, HeadSettings, Metrics, Predictions, head_events
from manyheads.heads.fold import Fold
from manyheads.heads.head import Parameters, compact_log_odds, compact_predictions
from manyheads.heads.hyperparameters import Hyperparameters
from manyheads.heads.inputs import TrainingInputs
from manyheads.heads.random import SeededStreams, Streams, StreamsOf, UniformSource

# What of a setting is built into a model; the rest arrives with each head or each step.
_COMPILED = ("l2", "max_norm", "optimizer", "momentum", "weight_decay")
_HISTORY = ("accuracy", "cross_entropy", "val_accuracy", "val_cross_entropy")


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
        job: Job = SILENT,
    ) -> Generator[EpochEnd | HeadEnd]:
        """Train `heads` on their `folds`; raises `MissingExtraError` without a backend for it."""
        keras = import_keras(training=True)
        models: dict[tuple[int, ...], Any] = {}
        for index, head in enumerate(heads):
            if job.stopped:
                return
            fold, draws = folds[head.fold], streams(*head.stream)
            shape = fold.matrix.shape[1], head.hyperparameters.size_inner, fold.classes
            # Heads that differ in nothing that is compiled take turns in one model.
            several = fold.label_sets is not None
            kind = *shape, several, *(getattr(head.hyperparameters, name) for name in _COMPILED)
            model = models[kind] = models.get(kind) or _build(
                keras, *shape, head.hyperparameters, several_labels=several
            )
            _restart(keras, model, head, draws.initial_parameters(*shape))
            epochs = _epochs(keras, model, head, fold, draws, job)
            yield from head_events(
                index, head, rule, epochs,
                partial(_parameters, model), partial(_predictions, model, head, fold),
                fold.validation_labels,
            )  # fmt: skip


def _epochs(
    keras: Any,
    model: Any,
    head: HeadSettings,
    fold: Fold,
    streams: Streams,
    job: Job,
) -> Iterator[tuple[Metrics, Float64[np.ndarray, "steps"]]]:
    setting = head.hyperparameters
    recorder, inputs = _recorder(keras, job), TrainingInputs(setting, fold, streams)
    steps = _steps(setting, len(fold.train))
    for epoch in range(1, head.epochs + 1):
        recorder.learning_rates = setting.learning_rates((epoch - 1) * steps, steps, steps)
        # One epoch a call, for the metrics as they come; the optimiser's state goes on. The steps
        # are given: a step that finds the generator at its end would still advance Adam's counter.
        history = model.fit(
            _training(inputs, epoch, streams.uniforms(epoch)),
            steps_per_epoch=steps,
            validation_data=_validation(setting, fold),
            validation_steps=_steps(setting, len(fold.validation)),
            callbacks=[recorder],
            shuffle=False,
            verbose=0,
        ).history
        if job.stopped:
            return
        metrics = Metrics(*(float(history[name][0]) for name in _HISTORY))
        losses = np.array(recorder.losses, np.float64)
        if inputs.weights is not None:
            # Keras's metric would divide by the sum of the weights; its loss does not.
            sizes = [part.stop - part.start for part in _parts(setting, len(fold.train))]
            metrics = metrics._replace(loss=float(np.average(losses, weights=sizes)))
        yield metrics, losses


def _build(
    keras: Any,
    features: int,
    units: int,
    classes: int,
    setting: Hyperparameters,
    *,
    several_labels: bool,
) -> Any:
    vectors = keras.Input((features,))
    scale = keras.Input((units,))
    hidden = vectors
    penalty = keras.regularizers.L2(setting.l2) if setting.l2 else None
    bound = keras.constraints.MaxNorm(setting.max_norm) if setting.max_norm else None
    if units:
        inner = keras.layers.Dense(
            units, activation="relu", kernel_regularizer=penalty, kernel_constraint=bound,
            name="inner",
        )(vectors)  # fmt: skip
        hidden = keras.layers.Multiply()([inner, scale])
    outputs = keras.layers.Dense(classes, kernel_regularizer=penalty, name="outer")(hidden)
    model = keras.Model([vectors, scale], outputs)
    model.compile(
        optimizer=_optimizer(keras, setting),
        loss=_loss(keras, several_labels=several_labels),
        # Keras's own `loss` has the penalty of L2 in it.
        metrics=_metrics(keras, several_labels=several_labels),
        weighted_metrics=[_last_loss(keras, several_labels=several_labels)],
    )
    model.optimizer.build(model.trainable_variables)
    return model


def _loss(keras: Any, *, several_labels: bool) -> Any:
    if several_labels:
        return keras.losses.BinaryCrossentropy(from_logits=True)
    return keras.losses.CategoricalCrossentropy(from_logits=True)


def _metrics(keras: Any, *, several_labels: bool) -> list[Any]:
    if not several_labels:
        cross_entropy = keras.metrics.CategoricalCrossentropy
        return ["accuracy", cross_entropy(from_logits=True, name="cross_entropy")]

    def told_right(targets: Any, logits: Any) -> Any:
        # `BinaryAccuracy`, but of targets that smoothing or mixup moved away from 0 and 1 too.
        ops = keras.ops
        right = ops.equal(ops.greater(targets, 0.5), ops.greater(logits, 0.0))
        return ops.mean(ops.cast(right, "float32"), axis=-1)

    return [
        keras.metrics.MeanMetricWrapper(told_right, name="accuracy"),
        keras.metrics.BinaryCrossentropy(from_logits=True, name="cross_entropy"),
    ]


def _optimizer(keras: Any, setting: Hyperparameters) -> Any:
    decay = setting.weight_decay or None
    if setting.optimizer == "sgd":
        return keras.optimizers.SGD(momentum=setting.momentum, weight_decay=decay)
    return keras.optimizers.Adam(weight_decay=decay)


def _restart(keras: Any, model: Any, head: HeadSettings, start: Parameters) -> None:
    """Make `model` as good as new for a head: first parameters, an optimiser that saw nothing."""
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
    batches = _validation(head.hyperparameters, fold)
    logits = [np.asarray(model.predict_on_batch(inputs)) for inputs, _ in batches]
    compact = compact_predictions if fold.label_sets is None else compact_log_odds
    return compact(np.concatenate(logits))


def _steps(setting: Hyperparameters, samples: int) -> int:
    return -(-samples // setting.batch_size)


Batches = Iterator[tuple[Any, ...]]


def _training(inputs: TrainingInputs, epoch: int, uniforms: UniformSource) -> Batches:
    """Batches of (inputs, mask scale), targets and, where samples have them, weights."""
    setting, fold, shown = inputs.setting, inputs.fold, inputs.epoch(epoch)
    units, rate = setting.size_inner, setting.droprate_in(epoch)
    for part in _parts(setting, len(shown.order)):
        batch = shown.part(part)
        scale = np.ones((len(batch.rows), units), np.float32)
        if units and rate:
            keep = uniforms.random(scale.shape, dtype=np.float32) >= np.float32(rate)
            scale = keep * np.float32(1 / (1 - rate))
        share = batch.shares[:, None]
        once, partners = (_targets(each, fold) for each in (batch.labels, batch.partners))
        targets = share * once + (1 - share) * partners
        if smoothing := np.float32(setting.label_smoothing):
            answers = fold.classes if fold.label_sets is None else 2  # of each output
            targets = (1 - smoothing) * targets + smoothing / np.float32(answers)
        weights = () if inputs.weights is None else (batch.weights,)
        yield (np.asarray(batch.vectors[batch.rows]), scale), targets, *weights


def _validation(setting: Hyperparameters, fold: Fold) -> Batches:
    """Batches of plain features, a scale that hides nothing, and labels."""
    for part in _parts(setting, len(fold.validation)):
        rows = fold.validation[part]
        scale = np.ones((len(rows), setting.size_inner), np.float32)
        targets = _targets(fold.validation_labels[part], fold)
        yield (np.asarray(fold.matrix[rows]), scale), targets


def _targets(
    labels: Int64[np.ndarray, "samples"], fold: Fold
) -> Float32[np.ndarray, "samples classes"]:
    if fold.label_sets is not None:
        return fold.label_sets[labels].astype(np.float32)
    # Not rows of the identity: of 10,000 classes that is 400 MB.
    return (labels[:, None] == np.arange(fold.classes)).astype(np.float32)


def _parts(setting: Hyperparameters, samples: int) -> Iterator[slice]:
    for start in range(0, samples, setting.batch_size):
        yield slice(start, min(start + setting.batch_size, samples))


def _last_loss(keras: Any, *, several_labels: bool) -> Any:
    cross_entropy = (
        keras.losses.binary_crossentropy
        if several_labels
        else keras.losses.categorical_crossentropy
    )

    class LastLoss(keras.metrics.Metric):
        """The mean of the latest batch's weighted losses; Keras's `loss` is that of an epoch."""

        def __init__(self) -> None:
            super().__init__(name="last_loss")
            self.value = self.add_variable((), "zeros", name="value")

        def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
            losses = cross_entropy(y_true, y_pred, from_logits=True)
            if sample_weight is not None:
                losses *= sample_weight
            self.value.assign(keras.ops.mean(losses))

        def result(self) -> Any:
            return self.value

    return LastLoss()


def _recorder(keras: Any, job: Job) -> Any:
    class Recorder(keras.callbacks.Callback):
        losses: list[float]
        learning_rates: list[float]

        def on_epoch_begin(self, *_: Any) -> None:
            self.losses = []

        def on_train_batch_begin(self, step: int, *_: Any, **__: Any) -> None:
            self.model.optimizer.learning_rate = self.learning_rates[step]

        def on_train_batch_end(self, _: int, logs: Any) -> None:
            self.losses.append(float(logs["last_loss"]))
            if job.stopped:
                self.model.stop_training = True

        def on_test_batch_end(self, *_: Any, **__: Any) -> None:
            if job.stopped:
                self.model.stop_evaluating = True

    return Recorder()
