"""`best.keras` is an ordinary Keras model: anybody's Keras gets from it what the run recorded."""

from __future__ import annotations

import csv
import shutil
from pathlib import Path

import numpy as np
import pytest

from manyheads.backbones import registry, weights
from manyheads.data.data_settings import ImageSettings
from manyheads.errors import DownloadError
from manyheads.heads.files import load_head
from manyheads.heads.head import forward
from manyheads.models.card import read_card
from manyheads.models.classifier import load
from manyheads.run.pipeline import Finished, run_study
from manyheads.study.space import Grid
from tests.plain_keras import opened
from tests.small_study import finished_study, small_settings


@pytest.mark.when_changed("models")
def test_a_small_backbone(small_study: Finished, tmp_path: Path) -> None:
    check(small_study, tmp_path)


@pytest.mark.slow
def test_a_backbone_that_pools_for_itself(tmp_path: Path) -> None:
    """ConvNeXt normalises what it has pooled, so its pooling is part of the nested network."""
    finished = finished_study(tmp_path, backbone="convnext_tiny", grid=Grid((0.001,), (0,), (0.0,)))
    check(finished, tmp_path)


@pytest.mark.slow
def test_the_lessons_xception_on_photographs(clothing: Path, tmp_path: Path) -> None:
    try:
        weights.resolve(registry.get("xception"))
    except DownloadError as error:
        pytest.skip(f"the weights of Xception are out of reach: {error}")
    data = tmp_path / "photographs"
    for split, count in (("train", 12), ("validation", 6)):
        for folder in sorted((clothing / split).iterdir()):
            (data / split / folder.name).mkdir(parents=True)
            for photograph in sorted(folder.iterdir())[:count]:
                shutil.copyfile(photograph, data / split / folder.name / photograph.name)
    settings = small_settings(
        data,
        backbone="xception",
        weights=None,
        grid=Grid((0.001,), (100,), (0.0, 0.5)),
        image=ImageSettings(size=150, interpolation="nearest", exif=False),
        epochs=10,
    )
    finished = run_study(settings, tmp_path / "run")
    assert float(read_card(finished.folder.best).selected["val_accuracy"]) > 0.5
    check(finished, tmp_path)


def check(finished: Finished, scratch: Path) -> None:
    """Plain Keras on TensorFlow finds the logits of features and head, and the recorded score."""
    dataset, folder = finished.dataset, finished.folder
    selected = read_card(folder.best).selected
    head, _ = load_head(folder.head(int(selected["candidate"])))
    validation = dataset.rows("validation")
    logits = forward(head, finished.features.plain.matrix[finished.features.plain.rows[validation]])
    images = [dataset.paths[row] for row in validation]
    labels = dataset.labels[validation].tolist()
    answer = opened([folder.best], images, labels, scratch)[0]
    assert answer["backend"] == "tensorflow"
    found = np.array(answer["logits"])
    assert np.ptp(logits, axis=0).max() > 1e-3  # the images do differ
    np.testing.assert_allclose(found, logits, rtol=0, atol=1e-4)

    assert answer["accuracy"] == pytest.approx(selected["val_accuracy"], abs=1e-6)
    assert (found.argmax(axis=1) == labels).mean() == pytest.approx(selected["val_accuracy"])
    with folder.history.open(newline="", encoding="utf-8") as file:
        rows = [
            row
            for row in csv.DictReader(file)
            if (int(row["trial"]), int(row["epoch"])) == (selected["trial"], selected["epoch"])
        ]
    assert [float(row["val_accuracy"]) for row in rows] == [selected["val_accuracy"]]

    assert answer["optimizer"] == "Adam"
    assert answer["learning_rate"] == pytest.approx(selected["learning_rate"])
    assert answer["loss"] == "CategoricalCrossentropy"
    shapes = [list(array.shape) for array in (head if head.has_inner else head[2:])]
    assert answer["trainable"] == shapes

    ours = load(folder.path).predict(images[:20])
    assert ours.labels == [dataset.classes[best] for best in found[:20].argmax(axis=1)]
