"""Accelerators: which this machine has, which installed library can use one, and how one fails."""

from __future__ import annotations

import importlib
import importlib.util
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

from manyheads.core import openvino_runtime
from manyheads.errors import DeviceError, ManyheadsError, SettingError

DEVICES = ("cpu", "gpu", "npu", "cuda")
"""The processor; Intel's graphics and neural processor, by OpenVINO; NVIDIA cards, by CUDA."""

KERAS_LIBRARIES = ("jax", "torch", "tensorflow")
"""What Keras can compute with on a card, the one that is tried first in front."""

_FRAMEWORKS = (*KERAS_LIBRARIES, "onnxruntime")
# How the libraries say that a device's memory is used up.
_MEMORY = (
    "out of memory", "out_of_memory", "resource_exhausted", "failed to allocate memory",
    "oom when allocating", "cl_out_of_resources", "cl_mem_object_allocation_failure",
    "bad allocation", "exceeded max size of memory", "cudnn_status_alloc_failed",
)  # fmt: skip
_LONGEST = 160  # characters of a library's own words


def has_nvidia_card() -> bool:
    """Whether this machine seems to have an NVIDIA card that this process may use.

    Looks at files alone, so it costs next to nothing; whether the card works is not known.
    """
    if os.environ.get("CUDA_VISIBLE_DEVICES", "0").strip() in ("", "-1"):
        return False
    if sys.platform == "win32":
        return shutil.which("nvidia-smi") is not None
    if any(Path("/proc/driver/nvidia/gpus").glob("*")) or any(Path("/dev").glob("nvidia[0-9]*")):
        return True
    return Path("/dev/dxg").exists() and shutil.which("nvidia-smi") is not None


@cache
def why_not_cuda(library: str) -> str:
    """Why an installed `library` cannot compute on an NVIDIA card; "" if it can."""
    if importlib.util.find_spec(library) is None:
        return "not installed"
    try:
        return _CUDA[library]()
    except Exception as error:  # each library has exceptions of its own
        return _brief(error)


@cache
def of_jax() -> str | None:
    """The kind of JAX's first device, such as "NVIDIA H200"; None if that is the processor.

    JAX is imported only where a plugin for an accelerator is installed. A plugin that finds no
    driver or no device leaves the processor.
    """
    packages = any(importlib.util.find_spec(name) for name in ("jax_plugins", "libtpu"))
    has_plugin = bool(entry_points(group="jax_plugins")) or packages
    if importlib.util.find_spec("jax") is None or not has_plugin:
        return None
    share_card()
    import jax

    try:
        device = jax.devices()[0]
    except RuntimeError:  # a platform is demanded, and is not there
        return None
    return None if device.platform == "cpu" else device.device_kind


def openvino_devices() -> tuple[str, ...]:
    """The devices among `DEVICES` that OpenVINO finds here; the processor is always one."""
    found = {name.partition(".")[0].lower() for name in openvino_runtime.core().available_devices}
    return tuple(name for name in DEVICES if name in found)


def select_card(number: int) -> None:
    """Let CUDA see the card of this `number` alone, in this process and in its children.

    Cards count from 0 among those that `CUDA_VISIBLE_DEVICES` leaves visible. Raises `SettingError`
    where a framework is loaded already, which has taken its card.
    """
    visible = os.environ.get("CUDA_VISIBLE_DEVICES", "")
    cards = [card.strip() for card in visible.split(",") if card.strip()]
    if cards and number >= len(cards):
        raise SettingError(
            f"a card from cuda:0 to cuda:{len(cards) - 1}, which CUDA_VISIBLE_DEVICES leaves "
            "visible", f"cuda:{number}", "name one of these",
        )  # fmt: skip
    chosen = cards[number] if cards else str(number)
    loaded = [name for name in _FRAMEWORKS if name in sys.modules]
    if chosen != visible and loaded:
        raise SettingError(
            f"cuda:{number} to be chosen before a framework is loaded", f"{loaded[0]}, loaded",
            f"start Python with CUDA_VISIBLE_DEVICES={chosen}, and leave out the number",
        )  # fmt: skip
    os.environ["CUDA_VISIBLE_DEVICES"] = chosen


