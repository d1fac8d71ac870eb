"""What is measured of Keras on TensorFlow, in a process of its own (see `machine.part`).

Every part warms up first (graphs, imports) and then times work alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.machine import answer
from benchmarks.parts import BATCH, CLASSES, FEATURES, SIZE, samples, seconds


def script(data: str, weights: str, images: int) -> dict[str, float]:
    """The lesson's script: images a second in training and in evaluation, decoding included."""
    from tensorflow.keras.applications.xception import preprocess_input  # pyright: ignore
    from tensorflow.keras.preprocessing.image import ImageDataGenerator  # pyright: ignore

    loader = ImageDataGenerator(preprocessing_function=preprocess_input)
    train, validation = (
        loader.flow_from_directory(
            str(Path(data) / split), target_size=(SIZE, SIZE), batch_size=BATCH, shuffle=shuffled
        )
        for split, shuffled in (("train", True), ("validation", False))
    )
    model = _lessons_model(weights, CLASSES)
    steps = max(1, images // BATCH)
    held = min(steps, len(validation) - 1)  # the last batch is short
    model.fit(train, steps_per_epoch=2, verbose=0)
    training = seconds(lambda: model.fit(train, steps_per_epoch=steps, verbose=0))
    model.evaluate(validation, steps=1, verbose=0)
    evaluation = seconds(lambda: model.evaluate(validation, steps=held, verbose=0))
    return {"training": steps * BATCH / training, "evaluation": held * BATCH / evaluation}


def extraction(files: Sequence[str], weights: str) -> dict[str, float]:
    """Images a second of Keras's predict: by its loader, by tf.data, and of pixels in memory."""
    import tensorflow as tf

    keras = _keras()
    preprocess = keras.applications.xception.preprocess_input
    base = _xception(weights)
    model = keras.Model(base.inputs, keras.layers.GlobalAveragePooling2D()(base.outputs[0]))

    class Loader(keras.utils.PyDataset):
        def __init__(self, mine: Sequence[str]) -> None:
            super().__init__()
            self.mine = mine

        def __len__(self) -> int:
            return len(self.mine) // BATCH

        def __getitem__(self, index: int) -> Any:
            some = self.mine[index * BATCH : (index + 1) * BATCH]
            images = [keras.utils.load_img(file, target_size=(SIZE, SIZE)) for file in some]
            return preprocess(np.stack([np.asarray(image, np.float32) for image in images]))

    def decoded(file: Any) -> Any:
        pixels = tf.io.decode_image(tf.io.read_file(file), channels=3, expand_animations=False)
        pixels = tf.image.resize(pixels, (SIZE, SIZE), method="nearest")
        return preprocess(tf.cast(pixels, tf.float32))

    threads = tf.data.AUTOTUNE
    stream = tf.data.Dataset.from_tensor_slices(list(files)).map(decoded, threads)
    stream = stream.batch(BATCH, drop_remainder=True).prefetch(threads)
    whole = len(files) // BATCH * BATCH
    memory = Loader(files)[0]
    for warm in (Loader(files[: 2 * BATCH]), stream.take(2)):
        model.predict(warm, verbose=0)
    model.predict_on_batch(memory)
    loops = {
        "loader": (lambda: model.predict(Loader(files), verbose=0), whole),
        "tf.data": (lambda: model.predict(stream, verbose=0), whole),
        "bare": (lambda: [model.predict_on_batch(memory) for _ in range(6)], 6 * BATCH),
    }
    return {name: count / seconds(work) for name, (work, count) in loops.items()}


def heads(epochs: int) -> dict[str, float]:
    """Milliseconds of a head's epoch: `fit` on features, one head after the other."""
    keras = _keras()
    x, y, val_x, val_y = samples()

    def fit(count: int) -> Any:
        inputs = keras.Input((FEATURES,))
        hidden = keras.layers.Dropout(0.5)(keras.layers.Dense(100, activation="relu")(inputs))
        model = keras.Model(inputs, keras.layers.Dense(CLASSES)(hidden))
        loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
        model.compile("adam", loss=loss, metrics=["accuracy"])
        return model.fit(
            x, y, batch_size=BATCH, epochs=count, validation_data=(val_x, val_y), verbose=0
        )

    # Twice, with and without the epochs in question: what is left is the epochs.
    short, long = (seconds(lambda count=count: fit(count)) for count in (1, 1 + epochs))
    return {"epoch": (long - short) * 1000 / epochs}


def _lessons_model(weights: str, classes: int) -> Any:
    keras = _keras()
    base = _xception(weights)
    base.trainable = False
    inputs = keras.Input((SIZE, SIZE, 3))
    vectors = keras.layers.GlobalAveragePooling2D()(base(inputs, training=False))
    hidden = keras.layers.Dropout(0.5)(keras.layers.Dense(100, activation="relu")(vectors))
    model = keras.Model(inputs, keras.layers.Dense(classes)(hidden))
    loss = keras.losses.CategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.Adam(0.001), loss=loss, metrics=["accuracy"])
    return model


def _xception(weights: str) -> Any:
    from safetensors.numpy import load_file

    keras = _keras()
    base = keras.applications.Xception(weights=None, include_top=False, input_shape=(SIZE, SIZE, 3))
    arrays = load_file(weights)
    base.set_weights([arrays[key] for key in sorted(arrays, key=int)])
    return base


def _keras() -> Any:
    import keras

    return keras


if __name__ == "__main__":
    answer(globals())
