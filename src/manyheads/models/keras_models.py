"""Whole networks in Keras, backbone and head; the file functions are called in a child process."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from manyheads.backbones import keras_builds, own_files, registry
from manyheads.backbones.registry import CHANNELS_LAST, BackboneSpec, batch_size
from manyheads.core.places import disk_errors
from manyheads.errors import ModelError
from manyheads.heads.hyperparameters import Hyperparameters
from manyheads.modelfiles.keras_parts import check_file
from manyheads.models import pixel_layers

if TYPE_CHECKING:
    import keras


def build(
    keras: Any,
    spec: BackboneSpec,
    weights: list[Any] | None,
    size: int,
    classes: int,
    hyperparameters: Hyperparameters,
    *,
    several_labels: bool = False,
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
    return with_head(
        keras, inputs, vectors, classes, hyperparameters, several_labels=several_labels
    )


def with_head(
    keras: Any,
    inputs: Any,
    vectors: Any,
    classes: int,
    hyperparameters: Hyperparameters,
    *,
    several_labels: bool = False,
) -> keras.Model:
    """A head on the features `vectors` of `inputs`, compiled as the lesson's model is.

    Of `several_labels`, with the binary cross-entropy.
    """
    hidden = vectors
    if hyperparameters.size_inner:
        hidden = keras.layers.Dense(hyperparameters.size_inner, activation="relu")(hidden)
        hidden = keras.layers.Dropout(hyperparameters.droprate)(hidden)
    model = keras.Model(inputs, keras.layers.Dense(classes)(hidden))
    model.compile(
        optimizer=keras.optimizers.Adam(learning_rate=hyperparameters.learning_rate),
        **pixel_layers.judged_by(several_labels=several_labels, from_logits=True),
    )
    # Without its variables, a saved optimiser makes Keras warn when it opens the file.
    model.optimizer.build(model.trainable_variables)
    return model


def blank(
    weights: str,
    digest: str,
    size: int,
    size_inner: int,
    classes: int,
    target: str,
    backbone: str | None = None,
    preprocessing: str | None = None,
    several_labels: bool = False,
) -> dict[str, Any]:
    """Write a whole network of this shape; answers with the names of its `dense` layers.

    `weights` holds the arrays of a `backbone` of Keras, or, without one, is the `.keras` file of a
    network of the user's own, with its `preprocessing`.
    """
    import keras

    if backbone is not None:
        spec, arrays = registry.get(backbone), keras_builds.stored(Path(weights), digest)
    else:
        own_files.require(Path(weights), digest)
        spec, arrays = registry.get(weights, preprocessing), None
    model = build(
        keras, spec, arrays, size, classes, Hyperparameters(size_inner=size_inner),
        several_labels=several_labels,
    )  # fmt: skip
    return _saved(model, target)


def blank_head(
    size: int, size_inner: int, classes: int, target: str, several_labels: bool = False
) -> dict[str, Any]:
    """Write a head of `size` features; answers with the names of its `dense` layers."""
    import keras

    features = keras.Input((size,), name="features")
    model = with_head(
        keras, features, features, classes, Hyperparameters(size_inner=size_inner),
        several_labels=several_labels,
    )  # fmt: skip
    return _saved(model, target)


def _saved(model: Any, target: str) -> dict[str, Any]:
    from manyheads.models.export import converters  # which predictions can do without

    with disk_errors(Path(target)):
        converters.save(model, Path(target))
    return {"dense": [layer.name for layer in model.layers if type(layer).__name__ == "Dense"]}


def convert(
    file: str,
    format_: str,
    target: str,
    about: dict[str, str],
    backbone: str | None = None,
    preprocessing: str = "",
    several_labels: bool = False,
    trainable: bool = False,
) -> dict[str, Any]:
    """Write the model in `file` as `target` in another format, with `about` in its metadata.

    With a `backbone` its `preprocessing` goes inside, and a softmax (of `several_labels` a
    sigmoid): pixels in, probabilities out; before a head of features, whose backbone is none,
    nothing does. With `trainable`, all layers are to be trained further. Answers with the layer
    that is `unwritten` if this takes a converter on another backend of Keras; then there is no
    file. Raises `ModelError` if the format's converter cannot do it.
    """
    from manyheads.models.export import converters, trainable_export

    model = pixel_model(file, backbone, preprocessing, several_labels=several_labels)
    if trainable:
        model = trainable_export.unfrozen(model)
    with disk_errors(Path(target)):
        unwritten = converters.write(model, format_, Path(target), about)
    return {"unwritten": unwritten}


def pixel_model(
    file: str,
    backbone: str | None = None,
    preprocessing: str = "",
    *,
    several_labels: bool = False,
) -> keras.Model:
    """The model in `file`; with a `backbone` between its `preprocessing` and a softmax.

    Of `several_labels` a sigmoid stands in the softmax's place.
    """
    model = open_model(file)
    if backbone == registry.NO_BACKBONE.name:
        return pixel_layers.with_probabilities(model, several_labels=several_labels)
    if backbone is not None:
        spec = registry.from_card(backbone, preprocessing)
        return pixel_layers.with_pixels(spec, model, several_labels=several_labels)
    return model


def to_program(
    file: str, backbone: str, preprocessing: str, size: int, target: str, plain: bool = True
) -> dict[str, Any]:
    """Write `file`, behind its preprocessing, as OpenVINO's `target` (.xml): `uint8` NHWC in.

    One that is not `plain` has its preprocessing inside, and a softmax, which is left out. Raises
    `ModelError` if it does not take images of `size` pixels.
    """
    spec = registry.from_card(backbone, preprocessing)
    model = open_model(file)
    if model.input_shape != (None, size, size, 3):
        raise ModelError(
            f"a model of RGB images of {size} pixels in {file}",
            f"one of inputs {list(model.input_shape)}",
            "keep the model and its side file together",
        )
    if plain:
        keras_builds.write_program(spec, model, CHANNELS_LAST, Path(target))
    else:
        write_pixel_program(_logits(model, file), batch_size(size), target)
    return {"features": int(model.output_shape[-1])}


def _logits(model: Any, file: str) -> Any:
    """A model of pixels without the softmax, or the sigmoid, that it ends with."""
    import keras

    last = model.layers[-1]
    ends = isinstance(last, keras.layers.Softmax)
    if isinstance(last, keras.layers.Activation):
        ends = last.get_config()["activation"] == "sigmoid"
    if not ends or model.input.dtype != "uint8":
        raise ModelError(
            f"a model of uint8 images that ends with a softmax or a sigmoid in {file}",
            f"one of {model.input.dtype} that ends with {type(last).__name__}",
            "keep the model and its side file together",
        )
    return keras.Model(model.input, last.input)


def write_pixel_program(model: Any, batch: int, target: str) -> None:
    """Write a model of `uint8` NHWC images as OpenVINO's `target` (.xml)."""
    import keras

    signature = [keras.InputSpec(dtype="uint8", shape=(batch, *model.input_shape[1:]))]
    model.export(target, format="openvino", verbose=False, input_signature=signature)


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
