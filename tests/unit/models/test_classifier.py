"""A finished model classifies images as its features and its head do, and no other model's way."""

from __future__ import annotations

import json
import shutil
import zipfile
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from manyheads.backbones import registry
from manyheads.backbones.compiled import compile_backbone
from manyheads.backbones.device_backbone import OpenVinoForward, on_device
from manyheads.backbones.exported import Program
from manyheads.backbones.weights import resolve
from manyheads.core import accelerators
from manyheads.data.images import load_pixels
from manyheads.errors import (
    DataError,
    DeviceError,
    ImageError,
    Interrupted,
    ModelError,
    RunError,
    SettingError,
)
from manyheads.heads.files import load_head
from manyheads.heads.head import forward, softmax
from manyheads.models import network
from manyheads.models.card import card_path, read_card, write_card
from manyheads.models.classifier import Classifier, ImageClassifier, load
from manyheads.models.export.exporter import export_model
from manyheads.study.folder import RunFolder
from tests.jobs import stopped_job


@pytest.fixture(scope="module")
def classifier(small_run: RunFolder) -> Classifier:
    """The best model of the small study."""
    return load(small_run.path)


@pytest.fixture(scope="module")
def files(small_run: RunFolder) -> list[Path]:
    """More images than a batch takes."""
    return sorted((small_run.path.parent / "images").glob("*/*/*.png"))


@pytest.fixture
def copy(small_run: RunFolder, tmp_path: Path) -> Path:
    """A copy of the best model with its side file."""
    for file in (small_run.best, card_path(small_run.best)):
        shutil.copyfile(file, tmp_path / file.name)
    return tmp_path / small_run.best.name


def test_it_predicts_what_its_features_and_its_head_give(
    small_run: RunFolder, classifier: Classifier, files: list[Path]
) -> None:
    card = classifier.card
    pixels = np.stack([load_pixels(file, card.image) for file in files])
    spec = registry.get(card.backbone)
    with compile_backbone(spec, resolve(spec, "random:0"), card.image.size) as backbone:
        assert len(files) > backbone.batch
        parts = [slice(n, n + backbone.batch) for n in range(0, len(files), backbone.batch)]
        features = dict(backbone.run((n, pixels[part]) for n, part in enumerate(parts)))
    matrix = np.concatenate([features[n] for n in range(len(parts))])
    head, _ = load_head(small_run.head(int(card.selected["candidate"])))
    wanted = softmax(forward(head, matrix))

    found = classifier.predict(files)
    np.testing.assert_allclose(found.probabilities, wanted, rtol=0, atol=1e-4)
    assert np.ptp(found.probabilities, axis=0).max() > 1e-3  # the images do differ
    assert found.labels == [card.classes[best] for best in wanted.argmax(axis=1)]
    assert [entry.image for entry in found] == list(map(str, files))
    assert [entry.confidence for entry in found] == list(found.probabilities.max(axis=1))


