"""`make_model` builds the lesson's model, on the base installation and on a backend that trains."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from manyheads import make_model
from manyheads.backbones import registry
from manyheads.backbones.weights import resolve
from manyheads.errors import BackboneError, SettingError
from manyheads.modelfiles import arrays
from tests.banks import training_keras

SMALL: dict[str, Any] = {
    "backbone": "mobilenet",
    "classes": 3,
    "image_size": 32,
    "weights": "random:0",
}

# Runs where Keras is on the base installation's backend.
BASE = """
import json, sys
import numpy as np
from manyheads import make_model
from manyheads.errors import MissingExtraError

model = make_model(learning_rate=0.001, size_inner=8, droprate=0.5, **json.loads(sys.argv[1]))
import keras
images = np.random.default_rng(0).uniform(-1, 1, (4, 32, 32, 3)).astype(np.float32)
found = model.predict(images, verbose=0)
model.save("model.keras")
again = keras.models.load_model("model.keras").predict(images, verbose=0)
try:
    model.fit(images, np.eye(3)[[0, 1, 2, 0]])
except MissingExtraError as error:
    refusal = str(error)
print(json.dumps({
    "backend": keras.config.backend(),
    "shape": found.shape,
    "spread": float(np.ptp(found, axis=0).max()),
    "difference": float(abs(found - again).max()),
    "refusal": refusal,
    "telemetry": sys.modules.get("openvino_telemetry") is not None,
}))
"""


@pytest.fixture
def keras() -> Iterator[Any]:
    """Keras on a backend that trains, with layers named from the beginning."""
    keras = training_keras()
    keras.utils.clear_session()
    yield keras
    keras.utils.clear_session()


@pytest.mark.when_changed("models")
def test_the_base_installation_builds_predicts_saves_and_loads(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", BASE, json.dumps(SMALL)],
        cwd=tmp_path,
        env={**os.environ, "KERAS_BACKEND": "openvino", "TF_CPP_MIN_LOG_LEVEL": "3"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    answer = json.loads(done.stdout.splitlines()[-1])
    assert answer["backend"] == "openvino"
    assert answer["shape"] == [4, 3]
    assert answer["spread"] > 1e-3
    assert answer["difference"] < 1e-6
    assert "found Keras on openvino; run: pip install 'manyheads[tensorflow]'" in answer["refusal"]
    assert not answer["telemetry"]


@pytest.mark.when_changed("models")
@pytest.mark.parametrize("size_inner", [0, 8])
def test_it_is_the_lessons_model(keras: Any, size_inner: int) -> None:
    model = make_model(0.001, size_inner, 0.3, **SMALL)
    described = [(type(layer).__name__, layer.name, layer.output.shape) for layer in model.layers]
    keras.utils.clear_session()
    lessons = by_hand(keras, size_inner)
    assert described == [
        (type(layer).__name__, layer.name, layer.output.shape) for layer in lessons.layers
    ]
    rates = [layer.rate for layer in model.layers if isinstance(layer, keras.layers.Dropout)]
    assert rates == ([0.3] if size_inner else [])


def by_hand(keras: Any, size_inner: int) -> Any:
    """The model as the lesson writes it down."""
    base = keras.applications.MobileNet(
        weights=None,
        include_top=False,
        input_shape=(32, 32, 3),
        name="mobilenet_1.00_224",  # what Keras calls it with ImageNet's weights
    )
    base.trainable = False
    inputs = keras.Input(shape=(32, 32, 3))
    vectors = keras.layers.GlobalAveragePooling2D()(base(inputs, training=False))
    if size_inner:
        inner = keras.layers.Dense(size_inner, activation="relu")(vectors)
        vectors = keras.layers.Dropout(0.3)(inner)
    return keras.Model(inputs, keras.layers.Dense(3)(vectors))


@pytest.mark.when_changed("models")
def test_it_is_compiled_as_the_lesson_does(keras: Any) -> None:
    model = make_model(0.003, 8, 0.5, **SMALL)
    assert isinstance(model.optimizer, keras.optimizers.Adam)
    assert float(model.optimizer.learning_rate) == pytest.approx(0.003)
    assert isinstance(model.loss, keras.losses.CategoricalCrossentropy)
    assert model.loss.get_config()["from_logits"] is True
    assert model.layers[-1].activation is keras.activations.linear


@pytest.mark.when_changed("models")
@pytest.mark.usefixtures("keras")
def test_fit_trains_the_head_and_nothing_else() -> None:
    model: Any = make_model(0.01, 8, 0.5, **SMALL)
    assert [tuple(v.shape) for v in model.trainable_variables] == [(1024, 8), (8,), (8, 3), (3,)]
    backbone = model.layers[1]
    before = [np.array(array) for array in backbone.get_weights()]
    head = [variable.numpy() for variable in model.trainable_variables]
    kept = arrays.load(resolve(registry.get("mobilenet"), "random:0").path)
    assert all(np.array_equal(a, b) for a, b in zip(before, kept, strict=True))

    images = np.random.default_rng(0).uniform(-1, 1, (12, 32, 32, 3)).astype(np.float32)
    truth = np.eye(3, dtype=np.float32)[np.arange(12) % 3]
    history = model.fit(
        images, truth, batch_size=4, epochs=2, validation_data=(images, truth), verbose=0
    )
    assert set(history.history) == {"accuracy", "loss", "val_accuracy", "val_loss"}
    assert all(np.array_equal(a, b) for a, b in zip(before, backbone.get_weights(), strict=True))
    assert not any(
        np.array_equal(a, b.numpy()) for a, b in zip(head, model.trainable_variables, strict=True)
    )


@pytest.mark.parametrize(
    ("changes", "error", "reason"),
    [
        ({"droprate": 1.0}, SettingError, "droprate.*found 1.0"),
        ({"learning_rate": 0}, SettingError, "learning_rate"),
        ({"size_inner": -1}, SettingError, "size_inner"),
        ({"classes": 1}, SettingError, "classes"),
        ({"image_size": 31}, SettingError, "image_size"),
        ({"backbone": "xceptoin"}, BackboneError, "did you mean xception"),
        ({"backbone": "xception"}, BackboneError, "at least 71 for xception, found 32"),
    ],
)
def test_bad_values_fail_before_anything_is_built(
    changes: dict[str, Any], error: type[Exception], reason: str
) -> None:
    with pytest.raises(error, match=reason):
        make_model(**{**SMALL, **changes})
