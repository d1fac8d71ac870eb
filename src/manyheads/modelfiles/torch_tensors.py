"""The tensors in a checkpoint of PyTorch's older format, read without unpickling anything.

Such a file is a few pickles, one behind the other, and then the numbers. A pickle is a program,
and Python's unpickler runs it. Here its instructions are only looked at, by `pickletools`, and
those few are followed that a dictionary of tensors consists of: they make tuples, dictionaries and
descriptions of tensors, and can make nothing else. PyTorch is not needed.
"""

from __future__ import annotations

import io
import math
import pickletools
import struct
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import as_strided

Tensors = dict[str, np.ndarray[Any, Any]]

# As `torch.save` writes it without a ZIP archive: its magic number and version, and the types of
# its numbers.
_MAGIC, _VERSION = 0x1950A86A20F9469CFC6C, 1001
_TYPES = {"torch FloatStorage": np.dtype("<f4"), "torch LongStorage": np.dtype("<i8")}
_DAMAGE = (
    LookupError, AttributeError, TypeError, OverflowError, RecursionError, struct.error,
)  # fmt: skip
_LONGEST = 1_000_000  # instructions of a pickle; a tensor takes about 35


@dataclass(frozen=True)
class _Name:
    """What a pickle would import; here it stays a name."""

    name: str


_DICTIONARY = _Name("collections OrderedDict")
_TENSOR = _Name("torch._utils _rebuild_tensor_v2")


@dataclass(frozen=True)
class _Storage:
    """Numbers of one type in the file, by the key that tells where among others."""

    key: str
    type: np.dtype[Any]
    count: int


@dataclass(frozen=True)
class _Tensor:
    storage: _Storage
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]


def read_tensors(content: bytes) -> Tensors:
    """The tensors in a file in which `torch.save` wrote a state dictionary, by name, in order.

    It is one of the format before PyTorch 1.6, which is no ZIP archive, with float32 and int64
    alone. Raises `ValueError` for any other file.
    """
    file = io.BytesIO(content)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about operands of instructions that are refused
            return _read(file)
    except _DAMAGE as error:
        raise ValueError(f"no dictionary of tensors ({type(error).__name__}: {error})") from error


def _read(file: io.BytesIO) -> Tensors:
    if _followed(file) != _MAGIC or _followed(file) != _VERSION:
        raise ValueError("a checkpoint of another format")
    if not _followed(file)["little_endian"]:
        raise ValueError("numbers in another order of bytes")
    described, keys = _followed(file), _followed(file)
    return _filled(described, keys, file)


def _filled(described: dict[str, _Tensor], keys: list[str], file: io.BytesIO) -> Tensors:
    """The tensors, with the numbers that follow: of each storage, their count and they."""
    counts = {each.storage.key: each.storage for each in described.values()}
    if sorted(counts) != sorted(keys) or any(type(name) is not str for name in described):
        raise ValueError("other tensors than it has numbers for")
    if sum(map(_size, described.values())) > sum(each.count for each in counts.values()):
        raise ValueError("tensors that share their numbers")
    numbers = {}
    for key in keys:
        storage = counts[key]
        (count,) = struct.unpack("<q", file.read(8))
        content = file.read(storage.count * storage.type.itemsize)
        if count != storage.count or len(content) != storage.count * storage.type.itemsize:
            raise ValueError("a file that is cut short")
        numbers[key] = np.frombuffer(content, storage.type)
    if file.read(1):
        raise ValueError("more in it than tensors")
    return {name: _shaped(each, numbers[each.storage.key]) for name, each in described.items()}


