"""Small networks of Keras Hub with random weights, as presets in a folder; called in a child."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any

import numpy as np

SIZE = 64
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


def save(kind: str, folder: str) -> dict[str, Any]:
    """Write a preset of the `kind` resnet or vit, with its image converter; answers its version."""
    hub: Any = importlib.import_module("keras_hub")
    Path(folder).mkdir(exist_ok=True)
    if kind == "resnet":
        network = hub.models.ResNetBackbone(
            input_conv_filters=[64], input_conv_kernel_sizes=[7], stackwise_num_filters=[64, 128],
            stackwise_num_blocks=[1, 1], stackwise_num_strides=[1, 2], block_type="basic_block",
            use_pre_activation=False, image_shape=(None, None, 3),
        )  # fmt: skip
        converter = hub.layers.ResNetImageConverter
    else:
        network = hub.models.ViTBackbone(
            image_shape=(SIZE, SIZE, 3), patch_size=16, num_layers=2, num_heads=2, hidden_dim=16,
            mlp_dim=32,
        )  # fmt: skip
        converter = hub.layers.ViTImageConverter
    scale = [1 / (255 * each) for each in STD]
    offset = [-mean / std for mean, std in zip(MEAN, STD, strict=True)]
    network.save_to_preset(folder)
    converter(image_size=(SIZE, SIZE), scale=scale, offset=offset).save_to_preset(folder)
    return {"version": hub.__version__}


def features(folder: str, pixels: str, target: str) -> dict[str, Any]:
    """What the framework computes of `pixels` (.npy, uint8), prepared by it too, as `target`."""
    hub: Any = importlib.import_module("keras_hub")
    converter = hub.layers.ImageConverter.from_preset(folder)
    found = hub.models.Backbone.from_preset(folder)(converter(np.load(pixels)), training=False)
    np.save(target, np.asarray(found))
    return {}
