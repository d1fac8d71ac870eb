"""Programs that know nothing of manyheads get from an export what the study's model says."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

from manyheads import Study
from manyheads.backbones import registry, weights
from manyheads.core import keras_process
from manyheads.core.job import Event, Job, Note
from manyheads.data.data_settings import ImageSettings
from manyheads.errors import DownloadError, ModelError
from manyheads.models.classifier import load
from manyheads.models.export.exporter import Exported, export_model
from manyheads.models.export.formats import FORMATS
from manyheads.run.pipeline import run_study
from manyheads.study.folder import RunFolder
from manyheads.study.space import Grid
from tests.networks import write_keras
from tests.runtimes import RUNTIMES, probabilities, require
from tests.small_study import small_images, small_settings

SELDOM = pytest.mark.when_changed("exports")
INSIDE = pytest.mark.parametrize("inside", [False, True], ids=["raw", "pixels"])


@pytest.fixture(scope="module")
def lesson(clothing: Path, tmp_path_factory: pytest.TempPathFactory) -> RunFolder:
    """A study of some real photographs through the real Xception, at the lesson's size."""
    try:
        weights.resolve(registry.get("xception"))
    except DownloadError as error:
        pytest.skip(f"the weights of Xception are out of reach: {error}")
    root = tmp_path_factory.mktemp("lesson")
    for split, count in (("train", 8), ("validation", 4)):
        for folder in sorted((clothing / split).iterdir()):
            place = root / "photographs" / split / folder.name
            place.mkdir(parents=True)
            for photograph in sorted(folder.iterdir())[:count]:
                shutil.copyfile(photograph, place / photograph.name)
    settings = small_settings(
        root / "photographs",
        backbone="xception",
        weights=None,
        grid=Grid((0.001,), (100,), (0.5,)),
        image=ImageSettings(size=150, interpolation="bicubic", exif=False),
        epochs=10,
    )
    return run_study(settings, root / "run").folder


@pytest.mark.slow
@pytest.mark.parametrize(
    ("format_", "inside"),
    [
        ("keras", False),
        ("onnx", True),
        pytest.param("onnx", False, marks=SELDOM),
        *(pytest.param(name, True, marks=SELDOM) for name in FORMATS if name != "onnx"),
    ],
)
def test_xception_on_real_photographs(
    lesson: RunFolder, format_: str, inside: bool, tmp_path: Path
) -> None:
    photographs = sorted((lesson.path.parent / "photographs" / "validation").glob("*/*"))
    assert len(photographs) == 40
    exported = round_trip(lesson, format_, inside, photographs, tmp_path)
    assert exported.check.images == 32
    assert exported.check.source == "validation images"


@pytest.mark.when_changed("exports")
@INSIDE
@pytest.mark.parametrize(
    "format_",
    [
        "openvino",
        "onnx",
        *(pytest.param(name, marks=pytest.mark.slow) for name in ("keras", "h5", "litert")),
    ],
)
def test_on_a_small_backbone(
    small_run: RunFolder, format_: str, inside: bool, tmp_path: Path
) -> None:
    images = sorted((small_run.path.parent / "images" / "validation").glob("*/*"))
    round_trip(small_run, format_, inside, images, tmp_path)


def round_trip(
    folder: RunFolder, format_: str, inside: bool, images: list[Path], scratch: Path
) -> Exported:
    """Export, open in every runtime of the format, and compare with the study's model."""
    runtimes = [runtime for runtime in RUNTIMES.values() if runtime.format == format_]
    for runtime in runtimes:
        require(runtime)
    target = scratch / FORMATS[format_].target(Path()).name
    exported = export_model(folder, format_, target, raw=not inside)
    assert exported.check.any_batch
    assert exported.check.difference <= 1e-4
    expected = load(folder.best).predict(images)
    assert np.ptp(expected.probabilities, axis=0).max() > 1e-3  # the images do differ
    classes = exported.card.classes
    if format_ != "saved_model":
        again = load(exported.files[0]).predict(images)
        np.testing.assert_allclose(again.probabilities, expected.probabilities, rtol=0, atol=1e-5)
        assert again.labels == expected.labels
    for runtime in runtimes:
        found = probabilities(runtime, exported.files[0], images, scratch)
        np.testing.assert_allclose(found, expected.probabilities, rtol=0, atol=1e-4)
        assert [classes[best] for best in found.argmax(axis=1)] == expected.labels
    return exported


@pytest.mark.slow
def test_a_layer_that_only_tensorflow_converts(tmp_path: Path) -> None:
    """A backbone of the user's own, with a layer that our writer of ONNX does not know."""
    for package in ("onnxruntime", "tensorflow", "tf2onnx"):
        pytest.importorskip(package)
    network = tmp_path / "own.keras"
    keras_process.call(write_keras, {"file": str(network), "pooled": False, "larger": True})
    settings = small_settings(
        small_images(tmp_path / "images"), backbone=str(network), preprocessing="tf", weights=None
    )
    folder = run_study(settings, tmp_path / "run").folder
    told: list[Event] = []
    exported = export_model(folder, "onnx", tmp_path / "best.onnx", Job(told.append))
    assert exported.check.difference <= 1e-4
    notes = [event.text for event in told if isinstance(event, Note)]
    assert any("converting with tensorflow, for the layer" in note for note in notes)
    images = sorted((tmp_path / "images" / "validation").glob("*/*"))
    wanted, found = load(folder.best).predict(images), load(exported.files[0]).predict(images)
    np.testing.assert_allclose(found.probabilities, wanted.probabilities, rtol=0, atol=1e-5)


@pytest.mark.when_changed("exports")
@pytest.mark.parametrize("format_", ["openvino", "onnx", "keras"])
def test_a_head_alone_gives_probabilities(format_: str, tmp_path: Path) -> None:
    """A model of features that were computed elsewhere takes them in every export."""
    for package in FORMATS[format_].packages:
        pytest.importorskip(package)
    rows = [f"{number}.jpg,{'cat' if number % 2 else 'dog'}" for number in range(60)]
    table, features = tmp_path / "table.csv", tmp_path / "features.npy"
    table.write_text("\n".join(["path,label", *rows]))
    values = np.random.default_rng(0).normal(size=(60, 8)).astype(np.float32)
    np.save(features, values)
    study = Study(table, features=str(features), epochs=2, seeds=1, out=tmp_path / "run").run()
    for raw in (False, True):
        exported = study.best.export(
            format_, tmp_path / f"{raw}" / FORMATS[format_].target(Path()).name, raw=raw
        )
        assert exported.card.output == ("logits" if raw else "probabilities")
        assert exported.card.input == "preprocessed"
        assert exported.check.difference <= 1e-5
        if format_ == "keras":
            again = load(exported.files[0]).predict(values).probabilities
            np.testing.assert_array_equal(again, study.best.predict(values).probabilities)
        else:
            with pytest.raises(ModelError, match=r"a \.keras file of a model of features"):
                load(exported.files[0])
