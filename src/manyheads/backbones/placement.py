"""Where a backbone computes: by which runtime, on which device; `auto` is decided here."""

from __future__ import annotations

import os
import re
import shutil
import sys
from collections.abc import Callable
from typing import NamedTuple

from manyheads.backbones.registry import BackboneSpec
from manyheads.core import accelerators, openvino_runtime
from manyheads.core.accelerators import DEVICES, KERAS_LIBRARIES
from manyheads.core.settings import choice
from manyheads.errors import DeviceError, SettingError

RUNTIMES = ("openvino", "keras", "onnxruntime")
PRECISIONS = ("f32", "bf16", "f16")
AUTO = "auto"

# What each runtime computes with on an NVIDIA card.
_LIBRARIES = {"onnxruntime": ("onnxruntime",), "keras": KERAS_LIBRARIES}
_WITHOUT = {"onnxruntime": ("bf16",), "keras": ()}  # precisions that a runtime lacks there
_INSTALL = "pip install 'jax[cuda13]', or onnxruntime-gpu in the place of onnxruntime"


class Placement(NamedTuple):
    """A `runtime` and a `device`, both decided."""

    runtime: str
    device: str


def placed(
    runtime: str, device: str, precision: str, spec: Callable[[], BackboneSpec]
) -> Placement:
    """Decide what is `auto` in a runtime and a device, by what is installed and what it sees.

    A device without a runtime takes OpenVINO, and on an NVIDIA card (cuda, or cuda:N for the card
    N) ONNX Runtime or else Keras. Without either, a card is used if one of these two sees it;
    Intel's devices are used only where they are asked for. Raises `SettingError` for other words,
    and `DeviceError` for a card that nothing installed can use. `spec` yields the backbone where
    the answer depends on it.
    """
    device = without_number(device)
    choice("device", device, (AUTO, *DEVICES))
    choice("runtime", runtime, (AUTO, *RUNTIMES))
    choice("precision", precision, PRECISIONS)
    if device == "cuda":
        return Placement(_cuda_runtime(runtime, precision, spec), device)
    if device != AUTO:
        return Placement("openvino" if runtime == AUTO else runtime, device)
    if runtime == "openvino" or not accelerators.has_nvidia_card():
        return Placement("openvino" if runtime == AUTO else runtime, "cpu")
    found = _usable(runtime, precision, spec())
    if found:
        return Placement(found[0], "cuda")
    return Placement("openvino" if runtime == AUTO else runtime, "cpu")


def check_device(runtime: str, device: str) -> None:
    """Raise `SettingError` for a runtime without such a device, `DeviceError` if it is not here."""
    choice("device", device, DEVICES)
    if device in ("gpu", "npu") and runtime != "openvino":
        raise SettingError(
            f"the runtime openvino for the device {device}", runtime, "leave out `runtime`"
        )
    if device == "cuda" and runtime == "openvino":
        raise SettingError(
            "the runtime onnxruntime or keras for the device cuda", runtime, "leave out `runtime`"
        )
    if device in ("gpu", "npu"):
        found = accelerators.openvino_devices()
        if device not in found:
            raise DeviceError(
                f"the device {device}, through OpenVINO", f"only {', '.join(found)}",
                "install the device's driver, or choose another `device`",
            )  # fmt: skip
    if device == "cuda" and (reasons := _reasons(runtime)):
        raise _no_cuda(reasons)


def check_network(spec: BackboneSpec, runtime: str) -> None:
    """Raise `SettingError` for a network that a runtime other than OpenVINO cannot compute."""
    if runtime != "openvino" and not spec.in_keras:
        raise SettingError(
            f"the runtime openvino for {spec.name}, which is no network of Keras's", runtime,
            "leave out `runtime` and `device`, or give "
            + ("one backbone" if spec.members else "a .keras file"),
        )  # fmt: skip


def check_precision(precision: str, runtime: str = "openvino", device: str = "cpu") -> None:
    """Raise `SettingError` unless this machine's `runtime` computes in `precision` there."""
    choice("precision", precision, PRECISIONS)
    if runtime == "openvino":
        _check_openvino(precision, device)
    elif precision == "bf16" and runtime == "onnxruntime":
        raise SettingError(
            "precision f32 or f16 on the runtime onnxruntime", precision, "set `runtime` to keras"
        )
    elif precision != "f32" and (runtime, device) == ("keras", "cpu"):
        raise SettingError(
            f"precision f32 on the runtime {runtime}", precision, "leave out `precision`"
        )


