"""Where a study's backbone computes: decided for the machine, and kept by a study that goes on."""

from __future__ import annotations

from pathlib import Path

import pytest

from manyheads.backbones import placement
from manyheads.core import accelerators
from manyheads.errors import SettingError
from manyheads.study.folder import RunFolder, place_as_begun
from manyheads.study.space import Grid
from manyheads.study.study_document import Resolved, study_document, to_toml
from manyheads.study.study_settings import StudySettings
from tests.unit.features.fakes import recipe

GRID = Grid((0.1,), (4,), (0.5,), epochs=(3,))
RESOLVED = Resolved(content="0", weights="1", weights_source="a test", classes=("a",), versions={})


def settings(runtime: str = "auto", device: str = "auto") -> StudySettings:
    return StudySettings(data="photos", grid=GRID, runtime=runtime, device=device)


@pytest.fixture
def card(monkeypatch: pytest.MonkeyPatch) -> None:
    """A card, which ONNX Runtime sees."""
    monkeypatch.setattr(accelerators, "has_nvidia_card", lambda: True)
    monkeypatch.setattr(placement, "_reasons", lambda name: [] if name == "onnxruntime" else ["no"])


def begun(folder: Path, device: str) -> Path:
    runtime = "openvino" if device == "cpu" else "onnxruntime"
    file = RunFolder(folder).settings
    file.write_text(to_toml(study_document(settings(runtime, device), RESOLVED)), encoding="utf-8")
    return folder


@pytest.mark.usefixtures("card")
def test_auto_is_decided_for_the_machine() -> None:
    found = settings().placed_here()
    assert (found.runtime, found.device) == ("onnxruntime", "cuda")
    assert settings("openvino").placed_here().device == "cpu"


@pytest.mark.usefixtures("card")
def test_a_study_goes_on_where_it_was_begun(tmp_path: Path) -> None:
    found = place_as_begun(settings(), begun(tmp_path, "cpu")).placed_here()
    assert (found.runtime, found.device) == ("openvino", "cpu")
    assert "device" not in RunFolder(tmp_path).document()["study"]  # as it was before there was one
    asked = place_as_begun(settings(device="cuda"), tmp_path)
    assert (asked.runtime, asked.device) == ("auto", "cuda")


def test_a_study_of_a_card_names_it(tmp_path: Path) -> None:
    found = place_as_begun(settings(), begun(tmp_path, "cuda"))
    assert (found.runtime, found.device) == ("onnxruntime", "cuda")


def test_features_need_no_device() -> None:
    found = StudySettings(
        data="table.csv", grid=GRID, features=("a",), runtime="auto", device="auto"
    )
    assert (found.placed_here().runtime, found.placed_here().device) == ("openvino", "cpu")


def test_another_device_is_another_recipe() -> None:
    usual = recipe()
    assert usual.digest == recipe(device="cpu").digest
    assert "device" not in usual.described
    assert (
        len({usual.digest, *(recipe(device=each).digest for each in ("gpu", "npu", "cuda"))}) == 4
    )


def test_an_unknown_device_is_refused() -> None:
    with pytest.raises(SettingError, match="`device` to be one of auto, cpu, gpu, npu, cuda"):
        settings(device="tpu")
