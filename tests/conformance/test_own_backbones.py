"""One network of a user's own, as `.keras`, `.onnx` and OpenVINO: the same features and study.

And a study on features that manyheads extracted is the study on the images, bit for bit.
"""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest

from manyheads.backbones import registry
from manyheads.backbones.compiled import compile_backbone
from manyheads.backbones.weights import resolve
from manyheads.core import keras_process
from manyheads.data.images import load_pixels
from manyheads.heads.files import load_head
from manyheads.heads.head import forward, softmax
from manyheads.models.classifier import load
from manyheads.models.feature_classifier import FeatureClassifier
from manyheads.run.pipeline import Finished, run_study
from manyheads.study.folder import RunFolder
from tests.networks import export_mobilenet, features_of, save_keras, save_onnx, save_openvino
from tests.small_study import small_images, small_settings
from tests.studies import outcome_of, rows_of

PREPROCESSINGS = {
    "caffe": lambda x: x[..., ::-1] - np.array([103.939, 116.779, 123.68]),
    "mean=0.5,0.4,0.3,std=0.2,0.3,0.25": lambda x: (x / 255 - [0.5, 0.4, 0.3]) / [0.2, 0.3, 0.25],
}
MODE = "mean=0.5,0.4,0.3,std=0.2,0.3,0.25"


