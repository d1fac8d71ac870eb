"""The first promise: a head trained on features follows the whole network's training in Keras."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from manyheads.backbones import registry, weights
from manyheads.backbones.compiled import compile_backbone
from manyheads.data.data_settings import ImageSettings
from manyheads.data.images import load_pixels
from manyheads.errors import DownloadError
from manyheads.heads.bank import Fold, engine_named
from manyheads.modelfiles import arrays
from tests import keras_reference
from tests.banks import settings, train, training_keras
from tests.formulas import train_in_float64

pytestmark = pytest.mark.slow

SIZE = 150
LESSON = ImageSettings(size=SIZE, interpolation="nearest", exif=False)


@dataclass
class Photographs:
    """Sixty-four photographs of the lesson, through Xception with its real weights."""

    images: np.ndarray  # [64, 150, 150, 3] as Xception takes them: from -1 to 1
    labels: np.ndarray
    backbone: Any  # Keras's Xception
    features: dict[str, np.ndarray]  # by the program that computed them, [64, 2048]

    def fold(self, source: str) -> Fold:
        """The features of one source; every photograph trains and validates."""
        rows = np.arange(64)
        return Fold(self.features[source], rows, self.labels, rows, self.labels, 10)


@pytest.fixture(scope="module")
def photographs(clothing: Path) -> Photographs:
    keras = training_keras()
    spec = registry.get("xception")
    try:
        kept = weights.resolve(spec)
    except DownloadError as error:
        pytest.skip(f"the weights of Xception are out of reach: {error}")
    classes = sorted(folder.name for folder in (clothing / "train").iterdir())
    files = sorted((clothing / "train").glob("*/*"))[20::47][:64]
    labels = np.array([classes.index(file.parent.name) for file in files])
    assert len(set(labels)) == 10
    pixels = np.stack([load_pixels(file, LESSON) for file in files])
    images = pixels.astype(np.float32) / np.float32(127.5) - np.float32(1)

    backbone = keras.applications.Xception(
        weights=None, include_top=False, input_shape=(SIZE, SIZE, 3)
    )
    backbone.set_weights(arrays.load(kept.path))
    grid = np.concatenate([backbone(images[part : part + 32], training=False) for part in (0, 32)])
    with compile_backbone(spec, kept, SIZE) as compiled:
        pooled = np.empty((64, compiled.features), np.float32)
        parts = [slice(start, start + compiled.batch) for start in range(0, 64, compiled.batch)]
        for index, values in compiled.run((i, pixels[part]) for i, part in enumerate(parts)):
            pooled[parts[int(str(index))]] = values
    features = {"keras": grid.mean(axis=(1, 2)), "openvino": pooled}
    return Photographs(images, labels, backbone, features)


@pytest.mark.parametrize("droprate", [0.0, 0.5])
def test_three_epochs_are_those_of_the_whole_network(
    photographs: Photographs, droprate: float
) -> None:
    """Xception frozen and in inference mode, a genuine Dropout layer, the lesson's loss."""
    keras = training_keras()
    head = settings(droprate=droprate, size_inner=100, epochs=3)
    whole = keras_reference.fit(
        keras, head, photographs.images, photographs.labels, 10, backbone=photographs.backbone
    )
    assert whole.losses.shape == (6,)
    for name in ("fused", "keras"):
        for source in ("keras", "openvino"):
            fold = photographs.fold(source)
            story = train(engine_named(name), [head], [fold], rule="last", streams=whole.streams)[0]
            np.testing.assert_allclose(story.losses, whole.losses, rtol=1e-4)
            for found, wanted in zip(story.parameters, whole.weights, strict=True):
                np.testing.assert_allclose(found, wanted, rtol=0, atol=1e-4)


@pytest.mark.parametrize("droprate", [0.0, 0.5])
def test_ten_epochs_on_features_are_those_of_keras_and_of_float64(
    photographs: Photographs, droprate: float
) -> None:
    """Sixty-four photographs, so that no input of the ReLU lies above zero for one trainer and
    below it for another, after which any two would part (docs/decisions/0003).
    """
    keras = training_keras()
    head = settings(droprate=droprate, size_inner=100, epochs=10)
    fold = photographs.fold("keras")
    plain = keras_reference.fit(keras, head, fold.matrix, fold.train_labels, 10)
    exact = train_in_float64(head, fold, plain.streams, rounded=False)
    rounded = train_in_float64(head, fold, plain.streams, rounded=True)
    np.testing.assert_allclose(plain.losses, exact.losses, rtol=1e-4)
    for name in ("fused", "keras"):
        story = train(engine_named(name), [head], [fold], rule="last", streams=plain.streams)[0]
        np.testing.assert_allclose(story.losses, plain.losses, rtol=1e-5)
        np.testing.assert_allclose(story.losses, rounded.losses, rtol=1e-5)
        np.testing.assert_allclose(story.losses, exact.losses, rtol=1e-4)
        for found, wanted in zip(story.parameters, plain.weights, strict=True):
            np.testing.assert_allclose(found, wanted, rtol=0, atol=1e-5)
