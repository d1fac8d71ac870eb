"""Models opened by plain Keras on TensorFlow, in a process that cannot import manyheads."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

# Uses of a model what anybody has: the file, its side file, Keras and Pillow.
_PROGRAM = """
import json, sys, warnings
sys.modules["manyheads"] = None
import keras, numpy as np
from PIL import Image
request = json.load(sys.stdin)
answers = []
for file in request["models"]:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model = keras.models.load_model(file)
    card = json.load(open(file + ".json", encoding="utf-8"))
    size, way = card["image"]["size"], card["image"]["interpolation"].upper()
    how = card["preprocessing"]
    if how.startswith("mean="):
        mean, std = (np.float32(each.split(",")) for each in how[5:].split(",std="))
        preprocess = lambda pixels: (pixels / 255 - mean) / std
    else:
        module, name = how.removeprefix("keras.applications.").split(".")
        preprocess = getattr(getattr(keras.applications, module), name)
    images = [Image.open(image).convert("RGB") for image in request["images"]]
    images = [image.resize((size, size), Image.Resampling[way]) for image in images]
    images = preprocess(np.stack([np.asarray(image, np.float32) for image in images]))
    truth = keras.utils.to_categorical(request["labels"], len(card["classes"]))
    parts = [images[start : start + 32] for start in range(0, len(images), 32)]
    accuracy = float("nan")
    if file == request["models"][0]:  # compiling for it takes TensorFlow long
        _, accuracy = model.evaluate(images, truth, batch_size=32, verbose=0)
    answers.append({
        "backend": keras.config.backend(),
        "logits": np.concatenate([model(part, training=False) for part in parts]).tolist(),
        "accuracy": float(accuracy),
        "optimizer": type(model.optimizer).__name__,
        "learning_rate": float(model.optimizer.learning_rate),
        "loss": type(model.loss).__name__,
        "trainable": [list(map(int, v.shape)) for v in model.trainable_variables],
    })
json.dump(answers, open(request["answers"], "w"))
"""


def opened(
    models: Sequence[Path], images: Sequence[Path], labels: Sequence[int], scratch: Path
) -> list[dict[str, Any]]:
    """What plain Keras finds in each of `models`, and what it makes of `images`.

    The images are prepared as the models' side files say, but for EXIF. The accuracy is only
    evaluated for the first model. Fails if opening warns.
    """
    if importlib.util.find_spec("tensorflow") is None:
        pytest.skip("TensorFlow is not installed (pip install '.[tensorflow]')")
    request = {
        "models": list(map(str, models)),
        "images": list(map(str, images)),
        "labels": list(map(int, labels)),
        "answers": str(scratch / "answers.json"),
    }
    done = subprocess.run(
        [sys.executable, "-I", "-c", _PROGRAM],
        input=json.dumps(request),
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "KERAS_BACKEND": "tensorflow", "TF_CPP_MIN_LOG_LEVEL": "3"},
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return json.loads((scratch / "answers.json").read_text())
