"""A model that plain Keras trains further, from where the study ended."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from manyheads.errors import SettingError
from manyheads.models.classifier import load
from manyheads.models.export.exporter import export_model
from manyheads.study.folder import RunFolder

PROGRAM = """
import json, sys
import keras, numpy as np
sys.modules["manyheads"] = None
model = keras.saving.load_model(sys.argv[1])
(backbone,) = [layer for layer in model.layers if hasattr(layer, "layers")]
norms = [l for l in backbone.layers if isinstance(l, keras.layers.BatchNormalization)]
said = {"frozen": sum(not l.trainable for l in backbone.layers), "norms": len(norms)}
said["norms frozen"] = sum(not l.trainable for l in norms)
images = np.load(sys.argv[2])
as_array = keras.ops.convert_to_numpy
said["before"] = as_array(model(images, training=False)).tolist()
means = [as_array(l.moving_mean).copy() for l in norms]
first = next(l for l in backbone.layers if isinstance(l, keras.layers.Conv2D))
kernel = as_array(first.kernel).copy()
model.compile(keras.optimizers.Adam(1e-3), loss=keras.losses.CategoricalCrossentropy())
labels = np.eye(3)[np.arange(len(images)) % 3]
said["losses"] = model.fit(images, labels, epochs=3, verbose=0).history["loss"]
said["moved"] = max(float(abs(as_array(l.moving_mean) - m).max()) for l, m in zip(norms, means))
said["learned"] = float(abs(as_array(first.kernel) - kernel).max())
model.save(sys.argv[3])
again = keras.saving.load_model(sys.argv[3])
said["same"] = float(abs(as_array(again(images)) - as_array(model(images, training=False))).max())
print(json.dumps(said))
"""


@pytest.mark.slow
@pytest.mark.parametrize("backend", ["tensorflow", "jax"])
def test_plain_keras_trains_it(small_run: RunFolder, backend: str, tmp_path: Path) -> None:
    if importlib.util.find_spec(backend) is None:
        pytest.skip(f"{backend} is not installed")
    exported = export_model(small_run, "keras", tmp_path / "t.keras", trainable=True)
    assert exported.check.difference < 1e-5
    files = sorted((small_run.path.parent / "images" / "validation").glob("*/*.png"))
    model = load(exported.files[0])
    np.save(tmp_path / "images.npy", np.stack([model.pixels(each) for each in files]))  # pyright: ignore[reportAttributeAccessIssue]
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", PROGRAM, str(exported.files[0]),
         str(tmp_path / "images.npy"), str(tmp_path / "tuned.keras")],
        capture_output=True, text=True, check=False,
        env={**os.environ, "KERAS_BACKEND": backend, "TF_CPP_MIN_LOG_LEVEL": "3"},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
    said = json.loads(done.stdout.splitlines()[-1])
    wanted = load(small_run.path).predict(files).probabilities
    np.testing.assert_allclose(said["before"], wanted, rtol=0, atol=1e-4)
    assert said["frozen"] == said["norms"] == said["norms frozen"] > 10
    assert np.isfinite(said["losses"]).all()
    assert said["moved"] == 0  # frozen batch normalisation is in inference mode
    assert said["learned"] > 0
    assert said["same"] < 1e-6


@pytest.mark.when_changed("exports")
def test_the_file_predicts_what_the_study_predicts(small_run: RunFolder, tmp_path: Path) -> None:
    exported = export_model(small_run, "keras", tmp_path / "t.keras", trainable=True)
    assert exported.check.images == 12
    assert exported.card.output == "probabilities"
    # An export without it stays what it was: frozen.
    plain = export_model(small_run, "keras", tmp_path / "p.keras")
    assert plain.files[0].read_bytes() != exported.files[0].read_bytes()


def test_a_trainable_model_is_one_of_keras_layers(small_run: RunFolder, tmp_path: Path) -> None:
    with pytest.raises(SettingError, match="the format keras, for `trainable`, found onnx"):
        export_model(small_run, "onnx", tmp_path / "best.onnx", trainable=True)
    program = tmp_path / "best.xml"
    program.write_text("")
    with pytest.raises(SettingError, match="a backbone of Keras layers, for `trainable`"):
        export_model(program, "keras", trainable=True)
    assert list(tmp_path.iterdir()) == [program]
