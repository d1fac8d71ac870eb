"""A model between its preprocessing and a softmax; called where Keras is imported."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from manyheads.backbones.preprocessing_layers import preprocessing_layers
from manyheads.backbones.registry import BackboneSpec
from manyheads.models.importing.layer_graph import source_names

if TYPE_CHECKING:
    import keras


def with_pixels(spec: BackboneSpec, model: keras.Model) -> keras.Model:
    """`model` between its preprocessing and a softmax, compiled as before.

    Raw RGB `uint8 [n, size, size, 3]` → probabilities `float32 [n, classes]`.
    """
    import keras

    raw = keras.Input(model.input_shape[1:], dtype="uint8", name="images")
    images = raw
    for layer in preprocessing_layers(spec):
        images = layer(images)
    return _with_softmax(raw, _behind(images, model), model)


def with_softmax(model: keras.Model) -> keras.Model:
    """`model`, whose outputs are logits, behind a softmax; compiled as before."""
    return _with_softmax(model.input, model.output, model)


def _behind(images: Any, model: Any) -> Any:
    """What `model` makes of `images`: layer by layer if it is a chain of them, as studies write it.

    Its pooling and its head then stay layers of the whole, where other programs find them.
    """
    entries = model.get_config().get("layers", [])
    before = [source_names(entry.get("inbound_nodes")) for entry in entries]
    chain = [[], *([entry["name"]] for entry in entries[:-1])]
    if not entries or [list(names) for names in before] != chain:
        return model(images)
    for layer in model.layers[1:]:
        nested = hasattr(layer, "layers")  # the backbone, in which nothing is to be trained
        images = layer(images, training=False) if nested else layer(images)
    return images


def _with_softmax(given: Any, logits: Any, model: Any) -> keras.Model:
    import keras

    whole = keras.Model(given, keras.layers.Softmax(name="probabilities")(logits))
    rate: Any = model.optimizer.get_config()["learning_rate"]
    whole.compile(
        optimizer=keras.optimizers.Adam(learning_rate=float(rate)),
        loss=keras.losses.CategoricalCrossentropy(),
        metrics=["accuracy"],
    )
    whole.optimizer.build(whole.trainable_variables)
    return whole
