"""Damaged files, and what a function makes of each of them in a process of its own.

`python -m tests.fuzz h5 SEED SECONDS`, `… keras …` and `… onnx …` run on, for as long as they are
given, and keep in the current folder what was neither read nor refused.
"""

from __future__ import annotations

import io
import json
import os
import random
import sys
import time
import warnings
import zipfile
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import h5py
import numpy as np

READ, REFUSED, UNEXPECTED = "read", "refused", "unexpected"
_SECONDS = 3
_VALUES = (b"\0", b"\xff", b"\x01", b"\x7f", b"\x80", b"\xff" * 8, b"\0" * 8, b"\0\0\0\0\0\1\0\0")


def damaged(data: bytes, chance: random.Random) -> bytes:
    """`data` with some bytes changed, copied, cut out or put in."""
    changed = bytearray(data)
    for _ in range(chance.choice([1, 1, 1, 2, 4, 8])):
        at = chance.randrange(max(1, len(changed)))
        kind = chance.random()
        if kind < 0.4:
            new = chance.choice(_VALUES)
            changed[at : at + len(new)] = new
        elif kind < 0.6:
            changed[at : at + 1] = bytes([chance.randrange(256)])
        elif kind < 0.8:  # a number or a place from elsewhere in the file
            start = chance.randrange(max(1, len(changed) - 8))
            changed[at : at + 8] = changed[start : start + 8]
        elif kind < 0.9:
            del changed[at : at + chance.randrange(1, 64)]
        elif kind < 0.95:
            del changed[at:]
        else:
            changed[at:at] = chance.randbytes(chance.randrange(1, 16))
    return bytes(changed)


def outcome(function: Callable[[], Any], expected: type[Exception]) -> str:
    """How a call ends in a forked process: read, refused, unexpected, or the signal that ended it.

    It has three seconds of a processor and no core file; a file may hang it, and is then killed.
    """
    import resource

    with warnings.catch_warnings():
        # Of threads of libraries, which the child does without: JAX's, if a test before used it,
        # and from Python 3.12 on all others'.
        warnings.filterwarnings("ignore", r"os\.fork\(\) was called", RuntimeWarning)
        warnings.simplefilter("ignore", DeprecationWarning)
        child = os.fork()
    if child == 0:
        resource.setrlimit(resource.RLIMIT_CPU, (_SECONDS, _SECONDS))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        code = 2
        try:
            function()
            code = 0
        except expected:
            code = 1
        finally:
            os._exit(code)
    status = os.waitpid(child, 0)[1]
    if os.WIFSIGNALED(status):
        return f"signal {os.WTERMSIG(status)}"
    return (READ, REFUSED, UNEXPECTED)[min(2, os.WEXITSTATUS(status))]


def outcomes(kind: str, seed: int, folder: Path) -> Iterator[tuple[str, bytes]]:
    """Damage a small model without end; yield what became of each and its bytes."""
    import safetensors.numpy  # once, and not anew in every process

    from manyheads.backbones import own_files
    from manyheads.errors import ManyheadsError, ModelError
    from manyheads.models.importing.foreign import take_head

    assert safetensors.numpy
    chance = random.Random(seed)
    file, target = folder / f"damaged.{kind}", folder / "head.safetensors"

    def as_backbone() -> None:
        assert own_files.spec_of(file, "tf").file
        own_files.digest_of(file)

    whole = {"h5": small_h5, "keras": small_keras, "onnx": lambda: small_onnx(folder)}[kind]()
    while True:
        data = damaged(whole, chance)
        file.write_bytes(data)
        if kind == "onnx":
            yield outcome(as_backbone, ManyheadsError), data
        else:
            yield outcome(lambda: take_head(str(file), str(target)), ModelError), data


def small_onnx(folder: Path) -> bytes:
    """A backbone as ONNX, whose kernel is in a file beside it, in `folder`."""
    from tests.networks import save_onnx

    return save_onnx(folder / "whole.onnx", external="kernel.bin").read_bytes()


def small_h5() -> bytes:
    """A whole model in the older format, small: pooling, two dense layers, and one array before."""
    buffer = io.BytesIO()
    with h5py.File(buffer, "w") as group:
        group.attrs["model_config"] = json.dumps(_CONFIG)
        weights = group.create_group("model_weights")
        names = ["backbone", "pool", "dense", "dense_1"]
        weights.attrs["layer_names"] = names
        for name in names:
            layer = weights.create_group(name)
            held = _arrays(name)
            layer.attrs["weight_names"] = [f"{name}/{key}:0" for key in held]
            for key, array in held.items():
                layer[f"{name}/{key}:0"] = array
    return buffer.getvalue()


def small_keras() -> bytes:
    """The same model as a `.keras` archive."""
    weights = io.BytesIO()
    with h5py.File(weights, "w") as group:
        for name in ("dense", "dense_1"):
            for index, array in enumerate(_arrays(name).values()):
                group[f"layers/{name}/vars/{index}"] = array
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("metadata.json", "{}")
        archive.writestr("config.json", json.dumps(_CONFIG))
        archive.writestr("model.weights.h5", weights.getvalue())
    return buffer.getvalue()


def _layer(kind: str, name: str, former: str, **config: Any) -> dict[str, Any]:
    nodes = [[[former, 0, 0, {}]]] if former else []
    return {
        "class_name": kind,
        "name": name,
        "inbound_nodes": nodes,
        "config": {"name": name} | config,
    }


_CONFIG = {
    "class_name": "Functional",
    "config": {
        "name": "model",
        "layers": [
            _layer("InputLayer", "image", "", batch_input_shape=[None, 32, 32, 3]),
            _layer("Functional", "backbone", "image", layers=[]),
            _layer("GlobalAveragePooling2D", "pool", "backbone"),
            _layer("Dense", "dense", "pool", activation="relu", units=3),
            _layer("Dropout", "dropout", "dense", rate=0.2),
            _layer("Dense", "dense_1", "dropout", activation="linear", units=2),
        ],
        "output_layers": [["dense_1", 0, 0]],
    },
}


def _arrays(name: str) -> dict[str, np.ndarray[Any, Any]]:
    shapes = {"backbone": (3, 3), "dense": (5, 3), "dense_1": (3, 2)}
    if name not in shapes:
        return {}
    kernel = np.arange(np.prod(shapes[name]), dtype=np.float32).reshape(shapes[name])
    return {"kernel": kernel, "bias": np.ones(kernel.shape[1], np.float32)}


if __name__ == "__main__":
    form, number, length = sys.argv[1], int(sys.argv[2]), float(sys.argv[3])
    counts: Counter[str] = Counter()
    end = time.monotonic() + length
    for which, (ending, content) in enumerate(outcomes(form, number, Path.cwd())):
        counts[ending] += 1
        if ending not in (READ, REFUSED):
            Path(f"{number}-{which}-{ending.replace(' ', '-')}.{form}").write_bytes(content)
        if time.monotonic() > end:
            break
    print(dict(counts))
