"""Feature maps: their mean is what the backbone pools, in every layout and on every runtime."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from manyheads.backbones import registry, weights
from manyheads.backbones.compiled import compile_backbone
from manyheads.backbones.weights import Weights
from manyheads.data.data_settings import ImageSettings
from manyheads.data.images import load_pixels
from manyheads.errors import BackboneError
from tests.banks import training_keras
from tests.conformance.test_backbones import photographs


def computed(name: str, kept: Weights, pixels: Any, **options: Any) -> Any:
    with compile_backbone(registry.get(name), kept, pixels.shape[1], **options) as backbone:
        parts = [(n, pixels[n : n + backbone.batch]) for n in range(0, len(pixels), backbone.batch)]
        found = dict(backbone.run(parts))
        assert next(iter(found.values())).shape[-1] == backbone.features
        return np.concatenate([found[n] for n, _ in parts])


def check(name: str, kept: Weights, pixels: Any, **options: Any) -> tuple[int, ...]:
    pooled = computed(name, kept, pixels, **options)
    grid = computed(name, kept, pixels, pooling="grid", **options)
    distance = np.abs(grid.mean(axis=(1, 2)) - pooled).max() / np.abs(pooled).max()
    assert distance < 1e-5, name
    # Cells that were the same everywhere, or mixed up with features, would hide nothing.
    assert np.abs(grid[:, 0, 0] - grid[:, -1, -1]).max() > 100 * 1e-5 * np.abs(pooled).max()
    return grid.shape


@pytest.mark.when_changed("backbones")
@pytest.mark.parametrize("name", ["mobilenet", pytest.param("vgg16", marks=pytest.mark.slow)])
def test_the_mean_of_a_grid_is_the_pooled_features(name: str) -> None:
    kept = weights.resolve(registry.get(name), "random:3")
    assert check(name, kept, photographs(96))[:3] == (12, 3, 3)


@pytest.mark.slow
def test_so_it_is_where_channels_come_last() -> None:
    kept = weights.resolve(registry.get("densenet121"), "random:3")
    assert check("densenet121", kept, photographs(96)) == (12, 3, 3, 1024)


@pytest.mark.when_changed("backbones")
def test_so_it_is_on_the_runtime_keras() -> None:
    training_keras()
    kept = weights.resolve(registry.get("mobilenet"), "random:3")
    pixels = photographs(96)
    assert check("mobilenet", kept, pixels, runtime="keras") == (12, 3, 3, 1024)
    here = computed("mobilenet", kept, pixels, pooling="grid", runtime="keras")
    there = computed("mobilenet", kept, pixels, pooling="grid")
    np.testing.assert_allclose(here, there, atol=1e-4 * np.abs(there).max())


def test_a_backbone_that_normalises_what_it_pooled_has_no_grid() -> None:
    kept = weights.Weights(Path("nowhere"), "0" * 64, "none")
    with pytest.raises(BackboneError, match="leave out dropblock"):
        compile_backbone(registry.get("convnext_tiny"), kept, 64, pooling="grid")


@pytest.mark.slow
def test_so_it_is_for_xception_on_real_photographs(clothing: Path) -> None:
    kept = weights.resolve(registry.get("xception"))
    image = ImageSettings(size=150, interpolation="nearest", exif=False)
    paths = sorted((clothing / "validation").rglob("*.jpg"))[::20]
    pixels = np.stack([load_pixels(path, image) for path in paths])
    assert check("xception", kept, pixels)[1:] == (5, 5, 2048)
