"""OpenVINO without its telemetry, and one core of it for the whole process.

Importing `openvino` sends an event to a statistics server, unless the user has refused
beforehand. It does without if its `openvino_telemetry` package cannot be imported, so that is
what happens here. Every import of OpenVINO, and of Keras on its OpenVINO backend, must come
after `silence()`.
"""

from __future__ import annotations

import sys
from functools import cache
from types import ModuleType
from typing import Any

from manyheads.core.machine import library_threads


def silence() -> None:
    """Make `import openvino_telemetry` fail in this process, so that nothing is ever sent."""
    modules: dict[str, Any] = sys.modules
    modules.setdefault("openvino_telemetry", None)


def openvino() -> ModuleType:
    """The `openvino` package, imported silently."""
    silence()
    import openvino as module

    return module


@cache
def core() -> Any:
    """This process's only `openvino.Core`, which lasts as long as the process.

    It computes with no more threads than a quota of processor time pays for, and none of them is
    bound to a processor: each process would choose the first ones, and processes that share a
    machine would wait for one another while others idle. It computes in single precision, unless
    a model is compiled for another one.

    A core gives its thread another stack for signals and, when it ends, restores the one before,
    even if that belonged to a core which has ended since: the next signal would then kill the
    process.
    """
    made = openvino().Core()
    # Some processors would take bfloat16 on their own.
    made.set_property("CPU", {"ENABLE_CPU_PINNING": False, "INFERENCE_PRECISION_HINT": "f32"})
    if threads := library_threads():
        made.set_property("CPU", {"INFERENCE_NUM_THREADS": threads})
    return made
