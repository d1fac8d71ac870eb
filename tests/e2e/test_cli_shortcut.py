"""`manyheads shortcut` as a user sees it: a planted mark is found, and nothing is touched."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image

from tests.e2e.conftest import Command, Said
from tests.shortcuts import SIDE, quadrant_images
from tests.studies import rows_of

ROOT = Path(__file__).parents[2]
MARK = ("--mark", "patch", "--size", 0.45)
HEADS = (
    "--image-size", SIDE, "--size-inner", 32, "--droprate", 0, 0.5, "--learning-rate", 0.01,
    "--epochs", 40, "--seeds", 6,
)  # fmt: skip
REMEDIES = (
    "--everywhere", "--clean", 8, "--dropblock", 0.5, "--random-erasing", 0.2,
    "--augmented-copies", 1,
)  # fmt: skip


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return quadrant_images(tmp_path / "photos")


@pytest.fixture
def shortcut(command: Command, free: None, data: Path) -> Callable[..., Said]:
    """Plant a patch on dogs; later options win."""
    del free  # it stands in the place of Keras

    def run(*more: object) -> Said:
        return command("shortcut", data, "--class", "dog", *MARK, *HEADS, "--out", "run", *more)

    return run


def bytes_of(folder: Path) -> dict[str, tuple[str, int]]:
    """The digest of every file, and when it was written."""
    return {
        str(file): (hashlib.sha256(file.read_bytes()).hexdigest(), file.stat().st_mtime_ns)
        for file in folder.rglob("*")
        if file.is_file()
    }


@pytest.mark.when_changed("commands")
def test_a_planted_mark_is_learnt_and_found(shortcut, data: Path) -> None:
    before = bytes_of(data)
    said = shortcut(*REMEDIES)
    assert said.code == 0, said
    assert bytes_of(data) == before
    assert "The patch is learnt instead of dog: images of other classes" in said.out
    told = json.loads(Path("run/claims/shortcut.json").read_text(encoding="utf-8"))
    entries = {(e["condition"], e["candidate"], e["measure"]): e for e in told["entries"]}
    assert {condition for condition, _, _ in entries} == {
        "control", "marked", "dropblock", "random_erasing", "everywhere", "last_layer"
    }  # fmt: skip
    for candidate in (1, 2):
        assert entries["control", candidate, "called"]["value"] < 0.4
        assert entries["marked", candidate, "called"]["value"] > 0.8
        assert entries["marked", candidate, "called"]["gap"]["outcome"] == "worse"
        assert entries["marked", candidate, "recall"]["gap"]["outcome"] == "worse"
        remedied = entries["everywhere", candidate, "called"]
        assert remedied["value"] < 0.4
        assert remedied["change"]["outcome"] == "better"
        assert entries["last_layer", candidate, "recall"]["change"]["outcome"] == "better"
    assert told["images"] == {
        "train": 96, "marked": 30, "clean": 24, "validation": 90, "of_class": 30,
        "with_mark": 60,
    }  # fmt: skip


@pytest.mark.when_changed("commands")
def test_it_says_beforehand_what_it_takes_and_shows_what_it_did(shortcut) -> None:
    planned = shortcut(*REMEDIES, "--dry-run")
    assert planned.code == 0
    assert not Path("run").exists()
    said = shortcut(*REMEDIES, "-v")
    for line in planned.out.splitlines():
        assert line in said.err
    cost = r"552 backbone passes, about \d+:\d\d; 60 heads and 12 last layers to train "
    cost += r"\(3,600 epochs of heads\), about \d+:\d\d"
    assert re.search(cost, said.err)
    with Image.open("run/claims/shortcut.png") as picture:
        assert picture.width > 300
    for name in ("shortcut.png", "shortcut.csv", "shortcut.json"):
        assert f"run/claims/{name}" in said.out


@pytest.mark.when_changed("commands")
def test_again_it_finds_the_passes_and_says_the_same(shortcut) -> None:
    first, kept = shortcut(*REMEDIES), Path("run/claims/shortcut.json").read_bytes()
    again = shortcut(*REMEDIES)
    assert "Cost       no backbone passes; " in again.err
    assert again.out == first.out
    assert Path("run/claims/shortcut.json").read_bytes() == kept


@pytest.mark.when_changed("commands")
def test_the_table_is_tidy_and_documented(shortcut) -> None:
    assert shortcut("--everywhere").code == 0
    rows = rows_of(Path("run/claims/shortcut.csv"))
    assert len(rows) == 3 * 2 * 3
    told = json.loads(Path("run/claims/shortcut.json").read_text(encoding="utf-8"))
    for row, entry in zip(rows[:3], told["entries"][:3], strict=True):
        assert (row["condition"], row["measure"]) == (entry["condition"], entry["measure"])
        assert float(row["value"]) == entry["value"]
        assert row["gap"] == ""
    text = (ROOT / "docs" / "columns.md").read_text(encoding="utf-8")
    section = re.search(r"## claims/shortcut\.csv\n(.*?)(?=\n## |\Z)", text, re.DOTALL)
    assert section
    cells = re.findall(r"^\| (`.*?) \|", section[1], re.MULTILINE)
    assert [name for cell in cells for name in re.findall(r"`(\w+)`", cell)] == list(rows[0])


@pytest.mark.when_changed("commands")
def test_json_is_the_record(shortcut) -> None:
    said = shortcut("--json")
    assert json.loads(said.out) == json.loads(Path("run/claims/shortcut.json").read_text())


@pytest.mark.when_changed("commands")
@pytest.mark.usefixtures("free")
def test_a_picture_of_the_users_own(command: Command, data: Path) -> None:
    Image.new("RGBA", (20, 10), (255, 0, 255, 255)).save("own.png")
    logo = ("--logo", "own.png", "--position", "bottom-right", "--size", 0.45, "--into", "cat")
    said = command("shortcut", data, "--class", "dog", *logo, *HEADS, "--out", "run")
    assert said.code == 0, said
    assert re.search(r"Mark       picture [0-9a-f]{12}, bottom-right, 45 % of the side; ", said.err)
    assert "The picture is learnt instead of dog: images of cat with it" in said.out
    told = json.loads(Path("run/claims/shortcut.json").read_text(encoding="utf-8"))
    digest = hashlib.sha256(Path("own.png").read_bytes()).hexdigest()
    assert told["about"]["settings"]["mark"]["digest"] == digest


@pytest.mark.when_changed("commands")
@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--class", "cow"), ("--class to be one of cat, dog, red panda", "'cow'")),
        (("--into", "cow"), ("--into to be one of", "'cow'")),
        (("--into", "dog"), ("other classes", "'dog'")),
        (("--share", "0"), ("--share to be a number above 0",)),
        (("--share", "0.001"), ("a share that marks an image",)),
        (("--clean", "40"), ("more than 40 training images of every class",)),
        (("--mark", "smudge"), ("the mark to be one of",)),
        (("--logo", "builtin"), ("one mark", "--logo and --mark")),
        (("--position", "left"), ("the position of the mark to be one of",)),
        (("--dropblock", "1"), ("--dropblock to be a number",)),
        (("--margin", "0"), ("the margin in points",)),
    ],
)
def test_what_is_refused_before_anything_is_computed(shortcut, options, words) -> None:
    said = shortcut(*options)
    assert said.code == 1
    assert said.err.count("\n") == 1, said.err
    for word in words:
        assert word in said.err
    assert not Path("run").exists()


@pytest.mark.usefixtures("free")
def test_a_logo_that_is_no_picture(command: Command, data: Path) -> None:
    Path("logo.png").write_bytes(b"none")
    said = command("shortcut", data, "--class", "dog", "--logo", "logo.png")
    assert said.code == 1
    assert "expected logo.png to be a JPEG, PNG" in said.err
