"""The code in a model card that classifies an image, without manyheads; tests run it."""

from __future__ import annotations

from manyheads.data.data_settings import ImageSettings

_PREPARE = """import json
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps

config = json.loads(Path("config.json").read_text(encoding="utf-8"))
{opening}
picture = picture.convert("RGB")
{squaring}
pixels = np.asarray(picture)[np.newaxis]  # uint8 [1, {size}, {size}, 3]
"""
_KERAS = """import keras  # a backend beside it: tensorflow, jax, torch or openvino

model = keras.saving.load_model("{file}")
probabilities = model.predict(pixels, verbose=0)[0]
"""
_OPENVINO = """import openvino

model = openvino.compile_model("{file}", "CPU", {{"INFERENCE_PRECISION_HINT": "f32"}})
probabilities = model(pixels)[0][0]
"""
_ONNX = """import onnxruntime

session = onnxruntime.InferenceSession("{file}")
probabilities = session.run(None, {{"images": pixels}})[0][0]
"""
_ANSWER = """best = int(probabilities.argmax())
print(config["id2label"][str(best)], float(probabilities[best]))
"""


_LABELS = """for place, threshold in enumerate(config["thresholds"]):
    if probabilities[place] > threshold:
        print(config["id2label"][str(place)], float(probabilities[place]))
"""


def usage(file: str, image: ImageSettings, *, several_labels: bool = False) -> str:
    """Python code that names the class of photo.jpg by the model in `file`, beside config.json.

    Of `several_labels`, each whose probability is above its threshold.
    """
    code = {".keras": _KERAS, ".xml": _OPENVINO, ".onnx": _ONNX}[file[file.rindex(".") :]]
    answer = _LABELS if several_labels else _ANSWER
    return "\n".join([_prepared(image), code.format(file=file) + answer]).strip() + "\n"


def _prepared(image: ImageSettings) -> str:
    lines = ['picture = Image.open("photo.jpg")']
    if (least := image.least_side) is not None:
        lines.append(f"picture.draft(None, ({least}, {least}))")
    if image.exif:
        lines.append("picture = ImageOps.exif_transpose(picture)")
    return _PREPARE.format(opening="\n".join(lines), squaring=_squaring(image), size=image.size)


def _squaring(image: ImageSettings) -> str:
    size, resampling = image.size, f"Image.Resampling.{image.interpolation.upper()}"
    if not image.keeps_proportions:
        return f"picture = picture.resize(({size}, {size}), {resampling})"
    crop = image.shorter_side
    target, given = (size, "max") if crop is None else (crop, "min")
    return "\n".join([
        f"side = {given}(picture.size)",
        f"picture = picture.resize([{target} * each // side for each in picture.size], "
        f"{resampling})",
        f"left, top = (picture.width - {size}) // 2, (picture.height - {size}) // 2",
        f"picture = picture.crop((left, top, left + {size}, top + {size}))",
    ])  # fmt: skip
