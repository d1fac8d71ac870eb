"""What each format's own runtime answers, called in a child process of its own.

The functions here know a file's format and nothing of how it was written.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from manyheads.backbones import keras_builds, registry
from manyheads.backbones.registry import CHANNELS_LAST, BackboneSpec
from manyheads.core import openvino_runtime
from manyheads.core.machine import cores, library_threads
from manyheads.errors import ModelError
from manyheads.models.export.formats import FORMATS, INPUT, OUTPUT

Run = Callable[[np.ndarray], np.ndarray]

TIMED = 31  # images

_BATCH = 8
_WARM = 3


def answer(
    format_: str,
    file: str,
    pixels: str,
    target: str,
    backbone: str | None = None,
    preprocessing: str = "",
) -> dict[str, Any]:
    """Write what `file` says of the images in `pixels` as `target`; both are `.npy`.

    The images are `uint8 [n, size, size, 3]`; with a `backbone` they go through its
    `preprocessing` first. Answers with the `runtime`, its version, and whether it takes
    `any_batch`: a batch of one and batches of several were tried. Raises `ModelError` if the
    runtime cannot open or run it.
    """
    spec = None if backbone is None else registry.from_card(backbone, preprocessing)
    found, name, any_batch = _answers(format_, Path(file), np.load(pixels), spec)
    np.save(target, found)
    return {"runtime": name, "any_batch": any_batch}


def measure(format_: str, files: list[str], pixels: str, count: int, target: str) -> dict[str, Any]:
    """Write what each of the `files`, models of pixels, says of the first `count` images.

    `target` (.npy) is `float32 [files, count, classes]`. Answers with the `runtime`, its version,
    whether all take `any_batch`, the `milliseconds` that each takes for one image alone (the median
    of `TIMED`, all files in turn, so that what else the machine does meets all alike), and the
    `threads`. Raises `ModelError` if the runtime cannot open or run one.
    """
    images = np.load(pixels, mmap_mode="r")[:count]
    answers = [_answers(format_, Path(file), images, None) for file in files]
    np.save(target, np.stack([found for found, _, _ in answers]).astype(np.float32))
    runs = [_OPENERS[format_](Path(file))[1] for file in files]
    return {
        "runtime": answers[0][1],
        "any_batch": all(any_batch for _, _, any_batch in answers),
        "milliseconds": _milliseconds(runs, images),
        "threads": cores(),
    }


def _milliseconds(runs: list[Run], images: np.ndarray) -> list[float]:
    times: list[list[float]] = [[] for _ in runs]
    for turn in range(-_WARM, TIMED):
        image = np.ascontiguousarray(images[turn % len(images)][np.newaxis])
        for run, own in zip(runs, times, strict=True):
            began = time.perf_counter()
            run(image)
            if turn >= 0:  # the first ones also allocate
                own.append(1e3 * (time.perf_counter() - began))
    return [float(np.median(own)) for own in times]


def _answers(
    format_: str, file: Path, images: np.ndarray, spec: BackboneSpec | None
) -> tuple[np.ndarray, str, bool]:
    """What a file says of the images, its runtime, and whether it takes more than one at a time."""
    reason = "nothing"
    for step in (_BATCH, 1):
        try:
            name, run = _OPENERS[format_](file)
            found = [run(_prepared(spec, batch)) for batch in _batches(images, step)]
        except Exception as error:  # a runtime may raise anything
            reason = (str(error).strip().splitlines() or [repr(error)])[0]
            continue
        return np.concatenate(found), name, step > 1
    opens = FORMATS[format_].opens
    raise ModelError(
        f"an export that {opens} can open and run", reason[:200], "export it in another format"
    )


def _batches(images: np.ndarray, step: int) -> Iterator[np.ndarray]:
    yield images[:1]
    for start in range(1, len(images), step):
        yield images[start : start + step]


def _prepared(spec: BackboneSpec | None, batch: np.ndarray) -> np.ndarray:
    if spec is None:
        return batch
    return np.asarray(keras_builds.preprocessed(spec, batch.astype(np.float32), CHANNELS_LAST))


def _keras(file: Path) -> tuple[str, Run]:
    from manyheads.core.keras_backend import import_keras

    keras = import_keras()
    model = keras.saving.load_model(file, safe_mode=True)
    name = f"Keras {keras.__version__} on {keras.config.backend()}"
    return name, lambda batch: np.asarray(model.predict(batch, batch_size=len(batch), verbose=0))


def _openvino(file: Path) -> tuple[str, Run]:
    openvino = openvino_runtime.openvino()
    exact = {"INFERENCE_PRECISION_HINT": "f32"}  # some processors would take bfloat16
    program = openvino_runtime.core().compile_model(file, "CPU", exact)
    version = openvino.__version__.split("-")[0]
    return f"OpenVINO {version}", lambda batch: program({INPUT: batch})[OUTPUT]


def _onnx(file: Path) -> tuple[str, Run]:
    import onnxruntime

    settings = onnxruntime.SessionOptions()
    settings.intra_op_num_threads = library_threads()
    session = onnxruntime.InferenceSession(file, settings, providers=["CPUExecutionProvider"])
    name = f"ONNX Runtime {onnxruntime.__version__}"
    return name, lambda batch: np.asarray(session.run([OUTPUT], {INPUT: batch})[0])


def _litert(file: Path) -> tuple[str, Run]:
    from importlib.metadata import version

    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(str(file), num_threads=cores())
    (given,), (asked,) = interpreter.get_input_details(), interpreter.get_output_details()
    shape: tuple[int, ...] = ()

    def run(batch: np.ndarray) -> np.ndarray:
        nonlocal shape
        if batch.shape != shape:  # it takes as long as a small network
            interpreter.resize_tensor_input(given["index"], batch.shape)
            interpreter.allocate_tensors()
            shape = batch.shape
        interpreter.set_tensor(given["index"], batch)
        interpreter.invoke()
        return interpreter.get_tensor(asked["index"])

    return f"LiteRT {version('ai-edge-litert')}", run


def _saved_model(file: Path) -> tuple[str, Run]:
    import tensorflow as tf

    model: Any = tf.saved_model.load(str(file))
    serve = model.signatures["serving_default"]
    name = f"TensorFlow {tf.__version__}"
    return name, lambda batch: serve(**{INPUT: tf.constant(batch)})[OUTPUT].numpy()


_OPENERS: dict[str, Callable[[Path], tuple[str, Run]]] = {
    "keras": _keras,
    "h5": _keras,
    "openvino": _openvino,
    "onnx": _onnx,
    "litert": _litert,
    "saved_model": _saved_model,
}