@pytest.mark.when_changed("models")
def test_another_device_answers_the_same(
    small_run: RunFolder,
    classifier: Classifier,
    files: list[Path],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def on_the_processor(program: Program, size: int, device: str, precision: str) -> Any:
        assert device == "gpu"
        return on_device(lambda: OpenVinoForward(program, size, "cpu", precision), 16, device)

    monkeypatch.setattr(accelerators, "openvino_devices", lambda: ("cpu", "gpu"))
    monkeypatch.setattr(network, "openvino_on", on_the_processor)
    found = load(small_run.path, device="gpu").predict(files, cache=False)
    wanted = classifier.predict(files)
    np.testing.assert_allclose(found.probabilities, wanted.probabilities, rtol=0, atol=1e-5)


def test_a_device_that_is_not_there_is_one_line(
    small_run: RunFolder, files: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(accelerators, "openvino_devices", lambda: ("cpu",))
    with pytest.raises(DeviceError, match="the device gpu, through OpenVINO, found only cpu"):
        load(small_run.path, device="gpu").predict(files[:1])
    with pytest.raises(SettingError, match="`device` to be one of auto, cpu"):
        load(small_run.path, device="tpu").predict(files[:1])


@pytest.mark.when_changed("studies")
def test_without_its_backbones_program_it_makes_one_of_its_own(
    copy: Path, files: list[Path], classifier: Classifier, own_cache: Path
) -> None:
    found = load(copy).predict(files[:3])
    wanted = classifier.predict(files[:3])
    np.testing.assert_allclose(found.probabilities, wanted.probabilities, rtol=0, atol=1e-4)
    assert len(list((own_cache / "compiled").glob("*/backbone.xml"))) == 1


def test_arrays_are_prepared_as_files_are(classifier: Classifier, files: list[Path]) -> None:
    from PIL import Image

    arrays = [np.asarray(Image.open(file)) for file in files[:3]]
    wanted = classifier.predict(files[:3]).probabilities
    np.testing.assert_array_equal(classifier.predict(arrays).probabilities, wanted)
    np.testing.assert_array_equal(classifier.predict(np.stack(arrays)).probabilities, wanted)
    mixed = classifier.predict([arrays[0], str(files[1]), files[2]])
    np.testing.assert_array_equal(mixed.probabilities, wanted)
    assert [entry.image for entry in mixed] == ["array 0", str(files[1]), str(files[2])]


def test_one_image_needs_no_list(classifier: Classifier, files: list[Path]) -> None:
    pixels = np.zeros((20, 30, 3), np.uint8)
    for image in (files[0], str(files[0]), pixels):
        assert len(classifier.predict(image)) == 1


def test_neighbours_change_nothing(classifier: Classifier, files: list[Path]) -> None:
    alone = classifier.predict(files[5]).probabilities[0]
    np.testing.assert_array_equal(classifier.predict(files).probabilities[5], alone)


def test_no_images_give_no_predictions(classifier: Classifier) -> None:
    found = classifier.predict([])
    assert (len(found), found.labels, found.probabilities.shape) == (0, [], (0, 3))


def test_an_unreadable_image_is_reported_in_its_place(
    classifier: Classifier, files: list[Path], tmp_path: Path
) -> None:
    text = tmp_path / "text.jpg"
    text.write_text("no image")
    images = [files[0], text, tmp_path / "absent.png", files[1]]
    found = classifier.predict(images)
    assert [label is None for label in found.labels] == [False, True, True, False]
    assert [bool(entry.error) for entry in found] == [False, True, True, False]
    assert "no such file" in str(found[2].error)
    assert np.isnan(found.probabilities[1:3]).all()
    wanted = classifier.predict(files[:2]).probabilities
    np.testing.assert_array_equal(found.probabilities[[0, 3]], wanted)


def test_only_unreadable_images(classifier: Classifier, tmp_path: Path) -> None:
    found = classifier.predict([tmp_path / "absent.png"])
    assert len(found) == 1
    assert "no such file" in str(found[0].error)


def test_folders_and_globs_are_the_images_in_them(
    classifier: Classifier, files: list[Path]
) -> None:
    wanted = classifier.predict(files)
    folder, names = files[0].parents[2], list(map(str, files))
    for given in (folder, str(folder), f"{folder}/**/*.png"):
        found = classifier.predict(given)
        assert [entry.image for entry in found] == names
        assert found.labels == wanted.labels
        assert [entry.image for entry in classifier.stream(given)] == names
    assert [e.label for e in classifier.predict({"path": files})] == wanted.labels
    assert next(iter(classifier.stream(str(files[0])))).label == wanted.labels[0]


@pytest.mark.parametrize("given", [np.zeros((4, 4), np.float32), [np.zeros((8, 8, 3))], [None]])
def test_what_is_no_image_by_its_type_raises(classifier: Classifier, given: Any) -> None:
    for method in (classifier.predict, classifier.explain, lambda x: list(classifier.stream(x))):
        with pytest.raises(ImageError, match="uint8 or uint16"):
            method(given)


def test_a_text_that_leads_to_no_image_raises(classifier: Classifier) -> None:
    for method in (classifier.predict, classifier.explain, classifier.stream):
        with pytest.raises(DataError, match=r"found nothing at 'absent\.png'"):
            method("absent.png")


def test_a_request_to_stop(classifier: Classifier, files: list[Path]) -> None:
    job = stopped_job()
    with pytest.raises(Interrupted):
        classifier.predict(files, job=job)


def test_what_a_study_has_extracted_needs_no_pass(
    classifier: Classifier, files: list[Path]
) -> None:
    known = classifier.stream(files)
    wanted = list(known)
    assert (known.passes, known.from_cache) == (0, len(files))
    anew = classifier.stream(files, cache=False)
    assert list(anew) == wanted  # bit for bit
    assert (anew.passes, anew.from_cache) == (len(files), 0)
    alone = [next(iter(classifier.stream([file], cache=False))) for file in files[:3]]
    assert alone == wanted[:3]


def test_predictions_from_several_threads(classifier: Classifier, files: list[Path]) -> None:
    wanted = classifier.predict(files, cache=False)
    with ThreadPoolExecutor(4) as pool:
        work = [pool.submit(classifier.predict, files, cache=False) for _ in range(4)]
        assert all(list(each.result()) == list(wanted) for each in work)


def test_an_answer_that_is_not_sure_enough_is_withheld(
    classifier: Classifier, files: list[Path]
) -> None:
    plain = classifier.predict(files)
    least = float(np.median([entry.confidence for entry in plain]))
    found = classifier.predict(files, min_confidence=least)
    for entry, before in zip(found, plain, strict=True):
        assert entry.abstained == (before.confidence < least)
        assert entry.label == (None if entry.abstained else before.label)
        assert entry.probabilities == before.probabilities
    assert 0 < sum(entry.abstained for entry in found) < len(files)
    with pytest.raises(SettingError, match="`min_confidence` to be a number from 0 to 1"):
        classifier.predict(files, min_confidence=1.5)


def test_a_classifier_says_what_it_is(classifier: Classifier, small_run: RunFolder) -> None:
    assert repr(classifier) == f"<Classifier {small_run.best}: mobilenet, 3 classes>"
    shown = classifier._repr_html_()
    assert "3: cat, dog, red panda" in shown
    assert "32×32, bicubic" in shown
    assert f"{float(classifier.card.selected['val_accuracy']):.3f}" in shown


@pytest.mark.slow
def test_every_kind_of_file_predicts_the_same(
    small_run: RunFolder, classifier: Classifier, files: list[Path], tmp_path: Path
) -> None:
    export_model(small_run, "h5", tmp_path / "best.h5")
    wanted = classifier.predict(files[:3]).probabilities
    for model in (small_run.best, tmp_path / "best.h5"):
        found = load(model).predict(files[:3]).probabilities
        np.testing.assert_allclose(found, wanted, rtol=0, atol=1e-6)


def test_nothing_to_load(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"nothing at .*absent\.keras"):
        load(tmp_path / "absent.keras")
    with pytest.raises(RunError, match=r"no study\.toml"):
        load(tmp_path)
    (tmp_path / "saved").mkdir()
    (tmp_path / "saved.json").write_text("{}")
    with pytest.raises(ModelError, match="found saved, a model for TensorFlow alone"):
        load(tmp_path / "saved")
    (tmp_path / "study.toml").write_text("")
    with pytest.raises(
        ModelError, match=r"nothing at .*best\.keras; give the folder of a finished"
    ):
        load(tmp_path)


def test_a_file_of_another_kind(tmp_path: Path) -> None:
    (tmp_path / "best.txt").write_text("<net/>")
    with pytest.raises(ModelError, match=r"ends with .*\.onnx or \.tflite, found best\.txt"):
        load(tmp_path / "best.txt")


def test_a_model_without_its_side_file(copy: Path) -> None:
    card_path(copy).unlink()
    with pytest.raises(ModelError, match=r"the side file .*best\.keras\.json"):
        load(copy)


@pytest.mark.parametrize("module", ["keras.layers", "os"])
def test_a_model_that_could_run_code(copy: Path, module: str) -> None:
    card = read_card(copy)
    evil = {"module": module, "class_name": "Lambda", "config": {"function": "x"}}
    with zipfile.ZipFile(copy, "w") as archive:
        archive.writestr("config.json", json.dumps({"config": {"layers": [evil]}}))
    write_card(copy, card)
    with pytest.raises(ModelError, match=rf"only plain layers of Keras.*{module}\.Lambda"):
        load(copy)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"preprocessing": "keras.applications.vgg16.preprocess_input"}, "vgg16"),
        ({"image": {"size": 48}}, r"images of 48 pixels.*found one of inputs \[None, 32, 32, 3\]"),
        ({"classes": ["cat", "dog"]}, r"2 logits from best\.keras, found 3"),
    ],
)
def test_a_side_file_that_does_not_fit(copy: Path, changes: dict[str, Any], reason: str) -> None:
    document = json.loads(card_path(copy).read_text(encoding="utf-8"))
    card_path(copy).write_text(json.dumps(document | changes), encoding="utf-8")
    with pytest.raises(ModelError, match=reason):
        load(copy).predict(np.zeros((40, 40, 3), np.uint8))


