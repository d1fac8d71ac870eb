"""Models that tests have Keras write, in a child process."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from manyheads.backbones import keras_builds, registry
from manyheads.backbones.registry import CHANNELS_LAST

UNITS, CLASSES = 6, 3


def write(backbone: str, weights: str, digest: str, size: int, folder: str) -> dict[str, Any]:
    """The lesson's model in every form that a script may give it, each as .keras and .h5."""
    import keras

    spec = registry.get(backbone)
    arrays = keras_builds.stored(Path(weights), digest)
    out = Path(folder)

    def network(pooling: str | None = None) -> Any:
        base = keras_builds.network(spec, size, CHANNELS_LAST, pooling=pooling)
        base.set_weights(arrays)
        base.trainable = False
        return base

    def ended(inputs: Any, base: Any, *layers: Any) -> Any:
        outputs = base
        for layer in layers:
            outputs = layer(outputs)
        return keras.Model(inputs, outputs)

    kinds = keras.layers
    pool = kinds.GlobalAveragePooling2D
    inputs = keras.Input((size, size, 3))

    def nested(*layers: Any) -> Any:
        return ended(inputs, network()(inputs, training=False), *layers)

    relu, last = kinds.Dense(UNITS, activation="relu"), kinds.Dense(CLASSES)
    models = {"lesson": nested(pool(), relu, kinds.Dropout(0.2), last)}
    flat = network()
    models["flat"] = ended(flat.inputs, flat.outputs[0], pool(), kinds.Dense(CLASSES))
    models["pooled"] = keras.Sequential(
        [network("avg"), kinds.Dense(CLASSES, activation="softmax")]
    )
    models["linear"] = nested(pool(), kinds.Dense(UNITS), kinds.Dense(CLASSES), kinds.Softmax())
    models["tanh"] = nested(pool(), kinds.Dense(UNITS, activation="tanh"), kinds.Dense(CLASSES))
    models["normalised"] = nested(pool(), kinds.BatchNormalization(), kinds.Dense(CLASSES))
    models["maximum"] = nested(kinds.GlobalMaxPooling2D(), kinds.Dense(CLASSES))
    models["lambda"] = nested(pool(), kinds.Lambda(lambda x: x * 2), kinds.Dense(CLASSES))
    models["rescaled"] = ended(
        inputs, network()(kinds.Rescaling(2.0)(inputs)), pool(), kinds.Dense(CLASSES)
    )
    generator = np.random.default_rng(0)
    for model in models.values():
        head = [layer for layer in model.layers if type(layer).__name__ == "Dense"]
        for layer in head:
            layer.set_weights([generator.normal(0, 0.1, w.shape) for w in layer.get_weights()])
    for name in ("lesson", "flat", "pooled", "linear"):
        models[name].save(out / f"{name}.h5")
    for name, model in models.items():
        model.save(out / f"{name}.keras")
    models["lesson"].save_weights(out / "lesson.weights.h5")
    return {
        name: [w.tolist() for layer in model.layers[-6:] if type(layer).__name__ == "Dense"
               for w in layer.get_weights()]
        for name, model in models.items()
    }  # fmt: skip


def write_lesson(
    backbone: str, weights: str, digest: str, size: int, target: str
) -> dict[str, Any]:
    """The lesson's model alone, with ten units."""
    from manyheads.heads.hyperparameters import Hyperparameters
    from manyheads.models import keras_models

    spec = registry.get(backbone)
    arrays = keras_builds.stored(Path(weights), digest)
    setting = Hyperparameters(size_inner=10, droprate=0.2)
    import keras

    keras_models.build(keras, spec, arrays, size, CLASSES, setting).save(target)
    return {}


def configuration(backbone: str) -> dict[str, Any]:
    """What a whole model with this backbone says of itself in its file."""
    import json

    import keras

    from manyheads.heads.hyperparameters import Hyperparameters
    from manyheads.models import keras_models

    spec = registry.get(backbone)
    model = keras_models.build(keras, spec, None, 96, CLASSES, Hyperparameters(size_inner=UNITS))
    return json.loads(json.dumps(keras.saving.serialize_keras_object(model)))
