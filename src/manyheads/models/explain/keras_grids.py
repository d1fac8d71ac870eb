"""A model file cut before its pooling; called in a child process, because it needs Keras."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from manyheads.backbones import keras_builds, registry
from manyheads.backbones.registry import CHANNELS_LAST
from manyheads.errors import ModelError
from manyheads.heads.files import save_head
from manyheads.heads.head import Parameters
from manyheads.models.keras_models import open_model

HEAD = "head.safetensors"


def to_grid_program(
    file: str, backbone: str, preprocessing: str, size: int, target: str
) -> dict[str, Any]:
    """Write what is before the pooling of `file` as OpenVINO's `target`, and its head beside it.

    The program is one of `uint8` NHWC images to feature grids, NHWC too; the head goes to `HEAD`.
    Raises `ModelError` if the model is no head on the pooled features of a backbone.
    """
    import keras

    spec = registry.from_card(backbone, preprocessing)
    model = open_model(file)
    inputs = list(model.input_shape)
    pooling = [each for each in model.layers if type(each).__name__ == "GlobalAveragePooling2D"]
    if inputs != [None, size, size, 3] or len(pooling) != 1:
        raise ModelError(
            f"one global average pooling of images of {size} pixels in {file}",
            f"{len(pooling)}, of inputs {inputs}",
            "export it again from its run folder",
        )
    grids = keras.Model(model.inputs, pooling[0].input)
    keras_builds.write_program(spec, grids, CHANNELS_LAST, Path(target), grid=True)
    save_head(Path(target).with_name(HEAD), _head(model, file), {})
    return {"features": int(grids.output_shape[-1])}


def _head(model: Any, file: str) -> Parameters:
    import keras
    import numpy as np

    dense = [layer for layer in model.layers if type(layer).__name__ == "Dense"]
    arrays = [
        np.asarray(keras.ops.convert_to_numpy(each), np.float32)
        for layer in dense
        for each in layer.weights
    ]
    if len(arrays) == 2:
        arrays = [np.zeros((len(arrays[0]), 0), np.float32), np.zeros(0, np.float32), *arrays]
    if len(arrays) != len(Parameters._fields):
        raise ModelError(
            f"a head of one or two dense layers in {file}", f"{len(dense)}",
            "export it again from its run folder",
        )  # fmt: skip
    return Parameters(*arrays)