def share_card() -> None:
    """Let JAX and TensorFlow take a card's memory as they need it; they would take most of it.

    Two processes can then use one card. Choices that the user has made in the environment stay.
    """
    os.environ.setdefault("XLA_PYTHON_CLIENT_PREALLOCATE", "false")
    os.environ.setdefault("TF_FORCE_GPU_ALLOW_GROWTH", "true")


def free_memory(device: str) -> int | None:
    """Bytes that are free on a device, or that it has; None where that is not known."""
    if device == "cuda":
        return _card_memory()
    if device in ("gpu", "npu"):
        name = "GPU_DEVICE_TOTAL_MEM_SIZE" if device == "gpu" else "NPU_DEVICE_TOTAL_MEM_SIZE"
        try:
            return int(openvino_runtime.core().get_property(device.upper(), name))
        except (RuntimeError, TypeError, ValueError):
            return None
    return None


def is_out_of_memory(error: BaseException) -> bool:
    """Whether a library's `error` says that the memory of a device is used up."""
    words = f"{type(error).__name__}: {error}".lower()
    return isinstance(error, MemoryError) or any(each in words for each in _MEMORY)


@contextmanager
def device_errors(device: str) -> Iterator[None]:
    """Turn what a library raises of a `device` into `DeviceError`, in one line."""
    try:
        yield
    except ManyheadsError:
        raise
    except Exception as error:  # each library has exceptions of its own
        raise device_error(device, error) from error


def device_error(device: str, error: BaseException) -> DeviceError:
    """What a library's `error` on a `device` means for the user."""
    if is_out_of_memory(error):
        remedy = "end other programs that use it, or set `device` to cpu"
        if device == "cuda":
            remedy = "end other programs that use the card (nvidia-smi lists them), or set "
            remedy += "`device` to cpu"
        return DeviceError(f"enough free memory on the device {device}", _brief(error), remedy)
    return DeviceError(
        f"the device {device} to compute", _brief(error),
        "what is finished is kept: repeat the command, or set `device` to cpu",
    )  # fmt: skip


def _brief(error: BaseException) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return f"{type(error).__name__}: {(lines or ['no reason'])[-1][:_LONGEST]}"


def _card_memory() -> int | None:
    program = shutil.which("nvidia-smi")
    if program is None:
        return None
    first = os.environ.get("CUDA_VISIBLE_DEVICES", "0").split(",")[0].strip() or "0"
    command = [program, "-q", "-d", "MEMORY", "-i", first]
    try:
        done = subprocess.run(
            command, capture_output=True, encoding="utf-8", errors="replace", timeout=10, check=True
        )
    except (OSError, subprocess.SubprocessError):
        return None
    found = re.search(r"FB Memory Usage.*?Free\s*:\s*(\d+) MiB", done.stdout, re.DOTALL)
    return int(found[1]) << 20 if found else None


def _onnxruntime() -> str:
    import onnxruntime

    library: Any = onnxruntime
    if "CUDAExecutionProvider" in library.get_available_providers():
        return ""
    return "a build for the processor, without CUDA (onnxruntime-gpu has it)"


def _jax() -> str:
    share_card()
    import jax

    platforms = sorted({device.platform for device in jax.devices()})
    return "" if "gpu" in platforms else f"JAX sees {', '.join(platforms)} alone"


def _torch() -> str:
    library: Any = importlib.import_module("torch")
    return "" if library.cuda.is_available() else "PyTorch sees no card"


def _tensorflow() -> str:
    # In a child, because importing TensorFlow imports Keras, on the backend that it then keeps.
    count = "import tensorflow as tf; print(len(tf.config.list_physical_devices('GPU')))"
    done = subprocess.run(
        [sys.executable, "-c", count],
        capture_output=True,
        encoding="utf-8",
        errors="replace",
        timeout=120,
        check=False,
    )
    return "" if done.stdout.strip() not in ("", "0") else "TensorFlow sees no card"


_CUDA = {
    "onnxruntime": _onnxruntime,
    "jax": _jax,
    "torch": _torch,
    "tensorflow": _tensorflow,
}
