"""The lesson's model, made by one call."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from manyheads.backbones import registry
from manyheads.backbones.weights import resolve
from manyheads.core.keras_backend import TRAINING_BACKENDS, import_keras
from manyheads.core.settings import whole
from manyheads.data.data_settings import ImageSettings
from manyheads.heads.hyperparameters import Hyperparameters

if TYPE_CHECKING:
    import keras


def make_model(
    learning_rate: float = 0.01,
    size_inner: int = 100,
    droprate: float = 0.5,
    *,
    backbone: str = "xception",
    classes: int = 10,
    image_size: int = 150,
    weights: str | Path | None = None,
) -> keras.Model:
    """The lesson's compiled Keras model: a frozen backbone with ImageNet's weights, and a head.

    It takes preprocessed float32 images `[n, image_size, image_size, 3]` and gives logits
    `[n, classes]`; its loss takes one-hot labels. Keras runs on the backend that it is set to, or
    the best installed. On the base installation's, OpenVINO, the model builds, loads, predicts
    and saves, and `fit` raises `MissingExtraError`.
    """
    from manyheads.backbones import keras_builds
    from manyheads.models.keras_models import build

    hyperparameters = Hyperparameters(
        learning_rate=learning_rate, size_inner=size_inner, droprate=droprate
    )
    classes = whole("classes", classes, 2, 1_000_000)
    spec = registry.get(backbone)
    spec.check_size(ImageSettings(size=image_size).size)
    kept = resolve(spec, weights)
    keras = import_keras()
    arrays = keras_builds.stored(kept.path, kept.digest)
    model = build(keras, spec, arrays, image_size, classes, hyperparameters)
    if keras.config.backend() not in TRAINING_BACKENDS:
        model.fit = _no_fit
    return model


def _no_fit(*_: object, **__: object) -> None:
    import_keras(training=True)
