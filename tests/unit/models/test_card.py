"""The side file says how to use a model, and belongs to one model only."""

from __future__ import annotations

import json
import zipfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from manyheads.data.data_settings import ImageSettings
from manyheads.errors import ModelError
from manyheads.models.card import (
    ModelCard,
    card_path,
    file_digest,
    model_size,
    read_card,
    write_card,
)

CARD = ModelCard(
    classes=("cat", "t-shirt / ☂"),
    backbone="xception",
    weights="d" * 64,
    weights_source="a test",
    image=ImageSettings(size=150, interpolation="nearest", exif=False),
    preprocessing="keras.applications.xception.preprocess_input",
    data="photographs",
    selected={"epoch": 3, "val_accuracy": 0.8387},
)


@pytest.fixture
def model(tmp_path: Path) -> Path:
    """A file with its side file."""
    path = tmp_path / "best.keras"
    path.write_bytes(b"a model")
    write_card(path, CARD)
    return path


def test_a_card_is_read_as_it_was_written(model: Path) -> None:
    assert read_card(model) == CARD


def test_the_side_file_is_plain_json_beside_the_model(model: Path) -> None:
    document = json.loads((model.parent / "best.keras.json").read_text(encoding="utf-8"))
    assert document["format"] == 1
    assert document["file_sha256"] == file_digest(model)
    assert document["classes"] == ["cat", "t-shirt / ☂"]
    assert document["image"] == {"size": 150, "interpolation": "nearest", "exif": False}


def test_a_card_of_before_means_preprocessed_images_and_logits(model: Path) -> None:
    path = card_path(model)
    document = json.loads(path.read_text(encoding="utf-8"))
    del document["input"], document["output"]
    path.write_text(json.dumps(document), encoding="utf-8")
    card = read_card(model)
    assert (card.input, card.output) == ("preprocessed", "logits")
    assert card.is_plain


def test_what_goes_in_and_comes_out_is_kept(model: Path) -> None:
    card = replace(CARD, input="pixels", output="probabilities")
    write_card(model, card)
    assert read_card(model) == card
    assert not card.is_plain


@pytest.mark.parametrize("field", ["input", "output"])
def test_another_kind_of_input_or_output(model: Path, field: str) -> None:
    path = card_path(model)
    document = json.loads(path.read_text(encoding="utf-8"))
    path.write_text(json.dumps({**document, field: "sounds"}), encoding="utf-8")
    with pytest.raises(ModelError, match=f"`{field}` to be one of .*sounds"):
        read_card(model)


def test_models_of_one_stem_have_side_files_of_their_own() -> None:
    names = {card_path(Path(f"best{suffix}")).name for suffix in (".keras", ".h5", ".xml")}
    assert len(names) == 3


def test_a_missing_side_file(model: Path) -> None:
    card_path(model).unlink()
    with pytest.raises(ModelError, match=r"best\.keras\.json.*no such file.*keep the two files"):
        read_card(model)


def test_a_file_that_is_no_model_any_more(model: Path) -> None:
    model.write_bytes(b"no archive")
    with pytest.raises(ModelError, match=r"best\.keras whole, .*found a damaged file"):
        read_card(model)


def test_a_future_format_asks_for_a_newer_version(model: Path) -> None:
    rewrite(model, format=2, shape="of things to come")
    with pytest.raises(ModelError, match=r"format 1 .*found 2; .*newer"):
        read_card(model)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"classes": None}, "classes"),
        ({"classes": "cat dog"}, "classes"),
        ({"classes": ["cat", 1]}, "classes"),
        ({"classes": ["cat"]}, "fewer than two"),
        ({"classes": ["cat", "cat"]}, "one twice"),
        ({"image": None}, "NoneType"),
        ({"image": {"size": 7}}, "image_size"),
        ({"image": {"size": 150, "interpolation": "guess"}}, "interpolation"),
        ({"surprise": 1}, "surprise"),
    ],
)
def test_values_that_make_no_sense(model: Path, changes: dict[str, Any], reason: str) -> None:
    rewrite(model, **changes)
    with pytest.raises(ModelError, match=reason) as caught:
        read_card(model)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", ["format", "file_sha256", "classes", "image", "preprocessing"])
