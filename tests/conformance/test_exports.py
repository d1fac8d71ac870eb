"""Programs that know nothing of manyheads get from an export what the study's model says."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

from manyheads.backbones import registry, weights
from manyheads.data.data_settings import ImageSettings
from manyheads.errors import DownloadError
from manyheads.models.classifier import load
from manyheads.models.export.exporter import Exported, export_model
from manyheads.models.export.formats import FORMATS
from manyheads.run.pipeline import run_study
from manyheads.study.folder import RunFolder
from manyheads.study.space import Grid
from tests.runtimes import RUNTIMES, probabilities, require
from tests.small_study import small_settings

SELDOM = pytest.mark.when_changed("exports")
INSIDE = pytest.mark.parametrize("inside", [False, True], ids=["plain", "with preprocessing"])


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


@INSIDE
def test_openvino_on_a_small_backbone(small_run: RunFolder, inside: bool, tmp_path: Path) -> None:
    images = sorted((small_run.path.parent / "images" / "validation").glob("*/*"))
    round_trip(small_run, "openvino", inside, images, tmp_path)


def round_trip(
    folder: RunFolder, format_: str, inside: bool, images: list[Path], scratch: Path
) -> Exported:
    """Export, open in every runtime of the format, and compare with the study's model."""
    runtimes = [runtime for runtime in RUNTIMES.values() if runtime.format == format_]
    for runtime in runtimes:
        require(runtime)
    target = scratch / FORMATS[format_].target(Path()).name
    exported = export_model(folder, format_, target, with_preprocessing=inside)
    assert exported.check.any_batch
    assert exported.check.difference <= 1e-4
    expected = load(folder.best).predict(images)
    assert np.ptp(expected.probabilities, axis=0).max() > 1e-3  # the images do differ
    classes = exported.card.classes
    for runtime in runtimes:
        found = probabilities(runtime, exported.files[0], images, scratch)
        np.testing.assert_allclose(found, expected.probabilities, rtol=0, atol=1e-4)
        assert [classes[best] for best in found.argmax(axis=1)] == expected.labels
    return exported
