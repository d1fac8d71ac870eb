"""The settings of a study, as TOML and back, and what makes two studies different ones."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from manyheads.backbones.registry import NO_BACKBONE
from manyheads.data.data_settings import ImageSettings, SplitSettings, TableSettings
from manyheads.errors import RunError, SettingError
from manyheads.heads.hyperparameters import TOLD_IF_CHANGED, as_named
from manyheads.study.space import HYPERPARAMETERS, Grid
from manyheads.study.study_changes import differences
from manyheads.study.study_document import Resolved, read_study, read_toml, study_document, to_toml
from tests.studies import study_settings

RESOLVED = Resolved(
    content="c" * 64,
    weights="w" * 64,
    weights_source="a test",
    classes=("a cat", 'quoted "dog"', "🦊"),
    versions={"python": "3"},
)


@pytest.mark.parametrize(
    "changes",
    [
        *({name: value} for name in ("epochs", "batch_size", "seeds") for value in (0, -1, "x")),
        {"epochs": 1.5},
        {"epochs": float("nan")},
        {"seeds": True},
        {"select": "luck"},
        {"engine": "steam"},
        {"runtime": "abacus"},
    ],
)
def test_a_bad_value_is_named(changes: dict[str, Any]) -> None:
    ((name, value),) = changes.items()
    with pytest.raises(SettingError, match=f"expected `{name}` to be .*{value}"):
        study_settings(**changes)


def test_the_number_of_trials_is_that_of_candidates_times_seeds() -> None:
    assert len(study_settings(grid=Grid((0.1,), (0, 5), (0.0, 0.5)), seeds=4).trials()) == 12


@pytest.mark.parametrize("weights", [None, "random:3"])
def test_the_document_is_toml_and_whole(tmp_path: Path, weights: str | None) -> None:
    settings = study_settings(
        weights=weights,
        image=ImageSettings(size=64, interpolation="nearest", exif=False),
        split=SplitSettings(seed=7),
    )
    document = study_document(settings, RESOLVED)
    path = tmp_path / "study.toml"
    path.write_text(to_toml(document), encoding="utf-8")
    assert read_toml(path) == document
    assert set(as_named(document["grid"])) == set(HYPERPARAMETERS) - set(TOLD_IF_CHANGED)
    named = {name: document["grid"][name] for name in ("size_inner", "droprate", "optimizer")}
    assert named == {"size_inner": [4], "droprate": [0.0, 0.5], "optimizer": ["adam"]}
    assert document["image"] == {"size": 64, "interpolation": "nearest", "exif": False}
    assert document["split"]["seed"] == 7
    assert document["study"].get("weights") == weights
    assert document["resolved"]["classes"] == list(RESOLVED.classes)


@pytest.mark.parametrize("text", ["not = = toml", "\xff\xfe"])
def test_a_damaged_document_is_a_run_error(tmp_path: Path, text: str) -> None:
    path = tmp_path / "study.toml"
    path.write_bytes(text.encode("latin-1"))
    with pytest.raises(RunError, match="begin the study anew in another run folder"):
        read_toml(path)


def test_differences_are_shown_setting_by_setting() -> None:
    one = study_settings()
    other = study_settings(epochs=9, grid=Grid((0.01,), (4,), (0.0, 0.8)))
    before, after = (study_document(settings, RESOLVED) for settings in (one, other))
    assert differences(before, after) == ["grid.droprate: 0.0 0.5 → 0.0 0.8", "grid.epochs: 3 → 9"]
    assert differences(before, before) == []


def test_a_document_of_the_first_version_is_the_same_study() -> None:
    """Epochs and batch size were settings of the whole study, and there were no regularisers."""
    settings = study_settings(epochs=7, batch_size=8)
    document = study_document(settings, RESOLVED)
    names = ("learning_rate", "size_inner", "droprate")
    old = {
        **document,
        "study": {**document["study"], "epochs": 7, "batch_size": 8},
        "grid": {name: document["grid"][name] for name in names},
    }
    assert read_study(old) == (settings, RESOLVED)
    assert differences(old, document) == []
    assert differences(old, study_document(study_settings(epochs=8, batch_size=8), RESOLVED)) == [
        "grid.epochs: 7 → 8"
    ]


@pytest.mark.parametrize(
    ("listed", "meant"),
    [
        (("adamw",), ("adam",)),
        (("adamw", "sgd"), ("adam", "sgd")),
        (("adamw", "sgd", "adam"), ("sgd", "adam")),  # there it was merged with adam
    ],
)
def test_adamw_without_weight_decay_of_an_earlier_version_is_adam(listed, meant) -> None:
    settings = study_settings(grid=Grid((0.1,), (4,), (0.0,), optimizer=meant))
    document = study_document(settings, RESOLVED)
    old = {**document, "grid": {**document["grid"], "optimizer": list(listed)}}
    assert read_study(old) == (settings, RESOLVED)
    assert differences(old, document) == []


def test_regularisers_keep_the_names_and_values_that_they_were_stored_with() -> None:
    lists: dict[str, Any] = {
        "input_droprate": (0.0, 0.1), "dropblock": (0.5,), "dropblock_size": (2,),
        "random_erasing": (0.25,), "augmented_copies": (1, 3),
    }  # fmt: skip
    settings = study_settings(grid=Grid((0.1,), (4,), (0.0,), **lists))
    document = study_document(settings, RESOLVED)
    stored = {
        "feature_droprate": [0.0, 0.1], "hide_patches": [0.5], "hide_block": [2],
        "hide_pixels": [0.25], "views": [2, 4],
    }  # fmt: skip
    assert {name: document["grid"][name] for name in stored} == stored
    assert not set(lists) & set(document["grid"])
    assert read_study(document) == (settings, RESOLVED)
    fewer = study_settings(grid=replace(settings.grid, augmented_copies=(1,)))
    assert differences(document, study_document(fewer, RESOLVED)) == [
        "grid.augmented_copies: 1 3 → 1"
    ]


def test_digests_are_shown_short() -> None:
    before = study_document(study_settings(), RESOLVED)
    after = study_document(study_settings(), replace(RESOLVED, content="d" * 64))
    assert differences(before, after) == ["resolved.content: cccccccccccc… → dddddddddddd…"]


def test_where_data_and_weights_lie_does_not_matter_what_they_hold_does() -> None:
    before = study_document(study_settings(data="/here", weights=None), RESOLVED)
    elsewhere = replace(RESOLVED, weights_source="a file", versions={"python": "4", "new": "1"})
    after = study_document(study_settings(data="/there", weights="a.h5"), elsewhere)
    assert differences(before, after) == []


def test_a_document_is_read_back_as_the_study_that_it_was(tmp_path: Path) -> None:
    for changes in ({}, {"prune": 2, "epochs": 9, "grid": Grid((0.1,), (4, 0), (0.0, 0.5))}):
        settings = study_settings(weights="random:0", image=ImageSettings(size=71), **changes)
        (tmp_path / "study.toml").write_text(to_toml(study_document(settings, RESOLVED)), "utf-8")
        assert read_study(read_toml(tmp_path / "study.toml")) == (settings, RESOLVED)


@pytest.mark.parametrize(
    ("table", "change", "words"),
    [
        ("study", {"colour": "red"}, "colour"),
        ("study", {"epochs": 0}, "`epochs` to be a whole number"),
        ("grid", {"droprate": 0.5}, "not iterable"),
        ("resolved", None, "one without 'resolved'"),
    ],
)
def test_a_document_of_another_version_is_a_run_error(table, change, words) -> None:
    document = study_document(study_settings(), RESOLVED)
    changed = {**document, table: {**document[table], **(change or {})}}
    if change is None:
        del changed[table]
    with pytest.raises(RunError, match=words):
        read_study(changed)


@pytest.mark.parametrize(
    "own",
    [
        {"backbone": "net.onnx", "preprocessing": "torch"},
        {"features": ("features.npy",)},
        {"features": ("first", "second")},
    ],
)
def test_own_backbones_and_features_are_read_back(tmp_path: Path, own: dict[str, Any]) -> None:
    """Files by their full paths, so that they mean the same in another folder."""
    settings = study_settings(**own)
    (tmp_path / "study.toml").write_text(to_toml(study_document(settings, RESOLVED)))
    assert read_study(read_toml(tmp_path / "study.toml"))[0] == settings
    if "features" in own:
        assert settings.backbone == "none"
        assert settings.spec == NO_BACKBONE
        assert settings.features is not None
        assert Path(settings.features[0]).is_absolute() == own["features"][0].endswith(".npy")


def test_where_an_own_network_lies_does_not_matter_its_preprocessing_does() -> None:
    def document(**own: str) -> dict[str, Any]:
        return study_document(study_settings(**own), RESOLVED)

    first = document(backbone="here/net.onnx", preprocessing="tf")
    assert differences(first, document(backbone="there/net.onnx", preprocessing="tf")) == []
    other = document(backbone="there/net.onnx", preprocessing="unit")
    assert differences(first, other) == ["study.preprocessing: tf → unit"]
    assert any(line.startswith("study.backbone") for line in differences(first, document()))


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"backbone": "net.onnx"}, "a stated preprocessing"),
        ({"backbone": "net.onnx", "preprocessing": "best"}, "to be tf, torch"),
        ({"preprocessing": "tf"}, "no other preprocessing for xception"),
        ({"features": ()}, "at least one"),
        ({"features": ("f.npy",), "weights": "w.h5"}, "features alone"),
        ({"features": ("f.npy",), "preprocessing": "tf"}, "features alone"),
        (
            {"features": ("f.npy",), "grid": Grid((0.1,), (4,), (0.0,), augmented_copies=(1,))},
            "for augmented_copies",
        ),
    ],
)
def test_what_does_not_go_together_is_said(changes: dict[str, Any], words: str) -> None:
    with pytest.raises(SettingError, match=words):
        study_settings(**changes)


def test_how_a_table_is_read_is_part_of_a_study(tmp_path: Path) -> None:
    table = TableSettings(path_column="image", suffix=".jpg", missing_labels=("NA", "-"))
    settings = study_settings(table=table)
    path = tmp_path / "study.toml"
    path.write_text(to_toml(study_document(settings, RESOLVED)), encoding="utf-8")
    assert read_study(read_toml(path)) == (settings, RESOLVED)
    other = replace(settings, table=replace(table, suffix=".png"))
    before, after = (study_document(each, RESOLVED) for each in (settings, other))
    assert differences(before, after) == ["table.suffix: .jpg → .png"]
    moved = replace(settings, table=replace(table, images_in="/elsewhere"))
    assert differences(before, study_document(moved, RESOLVED)) == []


def test_a_study_of_the_usual_columns_is_what_it_was() -> None:
    document = study_document(study_settings(), RESOLVED)
    assert "table" not in document
    assert "table" not in document["study"]
    assert read_study(document)[0].table == TableSettings()