def _shaped(tensor: _Tensor, numbers: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """A view of the numbers, all inside them, and of no more than there are."""
    sides = list(zip(tensor.shape, tensor.strides, strict=True))
    last = tensor.offset + sum((side - 1) * stride for side, stride in sides)
    if 0 in tensor.shape or _size(tensor) > len(numbers) or last >= len(numbers):
        raise ValueError(f"a tensor {list(tensor.shape)} of {len(numbers):,} numbers")
    strides = [stride * numbers.itemsize for stride in tensor.strides]
    return as_strided(numbers[tensor.offset :], tensor.shape, strides, writeable=False)


def _size(tensor: _Tensor) -> int:
    return math.prod(tensor.shape)


def _followed(file: io.BytesIO) -> Any:
    """What the next pickle of the file describes; raises `ValueError` for what is not allowed."""
    stack: list[Any] = []
    marks: list[int] = []
    memory: dict[int, Any] = {}

    def from_mark() -> list[Any]:
        start = marks.pop()
        taken = stack[start:]
        del stack[start:]
        return taken

    for op, value in _instructions(file):
        match op:
            case "PROTO":
                pass
            case "STOP":
                (found,) = stack
                return found
            case "MARK":
                marks.append(len(stack))
            case "NONE":
                stack.append(None)
            case "NEWTRUE" | "NEWFALSE":
                stack.append(op == "NEWTRUE")
            case "BININT" | "BININT1" | "BININT2" | "LONG1" | "BINUNICODE":
                stack.append(value)
            case "EMPTY_TUPLE":
                stack.append(())
            case "TUPLE1" | "TUPLE2" | "TUPLE3":
                count = int(op[-1])
                stack[-count:] = [tuple(stack[-count:])]
            case "TUPLE":
                stack.append(tuple(from_mark()))
            case "EMPTY_LIST":
                stack.append([])
            case "EMPTY_DICT":
                stack.append({})
            case "APPEND":
                item = stack.pop()
                stack[-1].append(item)
            case "APPENDS":
                items = from_mark()
                stack[-1].extend(items)
            case "SETITEM":
                key, item = stack.pop(-2), stack.pop()
                stack[-1][key] = item
            case "SETITEMS":
                items = from_mark()
                stack[-1].update(zip(items[::2], items[1::2], strict=True))
            case "BINPUT" | "LONG_BINPUT":
                memory[value] = stack[-1]
            case "BINGET" | "LONG_BINGET":
                stack.append(memory[value])
            case "GLOBAL":
                stack.append(_Name(value))
            case "BINPERSID":
                stack.append(_storage(*stack.pop()))
            case "REDUCE":
                arguments, function = stack.pop(), stack.pop()
                stack.append(_called(function, arguments))
            case "BUILD":
                stack.pop()  # attributes of a dictionary, which say of which version its layers are
            case _:
                raise ValueError(f"the instruction {op}, which no tensor needs")
    raise ValueError("no end")


def _instructions(file: io.BytesIO) -> Iterator[tuple[str, Any]]:
    """Each instruction of the next pickle, and its operand."""
    for count, (op, value, _) in enumerate(pickletools.genops(file)):
        if count == _LONGEST:
            raise ValueError(f"a pickle of more than {_LONGEST:,} instructions")
        yield op.name, value


def _storage(what: str, kind: _Name, key: str, location: str, count: int, view: None) -> _Storage:
    if (what, location, view) != ("storage", "cpu", None) or type(key) is not str:
        raise ValueError("numbers that are kept elsewhere")
    if kind.name not in _TYPES:
        raise ValueError(f"numbers of the type {kind.name}")
    return _Storage(key, _TYPES[kind.name], _whole(count))


def _called(function: _Name, arguments: tuple[Any, ...]) -> Any:
    """What a call of one of the two known functions makes."""
    if function == _DICTIONARY and arguments == ():
        return {}
    if function != _TENSOR:
        raise ValueError(f"a call of {function.name}, which no tensor needs")
    storage, offset, shape, strides, _, _ = arguments  # and whether it is trained, and its hooks
    if not isinstance(storage, _Storage):
        raise ValueError("a tensor without numbers")
    return _Tensor(storage, _whole(offset), tuple(map(_whole, shape)), tuple(map(_whole, strides)))


def _whole(number: Any) -> int:
    if type(number) is not int or number < 0:
        raise ValueError(f"{number!r:.40} as a number of things")
    return number
