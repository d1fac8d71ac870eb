"""A model between its preprocessing and its probabilities; called where Keras is imported."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from manyheads.backbones.preprocessing_layers import preprocessing_layers
from manyheads.backbones.registry import BackboneSpec
from manyheads.models.importing.layer_graph import source_names

if TYPE_CHECKING:
    import keras


def with_pixels(
    spec: BackboneSpec, model: keras.Model, *, several_labels: bool = False
) -> keras.Model:
    """`model` between its preprocessing and a softmax, compiled as before.

    Raw RGB `uint8 [n, size, size, 3]` → probabilities `float32 [n, classes]`; of `several_labels`
    by a sigmoid.
    """
    import keras

    raw = keras.Input(model.input_shape[1:], dtype="uint8", name="images")
    images = raw
    for layer in preprocessing_layers(spec):
        images = layer(images)
    return _with_probabilities(raw, _behind(images, model), model, several_labels=several_labels)


def with_probabilities(model: keras.Model, *, several_labels: bool = False) -> keras.Model:
    """`model`, whose outputs are logits, behind a softmax or a sigmoid; compiled as before."""
    return _with_probabilities(model.input, model.output, model, several_labels=several_labels)


def judged_by(*, several_labels: bool, from_logits: bool) -> dict[str, Any]:
    """The loss and the metrics that a model is compiled with."""
    import keras

    if not several_labels:
        loss = keras.losses.CategoricalCrossentropy(from_logits=from_logits)
        return {"loss": loss, "metrics": ["accuracy"]}
    half = 0.0 if from_logits else 0.5
    return {
        "loss": keras.losses.BinaryCrossentropy(from_logits=from_logits),
        "metrics": [keras.metrics.BinaryAccuracy(name="accuracy", threshold=half)],
    }


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


def _with_probabilities(
    given: Any, logits: Any, model: Any, *, several_labels: bool
) -> keras.Model:
    import keras

    name = "probabilities"
    last = keras.layers.Softmax(name=name)
    if several_labels:
        last = keras.layers.Activation("sigmoid", name=name)
    whole = keras.Model(given, last(logits))
    if model.optimizer is None:  # as a model is written that is to be trained further
        return whole
    rate: Any = model.optimizer.get_config()["learning_rate"]
    whole.compile(
        optimizer=keras.optimizers.Adam(learning_rate=float(rate)),
        **judged_by(several_labels=several_labels, from_logits=False),
    )
    whole.optimizer.build(whole.trainable_variables)
    return whole
