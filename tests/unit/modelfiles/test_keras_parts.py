"""A model file is read before Keras opens it: what could run code is refused."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path
from typing import Any

import h5py
import pytest

from manyheads.core import keras_process
from manyheads.errors import ModelError
from manyheads.modelfiles.keras_parts import check_config, check_file, check_parts
from manyheads.models.importing.head_configs import read_config
from tests.unit.models import keras_tasks

DENSE = {"module": "keras.layers", "class_name": "Dense", "config": {"units": 3}}


def test_plain_layers_pass(tmp_path: Path) -> None:
    for suffix in (".keras", ".h5"):
        check_parts(written(tmp_path / f"model{suffix}", DENSE))


@pytest.mark.parametrize(
    ("module", "name"),
    [
        ("keras.src.ops.numpy", "Add"),  # ConvNeXt
        ("keras.src.ops.nn", "Relu"),
        ("keras.src.applications.convnext", "LayerScale"),
        ("keras.src.models.functional", "Functional"),
        ("keras.src.engine.functional", "Functional"),  # Keras 2
        ("keras.optimizers", "Adam"),
        ("keras", "DTypePolicy"),
    ],
)
def test_other_plain_parts_pass(tmp_path: Path, module: str, name: str) -> None:
    part = {"module": module, "class_name": name, "config": {}, "registered_name": name}
    check_parts(written(tmp_path / "model.keras", part))


@pytest.mark.slow
@pytest.mark.parametrize(
    "backbone", ["convnext_tiny", "mobilenet_v3_small", "efficientnet_v2_b0", "nasnet_mobile"]
)
def test_backbones_of_unusual_parts_pass(backbone: str) -> None:
    config = keras_process.call(keras_tasks.configuration, {"backbone": backbone})
    check_config(config, Path("model.keras"))
    found = read_config(config)
    assert (found.size, len(found.dense), found.relu) == (96, 2, True)


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


@pytest.mark.parametrize("suffix", [".keras", ".h5"])
def test_a_configuration_that_would_fill_the_memory(tmp_path: Path, suffix: str) -> None:
    file = written(tmp_path / f"model{suffix}", DENSE, space=1 << 23)
    with pytest.raises(ModelError, match="a configuration of 8,388,"):
        check_parts(file)


@pytest.mark.parametrize("suffix", [".keras", ".h5"])
@pytest.mark.parametrize("deep", [64, 100_000])
def test_a_configuration_without_a_bottom(tmp_path: Path, suffix: str, deep: int) -> None:
    text = '{"config": ' + '{"a": ' * deep + "1" + "}" * deep + "}"
    with pytest.raises(ModelError, match="nested too deeply"):
        check_parts(written(tmp_path / f"model{suffix}", text=text))


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("units", 10**12),
        ("filters", -(10**7)),
        ("kernel_size", [3, 10**9]),
        ("padding", [[0, 10**8], [0, 0]]),
        ("batch_shape", [None, 10**7, 10**7, 3]),
        ("units", 1e300),
    ],
)
def test_a_layer_that_would_fill_the_memory(tmp_path: Path, key: str, value: Any) -> None:
    part = {"module": "keras.layers", "class_name": "Dense", "config": {key: value}}
    with pytest.raises(ModelError, match=f"a {key} of"):
        check_parts(written(tmp_path / "model.keras", part))


def test_a_number_of_a_million_digits(tmp_path: Path) -> None:
    text = '{"config": {"layers": [' + "1" * 1_000_000 + "]}}"
    with pytest.raises(ModelError, match="a whole Keras model in"):
        check_parts(written(tmp_path / "model.keras", text=text))


@pytest.mark.parametrize("place", ["build_config", "compile_config", "dtype"])
def test_what_stands_beside_the_layers_is_looked_at_too(tmp_path: Path, place: str) -> None:
    evil = {"module": "os", "class_name": "system", "config": {}}
    model = {"class_name": "Functional", "config": {"layers": [DENSE]}, place: {"loss": evil}}
    with pytest.raises(ModelError, match=r"os\.system, which can run any code"):
        check_parts(written(tmp_path / "model.keras", text=json.dumps(model)))


@pytest.mark.parametrize(
    "part",
    [
        {"module": "keras.utils", "class_name": "get_file", "config": {}},
        {"module": "keras.utils", "class_name": "Progbar", "config": {}},
        {"module": "keras.layers", "class_name": "deserialize", "config": {}},
        {"module": "keras.src.ops.core", "class_name": "Map", "config": {}},
        {"module": "keras.src.ops.numpy_", "class_name": "Add", "config": {}},
        {"module": "keras.src.saving.saving_lib", "class_name": "Model", "config": {}},
        {"module": "keras.layers", "class_name": "__lambda__", "config": {}},
        {"module": None, "class_name": "function", "config": "x"},
        {"module": "keras.layers", "class_name": "Dense", "registered_name": "evil>Dense"},
        {"class_name": "TFOpLambda", "config": {"function": "io.write_file"}},
    ],
)
def test_functions_and_strangers_are_refused(tmp_path: Path, part: dict[str, Any]) -> None:
    with pytest.raises(ModelError, match="only plain layers of Keras"):
        check_parts(written(tmp_path / "model.keras", part))


@pytest.mark.parametrize("suffix", [".keras", ".h5"])
def test_arrays_are_looked_at_before_keras_opens_them(tmp_path: Path, suffix: str) -> None:
    """Keras would follow a link to another file."""
    file = written(tmp_path / f"model{suffix}", DENSE)
    link = h5py.ExternalLink("/etc/secret.h5", "/x")
    if suffix == ".h5":
        with h5py.File(file, "r+") as group:
            group["model_weights"] = link
    else:
        with h5py.File(tmp_path / "arrays.h5", "w") as group:
            group["layers/dense/vars/0"] = link
        with zipfile.ZipFile(file, "a") as archive:
            archive.write(tmp_path / "arrays.h5", "model.weights.h5")
    with pytest.raises(ModelError, match="as a link to elsewhere"):
        check_file(file)


def written(file: Path, *layers: dict[str, Any], text: str | None = None, space: int = 0) -> Path:
    """A model file of these layers, or of a configuration in other words, without weights."""
    model = {"module": "keras", "class_name": "Functional", "config": {"layers": layers}}
    text = " " * space + (text or json.dumps(model))
    if file.suffix == ".keras":
        with zipfile.ZipFile(file, "w") as archive:
            archive.writestr("config.json", text)
    else:
        with h5py.File(file, "w") as opened:
            opened.attrs["model_config"] = text
    return file
