"""Bad input, from the command line: one clear line and exit code 1, and nothing half-written."""

from __future__ import annotations

import csv
import json
import shutil
import struct
import zlib
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.e2e.conftest import SMALL, Command, refused
from tests.strategies import distinct_image
from tests.studies import rows_of

pytestmark = pytest.mark.usefixtures("free")


@pytest.mark.when_changed("commands")
@pytest.mark.parametrize(
    "data", ["missing", "", "  ", "~nobody-of-that-name/x", "x" * 5000, "a\0b"]
)
@pytest.mark.parametrize("name", ["check", "extract", "sweep", "lesson"])
def test_missing_data(command: Command, name: str, data: str) -> None:
    refused(command(name, data))


def test_a_name_that_is_almost_known(sweep) -> None:
    refused(sweep("clothng"), "did you mean 'clothing'?")


@pytest.mark.parametrize(
    ("counts", "words"),
    [
        ({}, ()),
        ({"cat": 0, "dog": 0}, ()),
        ({"cat": 4}, ("two or more classes", "cat")),
        (
            {"cat": 4, "dog": 1},
            ("two or more classes among the validation images", "'cat'; add images of 'dog'"),
        ),
        (
            {"train/cat": 3, "train/dog": 3, "validation/cat": 3},
            ("two or more classes among the validation images", "found 'cat'"),
        ),
        (
            {"train/cat": 3, "validation/cat": 3, "validation/dog": 2},
            ("every class among the train images", "none of 'dog'"),
        ),
        ({"validation/cat": 3, "validation/dog": 2}, ("train images", "none")),
    ],
)
def test_a_folder_that_cannot_be_trained_on(sweep, image_folder, counts, words) -> None:
    refused(sweep(image_folder(counts)), *words)


def test_no_validation_images(sweep, image_folder) -> None:
    plain = image_folder({"cat": 9, "dog": 9})
    refused(sweep(plain, "--validation-share", 0), "validation images", "found none")


@pytest.mark.when_changed("commands")
def test_validation_that_is_missing_is_taken_from_training_and_said(sweep, photos: Path) -> None:
    shutil.rmtree(photos / "validation")
    said = sweep(photos)
    assert said.code == 0, said.err
    assert "train 6, validation 2, test 0 (validation taken from train)" in said.err


def text_file(path: Path) -> None:
    path.write_text("this is no photograph\n" * 9)


def truncated(path: Path) -> None:
    distinct_image("cut", 64).save(path, "JPEG")
    path.write_bytes(path.read_bytes()[:1000])


def zero_bytes(path: Path) -> None:
    path.touch()


