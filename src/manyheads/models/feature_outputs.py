"""A model's own program that also gives the features its head is put on: logits, then features.

Called in a child process, like all that writes programs.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from manyheads.backbones import exported
from manyheads.core import openvino_runtime
from manyheads.core.job import SILENT, Job
from manyheads.core.text import counted
from manyheads.errors import ModelError
from manyheads.models.card import ModelCard

_PASSED = {"Convert", "Identity", "Reshape", "Squeeze", "Unsqueeze"}


def with_features(
    program: exported.Program, card: ModelCard, features: int, file: Path, job: Job = SILENT
) -> exported.Program:
    """The `program` of the model `file`, giving `[n, classes + features]`; from the cache or made.

    Raises `ModelError` if the model does not end with the dense layers that `card` tells, on so
    many features.
    """
    layers = 2 if card.selected.get("size_inner") else 1
    recipe = {"logits": program.path.parent.name, "features": features, "layers": layers}
    arguments = {
        "program": str(program.path), "features": features, "layers": layers, "file": file.name
    }  # fmt: skip
    if program.batch is not None:
        arguments["batch"] = program.batch
    return exported.made(recipe, write, arguments, job)


def write(
    program: str, features: int, layers: int, file: str, target: str, batch: int | None = None
) -> dict[str, Any]:
    """Write a `program` of logits as one of logits and features; called in a child."""
    ov, ops = openvino_runtime.openvino(), openvino_runtime.openvino().opset13
    model = openvino_runtime.core().read_model(program)
    (result,) = model.get_results()
    logits = result.input_value(0)
    value = logits
    for place in range(layers):
        value = _dense(_passed(value), file)
        if place < layers - 1:
            value = _input(_passed(value), "Relu", file)
    shape = value.get_partial_shape()
    if len(shape) != 2 or shape[1].is_dynamic or shape[1].get_length() != features:
        raise _refusal(file, f"{counted(features, 'feature')} [n, {features}]", str(shape))
    both = ops.concat([_float(ops, logits), _float(ops, value)], 1)
    whole = ov.Model([ops.result(both)], model.get_parameters(), "model")
    ov.serialize(whole, target)
    found = int(whole.output().get_partial_shape()[1].get_length())
    return {"features": found} | ({} if batch is None else {"batch": batch})


def _dense(value: Any, file: str) -> Any:
    """What a dense layer takes that gives `value`: the input of a product, behind its bias."""
    node = value.get_node()
    if node.get_type_name() == "Add":
        node = _passed(_other(node, file)).get_node()
    if node.get_type_name() != "MatMul":
        raise _refusal(file, "dense layers at its end", node.get_type_name())
    return _other(node, file)


def _input(value: Any, kind: str, file: str) -> Any:
    node = value.get_node()
    if node.get_type_name() != kind:
        raise _refusal(file, f"{kind} between its dense layers", node.get_type_name())
    return node.input_value(0)


def _other(node: Any, file: str) -> Any:
    """Of two inputs the one that is no constant."""
    values = [node.input_value(0), node.input_value(1)]
    found = [value for value in values if not _is_constant(value)]
    if len(found) != 1:
        raise _refusal(file, "a layer of one input", node.get_type_name())
    return found[0]


def _is_constant(value: Any) -> bool:
    node = value.get_node()
    if node.get_type_name() == "Constant":
        return True
    inputs = [node.input_value(n) for n in range(node.get_input_size())]
    return bool(inputs) and all(map(_is_constant, inputs))


def _passed(value: Any) -> Any:
    """The value behind layers that only pass it on."""
    while value.get_node().get_type_name() in _PASSED:
        value = value.get_node().input_value(0)
    return value


def _float(ops: Any, value: Any) -> Any:
    return ops.convert(value, "f32")


def _refusal(file: str, expected: str, found: str) -> ModelError:
    return ModelError(
        f"{expected} in {file}, to tell unknown images", found,
        "give the run folder, or leave out `unknown`",
    )  # fmt: skip
