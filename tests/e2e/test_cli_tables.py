"""Commands on a table of the lesson's full data set's shape: ids, other columns, a folder."""

from __future__ import annotations

import csv
import json
import shlex
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from manyheads import Study, TableSettings
from manyheads.data.dataset import open_dataset
from tests.e2e.conftest import SMALL, Command, Said, refused
from tests.unit.report.page_reader import read_page

pytestmark = pytest.mark.usefixtures("free")

OPTIONS = (
    "--path-column", "image", "--group-column", "sender_id", "--images-in", "images",
    "--suffix", ".png",
)  # fmt: skip
TABLE = TableSettings(
    path_column="image", group_column="sender_id", images_in="images", suffix=".png"
)


@pytest.fixture
def table(image_folder, tmp_path: Path) -> Path:
    """`image,sender_id,label,kids` beside images/ID.png: 30 images of 12 senders, one more row."""
    photos = image_folder({"hat": 15, "shoes": 15}, name="photos")
    root = tmp_path / "lesson"
    (root / "images").mkdir(parents=True)
    with (root / "images.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["image", "sender_id", "label", "kids"])
        for number, path in enumerate(sorted(photos.rglob("*.png"))):
            name = f"{number:04d}-ad0c"
            path.rename(root / "images" / f"{name}.png")
            writer.writerow([name, number % 12, path.parent.name, number % 2 == 0])
            if number == 3:
                writer.writerow([name, number % 12, path.parent.name, False])
        writer.writerow(["0000-none", 5, "", "True"])
    return root / "images.csv"


def test_each_refusal_leads_to_the_next_option(command: Command, table: Path) -> None:
    refused(command("check", table), "image, sender_id, label, kids; did you mean --path-column")
    said = command("check", table, "--path-column", "image")
    refused(said, "31 of 31 rows", "did you mean --images-in images --suffix .png?")
    said = command("check", table, *OPTIONS, "--json")
    assert said.code == 0, said.err
    report = json.loads(said.out)
    assert (report["images"], report["classes"]) == (30, ["hat", "shoes"])
    assert sorted(report["ignored"]) == ["images/0000-none.png", "images/0003-ad0c.png"]
    assert sum(sum(counts.values()) for counts in report["counts"].values()) == 30


def test_columns_that_are_not_read_are_said(command: Command, table: Path) -> None:
    ids = ("--path-column", "image", "--images-in", "images", "--suffix", ".png")
    said = command("check", table, *ids)
    line = "the column 'sender_id' is not read: if it has the groups, add --group-column"
    assert line in said.out
    assert "is not read" not in command("check", table, *OPTIONS).out


@pytest.mark.when_changed("commands")
def test_a_study_reads_the_table_again_as_it_did(
    sweep: Callable[..., Said], command: Command, table: Path
) -> None:
    grown = ("--test-share", 0.3, "--split-seed", 1)
    said = sweep(table, *OPTIONS, *grown)
    assert said.code == 0, said.err
    for name in ("test", "report", "compare"):
        said = command(name, "run")
        assert said.code == 0, said.err
    written = Path("run/study.toml").read_text(encoding="utf-8")
    assert '[table]\npath_column = "image"' in written
    assert sweep(table, *OPTIONS, *grown).code == 0
    # The report's own command repeats the study.
    page = read_page(Path("run/report.html").read_text(encoding="utf-8"))
    words = shlex.split(next(page.by_id("repeat").all("code")).text)
    assert " ".join(OPTIONS) in " ".join(words)
    assert command(*words[1:]).code == 0
    other = command("sweep", table, *SMALL, "--out", "run", *OPTIONS[:-2], "--suffix", "png")
    assert other.code == 1
    changed = sweep(table, *OPTIONS, *grown, "--missing-labels", "hat")
    assert changed.code == 1


def test_the_table_may_move_with_its_images(
    sweep: Callable[..., Said], command: Command, table: Path
) -> None:
    assert sweep(table, *OPTIONS, "--test-share", 0.3, "--split-seed", 1).code == 0
    shutil.move(table.parent, "elsewhere")
    said = command("test", "run", "--data", "elsewhere/images.csv")
    assert said.code == 0, said.err


def test_another_way_to_write_the_classes_is_told(
    sweep: Callable[..., Said], command: Command, table: Path
) -> None:
    text = table.read_text(encoding="utf-8")
    table.write_text(text.replace(",hat,", ",001,").replace(",shoes,", ",002,"), encoding="utf-8")
    assert sweep(table, *OPTIONS, "--test-share", 0.3, "--split-seed", 1).code == 0
    numbers = table.with_name("numbers.csv")
    numbers.write_text(text.replace(",hat,", ",1,").replace(",shoes,", ",2,"), encoding="utf-8")
    said = command("test", "run", "--data", numbers)
    assert said.code == 1
    assert "no class of the study: '1', '2'; its classes: '001', '002'" in said.complaint
    assert "did a spreadsheet drop zeros" in said.complaint


def test_options_for_tables_need_one(command: Command, image_folder) -> None:
    folder = image_folder({"cat": 3, "dog": 3})
    refused(command("check", folder, "--path-column", "image"), "for --path-column", "the folder")


def test_python_takes_the_same(table: Path) -> None:
    dataset = open_dataset(table, table=TABLE)
    assert len(dataset) == 30
    assert dataset.groups is not None
    assert len(set(dataset.groups)) == 12
    study = Study(table, table=TABLE, out="elsewhere")
    assert study.settings.table == TABLE


def test_a_table_of_the_photographs_themselves(
    clothing: Path, command: Command, tmp_path: Path
) -> None:
    """The lesson's photographs as its full table names them, by links."""
    (tmp_path / "full" / "images").mkdir(parents=True)
    rows = []
    for number, path in enumerate(sorted(clothing.rglob("*.jpg"))[::30]):
        (tmp_path / "full" / "images" / f"{number:06x}.jpg").symlink_to(path)
        rows.append(f"{number:06x},{number % 20},{path.parent.name},False")
    text = "\n".join(["image,sender_id,label,kids", *rows])
    (tmp_path / "full" / "images.csv").write_text(text, encoding="utf-8")
    options = ("--path-column", "image", "--images-in", "images", "--suffix", ".jpg")
    said = command("check", "full/images.csv", *options, "--group-column", "sender_id")
    assert said.code == 0, said.err
    assert f"images: {len(rows)} images, 10 classes, manifest" in said.out
