"""What Keras itself computes; called in a child process whose Keras is on TensorFlow."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np

from manyheads.backbones import efficientnet_lite


def forward(jobs: list[dict[str, Any]]) -> dict[str, list[str]]:
    """Run each job's backbone as Keras's documentation says: preprocess, predict.

    A job names the application's `module` and `function` (or that of a network that
    `keras.applications` lacks, which is then ours), the files of its raw `pixels` (uint8) and of
    its `output`, and that of its `weights` (safetensors). With a `seed`, the weights are
    drawn and written there first. Beside `features` the output holds `misread`, the features of
    the same images in another range, as a mistaken preprocessing would make them, and `nudged`,
    those of images that differ by a millionth. Answers with the weights' digests.
    """
    import keras

    from manyheads.backbones import keras_weights
    from manyheads.modelfiles import arrays

    digests = []
    for job in jobs:
        pixels = np.load(job["pixels"]).astype(np.float32)
        # A preprocessing works in place on float arrays, hence the copy.
        if job["module"] == "efficientnet_lite":
            images = (pixels / 255 - np.float32(0.498)) / np.float32(0.502)
        else:
            images = getattr(keras.applications, job["module"]).preprocess_input(pixels.copy())
        model = application(job["function"], pixels.shape[1:])
        weights = Path(job["weights"])
        if "seed" in job:
            model.set_weights(keras_weights.drawn(model, job["seed"]))
            calibrate(model, images)
            arrays.save(weights, model.get_weights(), {})
        else:
            model.set_weights(arrays.load(weights))
        digests.append(arrays.metadata(weights)["digest"])
        features = model.predict(images, verbose=0)
        misread = model.predict(images * 0.5 + 0.25, verbose=0)
        nudged = model.predict(images * np.float32(1 + 1e-6), verbose=0)
        np.savez(Path(job["output"]), features=features, misread=misread, nudged=nudged)
        keras.backend.clear_session()
    return {"digests": digests}


def runtime(weights: list[str], pixels: str, output: str) -> dict[str, Any]:
    """The features of `pixels` by our own `keras` runtime, in parts of several sizes."""
    from manyheads.backbones import registry
    from manyheads.backbones.compiled import compile_backbone
    from manyheads.backbones.weights import Weights

    known = Weights(Path(weights[0]), weights[1], "a test")
    images = np.load(pixels)
    with compile_backbone(
        registry.get("xception"), known, images.shape[1], runtime="keras"
    ) as backbone:
        parts = [images[:1], images[1:]]
        found = [features for _, features in backbone.run(enumerate(parts))]
        (whole,) = [features for _, features in backbone.run([(0, images)])]
    np.testing.assert_array_equal(np.concatenate(found), whole)
    np.save(output, whole)
    return {"features": backbone.features}


def descriptions(names: list[str]) -> dict[str, Any]:
    """What Keras says of these backbones: the size it trained them at, their file, and whether
    it builds them at the least size that is stated here, and no smaller."""
    import keras

    from manyheads.backbones import keras_builds, registry

    found = {}
    for name in names:
        spec = registry.get(name)
        whole = getattr(keras.applications, spec.function)(weights=None)
        least = keras_builds.network(spec, spec.min_size, spec.data_format)
        try:
            keras_builds.network(spec, spec.min_size - 1, spec.data_format)
        except ValueError:
            refused = True
        else:
            refused = False
        found[name] = {
            "size": whole.input_shape[1],
            "origin": keras_builds.origin(name),
            "least": list(least.output_shape),
            "refused": refused,
        }
        keras.backend.clear_session()
    return found


def application(function: str, shape: tuple[int, ...]) -> Any:
    """The network as Keras builds it for its ImageNet weights, without fetching them.

    What `keras.applications` lacks, we build, and its references are real ones.
    """
    import keras

    if not hasattr(keras.applications, function):
        return efficientnet_lite.build(function, (shape[0], shape[1], 3), "channels_last", "avg")

    with (
        mock.patch("keras.src.utils.file_utils.get_file"),
        mock.patch.object(keras.Model, "load_weights"),
    ):
        return getattr(keras.applications, function)(
            weights="imagenet", include_top=False, pooling="avg", input_shape=shape
        )


def calibrate(model: Any, images: Any) -> None:
    """Let every batch normalisation meet the images: a deep random network without that either
    forgets its input or is chaotic, and neither tells a right program from a wrong one."""
    import keras

    layers = [x for x in model.layers if isinstance(x, keras.layers.BatchNormalization)]
    for layer in layers:
        layer.momentum = 0.0
    model(images, training=True)
    # Channels that hardly vary would be blown up, rounding errors and all.
    for layer in layers:
        moving: Any = layer.moving_variance
        variance = moving.numpy()
        moving.assign((variance + variance.mean()) / 2)
