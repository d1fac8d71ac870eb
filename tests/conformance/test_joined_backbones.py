"""Backbones side by side, from images to a whole model in one file."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from manyheads.backbones import registry
from manyheads.core import openvino_runtime
from manyheads.data.images import load_pixels
from manyheads.errors import BackboneError, SettingError
from manyheads.estimator.backbone_features import BackboneFeatures
from manyheads.estimator.head_classifier import HeadClassifier
from manyheads.heads.files import load_head
from manyheads.heads.head import forward, softmax
from manyheads.models.card import PIXELS, PROBABILITIES
from manyheads.models.classifier import load
from manyheads.run.pipeline import Finished, run_study
from manyheads.run.plan import plan_study
from manyheads.run.test_evaluation import final_score
from manyheads.study.study_settings import StudySettings
from tests.hub_server import COMMIT, PROCESSOR, serving_hub, site_of
from tests.networks import FEATURES, save_onnx
from tests.small_study import small_images, small_settings

PAIR = "mobilenet_0.25+hf:people/net"
ALONE = 256  # features of the first
SIZE = 32


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return small_images(tmp_path_factory.mktemp("data") / "images", test=2)


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A hub with a small network, and a cache; both for this module alone."""
    folder = tmp_path_factory.mktemp("hub")
    files = {
        "preprocessor_config.json": json.dumps(PROCESSOR).encode(),
        "onnx/model.onnx": save_onnx(folder / "model.onnx").read_bytes(),
    }
    with serving_hub(site_of("people/net", files)) as site, pytest.MonkeyPatch.context() as patch:
        patch.setenv("HF_ENDPOINT", site.url)
        patch.setenv("HF_HOME", str(folder / "hf"))
        patch.setenv("MANYHEADS_CACHE", str(folder / "cache"))
        yield folder


def settings_on(images: Path) -> StudySettings:
    return small_settings(images, backbone=PAIR)


@pytest.fixture(scope="module")
def study(hub: Path, images: Path) -> Finished:
    """Its images go through both; the hub's network is fetched on the way."""
    plan = plan_study(settings_on(images))
    assert (plan.weights, plan.missing) == (None, 2 * len(plan.dataset.contents))
    return run_study(settings_on(images), hub / "run")


@pytest.mark.when_changed("backbones")
def test_it_is_a_study_of_one_backbone(study: Finished, images: Path) -> None:
    settings, plain = study.settings, study.features.plain
    assert settings.backbone == f"mobilenet_0.25+hf:people/net@{COMMIT}"
    assert plain.passes == 2 * len(study.dataset.contents)
    again = run_study(settings_on(images), study.folder.path)
    assert (again.trained, again.features.passes) == (0, 0)
    plan = plan_study(settings_on(images))
    assert (plan.missing, plan.features) == (0, ALONE + FEATURES)


@pytest.mark.when_changed("studies")
def test_features_are_those_of_each(study: Finished, images: Path) -> None:
    files = [str(file) for file in sorted((images / "test").glob("*/*.png"))]
    known = {"weights": "random:0", "image_size": SIZE}
    found = BackboneFeatures(PAIR, **known).fit_transform(files)
    first = BackboneFeatures("mobilenet_0.25", **known).fit_transform(files)
    image = study.settings.image
    second = BackboneFeatures(
        "hf:people/net", image_size=SIZE, interpolation=image.interpolation, resize="squash"
    ).fit_transform(files)
    np.testing.assert_array_equal(found, np.concatenate([first, second], axis=1))
    names = BackboneFeatures(PAIR, **known).get_feature_names_out()
    assert len(names) == ALONE + FEATURES
    pixels = [load_pixels(Path(file), image) for file in files]
    in_memory = BackboneFeatures(PAIR, **known).fit_transform(pixels)
    np.testing.assert_allclose(in_memory, found, atol=1e-5)


