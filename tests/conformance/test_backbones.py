"""Every backbone, as it runs here, agrees with Keras's own forward pass.

The error is relative to the largest feature, and at most 1e-4. Where a deep random network makes
more than that of a change of its input by a millionth, which is what rounding does all along the
way, it is at most as much. A preprocessing that is wrong by a shift and a scale moves the features
by a hundred times the tolerance, which is asserted too.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from manyheads.backbones import keras_server, registry
from manyheads.backbones.compiled import compile_backbone
from manyheads.backbones.weights import Weights
from manyheads.core import keras_process
from tests.conformance import keras_forward

TOLERANCE = 1e-4
# MobileNet is compared in test_best_model.py, with a preprocessing that these have not.
LIGHT = ("mobilenet_v3_small",)
HEAVY = (
    "convnext_tiny", "densenet121", "efficientnet_b0", "efficientnet_lite0", "efficientnet_v2_b0",
    "inception_v3", "nasnet_mobile", "resnet50", "resnet50_v2", "vgg16", "xception",
)  # fmt: skip
OTHERS = tuple(name for name in registry.names() if name not in LIGHT + HEAVY)
IMAGES = 12
SIZE = 64  # several positions are left at the end, to pool over


def check(names: Sequence[str], folder: Path) -> None:
    jobs = [job(registry.get(name), folder) for name in names]
    answer = keras_process.call(keras_forward.forward, {"jobs": jobs}, backend="tensorflow")
    for one, digest in zip(jobs, answer["digests"], strict=True):
        weights = Weights(Path(one["weights"]), digest, "drawn for a test")
        pixels = np.load(one["pixels"])
        spec = registry.get(one["name"])
        with compile_backbone(spec, weights, pixels.shape[1]) as backbone:
            ((_, found),) = backbone.run([(None, pixels)])
            assert found.shape == (len(pixels), backbone.features)
        agree(found, Path(one["output"]), one["name"])


def agree(found: Any, output: Path, name: str) -> None:
    reference = np.load(output)
    expected = reference["features"]
    assert found.shape == expected.shape
    assert found.dtype == np.float32

    def distance(other: Any) -> float:
        return np.abs(other - expected).max() / np.abs(expected).max()

    tolerance = max(TOLERANCE, distance(reference["nudged"]))
    assert distance(found) <= tolerance, f"{name}: {distance(found):.2g} > {tolerance:.2g}"
    assert distance(reference["misread"]) >= 100 * tolerance, name
    # A network that makes the same of every image would agree with anything.
    assert distance(np.roll(expected, 1, axis=0)) >= 100 * tolerance, name


def job(spec: registry.BackboneSpec, folder: Path) -> dict[str, Any]:
    pixels = folder / f"{spec.name}.npy"
    np.save(pixels, photographs(max(SIZE, spec.min_size)))
    return {
        "name": spec.name,
        "module": spec.module,
        "function": spec.function,
        "seed": 3,
        "pixels": str(pixels),
        "weights": str(folder / f"{spec.name}.safetensors"),
        "output": str(folder / f"{spec.name}.npz"),
    }


def photographs(size: int) -> Any:
    """Images with large shapes and fine grain, each of another colour."""
    generator = np.random.default_rng(size)
    coarse = generator.integers(0, 256, (IMAGES, 4, 4, 3))
    tile = -(-size // 4)
    large = np.kron(coarse, np.ones((1, tile, tile, 1)))[:, :size, :size]
    grain = generator.normal(0, 20, large.shape)
    return np.clip(large + grain, 0, 255).astype(np.uint8)


@pytest.mark.when_changed("backbones")
def test_a_light_backbone_agrees_with_keras(tmp_path: Path) -> None:
    check(LIGHT, tmp_path)


@pytest.mark.slow
@pytest.mark.timeout(1200)
@pytest.mark.parametrize("name", HEAVY)
def test_one_of_each_family_agrees_with_keras(name: str, tmp_path: Path) -> None:
    check([name], tmp_path)


@pytest.mark.slow
@pytest.mark.when_changed("backbones")
@pytest.mark.timeout(1200)
@pytest.mark.parametrize("name", OTHERS)
def test_each_other_of_its_family_agrees_too(name: str, tmp_path: Path) -> None:
    check([name], tmp_path)


@pytest.mark.slow
@pytest.mark.when_changed("backbones")
@pytest.mark.timeout(1800)
def test_the_table_tells_what_keras_builds() -> None:
    names = [name for name in registry.names() if registry.get(name).is_application]
    found = keras_process.call(keras_forward.descriptions, {"names": names})
    for name in names:
        spec, told = registry.get(name), found[name]
        assert told["size"] in (spec.default_size, None), name  # None: any size, by default
        assert told["refused"], name
        assert told["least"][0] is None, name
        assert told["origin"]["url"].startswith(f"{keras_server._SERVER}/"), name
        if spec.module not in ("mobilenet", "mobilenet_v2"):  # Keras has no hash for these
            assert len(told["origin"]["hash"]) in (32, 64), name
