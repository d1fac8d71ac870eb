"""A network that is filled into a template is the one that Keras builds and saves itself."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from manyheads.backbones import keras_builds, registry
from manyheads.backbones.weights import Weights, resolve
from manyheads.core import artifacts
from manyheads.core.job import SILENT
from manyheads.core.keras_backend import import_keras
from manyheads.errors import ModelError
from manyheads.heads.head import Parameters, glorot_parameters
from manyheads.heads.hyperparameters import Hyperparameters
from manyheads.models import templates
from manyheads.models.keras_models import build
from manyheads.models.templates import read_head, write_model

SPEC = registry.get("mobilenet")
SIZE, CLASSES = 32, 3
SHAPES = [0, 5]


@pytest.fixture(scope="module")
def weights() -> Weights:
    return resolve(SPEC, "random:0")


@pytest.fixture(scope="module", params=SHAPES)
def built(request: pytest.FixtureRequest, weights: Weights) -> tuple[int, Any]:
    """The units of the inner layer, and the network that Keras builds with them."""
    arrays = keras_builds.stored(weights.path, weights.digest)
    chosen = settings(request.param)
    return request.param, build(import_keras(), SPEC, arrays, SIZE, CLASSES, chosen)


def random_head(size_inner: int, seed: int = 0) -> Parameters:
    head = glorot_parameters(1024, size_inner, CLASSES, np.random.default_rng(seed))
    return Parameters(*(array + np.float32(0.25) for array in head))


def settings(size_inner: int) -> Hyperparameters:
    return Hyperparameters(learning_rate=0.003, size_inner=size_inner, droprate=0.7)


def unnamed(config: Any) -> Any:
    """A configuration without the numbers that Keras draws or counts up in a process."""
    text = json.dumps(config, sort_keys=True)
    return [
        {key: value for key, value in layer.items() if key in ("class_name", "module")}
        | {
            key: value
            for key, value in layer["config"].items()
            if key not in ("name", "layers", "input_layers", "output_layers", "dtype")
        }
        for layer in json.loads(text)["layers"]
    ]


@pytest.mark.when_changed("models")
@pytest.mark.parametrize("suffix", [".keras", ".h5"])
def test_it_is_the_network_that_keras_builds(
    built: tuple[int, Any], suffix: str, weights: Weights, tmp_path: Path
) -> None:
    keras: Any = import_keras()
    size_inner, wanted_model = built
    head = random_head(size_inner)
    file = tmp_path / f"model{suffix}"
    write_model(SPEC, weights, SIZE, (head, settings(size_inner)), file)
    opened: Any = keras.saving.load_model(file)

    flat = list(head if size_inner else head[2:])
    backbone = wanted_model.get_weights()[: -len(flat)]
    for found, wanted in zip(opened.get_weights(), [*backbone, *flat], strict=True):
        np.testing.assert_array_equal(found, wanted)
    assert unnamed(opened.get_config()) == unnamed(wanted_model.get_config())
    found, wanted = (each.get_compile_config() for each in (opened, wanted_model))
    for config in (found, wanted):
        for part in ("optimizer", "loss"):
            config[part]["config"].pop("name")
    assert found == wanted
    assert float(opened.optimizer.learning_rate) == float(wanted_model.optimizer.learning_rate)
    assert int(opened.optimizer.iterations) == 0


@pytest.mark.when_changed("models")
@pytest.mark.parametrize("size_inner", SHAPES)
def test_a_head_is_read_back(size_inner: int, weights: Weights, tmp_path: Path) -> None:
    head = random_head(size_inner)
    write_model(SPEC, weights, SIZE, (head, settings(size_inner)), tmp_path / "model.keras")
    for found, wanted in zip(read_head(tmp_path / "model.keras"), head, strict=True):
        np.testing.assert_array_equal(found, wanted)
        assert found.dtype == np.float32


def test_no_head_is_read_from_something_else(tmp_path: Path) -> None:
    file = tmp_path / "model.keras"
    file.write_bytes(b"no archive")
    with pytest.raises(ModelError, match=r"a head on its backbone in .*model\.keras"):
        read_head(file)


@pytest.mark.when_changed("models")
def test_only_the_first_of_a_shape_needs_keras(
    weights: Weights, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_model(SPEC, weights, SIZE, (random_head(5), settings(5)), tmp_path / "first.keras")
    with monkeypatch.context() as patch:
        patch.setattr(artifacts.keras_process, "call", None)
        head = random_head(5, seed=1)
        write_model(SPEC, weights, SIZE, (head, settings(5)), tmp_path / "b.keras")
    np.testing.assert_array_equal(read_head(tmp_path / "b.keras").kernel, random_head(5, 1).kernel)


@pytest.mark.when_changed("models")
def test_the_template_itself_stays_as_it_was(weights: Weights, tmp_path: Path) -> None:
    for suffix in (".keras", ".h5"):
        where = templates._template(SPEC, weights, SIZE, 5, CLASSES, suffix, SILENT)
        before = where[0].read_bytes()
        write_model(SPEC, weights, SIZE, (random_head(5), settings(5)), tmp_path / f"x{suffix}")
        assert where[0].read_bytes() == before


@pytest.mark.when_changed("imports")
def test_a_head_of_another_shape_is_refused(weights: Weights, tmp_path: Path) -> None:
    template, _ = templates._template(SPEC, weights, SIZE, 5, CLASSES, ".keras", SILENT)
    with pytest.raises(ValueError, match=r"layers/dense/vars/0 is float32 \(1024, 5\)"):
        templates._fill_keras(template, tmp_path / "x.keras", random_head(6), settings(6))
