"""`--decode scaled` in whole commands: what is recorded, and that a model decodes as its study."""

from __future__ import annotations

import json
import tomllib
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from manyheads.data.data_settings import ImageSettings
from manyheads.data.images import load_pixels
from manyheads.models.card import read_card
from manyheads.models.classifier import ImageClassifier, load
from tests.e2e.conftest import Command, refused
from tests.small_study import CLASSES
from tests.strategies import distinct_image

BACKBONE = ("--backbone", "mobilenet", "--weights", "random:0", "--image-size", 32)
SCALED = ("--decode", "scaled")
GRID = ("--epochs", 2, "--seeds", 1, "--size-inner", 4, "--droprate", 0, "--no-baselines")


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """JPEGs of 200 pixels, more than twice as large as a network of 32 needs them."""
    for split, count in (("train", 5), ("validation", 3)):
        for name in CLASSES:
            folder = tmp_path / "photos" / split / name
            folder.mkdir(parents=True)
            for number in range(count):
                distinct_image(f"{split} {name} {number}", 200).save(folder / f"{number}.jpg")
    return tmp_path / "photos"


@pytest.mark.when_changed("commands")
def test_a_study_and_its_model_decode_alike(command: Command, photos: Path) -> None:
    told = command("extract", photos, *BACKBONE, "--json")
    whole = json.loads(told.out)["recipe"]
    told = command("sweep", photos, *BACKBONE, *SCALED, *GRID, "--out", "run")
    assert told.code == 0, told.err
    assert "Backbone   mobilenet, 32×32, bicubic, scaled decoding; weights" in told.err
    assert "features of 24 images" in told.err, "those decoded in full are of no use"
    said = tomllib.loads(Path("run/study.toml").read_text())
    assert said["image"]["decode"] == "scaled"
    card = read_card(Path("run/best.keras"))
    assert card.image == ImageSettings(size=32, decode="scaled")
    told = command("extract", photos, *BACKBONE, *SCALED, "--json")
    again = json.loads(told.out)
    assert (again["backbone_passes"], again["recipe"] != whole) == (0, True)

    model, files = load(Path("run")), sorted(photos.glob("validation/*/*.jpg"))
    assert isinstance(model, ImageClassifier)
    for file in files[:2]:
        np.testing.assert_array_equal(model.pixels(file), load_pixels(file, card.image))
        in_full = load_pixels(file, replace(card.image, decode="full"))
        assert (model.pixels(file) != in_full).any()
    # From the cache that the study filled, and anew.
    kept, anew = (
        [answer.probabilities for answer in model.predict(files, cache=cache)]
        for cache in (True, False)
    )
    assert kept == anew
    labels = [answer.label for answer in model.predict(files)]
    right = sum(label == file.parent.name for label, file in zip(labels, files, strict=True))
    assert right / len(files) == pytest.approx(card.selected["val_accuracy"])


def test_a_pack_says_how_its_images_were_decoded(command: Command, photos: Path) -> None:
    told = command("features", "pack", photos, *BACKBONE, *SCALED, "--out", "p.safetensors")
    assert told.code == 0, told.err
    assert "of mobilenet, 32×32, bicubic, scaled decoding" in told.out
    told = command("features", "unpack", "p.safetensors")
    assert "--image-size 32 --interpolation bicubic --decode scaled" in told.out


def test_a_way_that_is_not_known_is_refused(command: Command, photos: Path) -> None:
    words = "expected --decode to be one of full, scaled, found 'half'; choose one of these"
    for verb in ("extract", "sweep", "fit", "lesson"):
        refused(command(verb, photos, *BACKBONE, "--decode", "half"), words)


def test_features_have_no_images_to_decode(command: Command) -> None:
    np.save("features.npy", np.zeros((4, 3), np.float32))
    Path("labels.csv").write_text("label\na\nb\na\nb\n")
    told = command("sweep", "labels.csv", "--features", "features.npy", *SCALED)
    refused(told, "features alone, which need no backbone and no images, found --decode as well")
