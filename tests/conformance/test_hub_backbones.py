"""Networks of the hub against the framework that they come from, from files to features."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from manyheads.backbones import registry
from manyheads.data.images import load_pixels
from manyheads.errors import BackboneError, ModelError
from manyheads.estimator.backbone_features import BackboneFeatures
from manyheads.models.classifier import load
from manyheads.models.export.exporter import export_model
from manyheads.run.fit.fit_backbones import fit_backbones, side_by_side
from manyheads.run.fit.fit_settings import FitSettings
from manyheads.run.fit.time_budget import TimeBudget
from manyheads.run.pipeline import run_study
from manyheads.study.folder import RunFolder
from manyheads.study.space import Grid
from manyheads.study.study_settings import StudySettings
from tests.hub_server import files_in, serving_hub, site_of
from tests.small_study import small_images
from tests.unit.servers import Site

# What a network says is in its `reference.npz`, under these names. Of tiny-siglip all tokens are
# patches, so that their mean is that of its last hidden state.
CASES = [
    ("efficientnet-lite0", "", ("features",)),
    ("efficientnet-lite2", "", ("features",)),
    ("tiny-dinov2", "#cls", ("cls",)),
    ("tiny-dinov2", "#mean", ("patch_mean",)),
    ("tiny-dinov2", "", ("cls", "patch_mean")),
    ("tiny-dinov2", "#pooler", ("pooler_output",)),
    ("tiny-siglip", "", ("pooler_output",)),
    ("tiny-siglip", "#mean", ("last_hidden_state_mean",)),
]


@pytest.fixture(scope="module")
def lessons() -> Path:
    """Repositories in the hub's layout, beside the photographs."""
    folder = Path(os.environ.get("MANYHEADS_DATA", "."), "..", "hub", "lessons").resolve()
    if not folder.is_dir():
        pytest.skip("there are no repositories in the layout of the hub beside MANYHEADS_DATA")
    return folder


@pytest.fixture
def site(lessons: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    monkeypatch.setenv("MANYHEADS_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("HF_HOME", str(tmp_path / "hf"))
    pages: dict[str, bytes] = {}
    for folder in lessons.iterdir():
        pages |= site_of(f"lessons/{folder.name}", files_in(folder))
    with serving_hub(pages) as site:
        monkeypatch.setenv("HF_ENDPOINT", site.url)
        yield site


def photographs(clothing: Path, names: np.ndarray) -> list[str]:
    by_name = {file.name: str(file) for file in clothing.rglob("*.jpg")}
    return [by_name[Path(str(name)).name] for name in names]


@pytest.mark.when_changed("backbones")
@pytest.mark.usefixtures("site")
@pytest.mark.parametrize(("name", "pooling", "keys"), CASES)
def test_features_are_the_original_frameworks(
    name: str, pooling: str, keys: tuple[str, ...], lessons: Path, clothing: Path
) -> None:
    reference = np.load(lessons / name / "reference.npz")
    images = photographs(clothing, reference["photos"])
    found = BackboneFeatures(f"hf:lessons/{name}{pooling}").fit_transform(images)
    wanted = np.concatenate([reference[key] for key in keys], axis=1)
    lengths = np.linalg.norm(found, axis=1) * np.linalg.norm(wanted, axis=1)
    assert ((found * wanted).sum(axis=1) / lengths).min() > 0.999999
    np.testing.assert_allclose(found, wanted, rtol=1e-4, atol=3e-5)


@pytest.mark.usefixtures("site")
@pytest.mark.parametrize("name", ["tiny-dinov2", "tiny-siglip"])
def test_pixels_are_those_of_the_original_processor(
    name: str, lessons: Path, clothing: Path
) -> None:
    spec = registry.get(f"hf:lessons/{name}")
    reference = np.load(lessons / name / "reference.npz")
    wanted = reference["pixels"]
    how = spec.normalisation
    assert how is not None
    for image, prepared in zip(photographs(clothing, reference["photos"]), wanted, strict=False):
        pixels = load_pixels(Path(image), spec.prepared())
        found = prepared.transpose(1, 2, 0) * np.array(how.std) + np.array(how.mean)
        np.testing.assert_allclose(pixels, found, atol=0.01)


@pytest.mark.when_changed("backbones")
def test_a_study_goes_on_without_the_hub(site: Site, tmp_path: Path) -> None:
    """Its network is in the cache, and its settings name the commit."""

    data = small_images(tmp_path / "images")
    settings = StudySettings(
        data=str(data), grid=Grid((0.01,), (4,), (0.0, 0.5), epochs=(2,)),
        backbone="hf:lessons/tiny-siglip", image=registry.get("hf:lessons/tiny-siglip").prepared(),
    )  # fmt: skip
    first = run_study(settings, tmp_path / "run")
    asked = len(site.requests)
    assert "@" in first.settings.backbone
    again = run_study(settings, tmp_path / "run")
    assert again.trained == 0
    assert len(site.requests) == asked


@pytest.mark.when_changed("backbones")
@pytest.mark.usefixtures("site")
@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("efficientnet-lite0#cls", r"tokens .* found a feature map \[\d+, 1280, 7, 7\]"),
        ("tiny-siglip#cls", r"a token of the class .* found 196 tokens, all of patches"),
    ],
)
def test_tokens_that_are_not_there_are_told(name: str, found: str, clothing: Path) -> None:
    photograph = next(clothing.rglob("*.jpg"))
    with pytest.raises(BackboneError, match=found):
        BackboneFeatures(f"hf:lessons/{name}").fit_transform([str(photograph)])


