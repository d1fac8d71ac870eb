"""A configuration says what the head is, or which layer is none of a head."""

from __future__ import annotations

from typing import Any

import pytest

from manyheads.models.importing.head_configs import read_config

IMAGE: dict[str, Any] = {"batch_input_shape": [None, 150, 150, 3]}
RELU, LINEAR = {"activation": "relu"}, {"activation": "linear"}


def model(*layers: tuple[str, str, dict[str, Any]], **more: Any) -> dict[str, Any]:
    """A functional model of (class, name, configuration), each behind the one before."""
    made: list[dict[str, Any]] = []
    for kind, name, config in layers:
        nodes = [[[made[-1]["name"], 0, 0, {}]]] if made else []
        config = {"name": name, **config}
        made.append({"class_name": kind, "name": name, "config": config, "inbound_nodes": nodes})
    config = {"name": "model", "layers": made, "output_layers": [[made[-1]["name"], 0, 0]]}
    return {"class_name": "Functional", "config": config | more}


_BLOCKS = [("Conv2D", f"block{number}", dict[str, Any]()) for number in range(12)]
_INSIDE = model(("InputLayer", "inside", {}), *_BLOCKS)["config"]
XCEPTION = {key: _INSIDE[key] for key in ("layers", "output_layers")}


def lesson(*head: tuple[str, str, dict[str, Any]]) -> dict[str, Any]:
    return model(
        ("InputLayer", "image", IMAGE),
        ("Functional", "xception", XCEPTION),
        ("GlobalAveragePooling2D", "pool", {}),
        *head,
    )


INNER = ("Dense", "inner", RELU)
LAST = ("Dense", "last", LINEAR)


def drop(rate: float, name: str = "drop") -> tuple[str, str, dict[str, Any]]:
    return ("Dropout", name, {"rate": rate})


@pytest.mark.parametrize(
    ("head", "dense", "relu", "softmax", "droprate"),
    [
        ((LAST,), ("last",), False, False, 0.0),
        ((INNER, drop(0.2), LAST), ("inner", "last"), True, False, 0.2),
        ((drop(0.5), INNER, LAST), ("inner", "last"), True, False, 0.0),
        ((drop(0.5), LAST), ("last",), False, False, 0.0),
        ((INNER, drop(0.1, "a"), drop(0.3, "b"), LAST), ("inner", "last"), True, False, 0.3),
        ((("Dense", "inner", LINEAR), LAST), ("inner", "last"), False, False, 0.0),
        (
            (("Dense", "inner", LINEAR), ("ReLU", "r", {}), LAST),
            ("inner", "last"),
            True,
            False,
            0.0,
        ),
        ((("Dense", "last", {"activation": "softmax"}),), ("last",), False, True, 0.0),
        ((LAST, ("Activation", "end", {"activation": "softmax"})), ("last",), False, True, 0.0),
        ((LAST, ("Softmax", "end", {})), ("last",), False, True, 0.0),
    ],
)
def test_heads(head: Any, dense: Any, relu: bool, softmax: bool, droprate: float) -> None:
    found = read_config(lesson(*head))
    assert (found.size, found.dense, found.relu) == (150, dense, relu)
    assert found.output == ("softmax" if softmax else "logits")
    assert (found.droprate, found.backbone, found.pixels) == (droprate, "xception", None)


def test_a_backbone_layer_by_layer_has_no_name() -> None:
    flat = model(
        ("InputLayer", "image", IMAGE),
        ("Conv2D", "block1_conv1", {}),
        ("GlobalAveragePooling2D", "pool", {}),
        LAST,
    )
    assert read_config(flat).backbone is None


def test_a_sequential_model_that_pools_inside() -> None:
    inner = [
        {"class_name": "InputLayer", "config": {"batch_shape": [None, 71, 71, 3], "name": "i"}},
        {"class_name": "Conv2D", "config": {"name": "block1"}},
        {"class_name": "GlobalAveragePooling2D", "config": {"name": "pool"}},
    ]
    layers = [
        {"class_name": "Functional", "config": {"name": "xception", "layers": inner}},
        {"class_name": "Dense", "config": {"name": "last", **LINEAR}},
    ]
    found = read_config({"class_name": "Sequential", "config": {"name": "s", "layers": layers}})
    assert (found.size, found.dense) == (71, ("last",))


