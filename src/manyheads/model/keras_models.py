"""Whole networks in Keras, backbone and head; the file functions are called in a child process."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from manyheads.backbones import keras_builds, registry
from manyheads.backbones.keras_parts import check_file
from manyheads.backbones.registry import CHANNELS_LAST, BackboneSpec
from manyheads.errors import ModelError
from manyheads.heads.hyperparameters import Hyperparameters
from manyheads.places import disk_errors

if TYPE_CHECKING:
    import keras


def build(
    keras: Any,
    spec: BackboneSpec,
    weights: list[Any] | None,
    size: int,
    classes: int,
    hyperparameters: Hyperparameters,
) -> keras.Model:
    """The lesson's model, compiled: preprocessed `[n, size, size, 3]` → logits `[n, classes]`.

    The frozen backbone is one nested layer, named like the backbone. Without `weights` it keeps
    Keras's random ones.
    """
    # ConvNeXt normalises what it has pooled, so its pooling has to stay inside.
    inside = not spec.pools_plainly
    base = keras_builds.network(spec, size, CHANNELS_LAST, pooling="avg" if inside else None)
    if weights is not None:
        base.set_weights(weights)
    base.trainable = False
    inputs = keras.Input((size, size, 3))
    vectors = base(inputs, training=False)
    if len(vectors.shape) == 4:
        vectors = keras.layers.GlobalAveragePooling2D(data_format=CHANNELS_LAST)(vectors)
    return with_head(keras, inputs, vectors, classes, hyperparameters)


def with_head(
    keras: Any, inputs: Any, vectors: Any, classes: int, hyperparameters: Hyperparameters
) -> keras.Model:
    """A head on the features `vectors` of `inputs`, compiled as the lesson's model is."""
    hidden = vectors
    if hyperparameters.size_inner:
        hidden = keras.layers.Dense(hyperparameters.size_inner, activation="relu")(hidden)
        hidden = keras.layers.Dropout(hyperparameters.droprate)(hidden)
    model = keras.Model(inputs, keras.layers.Dense(classes)(hidden))
    model.compile(
        optimizer=keras.optimizers.Adam(learning_rate=hyperparameters.learning_rate),
        loss=keras.losses.CategoricalCrossentropy(from_logits=True),
        metrics=["accuracy"],
    )
    # Without its variables, a saved optimiser makes Keras warn when it opens the file.
    model.optimizer.build(model.trainable_variables)
    return model


def blank(
    backbone: str,
    weights: str,
    digest: str,
    size: int,
    size_inner: int,
    classes: int,
    target: str,
) -> dict[str, Any]:
    """Write a whole network of this shape; answers with the names of its `dense` layers."""
    import keras

    spec = registry.get(backbone)
    arrays = keras_builds.stored(Path(weights), digest)
    model = build(keras, spec, arrays, size, classes, Hyperparameters(size_inner=size_inner))
    save(model, target)
    return {"dense": [layer.name for layer in model.layers if type(layer).__name__ == "Dense"]}


def convert(file: str, target: str) -> dict[str, Any]:
    """Write the model in `file` as `target`, in the format that its name ends with."""
    model = open_model(file)
    if target.endswith(".xml"):
        with disk_errors(Path(target)):
            _export_openvino(model, target)
    else:
        save(model, target)
    return {}


def _export_openvino(model: Any, target: str) -> None:
    """Export for any number of images, or for one where the network cannot do that."""
    import keras

    model.export(target, format="openvino", verbose=False)
    image = model.input_shape[1:]
    if not _takes_two(target, image):
        # Some networks reshape by their batch size, which the export has then fixed at 1.
        signature = [keras.InputSpec(dtype="float32", shape=(1, *image), name="images")]
        model.export(target, format="openvino", verbose=False, input_signature=signature)


def _takes_two(program: str, image: tuple[int, ...]) -> bool:
    import numpy as np

    from manyheads import quiet

    try:
        quiet.core().compile_model(program, "CPU")(np.zeros((2, *image), np.float32))
    except RuntimeError:
        return False
    return True


def to_program(
    file: str, backbone: str, size: int, target: str, preprocessing: str | None = None
) -> dict[str, Any]:
    """Write `file`, behind its preprocessing, as OpenVINO's `target` (.xml): `uint8` NHWC in.

    Raises `ModelError` if it does not take images of `size` pixels.
    """
    spec = registry.told(backbone, preprocessing) if preprocessing else registry.get(backbone)
    model = open_model(file)
    if model.input_shape != (None, size, size, 3):
        raise ModelError(
            f"a model of RGB images of {size} pixels in {file}",
            f"one of inputs {list(model.input_shape)}",
            "keep the model and its side file together",
        )
    keras_builds.write_program(spec, model, CHANNELS_LAST, Path(target))
    return {"features": int(model.output_shape[-1])}


def open_model(file: str) -> Any:
    """The Keras model in `file`; raises `ModelError` if it is none, or could run its own code."""
    import keras

    check_file(Path(file))
    try:
        return keras.saving.load_model(file, compile=True, safe_mode=True)
    except (ValueError, OSError, TypeError, KeyError) as error:
        reason = (str(error).strip().splitlines() or [repr(error)])[0]
        raise ModelError(
            f"a model that Keras can open in {file}",
            reason[:200],
            "export it again from its run folder",
        ) from error


def save(model: keras.Model, target: str) -> None:
    """Write `model` as `target`, in the format that its name ends with."""
    import warnings

    with disk_errors(Path(target)), warnings.catch_warnings():
        # Keras advises against .h5, which the user has asked for.
        warnings.simplefilter("ignore")
        model.save(target)
