"""What Keras says of images, and the same network as ONNX; called in a child on TensorFlow."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np


def written(jobs: list[dict[str, Any]]) -> dict[str, Any]:
    """Draw each job's backbone, write it as ONNX behind its preprocessing, and run it in Keras.

    A job names the backbone, and the files of its raw `pixels` (uint8), of the `target` (.onnx)
    and of its `output`, which gets the features and those of images that differ by a millionth.
    """
    import keras

    from manyheads.backbones import keras_weights, registry
    from manyheads.backbones.onnx_writer import write_onnx
    from manyheads.backbones.preprocessing_layers import preprocessing_layers
    from tests.conformance.keras_forward import application, calibrate

    for job in jobs:
        spec, pixels = registry.get(job["name"]), np.load(job["pixels"])
        model = application(spec.function, pixels.shape[1:])
        raw = keras.Input(pixels.shape[1:], dtype="uint8", name="images")
        images: Any = raw
        for layer in preprocessing_layers(spec):
            images = layer(images)
        before: Any = keras.Model(raw, images)
        given = before.predict(pixels, verbose=0)
        model.set_weights(keras_weights.drawn(model, job["seed"]))
        calibrate(model, given)
        whole: Any = keras.Model(raw, model(images))
        write_onnx(whole, Path(job["target"]), {"classes": "[]"}, "images", "outputs")
        features = whole.predict(pixels, verbose=0)
        nudged = model.predict(given * np.float32(1 + 1e-6), verbose=0)
        np.savez(Path(job["output"]), features=features, nudged=nudged)
        keras.backend.clear_session()
    return {}


def refused(name: str, target: str) -> dict[str, str]:
    """What the writer says of a network with a layer that it does not know."""
    import keras

    from manyheads.backbones.onnx_graph import UnwrittenLayer
    from manyheads.backbones.onnx_writer import write_onnx

    images = keras.Input((32, 32, 3))
    strange = {
        "UpSampling2D": keras.layers.UpSampling2D(),
        "batch norm over rows": keras.layers.BatchNormalization(axis=1),
        "channels first": keras.layers.Conv2D(4, 3, data_format="channels_first", padding="same"),
        "softsign": keras.layers.Activation("softsign"),
        "soft threshold": keras.layers.ReLU(threshold=0.5),
    }[name]
    model = keras.Model(images, keras.layers.GlobalAveragePooling2D()(strange(images)))
    try:
        write_onnx(model, Path(target), {}, "images", "outputs")
    except UnwrittenLayer as error:
        return {"refused": str(error)}
    return {"refused": ""}