@pytest.mark.usefixtures("site")
def test_networks_that_take_other_sizes_have_no_turn_side_by_side() -> None:
    """Their files take 224, 260 and 224 pixels, which only the files say."""
    names = "efficientnet-lite0", "efficientnet-lite2", "tiny-siglip"
    settings = FitSettings(data="photos", backbone=tuple(f"hf:lessons/{name}" for name in names))
    found = fit_backbones(settings, TimeBudget(600.0, 0.0))
    assert [each.own_size for each in found] == [224, 260, 224]
    assert side_by_side(found[0], found[1]) is None
    pair = side_by_side(found[0], found[2])
    assert pair is not None
    assert pair.own_size == 224


@pytest.mark.when_changed("backbones")
@pytest.mark.usefixtures("site")
@pytest.mark.parametrize(
    "name", ["efficientnet-lite0", "tiny-siglip", "tiny-dinov2", "tiny-dinov2#cls+mean"]
)
def test_a_model_leaves_as_onnx_and_openvino(name: str, tmp_path: Path) -> None:
    """Both take any number of images, and say what the study's own model says."""
    backbone = f"hf:lessons/{name}"
    data = small_images(tmp_path / "images")
    settings = StudySettings(
        data=str(data), grid=Grid((0.01,), (4,), (0.5,), epochs=(2,)),
        backbone=backbone, image=registry.get(backbone).prepared(),
    )  # fmt: skip
    run_study(settings, tmp_path / "run")
    for kind in ("onnx", "openvino"):
        exported = export_model(RunFolder(tmp_path / "run"), kind)
        assert exported.check.difference < 1e-5
        assert exported.check.any_batch


@pytest.mark.when_changed("backbones")
@pytest.mark.usefixtures("site")
@pytest.mark.parametrize("name", ["efficientnet-lite0", "tiny-siglip#mean"])
def test_a_model_is_explained_and_hides_cells(name: str, tmp_path: Path) -> None:
    """Its parts make up the whole model, which `explain` checks."""
    backbone = f"hf:lessons/{name}"
    data = small_images(tmp_path / "images")
    settings = StudySettings(
        data=str(data), grid=Grid((0.01,), (4,), (0.5,), epochs=(2,), dropblock=(0.0, 0.3)),
        backbone=backbone, image=registry.get(backbone).prepared(),
    )  # fmt: skip
    run_study(settings, tmp_path / "run")
    explained = load(tmp_path / "run").explain([str(next(data.rglob("*.png")))])
    side = explained.grid[0]
    assert explained.grid == (side, side)
    assert side == (14 if "siglip" in name else 7)
    assert np.isfinite(explained.occlusion).all()


@pytest.mark.when_changed("backbones")
@pytest.mark.usefixtures("site")
def test_a_model_of_the_class_token_says_why_it_is_not_explained(tmp_path: Path) -> None:
    backbone = "hf:lessons/tiny-dinov2"
    data = small_images(tmp_path / "images")
    settings = StudySettings(
        data=str(data), grid=Grid((0.01,), (4,), (0.5,), epochs=(2,)),
        backbone=backbone, image=registry.get(backbone).prepared(),
    )  # fmt: skip
    run_study(settings, tmp_path / "run")
    with pytest.raises(ModelError, match=r"the mean of a feature map .* found Concat"):
        load(tmp_path / "run").explain([str(next(data.rglob("*.png")))])
    with pytest.raises(BackboneError, match="the mean of its feature map"):
        run_study(replace(settings, grid=replace(settings.grid, dropblock=(0.3,))), tmp_path / "b")