def test_a_missing_value_is_named(model: Path, name: str) -> None:
    document = json.loads(card_path(model).read_text(encoding="utf-8"))
    del document[name]
    card_path(model).write_text(json.dumps(document), encoding="utf-8")
    with pytest.raises(ModelError, match=name):
        read_card(model)


@pytest.mark.parametrize("text", [b"", b"{", b"[]", b"7", b"\xff\xfe\x00", b"null"])
def test_what_is_no_side_file_at_all(model: Path, text: bytes) -> None:
    card_path(model).write_bytes(text)
    with pytest.raises(ModelError, match=r"which says how to use best\.keras") as caught:
        read_card(model)
    assert "\n" not in str(caught.value)


def rewrite(model: Path, **changes: Any) -> None:
    document = json.loads(card_path(model).read_text(encoding="utf-8"))
    card_path(model).write_text(json.dumps(document | changes), encoding="utf-8")


def test_a_card_says_which_output_is_which_number(tmp_path: Path) -> None:
    path = tmp_path / "best.keras"
    path.write_bytes(b"a model")
    card = replace(CARD, classes=("0", "1", "10", "2"))
    write_card(path, card)
    document = json.loads(card_path(path).read_text(encoding="utf-8"))
    assert document["outputs"] == {"0": "0", "1": "1", "2": "10", "3": "2"}
    assert read_card(path) == card
    write_card(path, CARD)
    assert "outputs" not in json.loads(card_path(path).read_text(encoding="utf-8"))


def _archive(path: Path) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("metadata.json", "{}")
        archive.writestr("config.json", json.dumps({"config": {"layers": []}}))
        archive.writestr("model.weights.h5", bytes(range(256)) * 40)
    write_card(path, CARD)
    return path


@pytest.mark.parametrize("kept", [0, 1, 100, 5_000, -1])
def test_a_cut_model_is_damaged_and_no_other_one(tmp_path: Path, kept: int) -> None:
    path = _archive(tmp_path / "best.keras")
    path.write_bytes(path.read_bytes()[:kept])
    with pytest.raises(ModelError, match=r"best\.keras whole, .* found (an empty|a damaged) file"):
        read_card(path)


def test_flipped_bytes_and_missing_parts_are_damage(tmp_path: Path) -> None:
    path = _archive(tmp_path / "best.keras")
    whole = path.read_bytes()
    place = whole.index(bytes(range(256))) + 700
    path.write_bytes(whole[:place] + b"\x00\x01" + whole[place + 2 :])
    with pytest.raises(ModelError, match=r"the checksum of model\.weights\.h5 is another"):
        read_card(path)
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("config.json", "{}")
    with pytest.raises(ModelError, match=r"without model\.weights\.h5"):
        read_card(path)


def test_a_whole_model_of_other_bytes_is_another(tmp_path: Path) -> None:
    path = _archive(tmp_path / "best.keras")
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("config.json", json.dumps({"config": {"layers": [1]}}))
        archive.writestr("model.weights.h5", b"other")
    with pytest.raises(ModelError, match="the side file of another model, or a model that has"):
        read_card(path)


@pytest.mark.parametrize("libver", ["earliest", "latest"])
def test_a_cut_h5_is_damaged(tmp_path: Path, libver: Any) -> None:
    path = tmp_path / "best.h5"
    with h5py.File(path, "w", libver=libver) as group:
        group["array"] = np.arange(5_000)
    write_card(path, CARD)
    assert read_card(path) == CARD
    path.write_bytes(path.read_bytes()[:30_000])
    with pytest.raises(ModelError, match=r"cut short: 30,000 of \d\d,\d\d\d bytes"):
        read_card(path)


def test_the_size_of_a_model_is_that_of_all_its_files(tmp_path: Path) -> None:
    for name, length in (("best.xml", 10), ("best.bin", 500), ("other.keras", 7)):
        (tmp_path / name).write_bytes(b"x" * length)
    assert model_size(tmp_path / "best.xml") == 510
    assert model_size(tmp_path / "other.keras") == 7
