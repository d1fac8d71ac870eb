"""Keras on a backend that can do what is asked of it; each case in a process of its own."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys

import pytest

from manyheads.keras_backend import TRAINING_BACKENDS


def run(code: str, **environment: str) -> str:
    """What `code` prints in a fresh process."""
    clean = {name: value for name, value in os.environ.items() if name != "KERAS_BACKEND"}
    done = subprocess.run(
        [sys.executable, "-c", code],
        env=clean | {"TF_CPP_MIN_LOG_LEVEL": "3"} | environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_training_without_a_backend_that_trains_says_which_extra_brings_one() -> None:
    code = """
from manyheads.errors import MissingExtraError
from manyheads.heads.bank import engine_named
from tests.banks import generated_fold, settings

events = engine_named("keras").train([settings()], [generated_fold()])
try:
    next(events)
except MissingExtraError as error:
    print(error)
"""
    said = run(code, KERAS_BACKEND="openvino")
    assert "found Keras on openvino" in said
    assert "pip install 'manyheads[tensorflow]'" in said
    assert said.count("\n") == 1


def test_without_a_choice_it_is_one_that_trains_where_there_is_one() -> None:
    code = "from manyheads.keras_backend import import_keras as i; print(i().config.backend())"
    installed = [name for name in TRAINING_BACKENDS if importlib.util.find_spec(name)]
    assert run(code).split() == [*installed, "openvino"][:1]


def test_a_keras_that_is_already_there_stands() -> None:
    if importlib.util.find_spec("tensorflow") is None:
        pytest.skip("TensorFlow is not installed, so there is no other backend to leave alone")
    code = """
import os
os.environ["KERAS_BACKEND"] = "openvino"
import keras
del os.environ["KERAS_BACKEND"]
from manyheads.keras_backend import import_keras
print(import_keras().config.backend(), "KERAS_BACKEND" in os.environ)
"""
    assert run(code).split() == ["openvino", "False"]


def test_predictions_on_openvino_are_float32_on_every_processor() -> None:
    code = """
import numpy as np
from manyheads.keras_backend import import_keras

keras = import_keras()
keras.utils.set_random_seed(0)
layers = [keras.layers.Conv2D(64, 3), keras.layers.Conv2D(64, 3), keras.layers.Flatten()]
model = keras.Sequential([keras.Input((12, 12, 3)), *layers])
images = np.random.default_rng(0).normal(size=(4, 12, 12, 3)).astype("float32")
exact = np.asarray(model(images))  # layer by layer, where Keras itself asks for float32
print(abs(model.predict(images, verbose=0) - exact).max() / abs(exact).max())
"""
    assert float(run(code, KERAS_BACKEND="openvino").split()[-1]) < 1e-5
