"""A run folder of an earlier version, kept in tests/golden/run: it opens, resumes and reports.

It is the run folder of

    manyheads sweep labels.csv --features features.npy --droprate 0 0.5 --mixup 0 0.2 \\
        --size-inner 8 --learning-rate 0.01 --seeds 3 --epochs 12 --out run

less its figures, its tables but one, and the folder that it was made in. Never make it anew: a new
version may not change what an old one has written.
"""

from __future__ import annotations

import csv
import json
import re
import shutil
import sqlite3
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from manyheads.data.alterations import Altered, describe
from manyheads.data.augmentation import Augmentation, View
from manyheads.data.data_settings import ImageSettings
from manyheads.data.marks import Mark
from manyheads.features.cache import FeatureRecipe
from manyheads.heads.files import load_head
from manyheads.models.card import read_card
from tests.e2e.conftest import Command, Said
from tests.former_names import RENAMED

GOLDEN = Path(__file__).parents[1] / "golden" / "run"
COPIES_OF_VIEWS = {"1": "0"}
HEAD = GOLDEN / "heads" / "candidate-001.safetensors"
OPTIONS = (
    "--features", "features.npy", "--droprate", 0, 0.5, "--mixup", 0, 0.2, "--size-inner", 8,
    "--learning-rate", 0.01, "--seeds", 3, "--epochs", 12, "--learning-rate-schedule", "constant",
    "--select", "best_accuracy", "--out", "run",
)  # fmt: skip


@pytest.fixture
def resume(command: Command, tmp_path: Path) -> Callable[..., Said]:
    """The command that made the run folder, beside a copy of it."""
    shutil.copytree(GOLDEN, tmp_path / "run")
    for name in ("labels.csv", "features.npy"):
        shutil.move(tmp_path / "run" / name, tmp_path / name)
    settings = tmp_path / "run" / "study.toml"
    settings.write_text(settings.read_text().replace('"/data/', f'"{tmp_path}/'))
    return lambda *more: command("sweep", "labels.csv", *OPTIONS, *more)


def table(path: Path) -> list[dict[str, str]]:
    """The rows of a table."""
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def renamed(rows: list[dict[str, str]]) -> list[dict[str, str]]:
    """Rows of the earlier version under the names of this one."""
    return [
        {
            RENAMED.get(name, name): COPIES_OF_VIEWS[value] if name == "views" else value
            for name, value in row.items()
        }
        for row in rows
    ]


def settings_alone(path: Path) -> str:
    """The text of a study.toml, less what tells where files are and which versions ran."""
    text = path.read_text().partition("[resolved.versions]")[0]
    return re.sub(r'"[^"\n]*?([\w.]+\.(?:csv|npy))"', r'"\1"', text)


def test_a_finished_one_is_only_read(resume, tmp_path: Path) -> None:
    before = (tmp_path / "run" / "study.sqlite").read_bytes()
    said = resume()
    assert said.code == 0, said.err
    assert "features and heads are there already" in said.err, said.err
    assert (tmp_path / "run" / "study.sqlite").read_bytes() == before
    assert table(tmp_path / "run" / "results.csv") == renamed(table(GOLDEN / "results.csv"))


def test_an_interrupted_one_goes_on_to_the_same_results(resume, tmp_path: Path) -> None:
    record = sqlite3.connect(tmp_path / "run" / "study.sqlite", isolation_level=None)
    for name in ("epochs", "predictions"):
        record.execute(f"DELETE FROM {name} WHERE trial > 5")
    record.execute("UPDATE trials SET state = 'pending', epoch = 0 WHERE trial > 5")
    record.close()
    said = resume()
    assert said.code == 0, said.err
    for row, known in zip(
        table(tmp_path / "run" / "results.csv"), renamed(table(GOLDEN / "results.csv")), strict=True
    ):
        assert row.keys() == known.keys()
        for column, value in known.items():
            try:
                # Processors differ in the last bits.
                assert float(row[column]) == pytest.approx(float(value), abs=1e-4)
            except ValueError:
                assert row[column] == value


@pytest.mark.when_changed("commands")
def test_the_same_settings_are_written_in_the_same_words(resume, tmp_path: Path) -> None:
    assert resume("--out", "new", "--dry-run").code == 0
    assert resume("--out", "new").code == 0
    known = settings_alone(GOLDEN / "study.toml")
    assert settings_alone(tmp_path / "new" / "study.toml") == known
    card = json.loads((GOLDEN / "best.keras.json").read_text())
    new = json.loads((tmp_path / "new" / "best.keras.json").read_text())
    assert new.keys() == card.keys()
    assert list(new["selected"]) == [RENAMED.get(name, name) for name in card["selected"]]


def test_it_answers_every_command(resume, command: Command) -> None:
    assert resume("--dry-run").code == 0
    compared = command("compare", "run", "--json")
    assert compared.code == 0, compared.err
    assert json.loads(compared.out)
    for arguments in (("report", "run"), ("test", "run"), ("claims", "run", "--longer")):
        said = command(*arguments)
        assert said.code == 0, said.err
    np.save("some.npy", np.load("features.npy")[:5])
    predicted = command("predict", "run", "some.npy")
    assert predicted.code == 0, predicted.err
    assert predicted.out.count("\n") >= 5


def test_its_side_files_are_read_under_the_names_of_today() -> None:
    for about in (read_card(GOLDEN / "best.keras").selected, load_head(HEAD)[1]):
        assert set(RENAMED.values()) <= about.keys()
        assert not set(RENAMED) & about.keys()
        assert (about["augmented_copies"], about["dropblock_size"], about["droprate"]) == (0, 1, 0)


IMAGE = ImageSettings(size=150)
RECIPE = {"backbone": "xception", "weights": "w", "image": IMAGE, "preprocessing": "tf"}
AUGMENTED = View(augmentation=Augmentation(), number=1)


@pytest.mark.parametrize(
    ("more", "known"),
    [
        ({}, "a24832962adaa107"),
        ({"image": ImageSettings(size=150, depth=12)}, "3f37f4ee63b4ec2b"),
        ({"image": ImageSettings(size=150, decode="scaled")}, "db1cdb5dc0328441"),
        ({"pooling": "grid", "storage": "f16"}, "b556354c8f0aa32f"),
        ({"alteration": AUGMENTED}, "f8e85d53e6e5cb02"),
        ({"alteration": Altered((AUGMENTED, Mark(text="x")))}, "279ad77a10acffaf"),
    ],
)
def test_features_are_found_under_the_names_that_they_had(more, known: str) -> None:
    if "alteration" in more:
        more = more | {"alteration": describe(more["alteration"])}
    assert FeatureRecipe(**RECIPE | more).digest[:16] == known
