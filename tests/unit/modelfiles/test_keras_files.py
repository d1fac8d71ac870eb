from __future__ import annotations

import io
import json
import zipfile
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from manyheads.modelfiles import keras_files
from manyheads.modelfiles.keras_files import networks


def layer(kind: str, name: str, inner: list[dict[str, Any]] | None = None) -> dict[str, Any]:
    config: dict[str, Any] = {"name": name}
    return {"class_name": kind, "config": config | ({} if inner is None else {"layers": inner})}


NETWORK = layer(
    "Functional",
    "outer",
    [
        layer("InputLayer", "image"),
        layer(
            "Functional",
            "xception",
            [
                layer("Conv2D", "a"),
                layer("BatchNormalization", "b"),
                layer("Conv2D", "c"),
                layer("Sequential", "d", [layer("Dense", "e")]),
            ],
        ),
        layer("Dense", "head"),
    ],
)
ARRAYS = {
    "layers/functional/layers/conv2d/vars/0": 1,
    "layers/functional/layers/batch_normalization/vars/0": 2,
    "layers/functional/layers/batch_normalization/vars/1": 3,
    "layers/functional/layers/conv2d_1/vars/0": 4,
    "layers/functional/layers/sequential/layers/dense/vars/0": 5,
    "layers/dense/vars/0": 6,
    "layers/dense/vars/1": 7,
}


def keras_file(path: Path, network: dict[str, Any], arrays: dict[str, int]) -> Path:
    weights = io.BytesIO()
    with h5py.File(weights, "w") as group:
        for name, value in reversed(arrays.items()):  # the order in the file says nothing
            group[name] = np.array([value], np.float32)
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("config.json", json.dumps(network))
        archive.writestr("model.weights.h5", weights.getvalue())
    return path


def test_every_network_is_found_with_its_arrays_in_keras_order(tmp_path: Path) -> None:
    found = networks(keras_file(tmp_path / "model.keras", NETWORK, ARRAYS))
    named = {name: [int(array[0]) for array in arrays] for name, arrays in found}
    assert named == {"outer": [1, 2, 3, 4, 5, 6, 7], "xception": [1, 2, 3, 4, 5], "d": [5]}


def test_ten_and_more_arrays_keep_their_numbers_order(tmp_path: Path) -> None:
    network = layer("Sequential", "many", [layer("Dense", "one")])
    arrays = {f"layers/dense/vars/{number}": number for number in range(12)}
    ((_, found),) = networks(keras_file(tmp_path / "model.keras", network, arrays))
    assert [int(array[0]) for array in found] == list(range(12))


@pytest.mark.parametrize("content", [b"", b"no archive", b"PK\x03\x04 half an archive"])
def test_another_file_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "model.keras"
    path.write_bytes(content)
    with pytest.raises((ValueError, OSError)):
        list(networks(path))


def test_classes_are_written_as_keras_writes_them(offered: dict[str, Any]) -> None:
    layers = offered["layers"]
    assert {"Conv2D", "SeparableConv2D", "ReLU", "MultiHeadAttention"} <= layers.keys()
    assert {name: keras_files.snake_case(name) for name in layers} == layers