def _check_openvino(precision: str, device: str) -> None:
    if precision == "f32" and device != "npu":
        return
    offered = openvino_runtime.core().get_property(device.upper(), "OPTIMIZATION_CAPABILITIES")
    names = {"f32": "FP32", "bf16": "BF16", "f16": "FP16"}
    if names[precision] not in offered:
        known = [name for name, word in names.items() if word in offered]
        where = "processor" if device == "cpu" else f"device {device}"
        raise SettingError(
            f"a {where} that computes in {precision}",
            f"one that computes in {', '.join(known) or ', '.join(sorted(offered))}",
            "leave out `precision`; a study that was begun so needs such a processor"
            if device == "cpu"
            else "choose one of these as `precision`",
        )


def check_place(spec: BackboneSpec, runtime: str, device: str, precision: str) -> None:
    """Raise `SettingError` or `DeviceError` unless this machine can compute a backbone so."""
    check_network(spec, runtime)
    check_device(runtime, device)
    check_precision(precision, runtime, device)


def device_lines(runtime: str, device: str) -> list[tuple[str, str]]:
    """Lines of a plan: where the backbone computes unless as usual, and a card that is not used."""
    words = device_words(runtime, device) or unused_card(device)
    return [("Device", words)] if words else []


def unused_card(device: str) -> str:
    """What to say where the processor computes although the machine has a card; else ""."""
    if device != "cpu" or not accelerators.has_nvidia_card():
        return ""
    for runtime in _LIBRARIES:
        if not _reasons(runtime):
            return "this machine has an NVIDIA card, which is not used: set `device` to cuda"
    return f"this machine has an NVIDIA card, which nothing installed can use: {_INSTALL}"


def device_words(runtime: str, device: str) -> str:
    """A device and what computes on it, such as `cuda, by Keras on jax`; "" for the usual."""
    if (runtime, device) == ("openvino", "cpu"):
        return ""
    by = {"openvino": "OpenVINO", "onnxruntime": "ONNX Runtime", "keras": "Keras"}[runtime]
    if runtime == "keras" and device == "cuda":
        by += f" on {keras_library() or 'a backend that sees the card'}"
    return f"{device}, by {by}"


def keras_library() -> str:
    """The backend of Keras that computes on a card: the one that is chosen, or the first that can.

    Keras takes its backend once for a process, so one that is imported already stays. "" if none.
    """
    for name in _keras_candidates():
        if not accelerators.why_not_cuda(name):
            return name
    return ""


def _keras_candidates() -> tuple[str, ...]:
    chosen = os.environ.get("KERAS_BACKEND", "")
    if "keras" in sys.modules:
        chosen = sys.modules["keras"].config.backend()
    if chosen:
        return tuple(name for name in KERAS_LIBRARIES if name == chosen)
    return KERAS_LIBRARIES


def without_number(device: str) -> str:
    """`device` without the number of a card, which becomes the only one that CUDA sees."""
    if found := re.fullmatch(r"cuda:(\d{1,3})", str(device)):
        accelerators.select_card(int(found[1]))
        return "cuda"
    return device


def _cuda_runtime(runtime: str, precision: str, spec: Callable[[], BackboneSpec]) -> str:
    if runtime != AUTO:
        return runtime
    check_network(spec(), "keras")
    found = _usable(runtime, precision, spec())
    if found:
        return found[0]
    raise _no_cuda([reason for each in _LIBRARIES for reason in _reasons(each)])


def _usable(runtime: str, precision: str, spec: BackboneSpec) -> list[str]:
    """The runtimes that can compute this backbone on a card here, the preferred one first."""
    return [
        each
        for each in (_LIBRARIES if runtime == AUTO else (runtime,))
        if spec.in_keras and precision not in _WITHOUT[each] and not _reasons(each)
    ]


def _reasons(runtime: str) -> list[str]:
    """Why each library of a runtime cannot use a card; nothing if one can."""
    if runtime == "keras":
        if keras_library():
            return []
        names = _keras_candidates() or KERAS_LIBRARIES
    else:
        names = _LIBRARIES[runtime]
    reasons = [(name, accelerators.why_not_cuda(name)) for name in names]
    return [] if any(not why for _, why in reasons) else [f"{name}: {why}" for name, why in reasons]


def _no_cuda(reasons: list[str]) -> DeviceError:
    if not accelerators.has_nvidia_card() and shutil.which("nvidia-smi") is None:
        return DeviceError(
            "an NVIDIA card for the device cuda", "none, or no driver",
            "install NVIDIA's driver, or set `device` to cpu",
        )  # fmt: skip
    if visible := os.environ.get("CUDA_VISIBLE_DEVICES"):
        reasons = [*reasons, f"CUDA_VISIBLE_DEVICES={visible}"]
    return DeviceError(
        "a library that computes on an NVIDIA card", "; ".join(reasons),
        f"{_INSTALL}, or set `device` to cpu",
    )  # fmt: skip
