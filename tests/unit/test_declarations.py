"""Hyperparameters and settings of a study are declared once, and all that lists them agrees."""

from __future__ import annotations

import inspect
import json
import shlex
from dataclasses import fields, replace
from pathlib import Path
from typing import Any, get_type_hints

import pytest

from manyheads import Study
from manyheads.api.studies import Regularisers
from manyheads.cli.grid import grid_of
from manyheads.cli.main import build_parser
from manyheads.cli.sweep import settings_asked
from manyheads.core import accelerators
from manyheads.data.augmentation import Augmentation
from manyheads.data.data_settings import ImageSettings, SplitSettings, TableSettings
from manyheads.errors import SettingError
from manyheads.estimator.head_classifier import HeadClassifier
from manyheads.heads.bank import chosen_engine
from manyheads.heads.hyperparameters import (
    DECLARED,
    IDLE,
    NAMES,
    NEUTRAL,
    TOLD_IF_CHANGED,
    Hyperparameters,
    as_named,
    as_stored,
    check,
)
from manyheads.report.from_study import command_of
from manyheads.study.space import Grid
from manyheads.study.study_settings import StudySettings
from tests.columns_page import PAGE, with_declarations

GOLDEN = Path(__file__).parents[1] / "golden" / "run"
OTHERS: dict[str, Any] = {
    "learning_rate": 0.5, "size_inner": 7, "droprate": 0.3, "droprate_schedule": "early:2",
    "input_droprate": 0.3, "dropblock": 0.3, "dropblock_size": 2, "random_erasing": 0.3,
    "augmented_copies": 2, "mixup": 0.3, "label_smoothing": 0.3, "l2": 0.3, "weight_decay": 0.3,
    "max_norm": 0.3, "optimizer": "sgd", "momentum": 0.3, "learning_rate_schedule": "cosine",
    "epochs": 7, "batch_size": 7, "class_weight": '{"a": 2, "b c": 0.5}', "balanced_batches": "yes",
}  # fmt: skip
"""A value of each that is not its neutral one."""


def test_python_takes_every_hyperparameter_by_its_name() -> None:
    study = inspect.signature(Study).parameters
    assert set(get_type_hints(Regularisers)) | (set(study) & set(NAMES)) == set(NAMES)
    assert not set(get_type_hints(Regularisers)) & set(study)
    for name in set(study) & set(NAMES):
        default = study[name].default
        listed = () if default is None else default
        assert (listed if isinstance(listed, tuple) else (listed,)) == DECLARED[name].usual
    head = inspect.signature(HeadClassifier).parameters
    assert [name for name in head if name in NAMES] == list(NAMES)
    # One head of the estimator has one droprate, the one that Hyperparameters have.
    listed = {name: DECLARED[name].usual or (NEUTRAL[name],) for name in NAMES}
    usual = {name: values[0] for name, values in listed.items()}
    usual |= {"droprate": NEUTRAL["droprate"], "epochs": None}
    usual |= {"class_weight": None, "balanced_batches": False}  # as scikit-learn has such
    assert {name: head[name].default for name in NAMES} == usual


def test_the_command_line_lists_what_python_does() -> None:
    listed = grid_of(build_parser().parse_args(["sweep", "photos"]))
    assert listed == Grid(*(DECLARED[name].usual or (NEUTRAL[name],) for name in NAMES))
    assert listed == Study("photos", out="run").settings.grid


@pytest.mark.parametrize("name", NAMES)
def test_the_command_that_repeats_a_study_names_it(name: str) -> None:
    values = {
        each: (value,) for each, value in OTHERS.items() if each == name or name in _needed(each)
    }
    grid = Grid(**{"learning_rate": (0.1,), "size_inner": (4,), "droprate": (0.5,)} | values)
    words = shlex.split(command_of(StudySettings(data="photos", grid=grid), "run"))
    assert grid_of(build_parser().parse_args(words[1:])) == grid
    assert f"--{name.replace('_', '-')}" in words


def _needed(name: str) -> tuple[str, ...]:
    """Which hyperparameters have an effect only beside `name`."""
    return {
        "dropblock": ("dropblock_size",),
        "augmented_copies": ("random_erasing",),
        "optimizer": ("weight_decay", "momentum"),
    }.get(name, ())


BY_RULE = {"select", "usual_epochs"}  # what a study has unless it is given, depends on other things
SETTINGS = {each.name: each.default for each in fields(StudySettings)}
MADE = {"data", "grid", "image", "split", "table"}  # of several parameters and flags, or a word


def said(*words: str) -> StudySettings:
    """The study that a command line asks for."""
    args = build_parser().parse_args(["sweep", *words])
    return settings_asked(args)


def test_python_and_the_command_line_take_every_setting_of_a_study() -> None:
    study = inspect.signature(Study).parameters
    assert SETTINGS.keys() - {"grid", "image", "usual_epochs"} <= study.keys()
    usual = {name: study[name].default for name in SETTINGS.keys() - MADE - BY_RULE}
    decided = {"seeds": 10, "engine": "auto", "runtime": "auto", "device": "auto"}
    assert usual == {name: SETTINGS[name] for name in usual} | decided
    assert said("photos") == Study("photos", out="run").settings
    assert said("photos", "--patience", "3") == Study("photos", out="run", patience=3).settings
    assert said("photos", "--epochs", "9") == Study("photos", out="run", epochs=9).settings


