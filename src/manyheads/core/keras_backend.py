"""Keras, imported on a backend that can do what is asked of it."""

from __future__ import annotations

import importlib
import importlib.util
import os
import sys
from types import ModuleType
from typing import Any

from manyheads.core import openvino_runtime
from manyheads.errors import MissingExtraError

TRAINING_BACKENDS = ("tensorflow", "jax", "torch")


def import_keras(*, training: bool = False) -> ModuleType:
    """Import Keras on the user's choice of backend, or else on the best that is installed.

    The choice is Keras's own: `KERAS_BACKEND`, or a Keras that is already imported. The base
    installation has OpenVINO, which builds, loads, predicts and saves but does not train; with
    `training`, raises `MissingExtraError` if the backend is such a one.
    """
    openvino_runtime.silence()
    if "keras" not in sys.modules and "KERAS_BACKEND" not in os.environ:
        os.environ["KERAS_BACKEND"] = _best_installed()
    keras = importlib.import_module("keras")
    if keras.config.backend() == "openvino":
        _predict_in_float32()
    if training and keras.config.backend() not in TRAINING_BACKENDS:
        raise MissingExtraError(
            f"a Keras backend that trains ({', '.join(TRAINING_BACKENDS)})",
            f"Keras on {keras.config.backend()}",
            "run: pip install 'manyheads[tensorflow]' (or [jax]), and unset KERAS_BACKEND",
        )
    return keras


def _predict_in_float32() -> None:
    """Make Keras's `predict` on OpenVINO compute in float32, as its other backends do.

    Keras leaves the precision to OpenVINO, which takes bfloat16 on processors that have it: a
    hundredth off, without a word.
    """

    def compile_model(model: Any, device_name: str = "AUTO", config: Any = None) -> Any:
        core = openvino_runtime.core()
        return core.compile_model(
            model, device_name, {"INFERENCE_PRECISION_HINT": "f32", **(config or {})}
        )

    openvino: Any = openvino_runtime.openvino()
    openvino.compile_model = compile_model


def _best_installed() -> str:
    for backend in TRAINING_BACKENDS:
        if importlib.util.find_spec(backend) is not None:
            return backend
    return "openvino"
