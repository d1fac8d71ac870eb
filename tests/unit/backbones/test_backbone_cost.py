from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from manyheads.backbones import exported, registry
from manyheads.backbones.backbone_catalogue import RECOMMENDED
from manyheads.backbones.backbone_cost import BackboneCost, cost_of, remember_images
from manyheads.backbones.known import known
from manyheads.backbones.registry import BackboneSpec
from manyheads.backbones.weights import Weights, resolve
from manyheads.data.data_settings import ImageSettings
from manyheads.features.cache import FeatureRecipe
from manyheads.modelfiles import arrays
from manyheads.run.estimate import remember_extraction
from manyheads.study.space import Grid
from manyheads.study.study_settings import StudySettings
from tests.networks import save_onnx

NOTHING = BackboneCost(None, None, None)


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MANYHEADS_CACHE", str(tmp_path / "cache"))


def test_a_program_in_the_cache_is_counted(small: BackboneSpec, small_weights: Weights) -> None:
    numbers = sum(array.size for array in arrays.load(small_weights.path))
    before = cost_of(small, small_weights, 64)
    assert before == BackboneCost(4 * numbers / 1e6, None, None)
    exported.program(small, small_weights, 64)
    found = cost_of(small, small_weights, 64)
    # Keras's documentation has 0.06 billion multiply-adds at 224 pixels (Howard et al. 2019).
    assert found.gflop == pytest.approx(2 * 0.0565 * (64 / 224) ** 2, rel=0.1)
    assert found.megabytes == before.megabytes
    assert cost_of(small, small_weights, 96).gflop is None


def test_weights_that_are_not_here_have_their_size_by_name() -> None:
    assert cost_of(registry.get("xception"), None, 299) == BackboneCost(83.44592, None, None)
    assert cost_of(registry.NO_BACKBONE, None, 224) == NOTHING


def test_a_file_counts_with_its_weights_beside_it(tmp_path: Path) -> None:
    file = save_onnx(tmp_path / "net.onnx", external="net.onnx_data")
    beside = tmp_path / "net.onnx_data"
    found = cost_of(registry.get(file, "torch"), None, 64)
    assert found.megabytes == (file.stat().st_size + beside.stat().st_size) / 1e6


def test_the_last_extraction_says_how_fast_this_machine_is() -> None:
    spec = registry.get("xception")
    remember_images("xception", 150, 40.0)
    assert cost_of(spec, None, 150).images_per_second == 40.0
    assert cost_of(spec, None, 299).images_per_second is None
    assert cost_of(registry.get("vgg16"), None, 150).images_per_second is None


def test_studies_and_other_extractions_count_alike() -> None:
    spec, image = registry.get("xception"), ImageSettings(size=150)
    recipe = FeatureRecipe(backbone="xception", weights="w", image=image, preprocessing="tf")
    settings = StudySettings(data="photos", grid=Grid((0.01,), (4,), (0.5,)), image=image)
    for how, device in ((recipe, "cpu"), (settings, "cpu"), (replace(recipe, device="cuda"), "")):
        seconds = float(np.random.default_rng(len(device)).integers(10, 99))
        remember_extraction(how, 1000, seconds)
        assert cost_of(spec, None, 150).images_per_second == pytest.approx(1000 / seconds)
    remember_extraction(recipe, 20, 1.0)  # too few to tell
    assert cost_of(spec, None, 150).images_per_second == pytest.approx(1000 / seconds)


@pytest.mark.slow
@pytest.mark.when_changed("backbones")
@pytest.mark.timeout(900)
@pytest.mark.parametrize("name", ["mobilenet_v3_small", *RECOMMENDED])
def test_the_arithmetic_that_is_known_is_that_of_the_program(name: str) -> None:
    spec = registry.get(name)
    kept = resolve(spec, "random:1")
    exported.program(spec, kept, spec.default_size)
    entry = known(spec)
    assert entry is not None
    assert cost_of(spec, kept, spec.default_size).gflop == pytest.approx(entry.gflop, abs=6e-4)
