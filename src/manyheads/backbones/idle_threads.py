"""OpenVINO's idle threads, kept from the children of a fork.

OpenVINO keeps the threads of a program that was freed, and gives them to the next program of the
same settings. The child of a fork has none of its parent's threads and would be given them all the
same: it would wait for ever. So, for the moment of a fork, tiny programs take every idle thread;
the child never frees them, and OpenVINO makes new threads there.
"""

from __future__ import annotations

import ctypes
import os
from collections import Counter
from typing import Any

import numpy as np

from manyheads.core import openvino_runtime

_there: Counter[tuple[tuple[str, str], ...]] = Counter()
_most: Counter[tuple[tuple[str, str], ...]] = Counter()
"""Programs with threads of their own, by their settings: now, and at most until now."""
_holders: list[Any] = []


def keep_forever(request: Any) -> None:
    """In the child of a fork: never free a request that was made in the parent.

    OpenVINO would wait for the parent's threads, even at the end of the process.
    """
    ctypes.pythonapi.Py_IncRef(ctypes.py_object(request))


class HeldThreads:
    """The threads of a program that was compiled with these `settings`, until it is freed."""

    def __init__(self, settings: dict[str, str]) -> None:
        self._settings = tuple(sorted(settings.items()))
        self._process = os.getpid()
        _there[self._settings] += 1
        _most[self._settings] = max(_most[self._settings], _there[self._settings])

    def free(self) -> None:
        """Count them as idle."""
        if self._process == os.getpid():
            _there[self._settings] -= 1
        self._process = -1


def _take_idle() -> None:
    for settings, most in _most.items():
        for _ in range(most - _there[settings]):
            compiled = openvino_runtime.core().compile_model(_tiny(), "CPU", dict(settings))
            _holders.append(compiled.create_infer_request())


def _tiny() -> Any:
    library: Any = openvino_runtime.openvino()
    numbers = library.opset13.parameter([1, 4], np.float32)
    return library.Model([library.opset13.relu(numbers)], [numbers])


def _give_back() -> None:
    _holders.clear()


def _begin_anew() -> None:
    for request in _holders:
        keep_forever(request)
    for counted in (_holders, _there, _most):
        counted.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=_take_idle, after_in_parent=_give_back, after_in_child=_begin_anew)
