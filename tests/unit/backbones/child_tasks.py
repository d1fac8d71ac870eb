"""Functions that the tests call in a child process."""

from __future__ import annotations

import inspect
import os
import sys
import time
from pathlib import Path
from typing import Any


def facts(**arguments: Any) -> dict[str, Any]:
    import keras

    print("a library that prints")
    return {
        "arguments": arguments,
        "backend": keras.config.backend(),
        "telemetry": sys.modules.get("openvino_telemetry") is not None,
    }


def refuse(kind: str, details: list[str]) -> dict[str, Any]:
    from manyheads import errors

    raise getattr(errors, kind)(*details)


def crash(**_: Any) -> dict[str, Any]:
    raise RuntimeError("the reason of the crash")


def vanish() -> dict[str, Any]:
    os._exit(3)


def hang(witness: str, **_: Any) -> dict[str, Any]:
    Path(witness).write_text(str(os.getpid()))
    time.sleep(600)
    return {}


def offered() -> dict[str, Any]:
    """What Keras offers: each image classifier with its module, the modules with a preprocessing,
    and each layer's name as it is written in files.
    """
    import keras
    from keras.src.utils.naming import to_snake_case

    functions = inspect.getmembers(keras.applications, inspect.isfunction)
    return {
        "modules": {
            name: function.__module__.rpartition(".")[2]
            for name, function in functions
            if "include_top" in inspect.signature(function).parameters
        },
        "preprocessing": [
            name
            for name, module in inspect.getmembers(keras.applications, inspect.ismodule)
            if hasattr(module, "preprocess_input")
        ],
        "layers": {
            name: to_snake_case(name)
            for name, _ in inspect.getmembers(keras.layers, inspect.isclass)
        },
    }


def tiny_program(features: int, target: str) -> dict[str, Any]:
    """An inference program that needs no Keras: the mean colours, `features` times."""
    import numpy as np

    from manyheads.core import openvino_runtime

    openvino: Any = openvino_runtime.openvino()
    ops = openvino.opset13
    pixels = ops.parameter([4, 32, 32, 3], np.uint8)
    means = ops.reduce_mean(ops.convert(pixels, "f32"), np.array([1, 2]), keep_dims=False)
    tiled = ops.tile(means, np.array([1, features // 3]))
    model = openvino.Model([tiled], [pixels], "tiny")
    openvino.serialize(model, target)
    return {"features": features}


def save_network(backbone: str, weights: str, target: str) -> dict[str, Any]:
    """Save a backbone with its weights, in the format that `target` ends with."""
    from manyheads.backbones import keras_builds, registry
    from manyheads.modelfiles import arrays

    network = keras_builds.network(registry.get(backbone), 64, "channels_last")
    network.set_weights(arrays.load(Path(weights)))
    network.save(target)
    return {}


def save_weights(backbone: str, weights: str, folder: str) -> dict[str, Any]:
    """Save a backbone's weights in every format that Keras has had; name → file."""
    import keras

    from manyheads.backbones import keras_builds, registry
    from manyheads.modelfiles import arrays

    spec = registry.get(backbone)
    inner = keras_builds.network(spec, 64, "channels_last")
    inner.set_weights(arrays.load(Path(weights)))
    image = keras.Input((64, 64, 3))
    lesson = keras.Model(image, keras.layers.Dense(3)(inner(image)))
    top = keras_builds.network(spec, spec.default_size, "channels_last", top=True)
    top.set_weights(inner.get_weights() + top.get_weights()[len(inner.weights) :])
    files = {
        "whole.keras": inner.save,
        "lesson.keras": lesson.save,
        "arrays.weights.h5": inner.save_weights,
        "lesson.weights.h5": lesson.save_weights,
        "top.weights.h5": top.save_weights,
        "older.h5": inner.save,
        "older_top.h5": top.save,
    }
    for name, save in files.items():
        save(Path(folder) / name)
    return {name: str(Path(folder) / name) for name in files}


def vanish_at(file: str) -> dict[str, Any]:
    os.kill(os.getpid(), 11)
    return {"file": file}


def spin(file: str) -> dict[str, Any]:
    """Run for ever, with a second to do it in."""
    from manyheads.modelfiles import untrusted

    untrusted._SECONDS = 1
    untrusted.bound(Path(file))
    while True:
        pass


def fill(file: str) -> dict[str, Any]:
    """Ask for more memory than a small file can need."""
    import numpy as np

    from manyheads.modelfiles import untrusted

    untrusted.bound(Path(file))
    return {"bytes": np.zeros(1 << 33, np.uint8).nbytes}


def fill_up(target: str, **_: Any) -> dict[str, Any]:
    """What a library makes of a full disk: an error of its own kind."""
    raise RuntimeError(f"could not write {target}: [Errno 28] No space left on device")