def bomb(path: Path) -> None:
    """A PNG of 50,000 × 50,000 pixels, 312 MB when unpacked, in some 300 kB."""
    packer = zlib.compressobj(9)
    row = b"\0" * (1 + 50_000 // 8)
    data = b"".join(packer.compress(row * 100) for _ in range(500)) + packer.flush()
    header = struct.pack(">IIBBBBB", 50_000, 50_000, 1, 0, 0, 0, 0)
    chunks = b"\x89PNG\r\n\x1a\n"
    for kind, body in ((b"IHDR", header), (b"IDAT", data), (b"IEND", b"")):
        chunks += struct.pack(">I", len(body)) + kind + body
        chunks += struct.pack(">I", zlib.crc32(kind + body))
    path.write_bytes(chunks)


@pytest.mark.when_changed("commands")
@pytest.mark.parametrize("spoil", [text_file, truncated, zero_bytes, bomb])
def test_an_unreadable_image_is_named_and_left_out_or_fatal(
    sweep, command: Command, photos: Path, spoil: Callable[[Path], None]
) -> None:
    bad = photos / "train" / "cat" / "bad one.jpg"
    spoil(bad)
    size = bad.stat().st_size
    strict = sweep(photos, "--strict")
    assert strict.code == 1
    assert strict.complaint.startswith("manyheads: expected every image to be readable, found ")
    assert "train/cat/bad one.jpg: " in strict.complaint
    assert not Path("run/results.csv").exists()
    assert not Path("run/best.keras").exists()
    bounded = command("extract", photos, "--image-size", 96, "--max-unreadable", "1%")
    assert "expected at most 1 % of " in bounded.complaint
    assert "or raise --max-unreadable" in bounded.complaint
    said = sweep(photos, "--max-unreadable", "50%")
    assert said.code == 0, said.err
    assert "1 unreadable image left out:\n  train/cat/bad one.jpg: " in said.err
    assert bad.stat().st_size == size
    listed = command("extract", photos, "--image-size", 71, "--json")
    assert list(json.loads(listed.out)["unreadable"]) == ["train/cat/bad one.jpg"]
    assert command("extract", photos, "--image-size", 71, "--strict").code == 1
    assert command("check", photos).out.count("bad one.jpg") >= 1
    assert command("check", photos, "--exit-code").code == 1


def test_a_class_of_unreadable_images_is_an_error(sweep, photos: Path) -> None:
    for path in (photos / "train" / "dog").iterdir():
        text_file(path)
    said = sweep(photos)
    assert said.code == 1
    assert "expected every class among the train images" in said.complaint
    assert not Path("run/results.csv").exists()


def test_no_readable_image_at_all_is_an_error(sweep, photos: Path) -> None:
    for path in photos.rglob("*.png"):
        text_file(path)
        path.write_text(path.read_text() + str(path))
    said = sweep(photos)
    assert said.code == 1, said
    assert said.complaint.startswith("manyheads: expected two or more classes in photos")


def test_every_head_diverged_is_one_clear_error_each_time(
    sweep, photos: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from tests import studies

    run = studies.FreeBackbone.run

    def enormous(self, batches, **options):
        for key, features in run(self, batches, **options):
            yield key, features * 1e30

    monkeypatch.setattr(studies.FreeBackbone, "run", enormous)
    for _ in range(2):
        said = sweep(photos, "--learning-rate", 10)
        assert said.code == 1
        assert said.complaint == (
            "manyheads: expected at least one head that trains, found every one diverged; "
            "list a lower --learning-rate, with another --out"
        )
        assert rows_of(Path("run/results.csv"))[0]["failed"] == "1"
        assert not Path("run/best.keras").exists()


NAMES = ("a b", "🦊 fox", "either/or", "../up", 'say "hi", you', "$x_{1}$", "[bold]no[/bold]", "猫")


@pytest.mark.when_changed("commands")
def test_any_class_name_in_a_manifest_works(command: Command, image_folder) -> None:
    folder = image_folder({"all": 6 * len(NAMES)}, name="🦊 [red]$5$")
    manifest = folder / "🦊 [red]$5$.csv"
    with manifest.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["path", "label", "split"])
        for number, path in enumerate(sorted((folder / "all").iterdir())):
            split = "train" if number % 3 else "validation"
            writer.writerow([path.relative_to(folder), NAMES[number // 6], split])
    # With --debug no warning is silenced, and pytest makes an error of each: no glyph is missing.
    said = command("sweep", manifest, *SMALL, "--out", "run", "--json", "--debug")
    assert said.code == 0, said.err
    assert json.loads(said.out)["data"] == "🦊 [red]$5$"
    assert Path("run/curves.png").stat().st_size > 10_000
    checked = command("check", manifest)
    assert checked.code == 0
    for name in NAMES:
        assert name in checked.out
    assert set(json.loads(command("check", manifest, "--json").out)["classes"]) == set(NAMES)
    assert command("sweep", manifest, *SMALL).code == 0
    assert len(list(Path("runs").iterdir())) == 1


@pytest.mark.when_changed("commands")
def test_symlink_loops_end(sweep, photos: Path) -> None:
    (photos / "train" / "cat" / "loop").symlink_to(photos / "train", target_is_directory=True)
    said = sweep(photos)
    assert said.code == 0, said.err
    assert "photos: 12 images, 2 classes" in said.err
    (photos / "around").symlink_to("around")
    assert "found nothing at" in sweep(photos / "around").complaint
    (photos / "train" / "dog" / "self.png").symlink_to("self.png")
    said = sweep(photos)
    assert said.code == 0, said.err
    assert "2 broken links (around, …)" in said.err
    assert "1 link to a folder that is read already (loop)" in said.err


def test_class_folders_that_differ_in_case(sweep, image_folder) -> None:
    data = image_folder({"Cat": 6, "cat": 6, "dog": 6})
    refused(sweep(data), "differ in more than case", "found 'Cat' and 'cat'; merge these")


def test_wrong_weights(sweep, photos: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()  # no free backbone: the real one finds out
    monkeypatch.chdir(photos.parent)
    Path("wrong.h5").write_text("these are no weights")
    Path("wrong.txt").write_text("these are no weights")
    for weights, words in (
        ("none.h5", "no file at none.h5; check the path, or leave it out"),
        ("random:x", "random:"),
        ("wrong.h5", "a file that is no .h5 inside; give a file that Keras saved from Xception"),
        ("wrong.txt", "a name that ends with none of .keras, .h5"),
    ):
        refused(sweep(photos, "--weights", weights), words)


def test_running_out_of_memory_is_one_line(
    sweep, photos: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def exhausted(*_: object, **__: object) -> None:
        raise MemoryError

    monkeypatch.setattr("manyheads.study.sources.extract", exhausted)
    said = sweep(photos)
    assert said.code == 1
    assert said.complaint.startswith("manyheads: expected enough memory, found none left; use a ")
