"""Which images calibrate and which measure: never the same, and never those for the test."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from manyheads.core.job import SILENT
from manyheads.data.data_settings import ImageSettings
from manyheads.errors import DataError, SettingError
from manyheads.models.export import export_images
from manyheads.models.export.export_images import LabelledImages, labels_of, write_images
from manyheads.study.folder import RunFolder
from tests.several_labels import LABELS, labelled_table

COUNTS = {
    "train/cat": 9, "train/dog": 2, "validation/cat": 3, "validation/dog": 3, "test/cat": 2,
    "test/dog": 2,
}  # fmt: skip


def found(
    data: Path,
    calibration: int,
    classes: tuple[str, ...] = ("cat", "dog"),
    *,
    several: bool = False,
) -> LabelledImages:
    nothing = RunFolder(data.parent / "nowhere")
    return export_images.labelled_images(
        nothing, classes, str(data), calibration, SILENT, several_labels=several
    )


def test_calibration_goes_through_the_classes_in_turn(image_folder: Callable[..., Path]) -> None:
    images = found(image_folder(COUNTS), 6)
    names = [images.dataset.name_of(row) for row in images.calibrate]
    assert [Path(name).parent.name for name in names] == ["cat", "dog", "cat", "dog", "cat", "cat"]
    assert {Path(name).parts[0] for name in names} == {"train"}
    measured = {images.dataset.name_of(row) for row in images.measure}
    assert {Path(name).parts[0] for name in measured} == {"validation"}
    assert len(measured) == 6
    assert images.calibrated == "6 training images of data"
    assert images.measured == "validation images of data"


def test_names_have_no_part_in_it(image_folder: Callable[..., Path]) -> None:
    data = image_folder(COUNTS)
    images = found(data, 4)
    before = [images.dataset.digests[row] for row in images.calibrate]
    for number, file in enumerate(sorted(data.glob("train/*/*"), reverse=True)):
        shutil.move(file, file.with_name(f"renamed-{number:03d}.png"))
    images = found(data, 4)
    assert [images.dataset.digests[row] for row in images.calibrate] == before


def test_with_folds_no_image_is_in_both(
    image_folder: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    data = image_folder(COUNTS)
    dataset = found(data, 4).dataset
    monkeypatch.setattr(export_images, "study_data", lambda *_: (dataset, True))
    images = found(data, 200)
    assert len(images.calibrate) == 8  # half of the images that are not for the test
    assert len(images.measure) == 9
    assert not set(images.calibrate) & set(images.measure)
    assert not {*images.calibrate, *images.measure} & set(dataset.rows("test").tolist())
    assert images.measured == "images that the model was trained on"


def test_a_model_alone_needs_images(image_folder: Callable[..., Path], tmp_path: Path) -> None:
    with pytest.raises(SettingError, match="expected `data`, labelled images to calibrate by"):
        export_images.labelled_images(RunFolder(tmp_path), ("cat", "dog"), None, 4, SILENT)
    with pytest.raises(DataError, match="no class of the model: 'dog'"):
        found(image_folder(COUNTS), 4, ("cat", "horse"))


def test_images_have_as_many_labels_as_the_model_says(
    image_folder: Callable[..., Path], tmp_path: Path
) -> None:
    table = labelled_table(tmp_path)
    images = found(table, 6, LABELS, several=True)
    sets = [images.dataset.classes[images.dataset.labels[row]] for row in images.calibrate]
    assert len(set(sets)) == 6  # each set of labels in turn
    with pytest.raises(DataError, match=r"one class per image in .* found several labels"):
        found(table, 6, LABELS)
    with pytest.raises(DataError, match=r"several labels per image in .* found one class"):
        found(image_folder(COUNTS), 6, several=True)


def test_labels_are_those_of_the_model(image_folder: Callable[..., Path]) -> None:
    images = found(image_folder(COUNTS), 0, ("ape", "cat", "cow", "dog"))
    labels = labels_of(images.dataset, images.measure, ("ape", "cat", "cow", "dog"))
    named = [Path(images.dataset.name_of(row)).parent.name for row in images.measure]
    assert [("ape", "cat", "cow", "dog")[label] for label in labels] == named
    assert images.calibrated == ""


def test_an_image_that_cannot_be_read_is_left_out(
    image_folder: Callable[..., Path], tmp_path: Path
) -> None:
    data = image_folder(COUNTS)
    broken = sorted(data.glob("validation/cat/*"))[0]
    broken.write_bytes(b"no image")
    images = found(data, 0)
    image = ImageSettings(size=32)
    read = write_images(images.dataset, images.measure, image, tmp_path / "a.npy", "x", SILENT)
    assert len(read.rows) == 5
    pixels = np.load(tmp_path / "a.npy")[: len(read.rows)]
    assert pixels.shape == (5, 32, 32, 3)
    assert pixels.reshape(5, -1).any(axis=1).all()
    for file in data.glob("validation/*/*"):
        file.write_bytes(b"no image")
    images = found(data, 0)
    with pytest.raises(DataError):
        write_images(images.dataset, images.measure, image, tmp_path / "b.npy", "x", SILENT)
