"""What an ONNX file declares, read without running or trusting it: its input, its other files.

ONNX is a protocol buffer, messages of numbered fields inside messages. Only the few fields that
are asked for are entered; weights are passed over.
"""

from __future__ import annotations

import mmap
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

Shape = tuple[int | None, ...]

_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5
_DEEPEST = 64  # graphs within graphs
_GRAPH, _FUNCTION = "graph", "function"
# Which fields of a message lead to which messages; onnx/onnx.proto numbers them.
_INSIDE: Mapping[str, Mapping[int, str]] = {
    "model": {7: _GRAPH, 20: "training", 25: _FUNCTION},
    "training": {1: _GRAPH, 2: _GRAPH},
    _GRAPH: {1: "node", 5: "tensor", 15: "sparse"},
    _FUNCTION: {7: "node", 11: "attribute"},
    "node": {5: "attribute"},
    "attribute": {5: "tensor", 6: _GRAPH, 10: "tensor", 11: _GRAPH, 22: "sparse", 23: "sparse"},
    "sparse": {1: "tensor", 2: "tensor"},
}
_EXTERNAL, _KEY, _VALUE = 13, 1, 2


@dataclass
class OnnxParts:
    """The `inputs` that a file declares, None for an open dimension; `files` named beside it.

    What is no input but a weight that is listed among them is left out.
    """

    inputs: dict[str, Shape] = field(default_factory=dict[str, Shape])
    files: set[str] = field(default_factory=set[str])


def read_parts(file: Path) -> OnnxParts:
    """What `file` declares; raises `ValueError` if it is not a whole ONNX file, or `OSError`."""
    with file.open("rb") as opened:
        try:
            # Not closed here: a traceback may still hold parts of it.
            return _parts(memoryview(mmap.mmap(opened.fileno(), 0, access=mmap.ACCESS_READ)))
        except (TypeError, AttributeError, RecursionError) as error:
            raise ValueError("fields of another kind than ONNX's") from error


def _parts(whole: memoryview) -> OnnxParts:
    found = OnnxParts()
    graphs = [part for number, part in _fields(whole) if number == 7]
    if len(graphs) != 1:
        raise ValueError("no graph in it")
    weights = {
        bytes(name).decode()
        for number, tensor in _fields(graphs[0])
        if number == 5
        for place, name in _fields(tensor)
        if place == 8
    }
    for number, part in _fields(graphs[0]):
        if number == 11:
            name, shape = _input(part)
            if name not in weights:
                found.inputs[name] = shape
    for entry in _external(whole, "model", 0):
        found.files.add(entry)
    return found


def _external(message: memoryview, kind: str, depth: int) -> Iterator[str]:
    """The locations of data outside the file, of all tensors in a message."""
    if depth > _DEEPEST:
        raise ValueError("graphs too deep within each other")
    for number, part in _fields(message):
        if kind == "tensor" and number == _EXTERNAL:
            entry = dict(_fields(part))
            if bytes(entry.get(_KEY, b"")) == b"location":
                yield bytes(entry.get(_VALUE, b"")).decode()
        elif (inner := _INSIDE.get(kind, {}).get(number)) is not None:
            yield from _external(part, inner, depth + 1)


def _input(message: memoryview) -> tuple[str, Shape]:
    told = dict(_fields(message))
    shape: list[int | None] = []
    kind = dict(_fields(told.get(2, memoryview(b""))))
    tensor = dict(_fields(kind.get(1, memoryview(b""))))
    for number, dimension in _fields(tensor.get(2, memoryview(b""))):
        if number == 1:
            shape.append(dict(_numbers(dimension)).get(1))
    return bytes(told.get(1, b"")).decode(), tuple(shape)


def _fields(message: memoryview) -> Iterator[tuple[int, memoryview]]:
    """The fields of a message that hold bytes, by number."""
    for number, value in _every(message):
        if isinstance(value, memoryview):
            yield number, value


def _numbers(message: memoryview) -> Iterator[tuple[int, int]]:
    for number, value in _every(message):
        if isinstance(value, int):
            yield number, value


def _every(message: memoryview) -> Iterator[tuple[int, Any]]:
    at, end = 0, len(message)
    while at < end:
        tag, at = _varint(message, at)
        number, wire = tag >> 3, tag & 7
        if wire == _VARINT:
            value, at = _varint(message, at)
            yield number, value
            continue
        if wire == _BYTES:
            length, at = _varint(message, at)
        elif wire in (_FIXED64, _FIXED32):
            length = 8 if wire == _FIXED64 else 4
        else:
            raise ValueError(f"a field of the unknown kind {wire}")
        if number == 0 or length > end - at:
            raise ValueError("an end before a field is whole")
        if wire == _BYTES:
            yield number, message[at : at + length]
        at += length


def _varint(message: memoryview, at: int) -> tuple[int, int]:
    value = 0
    for shift in range(0, 70, 7):
        if at >= len(message):
            raise ValueError("an end before a number is whole")
        byte = message[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
    raise ValueError("a number that is too long")
