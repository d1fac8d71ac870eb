"""`manyheads sweep --config`: a study.toml gives the settings that the command line does not."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

import pytest
import tomli_w

from manyheads.cli.study_config import config_defaults
from manyheads.data.augmentation import Augmentation
from manyheads.data.data_settings import FORMER_SPLIT_RULE, ImageSettings, SplitSettings
from manyheads.study.space import Grid
from manyheads.study.study_document import Resolved, study_document
from manyheads.study.study_settings import StudySettings
from tests.e2e.conftest import Command, refused

pytestmark = pytest.mark.usefixtures("free")
CLASSES = ("cat", "dog")
RESOLVED = Resolved(content="c", weights="w", weights_source="s", classes=CLASSES, versions={})


def settings_of(run: str | Path) -> dict[str, Any]:
    """The settings of a run folder, without what they came to."""
    document = tomllib.loads((Path(run) / "study.toml").read_text("utf-8"))
    del document["resolved"]
    return document


def written(document: dict[str, Any]) -> Path:
    path = Path("given.toml")
    path.write_text(tomli_w.dumps(document), "utf-8")
    return path


@pytest.mark.when_changed("commands")
def test_a_run_folder_gives_all_settings_and_flags_replace_them(
    sweep, command: Command, photos: Path
) -> None:
    sweep(photos, "--droprate", "0", "0.5", "--split-seed", 7, "--no-exif", "--patience", 2)
    begun = settings_of("run")
    assert command("sweep", "--config", "run", "--out", "again").code == 0
    assert settings_of("again") == begun
    assert command("sweep", "--config", "run/study.toml", "--out", "again").code == 0  # resumed
    changed = command("sweep", "--seeds", 2, "--config", "run", "--droprate", 0.25, "--out", "new")
    assert changed.code == 0
    begun["study"]["seeds"], begun["grid"]["droprate"] = 2, [0.25]
    assert settings_of("new") == begun


@pytest.mark.when_changed("commands")
def test_data_on_the_command_line_replaces_the_files(
    sweep, command: Command, photos: Path, image_folder
) -> None:
    sweep(photos)
    counts = {f"{s}/{c}": 3 for s in ("train", "validation") for c in ("cat", "dog")}
    other = image_folder(counts, name="others")
    assert command("sweep", "--config", "run", other).code == 0
    assert settings_of("runs/others")["study"]["data"] == str(other)


@pytest.mark.when_changed("commands")
def test_every_setting_is_taken_over_to_the_last_digit(command: Command, photos: Path) -> None:
    settings = StudySettings(
        data=str(photos),
        grid=Grid(
            (0.0012345678,), (5, 9), (0.0, 0.3333333333), augmented_copies=(1,), epochs=(3,),
            weight_decay=(0.0, 0.01), optimizer=("adamw",),
        ),
        image=ImageSettings(
            size=96, interpolation="nearest", exif=False, depth=12, decode="scaled"
        ),
        split=SplitSettings(validation=0.3, test=0.1, seed=3, rule=FORMER_SPLIT_RULE),
        seeds=2,
        folds=2,
        repeats=2,
        select="best_loss",
        patience=3,
        augmentation=Augmentation(rotation=12.3456789, flip=False),
        grid_storage="f16",
    )  # fmt: skip
    document = study_document(settings, RESOLVED)
    assert command("sweep", "--config", written(document), "--out", "run").code == 0
    del document["resolved"]
    assert settings_of("run") == tomllib.loads(tomli_w.dumps(document))


def test_a_part_of_a_study_toml_is_enough(command: Command, photos: Path) -> None:
    written({"study": {"data": str(photos), "seeds": 1}, "grid": {"droprate": 0.2, "epochs": [2]}})
    assert command("sweep", "--config", "given.toml", "--out", "run", "--image-size", 71).code == 0
    found = settings_of("run")
    assert found["grid"]["droprate"] == [0.2]
    assert found["grid"]["size_inner"] == [100]  # the default of the option
    assert found["split"]["rule"] == "stratified"


@pytest.mark.when_changed("commands")
@pytest.mark.parametrize(
    ("document", "words"),
    [
        ({"grid": {"droprates": [0.5]}}, "the key 'droprates'; did you mean droprate?"),
        ({"study": {"seed": 3}}, "under [study] in given.toml, found the key 'seed'; did you mean"),
        (
            {"image": {"side_by": 3}},
            "key 'side_by'; known are decode, depth, exif, interpolation, resize, size",
        ),
        ({"sweep": {"seeds": 3}}, "tables of a study.toml in given.toml, found the key 'sweep'"),
        ({"study": {"augmentation": {"tilt": 1}}}, "under [study.augmentation]"),
        ({"study": 3}, "a table [study] in given.toml, found 3"),
        ({"grid": {"droprate": [2.0]}}, "--droprate to be a number from 0 and below 1, found 2.0"),
        ({"study": {"seeds": 1}}, "DATA, or data under [study] in given.toml, found neither"),
    ],
)
def test_what_a_study_toml_may_not_say(
    command: Command, photos: Path, document: dict[str, Any], words: str
) -> None:
    data = () if "neither" in words else (photos,)
    refused(command("sweep", *data, "--config", written(document), "--out", "run"), words)


def test_features_take_nothing_of_a_backbone_from_the_file(sweep, photos: Path) -> None:
    sweep(photos)
    whole, rest = config_defaults("run"), config_defaults("run", images=False)
    assert whole.keys() - rest.keys() == {
        "backbone", "image_size", "interpolation", "exif",
    }  # fmt: skip


def test_a_file_that_is_none(command: Command) -> None:
    refused(command("sweep", "--config", "none.toml"), "a study.toml or a run folder at none.toml")
    Path("empty").mkdir()
    refused(command("sweep", "--config", "empty"), "no study.toml in it")
    Path("bad.toml").write_text("= 3", "utf-8")
    refused(command("sweep", "--config", "bad.toml"), "the settings of a study in bad.toml")


def test_without_config_data_is_still_required(command: Command) -> None:
    with pytest.raises(SystemExit) as ended:
        command("sweep", "--seeds", 2)
    assert ended.value.code == 2
