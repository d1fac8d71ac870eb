"""Xception with its real weights, on real photographs."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from manyheads.backbones import registry, weights
from manyheads.backbones.compiled import compile_backbone
from manyheads.backbones.weights import Weights
from manyheads.core import keras_process
from manyheads.data.data_settings import ImageSettings
from manyheads.data.dataset import open_dataset
from manyheads.data.images import load_pixels
from manyheads.errors import DownloadError
from manyheads.features.extraction import extract
from tests.conformance import keras_forward

pytestmark = pytest.mark.slow

SPEC = registry.get("xception")
IMAGE = ImageSettings(size=150, interpolation="nearest", exif=False)  # as the lesson's loader


@pytest.fixture(scope="module")
def real() -> Weights:
    try:
        return weights.resolve(SPEC)
    except DownloadError as error:
        pytest.skip(f"no source of the weights here: {error}")


@pytest.fixture(scope="module")
def photographs(clothing: Path) -> list[Path]:
    return sorted((clothing / "validation").rglob("*.jpg"))[::70]


def pixels(paths: list[Path]) -> Any:
    return np.stack([load_pixels(path, IMAGE) for path in paths])


def test_the_weights_are_the_frozen_imagenet_network(real: Weights) -> None:
    assert real.digest == "dd8fa9fc31ba124382395512a133fe425aa5c6667b16e5832bb79910d1b77829"


def test_features_equal_the_stored_reference(real: Weights, clothing: Path) -> None:
    file = clothing.parents[1] / "reference" / "xception150_nearest.npz"
    if not file.is_file():
        pytest.skip("the stored reference is not beside the photographs")
    reference = np.load(file)
    found: dict[str, Any] = dict.fromkeys(str(path) for path in reference["path"])
    with compile_backbone(SPEC, real, IMAGE.size) as backbone:
        names = list(found)
        batches = ((names[i : i + 16]) for i in range(0, len(names), 16))
        loaded = ((part, pixels([clothing / name for name in part])) for part in batches)
        for part, features in backbone.run(loaded):
            found |= dict(zip(part, features, strict=True))
    error = np.abs(np.stack([found[name] for name in names]) - reference["features"]).max()
    assert len(names) == 56
    assert error <= 1e-4


@pytest.mark.parametrize("size", [150, 299])
def test_features_equal_those_of_keras_on_tensorflow(
    size: int, real: Weights, photographs: list[Path], tmp_path: Path
) -> None:
    image = ImageSettings(size=size, interpolation="bicubic")
    loaded = np.stack([load_pixels(path, image) for path in photographs])
    np.save(tmp_path / "pixels.npy", loaded)
    job = {
        "module": SPEC.module,
        "function": SPEC.function,
        "weights": str(real.path),
        "pixels": str(tmp_path / "pixels.npy"),
        "output": str(tmp_path / "output.npz"),
    }
    keras_process.call(keras_forward.forward, {"jobs": [job]}, backend="tensorflow")
    with compile_backbone(SPEC, real, size) as backbone:
        ((_, found),) = backbone.run([(None, loaded[: backbone.batch])])
    expected = np.load(tmp_path / "output.npz")["features"][: len(found)]
    assert np.abs(found - expected).max() <= 1e-4


def test_the_keras_runtime_gives_the_same(
    real: Weights, photographs: list[Path], tmp_path: Path
) -> None:
    np.save(tmp_path / "pixels.npy", pixels(photographs))
    arguments = {
        "weights": [str(real.path), real.digest],
        "pixels": str(tmp_path / "pixels.npy"),
        "output": str(tmp_path / "output.npy"),
    }
    keras_process.call(keras_forward.runtime, arguments, backend="tensorflow")
    with compile_backbone(SPEC, real, IMAGE.size) as backbone:
        ((_, found),) = backbone.run([(None, pixels(photographs))])
    assert np.abs(found - np.load(tmp_path / "output.npy")).max() <= 1e-4


def test_extraction_of_photographs_is_the_same_however_it_is_cut(
    real: Weights, photographs: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ten images later, or all at once: the same bits."""

    def folder(name: str, paths: list[Path]) -> Path:
        for path in paths:
            target = tmp_path / name / path.parent.name / path.name
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(path, target)
        return tmp_path / name

    monkeypatch.setenv("MANYHEADS_CACHE", str(tmp_path / "cache"))
    first = extract(open_dataset(folder("data", photographs[:2])), SPEC, real, IMAGE)
    grown = extract(open_dataset(folder("data", photographs)), SPEC, real, IMAGE)
    assert (first.passes, grown.passes) == (2, len(photographs) - 2)
    monkeypatch.setenv("MANYHEADS_CACHE", str(tmp_path / "other"))
    whole = extract(open_dataset(tmp_path / "data"), SPEC, real, IMAGE)
    assert whole.passes == len(photographs)
    np.testing.assert_array_equal(grown.matrix[grown.rows], whole.matrix[whole.rows])
