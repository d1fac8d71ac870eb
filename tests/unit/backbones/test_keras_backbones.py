"""A `.keras` file as a backbone: opened in safe mode, and only if it is of Keras's own parts."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from manyheads.backbones import registry
from manyheads.backbones.compiled import compile_backbone
from manyheads.backbones.weights import resolve
from manyheads.errors import BackboneError, ManyheadsError, ModelError
from tests.networks import save_keras

Change = Callable[[dict[str, Any]], None]


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_keras(tmp_path_factory.mktemp("network") / "whole.keras", pooled=True)


@pytest.fixture
def changed(whole: Path, tmp_path: Path) -> Callable[[Change], Path]:
    """Write the network with a change in its configuration."""

    def write(change: Change) -> Path:
        target = tmp_path / "own.keras"
        with zipfile.ZipFile(whole) as old, zipfile.ZipFile(target, "w") as new:
            for name in old.namelist():
                data = old.read(name)
                if name == "config.json":
                    config = json.loads(data)
                    change(config)
                    data = json.dumps(config).encode()
                new.writestr(name, data)
        return target

    return write


def compiled(file: Path) -> None:
    spec = registry.get(file, "unit")
    with compile_backbone(spec, resolve(spec), 32):
        pass


@pytest.mark.when_changed("backbones")
@pytest.mark.parametrize(
    ("module", "name"), [("keras.layers", "Lambda"), ("os", "system"), ("mine.layers", "Own")]
)
def test_what_could_run_code_is_refused(
    changed: Callable[[Change], Path], module: str, name: str
) -> None:
    def change(config: dict[str, Any]) -> None:
        config["config"]["layers"][1] |= {"module": module, "class_name": name}

    with pytest.raises(ModelError, match=r"only plain layers of Keras in .*own\.keras"):
        compiled(changed(change))


@pytest.mark.when_changed("backbones")
def test_a_network_that_keras_does_not_open_is_one_line(
    changed: Callable[[Change], Path],
) -> None:
    def change(config: dict[str, Any]) -> None:
        config["config"]["layers"][1]["config"]["filters"] = "many"

    with pytest.raises(ManyheadsError, match=r"own\.keras"):
        compiled(changed(change))


@pytest.mark.when_changed("backbones")
def test_weights_that_are_cut_off_are_one_line(whole: Path, tmp_path: Path) -> None:
    target = tmp_path / "own.keras"
    with zipfile.ZipFile(whole) as old, zipfile.ZipFile(target, "w") as new:
        new.writestr("config.json", old.read("config.json"))
        new.writestr("metadata.json", old.read("metadata.json"))
        new.writestr("model.weights.h5", io.BytesIO(old.read("model.weights.h5")).read()[:900])
    with pytest.raises(ModelError, match=r"a whole Keras model in .*own\.keras.*or save it anew"):
        compiled(target)


def test_a_truncated_archive_is_refused_at_once(whole: Path, tmp_path: Path) -> None:
    target = tmp_path / "own.keras"
    target.write_bytes(whole.read_bytes()[:2000])
    with pytest.raises(BackboneError, match="cannot be read as one"):
        registry.get(target, "unit")
