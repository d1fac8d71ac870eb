"""Checkpoints in PyTorch's older format, written without PyTorch."""

from __future__ import annotations

import io
import pickle
import struct
import sys
from collections import OrderedDict
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from types import ModuleType
from typing import Any

import numpy as np

MAGIC, VERSION = 0x1950A86A20F9469CFC6C, 1001
SYSTEM = {"protocol_version": VERSION, "little_endian": True, "type_sizes": {"int": 4}}
_STORAGES = {"f": "FloatStorage", "i": "LongStorage"}


class Call:
    """A call of a function that a pickle would make."""

    def __init__(self, function: Any, *arguments: Any) -> None:
        self._called = function, arguments

    def __reduce__(self) -> Any:
        return self._called


class Storage:
    """Numbers that a pickle tells of by their key."""

    def __init__(self, key: str, kind: Any, count: int, where: str = "cpu") -> None:
        self.description = "storage", kind, key, where, count, None


class _Pickler(pickle.Pickler):
    def persistent_id(self, obj: Any) -> Any:
        return obj.description if isinstance(obj, Storage) else None


def pickled(value: Any) -> bytes:
    """A value as `torch.save` pickles it."""
    written = io.BytesIO()
    _Pickler(written, 2).dump(value)
    return written.getvalue()


@contextmanager
def torch_names() -> Iterator[Any]:
    """Yield a module `torch` that has no more than the names in a checkpoint."""
    torch, utils = ModuleType("torch"), ModuleType("torch._utils")
    for name in ("FloatStorage", "LongStorage", "ByteStorage"):
        setattr(torch, name, type(name, (), {"__module__": "torch"}))

    def _rebuild_tensor_v2() -> None: ...

    _rebuild_tensor_v2.__module__ = "torch._utils"
    _rebuild_tensor_v2.__qualname__ = "_rebuild_tensor_v2"
    vars(utils)["_rebuild_tensor_v2"] = _rebuild_tensor_v2
    vars(torch)["_utils"] = utils
    known = {name: sys.modules.get(name) for name in ("torch", "torch._utils")}
    sys.modules |= {"torch": torch, "torch._utils": utils}
    try:
        yield torch
    finally:
        for name, module in known.items():
            if module is None:
                del sys.modules[name]
            else:
                sys.modules[name] = module


def described(
    torch: Any,
    storage: Storage,
    shape: tuple[int, ...],
    strides: tuple[int, ...],
    offset: int = 0,
) -> Call:
    """A tensor as a checkpoint tells of it."""
    hooks = OrderedDict()
    arguments = storage, offset, shape, strides, False, hooks
    return Call(torch._utils._rebuild_tensor_v2, *arguments)


def checkpoint(
    state: Any, numbers: Mapping[str, np.ndarray[Any, Any]], system: Any = SYSTEM
) -> bytes:
    """A file of a `state`, with the `numbers` of its storages by their keys."""
    parts = [pickled(each) for each in (MAGIC, VERSION, system, state, sorted(numbers))]
    for _, each in sorted(numbers.items()):
        parts.append(struct.pack("<q", each.size) + each.tobytes())
    return b"".join(parts)


def saved(tensors: Mapping[str, np.ndarray[Any, Any]]) -> bytes:
    """A file with these tensors, as the published ones are: in other orders of their axes too."""
    state: OrderedDict[str, Any] = OrderedDict()
    numbers = {}
    with torch_names() as torch:
        for place, (name, array) in enumerate(tensors.items()):
            key = f"{1000 + place}"
            numbers[key] = np.asarray(array).T.ravel()
            kind = getattr(torch, _STORAGES[array.dtype.kind])
            strides = tuple(each // array.itemsize for each in array.copy("F").strides)
            storage = Storage(key, kind, array.size)
            state[name] = described(torch, storage, array.shape, strides)
        vars(state)["_metadata"] = OrderedDict(layer={"version": 1})
        return checkpoint(state, numbers)
