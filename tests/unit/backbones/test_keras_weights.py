"""Arrays are found by the names of their layers, in whatever order a file has them."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np

from manyheads.backbones.keras_weights import _by_name
from manyheads.modelfiles.keras_files import StoredNetwork


def layer(kind: str, name: str) -> Any:
    made: Any = type(kind, (), {})()
    made.name, made.weights = name, [object()]
    return made


MODEL: Any = SimpleNamespace(
    layers=[
        layer("Conv2D", "block1_conv1"),
        layer("Conv2D", "conv2d_1"),
        SimpleNamespace(layers=[layer("Dense", "inside_2")]),
        layer("Conv2D", "conv2d"),
        layer("Conv2D", "conv2d_10"),
    ]
)


def found(*layers: tuple[str, int]) -> list[int]:
    network = StoredNetwork("any", [(name, [np.array([value])]) for name, value in layers])
    return [int(array[0]) for array in _by_name(MODEL, network)]


def test_layers_are_found_by_name_and_numbered_ones_by_rank() -> None:
    """The session that wrote the file had made four others before."""
    held = (("inside_2", 3), ("conv2d_14", 5), ("conv2d_4", 4), ("conv2d_5", 2), ("dense_7", 9))
    assert found(*held, ("block1_conv1", 1)) == [1, 2, 3, 4, 5]


def test_a_layer_that_is_missing() -> None:
    assert found(("block1_conv1", 1), ("conv2d", 2), ("conv2d_1", 3), ("inside_2", 4)) == []
    assert found(("conv2d", 2), ("conv2d_1", 3), ("conv2d_2", 4), ("inside_2", 4)) == []
