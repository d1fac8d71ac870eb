"""A configuration says what the head is, or which layer is none of a head."""

from __future__ import annotations

from typing import Any

import pytest

from manyheads.model.head_configs import HeadConfig, read_config

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


def lesson(*head: tuple[str, str, dict[str, Any]]) -> dict[str, Any]:
    return model(
        ("InputLayer", "image", IMAGE),
        ("Functional", "xception", {"layers": []}),
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
    wanted = HeadConfig(150, dense, relu, softmax, droprate, "xception")
    assert read_config(lesson(*head)) == wanted


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
        {"class_name": "GlobalAveragePooling2D", "config": {"name": "pool"}},
    ]
    layers = [
        {"class_name": "Functional", "config": {"name": "xception", "layers": inner}},
        {"class_name": "Dense", "config": {"name": "last", **LINEAR}},
    ]
    found = read_config({"class_name": "Sequential", "config": {"name": "s", "layers": layers}})
    assert (found.size, found.backbone, found.dense) == (71, "xception", ("last",))


def test_images_of_any_size() -> None:
    config = lesson(LAST)
    config["config"]["layers"][0]["config"]["batch_input_shape"] = [None, None, None, 3]
    assert read_config(config).size is None


@pytest.mark.parametrize(
    ("head", "reason"),
    [
        ((), "nothing behind the pooling"),
        ((drop(0.5),), r"drop \(Dropout\) behind the pooling"),
        ((INNER,), r"inner \(Dense\) behind the pooling"),
        ((INNER, LAST, ("ReLU", "end", {})), r"inner \(Dense\) → last \(Dense\) → end \(ReLU\)"),
        ((INNER, ("Dense", "b", RELU), LAST), "behind the pooling"),
        ((("BatchNormalization", "bn", {}), LAST), r"bn \(BatchNormalization\) in the head"),
        ((("Dense", "inner", {"activation": "tanh"}), LAST), r"'tanh' of inner \(Dense\)"),
        ((("Dense", "last", {"activation": {"module": "os"}}),), "the activation .* of last"),
        ((("Dense", "last", {"use_bias": False}),), r"last \(Dense\) without a bias"),
    ],
)
def test_other_heads(head: Any, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        read_config(lesson(*head))


def test_a_head_that_branches() -> None:
    config = lesson(INNER, drop(0.2), LAST)
    config["config"]["layers"][-1]["inbound_nodes"] = [[["pool", 0, 0, {}], ["drop", 0, 0, {}]]]
    with pytest.raises(ValueError, match=r"last \(Dense\) behind other layers than drop"):
        read_config(config)


def test_two_outputs() -> None:
    config = lesson(LAST)
    config["config"]["output_layers"] = [["last", 0, 0], ["pool", 0, 0]]
    with pytest.raises(ValueError, match="the outputs last, pool"):
        read_config(config)


@pytest.mark.parametrize("kind", ["Rescaling", "TFOpLambda"])
def test_layers_before_the_backbone(kind: str) -> None:
    config = model(
        ("InputLayer", "image", IMAGE),
        (kind, "before", {}),
        ("Functional", "xception", {"layers": []}),
        ("GlobalAveragePooling2D", "pool", {}),
        LAST,
    )
    with pytest.raises(ValueError, match=rf"before \({kind}\) before the head"):
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
    nested = model(("InputLayer", "image", IMAGE), ("Functional", "x", {"layers": []}), LAST)
    with pytest.raises(ValueError, match=r"x \(Functional\) without GlobalAveragePooling2D"):
        read_config(nested)
    flat = model(("InputLayer", "image", IMAGE), ("Conv2D", "c", {}), ("Flatten", "f", {}), LAST)
    with pytest.raises(ValueError, match="a model without GlobalAveragePooling2D"):
        read_config(flat)
