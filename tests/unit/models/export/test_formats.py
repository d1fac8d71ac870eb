"""What each format is called, where it goes, and what it takes."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest

from manyheads.errors import MissingExtraError, SettingError
from manyheads.models.export.formats import CARD, EXTRAS, FORMATS, format_named


def test_every_format_has_a_place_of_its_own() -> None:
    names = [entry.target(Path("export")).name for entry in FORMATS.values()]
    assert names == [
        "best.keras", "best.h5", "best.xml", "best.onnx", "best.tflite", "best_saved_model",
    ]  # fmt: skip


def test_a_missing_package_is_named_with_its_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    there = {"tensorflow", "onnx"}
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: name in there or None)
    words = r"onnxruntime, which the format onnx needs.*pip install 'manyheads\[onnx\]'"
    with pytest.raises(MissingExtraError, match=words):
        format_named("onnx").require_installed()
    words = r"ai_edge_litert, which the format litert.*pip install 'manyheads\[export\]'"
    with pytest.raises(MissingExtraError, match=words):
        format_named("litert").require_installed()
    format_named("saved_model").require_installed()
    words = r"tf2onnx, to convert the layer up \(UpSampling2D\).*pip install 'manyheads\[export\]'"
    with pytest.raises(MissingExtraError, match=words):
        format_named("onnx").require_fallback("up (UpSampling2D)")


@pytest.mark.parametrize("name", ["keras", "h5", "openvino"])
def test_some_formats_need_no_extra(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: None)
    format_named(name).require_installed()


def test_a_folder_of_the_users_is_not_taken(tmp_path: Path) -> None:
    kind, target = format_named("saved_model"), tmp_path / "photographs"
    kind.check_target(target)
    target.mkdir()
    kind.check_target(target)
    (target / "a.jpg").write_bytes(b"a")
    with pytest.raises(SettingError, match="found a folder of other files; name another"):
        kind.check_target(target)
    with pytest.raises(SettingError, match="found a file; name another folder with `out`"):
        kind.check_target(target / "a.jpg")


def test_an_earlier_export_may_be_replaced(tmp_path: Path) -> None:
    (tmp_path / EXTRAS).mkdir()
    (tmp_path / EXTRAS / CARD).write_text("{}")
    format_named("saved_model").check_target(tmp_path)


def test_a_folder_is_no_file(tmp_path: Path) -> None:
    (tmp_path / "best.onnx").mkdir()
    with pytest.raises(SettingError, match="found a folder; name another file"):
        format_named("onnx").check_target(tmp_path / "best.onnx")


@pytest.mark.parametrize(("name", "said"), [("coreml", "export litert"), ("tfjs", "export onnx")])
def test_what_others_offer_is_refused_with_the_reason(name: str, said: str) -> None:
    with pytest.raises(SettingError, match=said):
        format_named(name)
