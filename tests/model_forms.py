"""The ways in which people put a classifier on a frozen backbone together, written by Keras.

`write` is called in a child process. Each form is a function of a `Kit` in `model_form_table`;
which ones come in, and why the others do not, stands in the tests.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from manyheads.backbones import keras_builds, keras_weights, preprocessing_modes
from manyheads.errors import ManyheadsError
from manyheads.heads.head import Parameters, forward, softmax
from manyheads.modelfiles import arrays
from manyheads.models.importing import foreign
from tests.model_form_kit import SIZE, Kit
from tests.model_form_table import FORMS

IMAGES = 4
_WITHIN = ("given_a_tensor",)  # the preprocessing is a part of the network that `Kit.base` is


def pixels(size: int = SIZE) -> np.ndarray[Any, Any]:
    """Images on which forms are compared, 0 to 255."""
    light = np.array([1.0, 0.5, 0.2, 0.05]).reshape(IMAGES, 1, 1, 1)
    drawn = np.random.default_rng(3).integers(0, 256, (IMAGES, size, size, 3))
    return np.floor(drawn * light).astype(np.float32)


def write(folder: str, names: list[str] | None = None, tiny: bool = False) -> dict[str, Any]:
    """Write forms as .keras and .h5, `tiny` ones on a network of a few small layers.

    Answers with what Keras says of `pixels`, as a list for each image.
    """
    import keras

    found = {}
    for name in names or list(FORMS):
        keras.backend.clear_session()
        kit = Kit(keras, tiny)
        model = FORMS[name](kit)
        if not model.built:
            model.build((None, SIZE, SIZE, 3))
        for variable, array in zip(model.weights, keras_weights.drawn(model, 1), strict=True):
            small = 0.1 if "dense" in variable.path and len(array.shape) == 2 else 1.0
            variable.assign(np.asarray(array, np.float32) * small)
        for suffix in ("keras", "h5"):
            model.save(Path(folder) / f"{name}.{suffix}")
        if kit.tiny and kit.base is not None:
            kit.base.save(Path(folder) / f"{name}-backbone.keras")
        answer = model(pixels(), training=False)
        if not isinstance(answer, list):
            found[name] = np.asarray(keras.ops.convert_to_numpy(answer)).tolist()
    return found


def answers(folder: str, names: list[str]) -> dict[str, Any]:
    """What `take_head` finds in tiny forms, and probabilities of `pixels` by that head.

    Answers with a reason for what is refused. Called in a child process, as `take_head` is.
    """
    import keras

    found = {}
    for name in names:
        file, head = Path(folder) / name, Path(folder) / "head.safetensors"
        try:
            told = foreign.take_head(str(file), str(head))
        except ManyheadsError as error:
            found[name] = {"refused": str(error)}
            continue
        words = None if told["pixels"] is None else told["pixels"][0]
        given = None if file.stem in _WITHIN else words
        prepared = keras_builds.normalised(preprocessing_modes.parse(given or "none"), pixels())
        base: Any = keras.saving.load_model(
            Path(folder) / f"{file.stem}-backbone.keras", compile=False
        )
        features = np.asarray(keras.ops.convert_to_numpy(base(prepared, training=False)))
        pooled = features.mean(axis=(1, 2)) if features.ndim == 4 else features
        parameters = Parameters(*arrays.load(head))
        found[name] = {**told, "features": parameters.features}
        if parameters.features == pooled.shape[1]:
            found[name]["said"] = softmax(forward(parameters, pooled)).tolist()
    return found
