"""Forms that begin a run: what they ask is what the command line knows, and no path comes in."""

from __future__ import annotations

from pathlib import Path

import pytest

from manyheads.cli.main import build_parser
from manyheads.cli.sweep import settings_asked
from manyheads.errors import DataError, SettingError
from manyheads.heads.hyperparameters import DECLARED
from manyheads.run.fit.fit_settings import FitSettings, seconds_of
from manyheads.web.studio.run_forms import (
    FORMS,
    USUAL_SEEDS,
    forms_of,
    free_name,
    in_words,
    run_arguments,
)
from manyheads.web.studio.workspace import StudioPlace


@pytest.fixture
def desk(tmp_path: Path) -> StudioPlace:
    (tmp_path / "place" / "photos" / "cat").mkdir(parents=True)
    made = StudioPlace(tmp_path / "place")
    made.use(made.place / "photos")
    return made


@pytest.mark.parametrize("kind", FORMS)
def test_every_field_is_an_option_of_the_command(kind: str) -> None:
    known = build_parser().commands[kind].options
    assert {f"--{each.name.replace('_', '-')}" for each in FORMS[kind]} <= set(known)


def test_a_sweep_can_list_every_hyperparameter() -> None:
    assert set(DECLARED) <= {each.name for each in FORMS["sweep"]}


def test_the_usual_values_are_those_of_the_command() -> None:
    args = build_parser().parse_args(["sweep", "photos"])
    for each in FORMS["sweep"]:
        if each.name in DECLARED and DECLARED[each.name].usual:
            assert each.usual == " ".join(getattr(args, each.name))
    assert args.seeds == USUAL_SEEDS
    usual = {each.name: each.usual for each in FORMS["fit"]}
    settings = FitSettings(data="photos")
    assert (usual["heads"], usual["folds"]) == (str(settings.heads), str(settings.folds))
    assert seconds_of(usual["budget"]) == settings.budget


def test_a_filled_in_form_is_a_command_line(desk: StudioPlace) -> None:
    values = {"droprate": "0, 0.5", "seeds": " 3 ", "image_size": "", "learning_rate": "1e-4..1e-2"}
    found = run_arguments(desk, "sweep", values, "runs/first")
    assert in_words(found) == (
        "manyheads sweep photos --droprate 0 0.5 --seeds 3 --learning-rate 1e-4..1e-2 "
        "--out runs/first"
    )
    plain = [word for word in found if word != "1e-4..1e-2" and word != "--learning-rate"]
    settings = settings_asked(build_parser().parse_args(plain))
    assert (settings.grid.droprate, settings.seeds) == ((0.0, 0.5), 3)


def test_a_run_uses_the_decided_manifest(desk: StudioPlace) -> None:
    manifest = desk.place / "photos-decided.csv"
    manifest.write_text("path,label\n", encoding="utf-8")
    desk.use(desk.place / "photos", manifest)
    assert run_arguments(desk, "fit", {}, "runs/a")[:2] == ["fit", "photos-decided.csv"]
    assert forms_of(desk)["data"] == "photos-decided.csv"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("budget", "--out=/tmp/x"), ("budget", "5m 6m"), ("backbone", "/etc/passwd"),
        ("backbone", "../other.keras"), ("backbone", "own.onnx"), ("backbone", "a/b"),
        ("backbone", "hf:../../x"), ("budget", "$(reboot)"), ("budget", "5m;ls"), ("budget", "-v"),
        ("budget", "a\0b"), ("data", "photos"), ("out", "x"), ("weights", "w.h5"),
    ],
)  # fmt: skip
def test_nothing_but_numbers_and_names_comes_in(desk: StudioPlace, name: str, value: str) -> None:
    with pytest.raises(SettingError):
        run_arguments(desk, "fit", {name: value}, "runs/a")


@pytest.mark.parametrize("value", ["weights.csv", "/etc/passwd", "../w", "none w.csv", '{"a":2}'])
def test_no_file_of_weights_comes_in(desk: StudioPlace, value: str) -> None:
    """Its lines would stand in the error."""
    with pytest.raises(SettingError, match=r"command line|class_weight"):
        run_arguments(desk, "sweep", {"class_weight": value}, "runs/a")
    words = run_arguments(desk, "sweep", {"class_weight": "none balanced"}, "runs/a")
    assert words[2:5] == ["--class-weight", "none", "balanced"]


@pytest.mark.parametrize("value", ["xception", "hf:timm/efficientnet_lite0", "auto", "a+b"])
def test_backbones_are_named(desk: StudioPlace, value: str) -> None:
    assert run_arguments(desk, "fit", {"backbone": value}, "a")[2:4] == ["--backbone", value]


@pytest.mark.parametrize(
    "out", ["", "..", "../x", "/tmp/x", "a/../b", ".hidden", "-x", "a b", "a\nb", "a/b/c/d/e",
            ".manyheads-studio/x", "a//b", "a/"],
)  # fmt: skip
def test_the_run_folder_lies_in_the_place(desk: StudioPlace, out: str) -> None:
    with pytest.raises(SettingError, match="run folder"):
        run_arguments(desk, "fit", {}, out)


def test_without_data_and_without_such_a_form_there_is_no_run(tmp_path: Path) -> None:
    empty = StudioPlace(tmp_path)
    with pytest.raises(DataError, match="data that are open"):
        run_arguments(empty, "fit", {}, "a")
    assert forms_of(empty)["data"] is None
    with pytest.raises(SettingError, match="fit or sweep"):
        run_arguments(empty, "serve", {}, "a")


def test_a_name_that_is_taken_gets_a_number(desk: StudioPlace) -> None:
    data = desk.place / "photos"
    assert free_name(desk, "fit", data) == "runs/photos-fit"
    for name in ("photos-fit", "photos-fit-2"):
        (desk.place / "runs" / name).mkdir(parents=True)
    assert free_name(desk, "fit", data) == "runs/photos-fit-3"
    assert free_name(desk, "sweep", data) == "runs/photos"
