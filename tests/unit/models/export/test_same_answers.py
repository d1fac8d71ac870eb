"""An export is held to the study's model, image by image."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from manyheads.backbones import registry
from manyheads.backbones.weights import resolve
from manyheads.core import keras_process
from manyheads.core.job import SILENT
from manyheads.data.data_settings import ImageSettings
from manyheads.errors import Interrupted, ModelError
from manyheads.heads.files import load_head
from manyheads.heads.head import softmax
from manyheads.heads.hyperparameters import Hyperparameters
from manyheads.models.card import LOGITS, PIXELS, PROBABILITIES, read_card
from manyheads.models.export import export_images, same_answers
from manyheads.models.export.exporter import export_model
from manyheads.models.export.formats import FORMATS, format_named
from manyheads.models.export.same_answers import ExportCheck, Images, check_answers, images_of
from manyheads.models.templates import write_model
from manyheads.study.folder import RunFolder
from tests.unit.models.test_card import CARD

FAST = ("keras", "openvino")  # they need no TensorFlow
IMAGES = Images("test images", ("a.png", "b.png", "c.png"), np.zeros((3, 32, 32, 3), np.uint8))
EXPECTED = np.array([[0.9, 0.1], [0.2, 0.8], [0.50002, 0.49998]], np.float32)

Answering = Callable[[np.ndarray], ExportCheck]


@pytest.fixture
def checked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Answering:
    """Check an export whose runtime gives certain probabilities."""

    def check(found: np.ndarray, output: str = PROBABILITIES) -> ExportCheck:
        def call(_function: object, arguments: dict[str, Any], **_: object) -> dict[str, Any]:
            np.testing.assert_array_equal(np.load(arguments["pixels"]), IMAGES.given)
            assert arguments["backbone"] == (None if output == PROBABILITIES else "xception")
            np.save(arguments["target"], found)
            return {"runtime": "Abacus 1.0", "any_batch": True}

        monkeypatch.setattr(same_answers.keras_process, "call", call)
        card = replace(CARD, output=output, input=CARD.input if output == LOGITS else PIXELS)
        kind, draft = format_named("onnx"), tmp_path / "best.onnx"
        return check_answers(kind, draft, card, IMAGES, EXPECTED, tmp_path)

    return check


def test_equal_answers_pass_with_their_largest_difference(checked: Answering) -> None:
    found = EXPECTED.copy()
    found[1] += [5e-5, -5e-5]
    check = checked(found)
    assert check.difference == pytest.approx(5e-5, rel=1e-2)
    assert (check.runtime, check.images, check.worst) == ("Abacus 1.0", 3, "b.png")


def test_logits_are_compared_as_probabilities(checked: Callable[..., ExportCheck]) -> None:
    logits = np.log(EXPECTED) + np.float32(7)
    np.testing.assert_allclose(softmax(logits), EXPECTED, atol=1e-6)
    assert checked(logits, LOGITS).difference < 1e-5
    with pytest.raises(ModelError, match="apart for"):
        checked(logits, PROBABILITIES)


@pytest.mark.parametrize(
    ("row", "values", "words"),
    [
        (0, [0.8998, 0.1002], r"probabilities 0\.0002 apart for a\.png"),
        (1, [np.nan, np.nan], r"probabilities inf apart for b\.png"),
        (2, [0.49998, 0.50002], r"another label for c\.png"),
    ],
)
def test_the_worst_image_is_named(
    checked: Answering, row: int, values: list[float], words: str
) -> None:
    found = EXPECTED.copy()
    found[row] = values
    with pytest.raises(ModelError, match=rf"Abacus 1\.0 to say.*{words}; nothing was written"):
        checked(found)


def test_another_number_of_classes(checked: Answering) -> None:
    with pytest.raises(ModelError, match=r"an output \[3, 1\] for \[3, 2\]"):
        checked(EXPECTED[:, :1])


def test_images_are_spread_over_the_classes(small_run: RunFolder) -> None:
    card = read_card(small_run.best)
    images = images_of(small_run, card.image, SILENT)
    assert images.source == "validation images"
    assert images.given.shape == (12, 32, 32, 3)
    classes = [Path(name).parent.name for name in images.names]
    assert classes[:4] == ["cat", "dog", "red panda", "cat"]
    assert sorted(classes) == sorted([*card.classes] * 4)


def test_large_images_are_fewer(small_run: RunFolder) -> None:
    assert len(images_of(small_run, ImageSettings(size=1024), SILENT).names) == 4


def test_without_the_studys_images_some_are_generated(small_run: RunFolder, tmp_path: Path) -> None:
    moved = RunFolder(tmp_path)
    text = small_run.settings.read_text(encoding="utf-8")
    place = str(small_run.path.parent / "images")
    assert place in text
    moved.settings.write_text(text.replace(place, str(tmp_path / "gone")), encoding="utf-8")
    images = images_of(moved, ImageSettings(size=32), SILENT)
    assert images.source.startswith("generated images")
    assert images.given.shape == (32, 32, 32, 3)
    again = images_of(moved, ImageSettings(size=32), SILENT)
    np.testing.assert_array_equal(images.given, again.given)
    assert len({image.tobytes() for image in images.given}) == 32


def test_a_stop_is_not_taken_for_missing_images(
    small_run: RunFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stopped(*_: object, **__: object) -> None:
        raise Interrupted("opening", "again")

    monkeypatch.setattr(export_images, "open_data", stopped)
    with pytest.raises(Interrupted):
        images_of(small_run, ImageSettings(size=32), SILENT)


@pytest.mark.when_changed("exports")
@pytest.mark.parametrize(
    "format_",
    ["keras", "openvino"]
    + [pytest.param(name, marks=pytest.mark.slow) for name in FORMATS if name not in FAST],
)
def test_a_converter_that_changes_the_answers_is_refused(
    small_run: RunFolder,
    other_head: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    format_: str,
) -> None:
    call = keras_process.call

    def sabotaged(function: Callable[..., Any], arguments: dict[str, Any], **options: Any) -> Any:
        if function.__name__ == "convert":
            arguments |= {"file": str(other_head)}
        return call(function, arguments, **options)

    monkeypatch.setattr(keras_process, "call", sabotaged)
    target = tmp_path / "deep" / FORMATS[format_].target(Path()).name
    words = r"to say what the study's model says.*probabilities .* apart for validation/.*\.png"
    with pytest.raises(ModelError, match=words):
        export_model(small_run, format_, target)
    assert list(tmp_path.iterdir()) == []


@pytest.fixture(scope="module")
def other_head(small_run: RunFolder, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A whole model on the same backbone whose head is another one."""
    spec = registry.get("mobilenet")
    parameters, _ = load_head(small_run.head(1))
    turned = parameters._replace(kernel=-2 * parameters.kernel)
    file = tmp_path_factory.mktemp("other") / "other.keras"
    settings = Hyperparameters(size_inner=len(parameters.inner_bias))
    write_model(spec, resolve(spec, "random:0"), 32, (turned, settings), file)
    return file


def test_a_file_that_its_runtime_cannot_open_is_refused(
    small_run: RunFolder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    call = keras_process.call

    def half_written(
        function: Callable[..., Any], arguments: dict[str, Any], **options: Any
    ) -> Any:
        if function.__name__ != "convert":
            return call(function, arguments, **options)
        Path(arguments["target"]).write_text("<net")
        return {}

    monkeypatch.setattr(keras_process, "call", half_written)
    with pytest.raises(ModelError, match="an export that OpenVINO can open and run"):
        export_model(small_run, "openvino", tmp_path / "best.xml")
    assert list(tmp_path.iterdir()) == []
