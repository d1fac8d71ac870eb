"""Where a backbone computes: what `auto` becomes, and what is said of one that is missing."""

from __future__ import annotations

import re
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from manyheads.backbones import placement, registry
from manyheads.backbones.placement import check_device, check_precision, placed, unused_card
from manyheads.backbones.registry import BackboneSpec
from manyheads.core import accelerators
from manyheads.errors import DeviceError, SettingError

SPEC = registry.get("mobilenet_v2")
ABSENT = "not installed"


def spec() -> BackboneSpec:
    return SPEC


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch):
    """A machine with a card or without, and with libraries that see it."""

    def make(*sees: str, card: bool = True) -> None:
        monkeypatch.setattr(accelerators, "has_nvidia_card", lambda: card)
        monkeypatch.setattr(
            accelerators, "why_not_cuda", lambda name: "" if name in sees else ABSENT
        )
        monkeypatch.setattr(placement.shutil, "which", lambda _: "nvidia-smi" if card else None)
        monkeypatch.delenv("KERAS_BACKEND", raising=False)
        monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
        monkeypatch.delitem(sys.modules, "keras", raising=False)

    return make


def test_without_a_card_auto_is_openvino_on_the_processor(machine) -> None:
    machine("jax", "onnxruntime", card=False)
    assert placed("auto", "auto", "f32", spec) == ("openvino", "cpu")
    assert placed("keras", "auto", "f32", spec) == ("keras", "cpu")
    assert placed("auto", "npu", "f16", spec) == ("openvino", "npu")


def test_on_a_card_auto_is_what_sees_it(machine) -> None:
    machine("onnxruntime", "torch")
    assert placed("auto", "auto", "f32", spec) == ("onnxruntime", "cuda")
    assert placed("auto", "auto", "bf16", spec) == ("keras", "cuda")
    assert placed("auto", "cuda", "f32", spec) == ("onnxruntime", "cuda")
    assert placed("keras", "auto", "f32", spec) == ("keras", "cuda")
    assert placed("openvino", "auto", "f32", spec) == ("openvino", "cpu")
    assert placed("auto", "cpu", "f32", spec) == ("openvino", "cpu")
    assert placement.keras_library() == "torch"
    assert unused_card("cuda") == ""


def test_a_card_that_nothing_can_use_is_told(machine) -> None:
    machine()
    assert placed("auto", "auto", "f32", spec) == ("openvino", "cpu")
    assert "jax[cuda13]" in unused_card("cpu")
    with pytest.raises(DeviceError, match=rf"onnxruntime: {ABSENT}.*jax: {ABSENT}"):
        placed("auto", "cuda", "f32", spec)
    with pytest.raises(DeviceError, match="jax"):
        check_device("keras", "cuda")


def test_a_card_that_is_not_used_is_told(machine) -> None:
    machine("jax")
    assert unused_card("cpu") == (
        "this machine has an NVIDIA card, which is not used: set `device` to cuda"
    )
    machine("jax", card=False)
    assert unused_card("cpu") == ""


def test_a_machine_without_a_card_says_so(machine) -> None:
    machine("jax", card=False)
    machine(card=False)
    with pytest.raises(DeviceError, match="NVIDIA card for the device cuda, found none"):
        placed("auto", "cuda", "f32", spec)


def test_the_backend_that_was_chosen_stays(machine, monkeypatch: pytest.MonkeyPatch) -> None:
    machine("jax")
    monkeypatch.setenv("KERAS_BACKEND", "torch")
    assert placement.keras_library() == ""
    with pytest.raises(DeviceError, match=f"torch: {ABSENT}"):
        check_device("keras", "cuda")


def test_a_network_of_another_kind_stays_on_the_processor(machine) -> None:
    machine("jax", "onnxruntime")
    own = replace(SPEC, file=Path("net.onnx"))
    assert placed("auto", "auto", "f32", lambda: own) == ("openvino", "cpu")
    with pytest.raises(SettingError, match=r"no network of Keras's"):
        placed("auto", "cuda", "f32", lambda: own)


def test_a_device_of_intel_needs_openvino_and_a_driver() -> None:
    with pytest.raises(SettingError, match="runtime openvino for the device gpu"):
        check_device("keras", "gpu")
    with pytest.raises(SettingError, match="onnxruntime or keras for the device cuda"):
        check_device("openvino", "cuda")
    for name in {"gpu", "npu"} - set(accelerators.openvino_devices()):
        with pytest.raises(DeviceError, match=f"device {name}, .*found only .*cpu"):
            check_device("openvino", name)


def test_words_that_name_no_device_are_refused() -> None:
    for device in ("tpu", "cuda:", "cuda:x", "CUDA"):
        with pytest.raises(SettingError, match="auto, cpu, gpu, npu, cuda"):
            placed("auto", device, "f32", spec)


def test_precisions_of_each_runtime() -> None:
    with pytest.raises(SettingError, match="f32 or f16 on the runtime onnxruntime"):
        check_precision("bf16", "onnxruntime", "cuda")
    with pytest.raises(SettingError, match="f32 on the runtime keras"):
        check_precision("f16", "keras")
    check_precision("f16", "keras", "cuda")
    check_precision("f16", "onnxruntime")


def test_a_card_is_chosen_by_its_number(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("jax", "torch", "tensorflow", "onnxruntime"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "2,5")
    accelerators.select_card(1)
    assert accelerators.os.environ["CUDA_VISIBLE_DEVICES"] == "5"
    with pytest.raises(SettingError, match=re.escape("cuda:0 to cuda:0")):
        accelerators.select_card(1)
    monkeypatch.setitem(sys.modules, "jax", sys)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0,1")
    with pytest.raises(SettingError, match="CUDA_VISIBLE_DEVICES=1"):
        accelerators.select_card(1)


def test_hidden_cards_are_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    assert not accelerators.has_nvidia_card()
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "-1")
    assert not accelerators.has_nvidia_card()


def test_a_library_without_its_driver_is_a_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken() -> str:
        raise RuntimeError("first line\nCUDA driver version is insufficient for CUDA runtime")

    monkeypatch.setitem(accelerators._CUDA, "jax", broken)
    accelerators.why_not_cuda.cache_clear()
    try:
        assert "driver version is insufficient" in accelerators.why_not_cuda("jax")
        assert accelerators.why_not_cuda("no_such_library") == ABSENT
    finally:
        accelerators.why_not_cuda.cache_clear()