def test_a_study_that_lists_nothing_has_what_no_baseline_beat() -> None:
    settings = said("photos")
    assert (settings.select, settings.usual_epochs) == ("last", True)
    assert settings.grid.learning_rate_schedule == ("cosine",)
    assert said("photos", "--patience", "5").select == "best_accuracy"  # a patience needs a best
    assert not said("photos", "--epochs", "30").usual_epochs


def test_usual_epochs_are_1000_steps_of_the_largest_batches() -> None:
    settings = said("photos", "--batch-size", "16", "32")
    assert settings.for_training_on(210).grid.epochs == (143,)  # 7 steps an epoch
    assert settings.for_training_on(3068).grid.epochs == (30,)
    assert settings.for_training_on(1).grid.epochs == (1000,)
    given = said("photos", "--epochs", "7")
    assert given.for_training_on(210).grid == given.grid


def test_the_engine_is_decided_by_the_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(accelerators, "of_jax", lambda: "NVIDIA H200")
    assert said("photos").for_training_on(9).engine == "stacked"
    assert said("photos", "--engine", "fused").for_training_on(9).engine == "fused"
    monkeypatch.setattr(accelerators, "of_jax", lambda: None)
    assert said("photos").for_training_on(9).engine == "fused"


CHANGES: list[dict[str, Any]] = [
    {"weights": "random:1"}, {"backbone": "mobilenet_v2"},
    {"backbone": "net.onnx", "preprocessing": "tf"}, {"features": ("a", "b")},
    {"seeds": 3}, {"folds": 4, "repeats": 2}, {"select": "last"}, {"patience": 4},
    {"prune": 2}, {"engine": "keras"}, {"runtime": "keras"},
    {"runtime": "keras", "device": "cuda"}, {"precision": "bf16"},
    {"grid_storage": "f16"}, {"augmentation": Augmentation(flip=False, shift=0.2)},
    {"image": ImageSettings(size=96, interpolation="nearest", exif=False, depth=12)},
    {"image": ImageSettings(size=96, resize="crop", decode="scaled")},
    {"split": SplitSettings(validation=0.1, test=0.3, seed=7)},
    {"table": TableSettings(label_column="species", suffix=".jpg", missing_labels=("?", "-"))},
]  # fmt: skip


@pytest.mark.parametrize("changes", CHANGES, ids=" ".join)
def test_the_command_that_repeats_a_study_gives_its_settings(
    changes: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(accelerators, "of_jax", lambda: None)
    monkeypatch.setattr(accelerators, "has_nvidia_card", lambda: False)
    copies = (2,) if "augmentation" in changes else (0,)
    grid = Grid((0.1,), (4, 5, 6, 7), (0.5,), augmented_copies=copies, epochs=(9,))
    image = ImageSettings() if "features" in changes else ImageSettings(size=64)
    settings = StudySettings(**{"data": "photos", "grid": grid, "image": image} | changes)
    repeated = shlex.split(command_of(settings, "run"))
    assert repeated[:2] == ["manyheads", "sweep"]
    found = said(*repeated[2:]).placed_here()
    assert replace(found, engine=chosen_engine(found.engine)) == settings


def test_no_setting_is_left_out_of_that_test() -> None:
    assert SETTINGS.keys() - set().union(*CHANGES) == {"data", "grid", "usual_epochs"}


def test_every_other_value_is_checked_and_kept() -> None:
    assert OTHERS.keys() == set(NAMES)
    whole = Hyperparameters(**OTHERS)
    assert all(getattr(whole, name) == value != NEUTRAL[name] for name, value in OTHERS.items())
    for name in NAMES:
        with pytest.raises(SettingError, match=name):
            check(name, "nonsense")


@pytest.mark.parametrize("name", sorted(set(IDLE) - {"droprate"}))
def test_what_has_no_effect_is_refused_with_a_remedy(name: str) -> None:
    alone: dict[str, Any] = {"size_inner": 0} if name == "max_norm" else {"droprate": 0.0}
    with pytest.raises(SettingError) as caught:
        Hyperparameters(**alone | {name: OTHERS[name]})
    assert str(caught.value) == (
        f"expected {name} {NEUTRAL[name]} {IDLE[name].where}, found {OTHERS[name]}; "
        f"{IDLE[name].remedy}"
    )


def test_names_on_disk_are_those_of_the_first_version() -> None:
    later = as_stored({name: [value] for name, value in OTHERS.items()})
    first = {name: value for name, value in OTHERS.items() if name not in TOLD_IF_CHANGED}
    stored = as_stored({name: [value] for name, value in first.items()})
    assert later.keys() - stored.keys() == set(TOLD_IF_CHANGED)
    neutral = as_stored({name: [NEUTRAL[name]] for name in NAMES})
    assert neutral.keys() == stored.keys(), "what came later is told if it is changed"
    card = json.loads((GOLDEN / "best.keras.json").read_text())["selected"]
    assert list(stored) == [name for name in card if name in stored]
    assert set(stored) <= set(card)
    assert stored["views"] == [OTHERS["augmented_copies"] + 1]
    assert as_named(later) == {name: [value] for name, value in OTHERS.items()}
    named = as_named(card)
    assert Hyperparameters(**{name: named[name] for name in first}).augmented_copies == 0
    assert as_named(named) == named
    assert named.keys() - set(NAMES) == card.keys() - set(stored)


def test_the_page_of_columns_says_what_the_declarations_say() -> None:
    text = PAGE.read_text(encoding="utf-8")
    assert with_declarations(text) == text, "write it anew: python -m tests.columns_page"
    assert all(f"| `{name}` | {known.words} |\n" in text for name, known in DECLARED.items())
