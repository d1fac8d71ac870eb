"""Networks of timm, open_clip and Keras Hub against these frameworks, where they are installed.

Small members with random weights: nothing is fetched.
"""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from manyheads.backbones import framework_builds, registry, torch_members
from manyheads.backbones.compiled import compile_backbone
from manyheads.backbones.framework_members import OUTPUTS
from manyheads.backbones.own_programs import features_out, read_network
from manyheads.backbones.weights import resolve
from manyheads.core import keras_process, openvino_runtime
from manyheads.data.data_settings import ImageSettings
from manyheads.data.images import load_pixels
from tests.conformance import keras_hub_networks
from tests.strategies import distinct_image

LAST, POOLED = OUTPUTS
TEXT = {"context_length": 8, "vocab_size": 64, "width": 32, "heads": 2, "layers": 1}
TOWERS: dict[str, dict[str, Any]] = {
    "vit": {"image_size": 64, "layers": 2, "width": 64, "patch_size": 16},
    "resnet": {"image_size": 64, "layers": [1, 1, 1, 1], "width": 16, "patch_size": None},
}


@pytest.fixture
def photographs(tmp_path: Path) -> list[Path]:
    """Images that are wide, high and square.

    A crop leaves even borders: of odd ones, the middle is a pixel beside torchvision's.
    """
    files = [tmp_path / f"{number}.png" for number in range(3)]
    for file, size in zip(files, [(331, 217), (90, 210), (160, 160)], strict=True):
        blurred = distinct_image(file.stem, 40).resize(size, Image.Resampling.BICUBIC)
        blurred.save(file)
    return files


def agree(found: np.ndarray, wanted: np.ndarray) -> None:
    np.testing.assert_allclose(found, wanted, rtol=0, atol=1e-4 * np.abs(wanted).max())


@pytest.mark.slow
@pytest.mark.usefixtures("own_cache")
@pytest.mark.parametrize(
    ("member", "tokens", "size"),
    [
        ("test_resnet", None, 129),
        ("test_efficientnet", None, 129),
        ("test_convnext", "pooler", 129),
        ("test_vit", "cls", None),
        ("test_vit3", "pooler", None),
    ],
)
def test_features_are_timms_own(
    member: str, tokens: str | None, size: int | None, photographs: list[Path]
) -> None:
    """From files to features, prepared by timm's own transforms."""
    timm: Any = pytest.importorskip("timm")
    torch: Any = pytest.importorskip("torch")
    spec = registry.get(f"timm:{member}")
    assert (spec.tokens, spec.fixed) == (tokens, size is None)
    weights = resolve(spec, "random:3")
    torch.manual_seed(3)
    model = timm.create_model(member, num_classes=0).eval()
    config = timm.data.resolve_model_data_config(model)
    for side in filter(None, (spec.default_size, size)):
        config["input_size"] = (3, side, side)
        prepared = timm.data.create_transform(**config)
        images = [prepared(Image.open(file).convert("RGB")) for file in photographs]
        with torch.inference_mode():
            wanted = model(torch.stack(images)).numpy()
        pixels = np.stack([load_pixels(file, spec.prepared(side)) for file in photographs])
        with compile_backbone(spec, weights, side) as backbone:
            ((_, found),) = backbone.run([(0, pixels)])
        agree(found, wanted)


@pytest.mark.slow
@pytest.mark.parametrize("tower", TOWERS)
def test_features_are_open_clips_own(tower: str, tmp_path: Path, photographs: list[Path]) -> None:
    open_clip: Any = pytest.importorskip("open_clip")
    torch: Any = pytest.importorskip("torch")
    file = tmp_path / f"small_{tower}.json"
    config = {"embed_dim": 32, "vision_cfg": TOWERS[tower], "text_cfg": TEXT}
    file.write_text(json.dumps(config))
    open_clip.add_model_config(str(file))
    library = torch_members.OpenClip()
    how = library.opened(file.stem, trained=False).facts.preparation
    settings = ImageSettings(size=how.size, interpolation=how.interpolation, resize=how.resize)

    target = tmp_path / "network.xml"
    framework_builds.build("open_clip", file.stem, library.version, str(target), seed=3)
    torch.manual_seed(3)
    model, _, prepared = open_clip.create_model_and_transforms(file.stem)
    images = torch.stack([prepared(Image.open(each).convert("RGB")) for each in photographs])
    pixels = np.stack([load_pixels(each, settings) for each in photographs])
    mean, std = (
        np.array(each, np.float32) for each in (how.normalisation.mean, how.normalisation.std)
    )
    given = ((pixels - mean) / std).transpose(0, 3, 1, 2).astype(np.float32)
    np.testing.assert_allclose(given, images.numpy(), atol=1e-5)

    with torch.inference_mode():
        wanted = model.eval().encode_image(images).numpy()
    agree(computed(target, given, "pooler"), wanted)
    assert computed(target, given, "mean").shape[1] == (64 if tower == "vit" else 512)


@pytest.mark.slow
@pytest.mark.parametrize(("kind", "tokens"), [("resnet", None), ("vit", "cls")])
def test_features_are_keras_hubs_own(kind: str, tokens: str | None, tmp_path: Path) -> None:
    """Keras Hub on JAX computes what is compared with."""
    if importlib.util.find_spec("keras_hub") is None:  # which would import Keras here
        pytest.skip("keras_hub is not installed")
    folder, target = str(tmp_path / kind), tmp_path / "network.xml"
    size = keras_hub_networks.SIZE
    made = keras_process.call(keras_hub_networks.save, {"kind": kind, "folder": folder})
    known = {"framework": "keras_hub", "member": folder, "version": made["version"]}
    keras_process.call(framework_builds.build, known | {"target": str(target)})
    pixels = np.random.default_rng(0).integers(0, 256, (3, size, size, 3), np.uint8)
    np.save(tmp_path / "pixels.npy", pixels)
    files = {"pixels": str(tmp_path / "pixels.npy"), "target": str(tmp_path / "features.npy")}
    keras_process.call(keras_hub_networks.features, {"folder": folder} | files, backend="jax")
    wanted = np.load(files["target"])
    wanted = wanted.mean((1, 2)) if tokens is None else wanted[:, 0]
    mean, std = np.array(keras_hub_networks.MEAN), np.array(keras_hub_networks.STD)
    given = ((pixels / 255 - mean) / std).astype(np.float32)
    agree(computed(target, given, tokens), wanted)


def computed(file: Path, images: np.ndarray, tokens: str | None) -> np.ndarray:
    """The features of a converted network."""
    model = read_network(file, images.shape[2], len(images), tokens=tokens)
    model = features_out(model, file, tokens=tokens)
    more = model.input().get_shape()[0] - len(images)  # in a batch that the network fixes
    given = np.concatenate([images, np.zeros((more, *images.shape[1:]), np.float32)])
    exact = {"INFERENCE_PRECISION_HINT": "f32"}
    return openvino_runtime.core().compile_model(model, "CPU", exact)(given)[0][: len(images)]