def test_a_model_without_its_weights(copy: Path) -> None:
    card = read_card(copy)
    with zipfile.ZipFile(copy) as archive:
        config = archive.read("config.json")
    with zipfile.ZipFile(copy, "w") as archive:
        archive.writestr("config.json", config)
        archive.writestr("metadata.json", "{}")
    write_card(copy, card)
    with pytest.raises(ModelError, match=r"a head on its backbone in .*best\.keras") as caught:
        load(copy).predict(np.zeros((40, 40, 3), np.uint8))
    assert "\n" not in str(caught.value)


@pytest.mark.when_changed("models")
def test_it_is_exported_as_the_command_does(small_run: RunFolder, tmp_path: Path) -> None:
    exported = load(small_run.path).export("openvino", str(tmp_path / "phone.xml"))
    wanted = export_model(small_run, "openvino", tmp_path / "other.xml")
    assert exported.files[0] == tmp_path / "phone.xml"
    assert exported.files[0].read_bytes() == wanted.files[0].read_bytes()
    assert exported.check == wanted.check
    assert exported.check.source == "validation images"


def test_prepared_images_are_not_cropped_again(copy: Path, files: list[Path]) -> None:
    card = read_card(copy)
    write_card(copy, replace(card, image=replace(card.image, resize="crop:0.8")))
    model = load(copy)
    assert isinstance(model, ImageClassifier)
    pixels = np.stack([model.pixels(file) for file in files[:3]])
    found, wanted = model.predict_prepared(pixels), model.predict(files[:3], cache=False)
    np.testing.assert_array_equal(found.probabilities, wanted.probabilities)
