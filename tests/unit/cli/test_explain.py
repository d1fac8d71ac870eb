"""`manyheads explain` as a person and as a program sees it."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pytest

from manyheads.cli.main import main
from manyheads.data.data_settings import ImageSettings
from manyheads.data.dataset import open_dataset
from manyheads.models.classifier import load
from manyheads.study.folder import RunFolder
from tests.small_study import finished_study
from tests.strategies import distinct_image

pytestmark = pytest.mark.when_changed("commands")


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> RunFolder:
    """A finished study whose feature map has 2 × 2 cells."""
    root = tmp_path_factory.mktemp("explain")
    return finished_study(root, image=ImageSettings(size=64)).folder


@pytest.fixture
def photos(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    for name in ("a/1.png", "b/1.png"):
        (tmp_path / "photos" / name).parent.mkdir(parents=True)
        distinct_image(name, 40).save(tmp_path / "photos" / name)
    (tmp_path / "photos" / "b" / "bad.jpg").write_text("no image")
    return tmp_path / "photos"


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir() if not path.name.startswith("."))


def test_maps_of_a_folder(run: RunFolder, photos: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["explain", str(run.path), "photos", "--class", "dog"]) == 0
    said = capsys.readouterr()
    overlays = [
        f"{stem}_dog_{method}.png" for stem in ("1-2", "1") for method in ("cam", "occlusion")
    ]
    assert names(run.path / "explained") == sorted([*overlays, "contact-sheet.png"])
    assert names(photos.parent) == ["photos"]  # nothing in the current folder
    assert "unreadable: " in said.out
    assert f"Overlays  4 files in {run.path / 'explained'}" in said.out
    assert f"Sheet     {run.path / 'explained' / 'contact-sheet.png'}" in said.out
    assert "counts most" in said.out
    assert "occlusion: ≤ 0 … ≥ " in said.out
    assert "explaining  3/3 images" in said.err


def test_one_map_of_one_image(
    run: RunFolder, photos: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command = ["explain", str(run.path), "photos/a/1.png", "--method", "cam", "--out", "maps"]
    assert main(command) == 0
    said = capsys.readouterr().out
    assert "Sheet" not in said
    assert re.search(r"^(Without the \S+.* falls from|No single part counts)", said, re.MULTILINE)
    (label,) = load(run.path).predict("photos/a/1.png").labels
    assert names(photos.parent / "maps") == [f"1_{label}_cam.png"]


def test_json_has_all_values_and_writes_only_where_asked(
    run: RunFolder, photos: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command = ["explain", str(run.path), "photos", "--json"]
    assert main(command) == 0
    good, other, bad = json.loads(capsys.readouterr().out)
    assert names(photos.parent) == ["photos"]
    wanted = load(run.path).explain(["photos/a/1.png", "photos/b/1.png"])
    for entry, explanation in zip((good, other), wanted, strict=True):
        np.testing.assert_array_equal(np.float32(entry["occlusion"]), explanation.occlusion)
        np.testing.assert_array_equal(np.float32(entry["cam"]), explanation.cam)
        assert (entry["label"], entry["class"]) == (explanation.label, explanation.target)
        assert entry["overlays"] == {}
        assert entry["class_probability"] == entry["confidence"]
        np.testing.assert_array_equal(np.float32(entry["without"]), explanation.without)
    assert (bad["label"], bad["occlusion"], bad["class"]) == (None, None, None)
    assert bad["error"]
    assert main([*command, "--out", "maps"]) == 0
    entries = json.loads(capsys.readouterr().out)
    assert all(Path(file).is_file() for entry in entries for file in entry["overlays"].values())
    assert len(names(Path("maps"))) == 5


def test_what_explain_writes_is_no_data(
    run: RunFolder, photos: Path, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    (photos / "b" / "bad.jpg").unlink()
    monkeypatch.chdir(photos)
    here = ["--out", "explained"]
    assert main(["explain", str(run.path), ".", *here]) == 0
    assert "Overlays  4 files in explained" in capsys.readouterr().out
    dataset = open_dataset(".")
    assert dataset.classes == ("a", "b")
    assert dataset.left_out == "1 folder that manyheads has written (explained)"
    # Again, the maps are no images to explain, and they are replaced.
    assert main(["explain", str(run.path), ".", *here]) == 0
    said = capsys.readouterr()
    assert "Left out  1 folder that manyheads has written (explained)" in said.err
    assert "Overlays  4 files in explained" in said.out
    # A folder of an earlier version has no mark, and is known by its files.
    (photos / "explained" / ".manyheads").unlink()
    assert main(["explain", str(run.path), "a/1.png", *here]) == 0
    assert open_dataset(".").classes == ("a", "b")
    # Among photographs nothing is written.
    assert main(["explain", str(run.path), "a/1.png", "--out", "b"]) == 1
    assert "other files (1.png); choose another --out" in capsys.readouterr().err
    assert names(photos / "b") == ["1.png"]
    assert main(["explain", str(run.path), "explained"]) == 1
    assert "a folder that manyheads has written" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        (["photos", "--class", "cow"], "one of the model's classes, cat, dog, red panda"),
        (["photos", "--alpha", "2"], "alpha"),
        (["nothing.png"], "an image, a folder of images or a glob"),
    ],
)
def test_what_cannot_be_explained_is_one_line(
    run: RunFolder, photos: Path, given: list[str], reason: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["explain", str(run.path), *given]) == 1
    said = capsys.readouterr().err
    assert reason in said
    assert said.count("\n") == 1
    assert names(photos.parent) == ["photos"]