@pytest.mark.when_changed("studies")
def test_the_model_is_one_file_that_says_what_features_and_head_say(
    study: Finished, images: Path
) -> None:
    """From uint8 pixels to probabilities, in OpenVINO alone too, for any number of images."""
    model = load(study.folder.path)
    assert study.folder.best.name == "best.xml"
    assert (model.card.input, model.card.output) == (PIXELS, PROBABILITIES)
    files = sorted((images / "test").glob("*/*.png"))
    features = BackboneFeatures(PAIR, weights="random:0", image_size=SIZE).fit_transform(files)
    head, _ = load_head(study.folder.head(int(model.card.selected["candidate"])))
    wanted = softmax(forward(head, features))
    found = model.predict(files).probabilities
    np.testing.assert_allclose(found, wanted, atol=1e-5)
    pixels = np.stack([load_pixels(file, model.card.image) for file in files])
    whole = openvino_runtime.core().compile_model(
        study.folder.best, "CPU", {"INFERENCE_PRECISION_HINT": "f32"}
    )
    for count in (1, len(files)):
        np.testing.assert_allclose(whole(pixels[:count])[0], wanted[:count], atol=1e-5)


def test_it_tells_unknown_images(study: Finished, images: Path) -> None:
    """By the features of both, which its one file gives beside the probabilities."""
    model = load(study.folder.path)
    files = sorted((images / "validation").glob("*/*.png"))
    found = model.predict(files, unknown=0.25)
    unlike = sorted(entry.unlike for entry in found if entry.unlike is not None)
    steps = np.arange(len(files)) / (len(files) + 1)
    np.testing.assert_allclose(unlike, steps, atol=1.01 / (len(files) + 1))
    np.testing.assert_array_equal(found.probabilities, model.predict(files).probabilities)


@pytest.mark.when_changed("backbones")
def test_it_is_exported_with_its_classes(study: Finished, images: Path) -> None:
    model = load(study.folder.path)
    exported = model.export("openvino", study.folder.path / "export" / "best.xml")
    assert exported.check.any_batch
    program = openvino_runtime.core().read_model(exported.files[0])
    assert json.loads(program.get_rt_info(["manyheads", "classes"]).value) == list(model.classes)
    files = sorted((images / "test").glob("*/*.png"))
    np.testing.assert_array_equal(
        load(exported.files[0]).predict(files).probabilities, model.predict(files).probabilities
    )
    with pytest.raises(SettingError, match=r"found best\.xml of probabilities; leave out `raw`"):
        model.export("openvino", raw=True)
    with pytest.raises(SettingError, match="a backbone in an ONNX file, for the format onnx"):
        model.export("onnx")


def test_its_test_images_are_scored(study: Finished) -> None:
    assert final_score(study.folder.path).anew


@pytest.mark.when_changed("backbones")
def test_augmented_copies_go_through_both(study: Finished, images: Path, hub: Path) -> None:
    settings = settings_on(images)
    grid = replace(settings.grid, augmented_copies=(0, 1))
    found = run_study(replace(settings, grid=grid), hub / "copies")
    assert found.features.passes == 2 * len(study.dataset.rows("train"))
    (copies,) = found.features.variants.features.values()
    assert copies.matrix.shape[1] == ALONE + FEATURES


def test_feature_maps_are_refused(study: Finished, images: Path, hub: Path) -> None:
    settings = settings_on(images)
    grid = replace(settings.grid, dropblock=(0.3,))
    with pytest.raises(BackboneError, match="the mean of its feature map"):
        run_study(replace(settings, grid=grid), hub / "maps")
    with pytest.raises(BackboneError, match="the mean of a feature map"):
        load(study.folder.path).explain([str(next(images.rglob("*.png")))])


@pytest.mark.usefixtures("hub")
def test_an_estimator_saves_the_same_kind_of_file(images: Path, tmp_path: Path) -> None:
    files = [str(file) for file in sorted((images / "train").glob("*/*.png"))]
    labels = [Path(file).parent.name for file in files]
    given = HeadClassifier(backbone=PAIR, weights="random:0", image_size=SIZE, epochs=2, heads=2)
    given.fit(files, labels)
    given.save(tmp_path / "model.xml")
    found = load(tmp_path / "model.xml").predict(files)
    np.testing.assert_allclose(found.probabilities, given.predict_proba(files), atol=1e-5)


@pytest.mark.slow
def test_a_network_whose_reshapes_state_a_batch_takes_any(
    hub: Path, images: Path, tmp_path: Path
) -> None:
    """Keras writes the number of images into EfficientNet's."""
    del hub
    settings = small_settings(images, backbone="mobilenet_0.25+efficientnet_b0")
    found = run_study(settings, tmp_path / "run")
    whole = openvino_runtime.core().compile_model(found.folder.best, "CPU")
    assert whole(np.zeros((3, SIZE, SIZE, 3), np.uint8))[0].shape == (3, 3)
    assert registry.get(found.settings.backbone).members[1].name == "efficientnet_b0"
