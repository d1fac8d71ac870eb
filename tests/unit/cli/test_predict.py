"""Which files `manyheads predict` means, and how it prints what a model says of them."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import pytest

from manyheads.cli.main import main
from manyheads.cli.predict import image_files
from manyheads.errors import DataError
from manyheads.study.folder import RunFolder
from tests.strategies import distinct_image


@pytest.fixture
def photos(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "photos"
    (folder / "below").mkdir(parents=True)
    for name in ("b.png", "a.PNG", "below/c.jpg"):
        distinct_image(name, 40).save(folder / name)
    (folder / "notes.txt").write_text("no image")
    return folder


def names(*given: str) -> list[str]:
    return [str(path) for path in image_files(list(given))]


def test_files_folders_and_globs(photos: Path) -> None:
    assert names("photos/b.png") == ["photos/b.png"]
    assert names("photos") == ["photos/a.PNG", "photos/b.png", "photos/below/c.jpg"]
    assert names("photos/*.png") == ["photos/b.png"]
    assert names("photos/**/*.jpg") == ["photos/below/c.jpg"]
    assert names(str(photos / "b.png")) == [str(photos / "b.png")]


def test_a_file_is_meant_once_and_in_the_order_given(photos: Path) -> None:
    assert names("photos/below", "photos") == [
        "photos/below/c.jpg", "photos/a.PNG", "photos/b.png"
    ]  # fmt: skip
    del photos


def test_a_name_with_the_signs_of_a_glob_is_itself(photos: Path) -> None:
    (photos / "b.png").rename(photos / "x[1].png")
    assert names("photos/x[1].png") == ["photos/x[1].png"]


@pytest.mark.parametrize(
    "given",
    ["nothing.png", "photos/*.webp", "empty", "", "x" * 5000, "a\0b", "~nobody-of-that-name"],
)
def test_what_leads_to_no_file_is_an_error(photos: Path, given: str) -> None:
    (photos.parent / "empty").mkdir()
    with pytest.raises(DataError, match="expected an image, a folder of images or a glob"):
        image_files(["photos/b.png", given])


def test_a_model_of_a_run_folder_in_every_form(
    photos: Path, small_run: RunFolder, capsys: pytest.CaptureFixture[str]
) -> None:
    (photos / "below" / "bad 🦊.png").write_text("no image")
    command = ["predict", str(small_run.path), "photos/b.png", "photos/below"]
    assert main([*command, "--json"]) == 0
    entries = json.loads(capsys.readouterr().out)
    paths = ["photos/b.png", "photos/below/bad 🦊.png", "photos/below/c.jpg"]
    assert [entry["image"] for entry in entries] == paths
    good, bad, _ = entries
    assert sum(good["probabilities"].values()) == pytest.approx(1)
    assert good["confidence"] == max(good["probabilities"].values())
    assert good["probabilities"][good["label"]] == good["confidence"]
    assert (bad["label"], bad["probabilities"]) == (None, {})
    assert bad["error"]
    assert main([*command, "--csv"]) == 0
    rows = list(csv.DictReader(io.StringIO(capsys.readouterr().out)))
    assert [row["image"] for row in rows] == paths
    assert rows[0]["label"] == good["label"]
    for name, value in good["probabilities"].items():
        assert float(rows[0][name]) == value
    assert rows[1]["confidence"] == ""
    assert rows[1]["error"] == bad["error"]
    assert main(command) == 0
    shown = capsys.readouterr().out
    assert f"{good['confidence']:.3f}" in shown
    assert "unreadable: " in shown


@pytest.mark.parametrize("model", ["nothing", "photos", "photos/b.png"])
def test_what_is_no_model_is_one_line(
    photos: Path, model: str, capsys: pytest.CaptureFixture[str]
) -> None:
    del photos
    assert main(["predict", model, "photos/b.png"]) == 1
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.count("\n") == 1
    assert said.err.startswith("manyheads: expected ")
