"""OpenVINO without its telemetry.

Importing `openvino` sends an event to a statistics server, unless the user has refused
beforehand. It does without if its `openvino_telemetry` package cannot be imported, so that is
what happens here. Every import of OpenVINO, and of Keras on its OpenVINO backend, must come
after `silence()`.
"""

from __future__ import annotations

import sys
from types import ModuleType


def silence() -> None:
    """Make `import openvino_telemetry` fail in this process, so that nothing is ever sent."""
    if "openvino_telemetry" not in sys.modules:
        sys.modules["openvino_telemetry"] = None  # pyright: ignore[reportArgumentType]


def openvino() -> ModuleType:
    """The `openvino` package, imported silently."""
    silence()
    import openvino as module

    return module