@pytest.fixture(scope="module")
def networks(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """The same network in three files, the Keras one first."""
    folder = tmp_path_factory.mktemp("networks")
    return [
        save_keras(folder / "own.keras"),
        save_onnx(folder / "own.onnx"),
        save_openvino(folder / "own.xml"),
    ]


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return small_images(tmp_path_factory.mktemp("data") / "images", test=2)


@pytest.fixture(scope="module")
def studies(
    networks: list[Path], images: Path, tmp_path_factory: pytest.TempPathFactory
) -> list[Finished]:
    """The same study on each of them."""
    runs = tmp_path_factory.mktemp("runs")
    return [
        run_study(
            small_settings(images, backbone=str(file), preprocessing=MODE, weights=None),
            runs / file.suffix[1:],
        )
        for file in networks
    ]


@pytest.mark.when_changed("backbones")
@pytest.mark.parametrize("preprocessing", PREPROCESSINGS)
def test_features_are_those_of_the_definition(networks: list[Path], preprocessing: str) -> None:
    pixels = np.random.default_rng(3).integers(0, 256, (3, 32, 32, 3), np.uint8)
    wanted = features_of(PREPROCESSINGS[preprocessing](pixels.astype(np.float64)))
    for file in networks:
        spec = registry.get(file, preprocessing)
        with compile_backbone(spec, resolve(spec), 32) as backbone:
            (_, found), *_ = backbone.run([("all", pixels)])
        np.testing.assert_allclose(found, wanted, atol=1e-5, rtol=1e-5, err_msg=file.name)


@pytest.mark.when_changed("backbones")
def test_studies_come_to_the_same_results(studies: list[Finished]) -> None:
    first, *others = [numbers(each.folder.history) for each in studies]
    assert first.size > 0
    for other in others:
        np.testing.assert_allclose(other, first, atol=1e-5)


@pytest.mark.when_changed("backbones")
def test_best_models_predict_what_features_and_head_give(
    studies: list[Finished], images: Path
) -> None:
    """A `.keras` for a backbone of Keras's, else an `.xml`; both through `load`."""
    names = [each.folder.best.name for each in studies]
    assert names == ["best.keras", "best.xml", "best.xml"]
    files = sorted((images / "test").glob("*/*.png"))
    for each in studies:
        model = load(each.folder.path)
        pixels = np.stack([load_pixels(file, model.card.image) for file in files])
        prepared = PREPROCESSINGS[MODE](pixels.astype(np.float64))
        head, _ = load_head(each.folder.head(int(model.card.selected["candidate"])))
        wanted = softmax(forward(head, features_of(prepared).astype(np.float32)))
        found = model.predict(files).probabilities
        np.testing.assert_allclose(found, wanted, atol=1e-5)


@pytest.mark.when_changed("backbones")
def test_the_openvino_model_is_whole(studies: list[Finished], images: Path) -> None:
    """OpenVINO alone takes any number of preprocessed images to the same logits."""
    from manyheads.core import openvino_runtime

    folder = studies[1].folder
    model = load(folder.path)
    files = sorted((images / "test").glob("*/*.png"))
    pixels = np.stack([load_pixels(file, model.card.image) for file in files])
    prepared = PREPROCESSINGS[MODE](pixels.astype(np.float64)).astype(np.float32)
    whole = openvino_runtime.core().compile_model(
        folder.best, "CPU", {"INFERENCE_PRECISION_HINT": "f32"}
    )
    for count in (1, len(files)):
        logits = whole(prepared[:count])[0]
        wanted = model.predict(files[:count]).probabilities
        np.testing.assert_allclose(softmax(logits), wanted, atol=1e-5)


@pytest.mark.when_changed("studies")
def test_each_tells_unknown_images(studies: list[Finished], images: Path) -> None:
    """Held-out images are as unlike as each other's scores say, up to rounding."""
    files = sorted((images / "validation").glob("*/*.png"))
    for each in studies:
        model = load(each.folder.path)
        found = model.predict(files, unknown=0.25)
        unlike = sorted(entry.unlike for entry in found if entry.unlike is not None)
        steps = np.arange(len(files)) / (len(files) + 1)
        np.testing.assert_allclose(unlike, steps, atol=1.01 / (len(files) + 1))
        np.testing.assert_array_equal(found.probabilities, model.predict(files).probabilities)


@pytest.fixture(scope="module")
def on_features(
    studies: list[Finished], tmp_path_factory: pytest.TempPathFactory
) -> tuple[Finished, Path]:
    """The study anew, on the features that the first one extracted; and their file."""
    folder, given = tmp_path_factory.mktemp("features"), studies[1]
    plain, dataset = given.features.plain, given.dataset
    np.save(folder / "own.npy", plain.matrix[plain.rows])
    with (folder / "table.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["label", "split"])
        for label, split in zip(dataset.labels, dataset.splits, strict=True):
            writer.writerow([dataset.classes[label], split])
    settings = small_settings(
        folder / "table.csv", features=(str(folder / "own.npy"),), weights=None
    )
    return run_study(settings, folder / "run"), folder / "own.npy"


@pytest.mark.when_changed("backbones")
def test_a_study_on_its_own_features_is_the_same_bit_for_bit(
    studies: list[Finished], on_features: tuple[Finished, Path]
) -> None:
    given, anew = studies[1].folder, on_features[0].folder
    assert outcome_of(anew.path) == outcome_of(given.path)
    assert anew.comparisons.read_bytes() == given.comparisons.read_bytes()
    assert on_features[0].features.passes == 0


@pytest.mark.when_changed("backbones")
def test_its_model_is_the_head_alone(
    studies: list[Finished], on_features: tuple[Finished, Path]
) -> None:
    folder, array = on_features[0].folder, np.load(on_features[1])
    model = load(folder.path)
    assert isinstance(model, FeatureClassifier)
    found = model.predict(array)
    assert [entry.image for entry in found[:2]] == ["row 0", "row 1"]
    dataset = studies[1].dataset
    files = [dataset.paths[row] for row in range(len(dataset))]
    wanted = load(studies[1].folder.path).predict(files).probabilities
    np.testing.assert_allclose(found.probabilities, wanted, atol=1e-6)
    held_out = array[dataset.rows("validation")]
    unlike = sorted(each.unlike or 0.0 for each in model.predict(held_out, unknown=0.25))
    np.testing.assert_allclose(unlike, np.arange(len(held_out)) / (len(held_out) + 1), atol=1e-9)


@pytest.mark.slow
def test_plain_keras_opens_both_kinds(
    studies: list[Finished], on_features: tuple[Finished, Path], tmp_path: Path
) -> None:
    """With TensorFlow, in a process that cannot import manyheads."""
    array = np.load(on_features[1])
    pixels = np.random.default_rng(3).integers(0, 256, (3, 32, 32, 3), np.uint8)
    prepared = PREPROCESSINGS[MODE](pixels.astype(np.float64)).astype(np.float32)
    for folder, given in ((on_features[0].folder, array), (studies[0].folder, prepared)):
        logits = opened_with_tensorflow(folder, given, tmp_path)
        head, _ = load_head(folder.head(int(load(folder.path).card.selected["candidate"])))
        features = given if given.ndim == 2 else features_of(given).astype(np.float32)
        np.testing.assert_allclose(logits, forward(head, features), atol=1e-4)


@pytest.mark.slow
def test_a_network_that_keras_exports_as_onnx(tmp_path: Path) -> None:
    """MobileNet V2, as other programs write it: transposes inside, a batch that is open."""
    pytest.importorskip("tensorflow")
    pytest.importorskip("tf2onnx")
    keras_process.call(export_mobilenet, {"folder": str(tmp_path)}, backend="tensorflow")
    pixels = np.random.default_rng(1).integers(0, 256, (20, 64, 64, 3), np.uint8)
    found = []
    for name in ("net.onnx", "net.keras"):
        spec = registry.get(tmp_path / name, "tf")
        assert (spec.default_size, spec.fixed) == (64, True)
        with compile_backbone(spec, resolve(spec), 64) as backbone:
            starts = range(0, 20, backbone.batch)
            parts = dict(backbone.run((n, pixels[n : n + backbone.batch]) for n in starts))
        found.append(np.concatenate([parts[n] for n in starts]))
    assert found[0].shape == (20, 1280)
    np.testing.assert_allclose(found[0], found[1], atol=1e-4 * np.abs(found[1]).max())


def opened_with_tensorflow(folder: RunFolder, given: np.ndarray, scratch: Path) -> np.ndarray:
    import os
    import subprocess
    import sys

    pytest.importorskip("tensorflow")
    np.save(scratch / "given.npy", given)
    program = (
        "import sys; sys.modules['manyheads'] = None\n"
        "import keras, numpy as np\n"
        f"model = keras.models.load_model({str(folder.best)!r})\n"
        f"given = np.load({str(scratch / 'given.npy')!r})\n"
        f"np.save({str(scratch / 'logits.npy')!r}, np.asarray(model(given, training=False)))\n"
    )
    environment = {**os.environ, "KERAS_BACKEND": "tensorflow", "TF_CPP_MIN_LOG_LEVEL": "3"}
    subprocess.run([sys.executable, "-I", "-c", program], check=True, env=environment)
    return np.load(scratch / "logits.npy")


def numbers(table: Path) -> np.ndarray:
    """The metrics of a history."""
    names = ("accuracy", "loss", "val_accuracy", "val_loss")
    return np.array([[float(row[name]) for name in names] for row in rows_of(table)])
