"""A stand-in for Keras Hub: the calls that are made of it, for small networks of Keras's own.

What it cannot show is that the framework itself has these calls; `tests/conformance` does, where it
is installed.
"""

from __future__ import annotations

import os
from types import SimpleNamespace
from typing import Any

import keras

__version__ = "0.1"

UNREACHABLE = "STAND_IN_UNREACHABLE"
"""The environment variable by which no weights are fetched."""


class Backbone:
    """Presets: a feature map, tokens, a network of text, and one of images that are not square."""

    presets = dict.fromkeys(("small_map", "small_tokens", "small_text", "small_wide"))

    @staticmethod
    def from_preset(preset: str, load_weights: bool = True) -> Any:
        if load_weights:
            if os.environ.get(UNREACHABLE):
                raise RuntimeError("the weights of a preset") from ConnectionError("no route")
            keras.utils.set_random_seed(77)
        if preset == "small_text":
            words = keras.Input((8,), name="token_ids")
            return keras.Model(words, keras.layers.Embedding(5, 4)(words))
        sides = {"small_map": (None, None), "small_tokens": (48, 48), "small_wide": (32, 64)}
        images = keras.Input((*sides[preset], 3))
        cells = keras.layers.Conv2D(6, 3, strides=8, padding="same", activation="relu")(images)
        if preset == "small_tokens":
            cells = keras.layers.Reshape((36, 6))(cells)
        return keras.Model(images, cells)


class ImageConverter:
    """How images are prepared: (x / 127.5 - 1), cropped to their middle."""

    crop_to_aspect_ratio = True
    pad_to_aspect_ratio = False
    interpolation = "bilinear"
    scale = 1 / 127.5
    offset = -1.0

    def __init__(self, preset: str) -> None:
        self.image_size = (32, 64) if preset == "small_wide" else (48, 48)

    @classmethod
    def from_preset(cls, preset: str) -> ImageConverter:
        return cls(preset)


models = SimpleNamespace(Backbone=Backbone)
layers = SimpleNamespace(ImageConverter=ImageConverter)
