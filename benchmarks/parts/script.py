"""The lesson's own script: Keras on TensorFlow, the whole network in every step."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from benchmarks.machine import answer
from benchmarks.parts.networks import SPEC
from benchmarks.parts.shapes import (
    BATCH,
    DROPRATE,
    LEARNING_RATE,
    SIZE,
    UNITS,
    seconds,
)
from manyheads.backbones.keras_builds import network, stored
from manyheads.backbones.weights import resolve


def epoch(data: str, images: int | None) -> dict[str, float]:
    """Seconds of an epoch of `fit` with validation, after a few steps that build the graphs.

    Without `images` it is run whole; else its rates are measured on that many images of each
    split, and what an epoch takes follows from them.
    """
    from tensorflow.keras.applications.xception import preprocess_input
    from tensorflow.keras.preprocessing.image import ImageDataGenerator

    loader = ImageDataGenerator(preprocessing_function=preprocess_input)
    train, validation = (
        loader.flow_from_directory(
            str(Path(data) / split), target_size=(SIZE, SIZE), batch_size=BATCH, shuffle=shuffled
        )
        for split, shuffled in (("train", True), ("validation", False))
    )
    model = _lessons_model(train.num_classes)
    model.fit(train, steps_per_epoch=2, verbose=0)
    model.evaluate(validation, steps=1, verbose=0)
    if images is None:
        took = seconds(lambda: model.fit(train, validation_data=validation, verbose=0))
        return {"epoch": took}
    steps = max(1, images // BATCH)
    held = min(steps, len(validation) - 1)  # the last batch is short
    training = seconds(lambda: model.fit(train, steps_per_epoch=steps, verbose=0))
    evaluation = seconds(lambda: model.evaluate(validation, steps=held, verbose=0))
    each = training / (steps * BATCH), evaluation / (held * BATCH)
    return {"epoch": train.samples * each[0] + validation.samples * each[1]}


def _lessons_model(classes: int) -> Any:
    import keras

    base = network(SPEC, SIZE, "channels_last", pooling=None)
    kept = resolve(SPEC)
    base.set_weights(stored(kept.path, kept.digest))
    base.trainable = False
    inputs = keras.Input((SIZE, SIZE, 3))
    vectors = keras.layers.GlobalAveragePooling2D()(base(inputs, training=False))
    inner = keras.layers.Dense(UNITS, activation="relu")(vectors)
    outputs = keras.layers.Dense(classes)(keras.layers.Dropout(DROPRATE)(inner))
    model = keras.Model(inputs, outputs)
    loss = keras.losses.CategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.Adam(LEARNING_RATE), loss=loss, metrics=["accuracy"])
    return model


if __name__ == "__main__":
    answer(globals())
