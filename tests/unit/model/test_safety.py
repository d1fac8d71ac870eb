"""A model file is read before Keras opens it: what could run code is refused."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path
from typing import Any

import h5py
import pytest

from manyheads.errors import ModelError
from manyheads.model.safety import check_parts

DENSE = {"module": "keras.layers", "class_name": "Dense", "config": {"units": 3}}


def test_plain_layers_pass(tmp_path: Path) -> None:
    for suffix in (".keras", ".h5"):
        check_parts(written(tmp_path / f"model{suffix}", DENSE))


def test_layers_of_old_files_name_no_module(tmp_path: Path) -> None:
    check_parts(written(tmp_path / "model.h5", {"class_name": "Dense", "config": {}}))


@pytest.mark.parametrize("suffix", [".keras", ".h5"])
@pytest.mark.parametrize(
    "part",
    [
        {"module": "keras.layers", "class_name": "Lambda", "config": {"function": "code"}},
        {"class_name": "Lambda", "config": {}},
        {"module": "keras.layers", "class_name": "TFSMLayer", "config": {}},
        {"module": "keras.layers", "class_name": "TorchModuleWrapper", "config": {}},
        {"module": "os", "class_name": "system", "config": {}},
        {"module": "keras_evil.layers", "class_name": "Dense", "config": {}},
        {"module": "builtins", "class_name": "function", "config": "exec"},
    ],
)
def test_what_can_run_code_is_refused(tmp_path: Path, suffix: str, part: dict[str, Any]) -> None:
    file = written(tmp_path / f"model{suffix}", {**DENSE, "config": {"deep": [1, [part]]}})
    with pytest.raises(
        ModelError, match=rf"only plain layers.*model\{suffix}.*{part['class_name']}"
    ):
        check_parts(file)


@pytest.mark.parametrize("suffix", [".keras", ".h5"])
@pytest.mark.parametrize("content", [b"", b"no model", b"PK\x05\x06" + b"\0" * 18])
def test_a_file_that_is_no_model(tmp_path: Path, suffix: str, content: bytes) -> None:
    file = tmp_path / f"model{suffix}"
    file.write_bytes(content)
    with pytest.raises(ModelError, match="a whole Keras model in") as caught:
        check_parts(file)
    assert "\n" not in str(caught.value)


def test_weights_without_a_model(tmp_path: Path) -> None:
    h5py.File(tmp_path / "model.h5", "w").close()
    with pytest.raises(ModelError, match="weights without a model"):
        check_parts(tmp_path / "model.h5")


@pytest.mark.parametrize("text", ["{", "[" * 100_000])
def test_a_configuration_that_is_no_json(tmp_path: Path, text: str) -> None:
    with zipfile.ZipFile(tmp_path / "model.keras", "w") as archive:
        archive.writestr("config.json", text)
    with pytest.raises(ModelError, match="a whole Keras model in"):
        check_parts(tmp_path / "model.keras")


def test_a_configuration_that_would_fill_the_memory(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "model.keras", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("config.json", b" " * (1 << 26) + b"{}")
    with pytest.raises(ModelError, match="a configuration of 67,108,866 bytes"):
        check_parts(tmp_path / "model.keras")


def written(file: Path, *layers: dict[str, Any]) -> Path:
    """A model file of these layers, without weights."""
    model = {"module": "keras", "class_name": "Functional", "config": {"layers": layers}}
    if file.suffix == ".keras":
        with zipfile.ZipFile(file, "w") as archive:
            archive.writestr("config.json", json.dumps(model))
    else:
        with h5py.File(file, "w") as opened:
            opened.attrs["model_config"] = json.dumps(model)
    return file
