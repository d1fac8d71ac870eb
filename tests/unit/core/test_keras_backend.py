"""Keras on a backend that can do what is asked of it, in processes of their own."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
from typing import Any

import pytest

from manyheads.core.keras_backend import TRAINING_BACKENDS


def run(code: str) -> str:
    """What `code` prints in a fresh process."""
    clean = {name: value for name, value in os.environ.items() if name != "KERAS_BACKEND"}
    done = subprocess.run(
        [sys.executable, "-c", code],
        env=clean | {"TF_CPP_MIN_LOG_LEVEL": "3"},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


# A Keras that was imported on OpenVINO before, as a user may have done.
ON_OPENVINO = """
import json, os
os.environ["KERAS_BACKEND"] = "openvino"
import keras
del os.environ["KERAS_BACKEND"]
import numpy as np
from manyheads.errors import MissingExtraError
from manyheads.heads.bank import engine_named
from manyheads.core.keras_backend import import_keras
from tests.banks import generated_fold, settings

said = {"backend": import_keras().config.backend(), "choice": "KERAS_BACKEND" in os.environ}
try:
    next(engine_named("keras").train([settings()], [generated_fold()]))
except MissingExtraError as error:
    said["refusal"] = str(error)

keras.utils.set_random_seed(0)
layers = [keras.layers.Conv2D(64, 3), keras.layers.Conv2D(64, 3), keras.layers.Flatten()]
model = keras.Sequential([keras.Input((12, 12, 3)), *layers])
images = np.random.default_rng(0).normal(size=(4, 12, 12, 3)).astype("float32")
exact = np.asarray(model(images))  # layer by layer, where Keras itself asks for float32
found = model.predict(images, verbose=0)
print(json.dumps(said | {"apart": float(abs(found - exact).max() / abs(exact).max())}))
"""


@pytest.fixture(scope="module")
def on_openvino() -> dict[str, Any]:
    """What a process with Keras on OpenVINO says."""
    return json.loads(run(ON_OPENVINO).splitlines()[-1])


@pytest.mark.when_changed("models")
def test_a_keras_that_is_already_there_stands(on_openvino: dict[str, Any]) -> None:
    assert (on_openvino["backend"], on_openvino["choice"]) == ("openvino", False)


@pytest.mark.when_changed("models")
def test_training_without_a_backend_that_trains_says_which_extra_brings_one(
    on_openvino: dict[str, Any],
) -> None:
    assert "found Keras on openvino" in on_openvino["refusal"]
    assert "pip install 'manyheads[tensorflow]'" in on_openvino["refusal"]
    assert "\n" not in on_openvino["refusal"]


@pytest.mark.when_changed("models")
def test_predictions_on_openvino_are_float32_on_every_processor(
    on_openvino: dict[str, Any],
) -> None:
    assert on_openvino["apart"] < 1e-5


@pytest.mark.when_changed("models")
def test_without_a_choice_it_is_one_that_trains_where_there_is_one() -> None:
    code = "from manyheads.core.keras_backend import import_keras as i; print(i().config.backend())"
    installed = [name for name in TRAINING_BACKENDS if importlib.util.find_spec(name)]
    assert run(code).split() == [*installed, "openvino"][:1]
