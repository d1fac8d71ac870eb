"""`manyheads check --similar --labels --gallery`, from the command line."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
from PIL import Image

from manyheads import check
from manyheads.data.dataset import open_dataset
from tests.e2e.conftest import Command, refused
from tests.small_study import small_images

SIZE = ("--image-size", 71)
ORIGINAL, COPY = "train/cat/0.png", "validation/dog/copy.png"


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """Small images, one of them also in another split, under another label, a pixel changed."""
    root = small_images(tmp_path / "photos")
    with Image.open(root / ORIGINAL) as image:
        image.putpixel((0, 0), (0, 0, 0))
        image.save(root / COPY)
    return root


def state(root: Path) -> dict[Path, tuple[int, int]]:
    return {
        path: (path.stat().st_mtime_ns, path.stat().st_size) for path in (root, *root.rglob("*"))
    }


@pytest.mark.usefixtures("free")
def test_what_a_backbone_sees_is_reported_and_nothing_is_changed(
    command: Command, photos: Path
) -> None:
    pytest.importorskip("cleanlab")
    before = state(photos)
    # Noise has chance neighbours in the twelve features of this backbone.
    options = ("check", photos, *SIZE, "--similar", "--nearer", "0.1", "--labels")
    said = command(*options, "--gallery", "found.html")
    assert said.code == 0, said.err
    assert "Cost       34 backbone passes for 34 images, about 0:0" in said.err
    assert "Nearly identical: 1 pair in 1 set, of 34 different images" in said.out
    assert "of 34 training and validation images" in said.out
    spoiling = f"1 pair of nearly identical images across splits, such as {ORIGINAL} and {COPY}"
    assert f"\n- {spoiling}: scores on validation are optimistic\n" in said.out
    assert said.out.index(spoiling) < said.out.index("classes with fewer than")
    page = Path("found.html").read_text(encoding="utf-8")
    assert page.count("<img ") >= 2
    assert COPY in page
    again = command(*options, "--json")
    assert "Cost       0 backbone passes for 34 images\n" in again.err
    report = json.loads(again.out)
    (pair,) = report["similar"]["pairs"]
    assert pair["names"] == [ORIGINAL, COPY]
    assert pair["labels"] == ["cat", "dog"]
    assert report["labels"]["judged"] == 34
    assert any("different labels" in line for line in report["problems"])
    strict = command(*options, "--exit-code")
    assert strict.code == 1
    assert spoiling in strict.complaint
    assert state(photos) == before


@pytest.mark.usefixtures("free")
def test_what_is_nearly_identical_is_written_as_groups_of_a_manifest(
    command: Command, photos: Path
) -> None:
    before = state(photos)
    options = ("check", photos, *SIZE, "--similar", "--nearer", "0.1")
    said = command(*options, "--write-groups", "groups.csv")
    assert said.code == 0, said.err
    assert "\nGroups   groups.csv: 2 images of 34 in 1 group; the given splits tear 1 of them" in (
        said.out
    )
    assert "\nNext     manyheads sweep groups.csv --folds 5\n" in said.out
    assert state(photos) == before
    dataset, plain = open_dataset("groups.csv"), open_dataset(photos)
    assert dataset.content == plain.content
    assert dataset.groups is not None
    grouped = [n for n, group in enumerate(dataset.groups) if group]
    assert [dataset.paths[n] for n in grouped] == [photos / ORIGINAL, photos / COPY]
    assert len(set(dataset.units.tolist())) == len(set(plain.units.tolist())) - 1
    refused(command(*options, "--write-groups", "groups.csv"), "nothing is overwritten")


@pytest.mark.when_changed("commands")
@pytest.mark.usefixtures("free")
def test_for_labels_alone_no_test_image_passes_through_the_backbone(
    command: Command, photos: Path
) -> None:
    pytest.importorskip("cleanlab")
    (photos / "test" / "cat").mkdir(parents=True)
    for number in range(3):
        Image.new("RGB", (40, 40), (number, 0, 0)).save(photos / "test" / "cat" / f"{number}.png")
    said = command("check", photos, *SIZE, "--labels", "--json")
    assert "Cost       34 backbone passes for 34 images, " in said.err
    report = json.loads(said.out)
    assert report["images"] == 37
    assert "similar" not in report


@pytest.mark.usefixtures("free")
def test_without_the_options_no_backbone_is_asked(command: Command, photos: Path) -> None:
    said = command("check", photos, "--json")
    assert "Cost" not in said.err
    assert not {"similar", "labels"} & set(json.loads(said.out))


@pytest.mark.usefixtures("free")
def test_what_cannot_be_is_said_at_once(
    command: Command, photos: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    inside = photos / "train" / "found.html"
    refused(command("check", photos, *SIZE, "--similar", "--gallery", inside), "where nothing is")
    refused(command("check", photos, *SIZE, "--similar", "--gallery", "a.png"), "ends in .html")
    refused(command("check", photos, "--gallery", "a.html"), "--similar or --labels")
    refused(command("check", photos, "--write-groups", "a.csv"), "--similar with --write-groups")
    refused(command("check", photos, "--similar", "--write-groups", "a.txt"), "ends in .csv")
    refused(command("check", photos, "--labels", "--nearer", "0.5"), "--similar")
    refused(command("check", photos, "--similar", "--backbone", "none"), "backbone")
    refused(
        command("check", photos, *SIZE, "--similar", "--nearer", "2"), "--nearer to be a number"
    )
    monkeypatch.setitem(sys.modules, "cleanlab.filter", None)
    refused(command("check", photos, *SIZE, "--labels"), "pip install 'manyheads[labels]'")
    assert not list(photos.parent.rglob("*.html"))


def test_a_real_network_finds_the_copy(command: Command, photos: Path) -> None:
    net = ("--backbone", "mobilenet", "--weights", "random:0", "--image-size", 32)
    said = command("check", photos, *net, "--similar", "--json")
    assert said.code == 0, said.err
    pairs = [pair["names"] for pair in json.loads(said.out)["similar"]["pairs"]]
    assert [ORIGINAL, COPY] in pairs


def test_an_exif_orientation_is_said_to_be_applied_or_ignored(
    command: Command, photos: Path
) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    with Image.open(photos / ORIGINAL) as image:
        image.save(photos / "train/cat/turned.jpg", exif=exif)
    applied, ignored = command("check", photos).out, command("check", photos, "--no-exif").out
    assert "rotated  EXIF orientation applied to 1 image (--no-exif ignores it)" in applied
    assert "rotated  EXIF orientation ignored of 1 image (--exif applies it)" in ignored
    assert "1 image with an EXIF orientation that is ignored" in ignored
    assert "that is ignored" not in applied
    problems = check(photos, exif=False, progress=False).report.problems
    assert any("that is ignored" in problem for problem in problems)