def test_images_of_any_size() -> None:
    config = lesson(LAST)
    config["config"]["layers"][0]["config"]["batch_input_shape"] = [None, None, None, 3]
    assert read_config(config).size is None


@pytest.mark.parametrize(
    ("head", "reason"),
    [
        ((), "nothing behind the pooling"),
        ((drop(0.5),), r"drop \(Dropout\) behind the pooling"),
        ((INNER,), r"a relu behind the last dense layer: inner \(Dense\)"),
        ((INNER, LAST, ("ReLU", "end", {})), r"inner \(Dense\) → last \(Dense\) → end \(ReLU\)"),
        ((INNER, ("Dense", "b", RELU), LAST), "2 inner layers, each with an activation"),
        (
            (("LayerNormalization", "ln", {}), ("LayerNormalization", "m", {}), LAST),
            "m .* the head",
        ),
        ((("ReLU", "r", {}), LAST), "an activation before the first dense layer"),
        ((("Dense", "last", {"activation": "sigmoid", "units": 3}),), "each class by itself"),
        ((("Dense", "last", {"activation": "softmax", "units": 1}),), "which is always 1"),
        ((("Dense", "inner", {"activation": "tanh"}), LAST), r"'tanh' of inner \(Dense\)"),
        ((("Dense", "last", {"activation": {"module": "os"}}),), "the activation .* of last"),
    ],
)
def test_other_heads(head: Any, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        read_config(lesson(*head))


def test_a_head_that_branches() -> None:
    config = lesson(INNER, drop(0.2), LAST)
    config["config"]["layers"][-1]["inbound_nodes"] = [[["pool", 0, 0, {}], ["drop", 0, 0, {}]]]
    with pytest.raises(ValueError, match=r"last \(Dense\) in the head"):
        read_config(config)


def test_two_outputs() -> None:
    config = lesson(LAST)
    config["config"]["output_layers"] = [["last", 0, 0], ["pool", 0, 0]]
    with pytest.raises(ValueError, match="the outputs last, pool"):
        read_config(config)


def test_operations_of_keras_2_before_the_backbone() -> None:
    """Which it writes as lambdas that name a function of TensorFlow's; only numbers are read."""
    config = model(
        ("InputLayer", "image", IMAGE),
        ("TFOpLambda", "divided", {"function": "math.truediv"}),
        ("TFOpLambda", "less", {"function": "math.subtract"}),
        ("Functional", "xception", XCEPTION),
        ("GlobalAveragePooling2D", "pool", {}),
        LAST,
    )
    layers = config["config"]["layers"]
    layers[1]["inbound_nodes"] = [["image", 0, 0, {"y": 127.5, "name": None}]]
    layers[2]["inbound_nodes"] = [["divided", 0, 0, {"y": 1.0, "name": None}]]
    found = read_config(config).pixels
    assert found is not None
    assert found.words == "tf"
    layers[2]["config"]["function"] = "io.write_file"
    with pytest.raises(ValueError, match=r"less \(TFOpLambda\) before the backbone"):
        read_config(config)


@pytest.mark.parametrize(
    ("shape", "reason"),
    [([None, 150, 200, 3], "inputs of the shape"), ([None, 150, 150, 1], "inputs of the shape")],
)
def test_other_images(shape: list[Any], reason: str) -> None:
    config = lesson(LAST)
    config["config"]["layers"][0]["config"]["batch_input_shape"] = shape
    with pytest.raises(ValueError, match=reason):
        read_config(config)


def test_no_pooling_at_all() -> None:
    nested = model(("InputLayer", "image", IMAGE), ("Functional", "x", XCEPTION), LAST)
    with pytest.raises(ValueError, match=r"last \(Dense\) behind the backbone, where a pooling"):
        read_config(nested)
    flat = model(("InputLayer", "image", IMAGE), ("Conv2D", "c", {}), LAST)
    with pytest.raises(ValueError, match="a model without GlobalAveragePooling2D"):
        read_config(flat)
