"""Exports opened by each runtime's own programs, in processes that cannot import manyheads."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

# What follows gets the `file`, its `card` and `images` as the card says, and sets `found`.
_KERAS = """
import keras
model = keras.saving.load_model(file)
assert keras.config.backend() == backend
found = np.asarray(keras.ops.convert_to_numpy(model.predict(images, verbose=0)))
"""
_OPENVINO = """
import openvino
model = openvino.Core().read_model(file)
assert json.loads(model.get_rt_info(["manyheads", "classes"]).value) == card["classes"]
program = openvino.compile_model(model, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
found = program({"images": images})["outputs"]
"""
_ONNX = """
import onnxruntime
session = onnxruntime.InferenceSession(file)
properties = session.get_modelmeta().custom_metadata_map
assert json.loads(properties["classes"]) == card["classes"]
assert json.loads(properties["card"])["image"] == card["image"]
found = session.run(["outputs"], {"images": images})[0]
"""
_LITERT = """
import zipfile
from ai_edge_litert.interpreter import Interpreter
labels = zipfile.ZipFile(file).read("labels.txt").decode().splitlines()
assert labels == card["classes"]
beside = pathlib.Path(file).with_suffix(".labels.txt").read_text(encoding="utf-8")
assert beside.splitlines() == card["classes"]
interpreter = Interpreter(file)
(given,), (asked,) = interpreter.get_input_details(), interpreter.get_output_details()
interpreter.resize_tensor_input(given["index"], images.shape)
interpreter.allocate_tensors()
interpreter.set_tensor(given["index"], images)
interpreter.invoke()
found = interpreter.get_tensor(asked["index"])
"""
_TENSORFLOW = """
import tensorflow as tf
extras = pathlib.Path(file) / "assets.extra"
labels = (extras / "labels.txt").read_text(encoding="utf-8").splitlines()
assert labels == card["classes"]
served = tf.saved_model.load(file).signatures["serving_default"]
found = served(images=tf.constant(images))["outputs"].numpy()
"""
_BEFORE = """
import json, pathlib, sys, warnings
sys.modules["manyheads"] = None
import numpy as np
from PIL import Image
request = json.load(sys.stdin)
file, backend = request["file"], request["backend"]
card = json.load(open(file + ".json", encoding="utf-8"))
size, way = card["image"]["size"], card["image"]["interpolation"].upper()
images = [Image.open(image).convert("RGB") for image in request["images"]]
images = [image.resize((size, size), Image.Resampling[way]) for image in images]
images = np.stack([np.asarray(image) for image in images])
if card["input"] == "preprocessed":  # the tests' backbones scale to -1 … 1
    assert card["preprocessing"].split(".")[2] in ("xception", "mobilenet")
    images = images.astype(np.float32) / 127.5 - 1
"""
_AFTER = """
found = np.asarray(found, np.float64)
if card["output"] == "logits":
    found = np.exp(found - found.max(axis=1, keepdims=True))
    found /= found.sum(axis=1, keepdims=True)
np.save(request["answers"], found)
"""


@dataclass(frozen=True)
class Runtime:
    """A runtime, the export `format` that it opens, the `package` it takes, and its program."""

    format: str
    package: str
    program: str
    backend: str = "tensorflow"


RUNTIMES = {
    "Keras on TensorFlow": Runtime("keras", "tensorflow", _KERAS),
    "Keras on TensorFlow, h5": Runtime("h5", "tensorflow", _KERAS),
    "Keras on JAX": Runtime("keras", "jax", _KERAS, "jax"),
    "OpenVINO": Runtime("openvino", "openvino", _OPENVINO),
    "ONNX Runtime": Runtime("onnx", "onnxruntime", _ONNX),
    "LiteRT": Runtime("litert", "ai_edge_litert", _LITERT),
    "TensorFlow": Runtime("saved_model", "tensorflow", _TENSORFLOW),
}


def probabilities(
    runtime: Runtime, file: Path, images: list[Path], scratch: Path
) -> np.ndarray[tuple[int, int], np.dtype[np.float64]]:
    """What `runtime` says of `images`, prepared by Pillow as the side file of `file` says."""
    request = {
        "file": str(file),
        "backend": runtime.backend,
        "images": list(map(str, images)),
        "answers": str(scratch / "answers.npy"),
    }
    calm = {"TF_CPP_MIN_LOG_LEVEL": "3", "KERAS_BACKEND": runtime.backend}
    done = subprocess.run(
        [sys.executable, "-I", "-c", _BEFORE + runtime.program + _AFTER],
        input=json.dumps(request),
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, **calm},
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return np.load(scratch / "answers.npy")


def require(runtime: Runtime) -> None:
    """Skip where the runtime, or what writes its format, is not installed."""
    for package in {runtime.package, "tensorflow" if runtime.format != "openvino" else ""} - {""}:
        if importlib.util.find_spec(package) is None:
            pytest.skip(f"{package} is not installed (pip install '.[export,jax]')")
