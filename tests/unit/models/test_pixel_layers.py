"""The layers inside an export do to pixels what each backbone's own preprocessing does."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from manyheads.backbones import keras_builds, preprocessing_layers, registry
from manyheads.backbones.registry import CHANNELS_LAST, BackboneSpec
from manyheads.core.keras_backend import import_keras
from manyheads.errors import BackboneError
from manyheads.models import pixel_layers

# One backbone for each preprocessing.
SPECS = {registry.get(name).module: registry.get(name) for name in registry.names()}


def preprocessed(spec: BackboneSpec, pixels: Any) -> Any:
    """By Keras's own function, or for EfficientNet-Lite as its publishers write it."""
    if spec.is_application:
        return getattr(import_keras().applications, spec.module).preprocess_input(pixels)
    return (pixels / 255 - 0.498) / 0.502


@pytest.mark.when_changed("exports")
@pytest.mark.parametrize("spec", SPECS.values(), ids=SPECS)
def test_every_preprocessing_as_layers(spec: BackboneSpec) -> None:
    keras = import_keras()
    images = keras.Input((4, 4, 3))
    pooled = keras.layers.GlobalAveragePooling2D()(images)
    core = keras.Model(images, pooled)
    core.compile(optimizer=keras.optimizers.Adam(0.25))
    whole = pixel_layers.with_pixels(spec, core)

    pixels = np.random.default_rng(0).integers(0, 256, (3, 4, 4, 3), np.uint8)
    logits = preprocessed(spec, pixels.astype(np.float64)).mean(axis=(1, 2))
    expected = np.exp(logits - logits.max(axis=1, keepdims=True))
    expected /= expected.sum(axis=1, keepdims=True)
    found = np.asarray(keras.ops.convert_to_numpy(whole(pixels)))
    np.testing.assert_allclose(found, expected, rtol=0, atol=2e-5)
    assert whole.inputs[0].dtype == "uint8"
    assert whole.optimizer.get_config()["learning_rate"] == 0.25


@pytest.mark.when_changed("exports")
@pytest.mark.parametrize("spec", SPECS.values(), ids=SPECS)
def test_the_map_of_the_channels_is_the_preprocessing(spec: BackboneSpec) -> None:
    pixels = np.random.default_rng(1).uniform(0, 255, (5, 2, 2, 3))
    matrix, offset = preprocessing_layers.channel_map(spec)
    expected = preprocessed(spec, pixels.copy())
    np.testing.assert_allclose(
        pixels @ matrix + offset, expected, atol=1e-9 if spec.is_application else 1e-6
    )


def test_another_kind_of_preprocessing_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    def squared(_spec: BackboneSpec, raw: Any, data_format: str) -> Any:
        assert data_format == CHANNELS_LAST
        return raw**2

    monkeypatch.setattr(keras_builds, "preprocessed", squared)
    with pytest.raises(BackboneError, match=r"xception.*export it `raw`"):
        preprocessing_layers.channel_map(registry.get("xception"))
