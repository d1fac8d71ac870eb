"""`manyheads predict` prints or writes what a model says, and ends with the right code."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import pytest

from manyheads.cli.main import main
from manyheads.cli.predict import image_files
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


def test_the_files_that_other_commands_mean(photos: Path) -> None:
    del photos
    assert image_files(["photos/below", "photos/b.png"]) == [
        Path("photos/below/c.jpg"), Path("photos/b.png"),
    ]  # fmt: skip


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


def test_lists_manifests_and_options(
    photos: Path,
    small_run: RunFolder,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    del photos
    command = ["predict", str(small_run.path)]
    Path("list.csv").write_text("path,label\nphotos/b.png,cat\nphotos/below/c.jpg,no class\n")
    assert main([*command, "list.csv", "--jsonl", "--top", "2"]) == 0
    said = capsys.readouterr()
    rows = [json.loads(line) for line in said.out.splitlines()]
    assert [row["given"] for row in rows] == ["cat", "no class"]
    assert all(len(row["probabilities"]) == 2 for row in rows)
    agreeing = sum(row["label"] == "cat" for row in rows[:1])
    assert f"{agreeing} of 2 answers" in said.err
    assert "no test score" in said.err
    names = io.TextIOWrapper(io.BytesIO(b"photos/below/c.jpg\0photos/b.png\0"))
    monkeypatch.setattr("sys.stdin", names)
    assert main([*command, "-", "-0", "--csv", "--min-confidence", "1"]) == 0
    said = capsys.readouterr()
    found = list(csv.DictReader(io.StringIO(said.out)))
    assert [row["image"] for row in found] == ["photos/below/c.jpg", "photos/b.png"]
    assert [(row["label"], row["abstained"]) for row in found] == [("", "true")] * 2
    assert "unsure 2 (below 1)" in said.err
    assert main([*command, "photos/b.png", "--min-confidence", "1"]) == 0
    assert "unsure" in capsys.readouterr().out


@pytest.mark.parametrize("name", ["out.csv", "out.jsonl", "out.parquet"])
def test_an_output_is_finished_once(
    photos: Path, small_run: RunFolder, name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    command = ["predict", str(small_run.path), "photos", "--out", name]
    assert main(command) == 0
    said = capsys.readouterr()
    assert said.out == ""
    assert "3 images in " in said.err
    whole = Path(name).read_bytes()
    assert main(command) == 0
    assert "3 images in the file already" in capsys.readouterr().err
    assert Path(name).read_bytes() == whole
    (photos / "a.PNG").rename(photos / "z.png")
    assert main(command) == 1
    assert "photos/a.PNG as image 1, found photos/b.png" in capsys.readouterr().err
    assert main([*command, "--top", "1"]) == 1
    assert "top: none → 1" in capsys.readouterr().err
    assert Path(name).read_bytes() == whole


def test_only_if_no_image_can_be_read_it_fails(
    photos: Path,
    small_run: RunFolder,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    (photos / "bad.png").write_text("no image")
    command = ["predict", str(small_run.path)]
    assert main([*command, "photos/b.png", "photos/bad.png"]) == 0
    assert "unreadable 1" in capsys.readouterr().err
    assert main([*command, "photos/bad.png"]) == 1
    said = capsys.readouterr()
    assert "unreadable: " in said.out
    assert "expected an image that can be read, found one that cannot: " in said.err
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(b"\n")))
    assert main([*command, "-", "--json"]) == 1
    said = capsys.readouterr()
    assert json.loads(said.out) == []
    assert "an empty list" in said.err


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (["--min-confidence", "2"], "--min-confidence to be a number from 0 to 1"),
        (["--top", "0"], "--top to be a whole number"),
        (["--uncertainty", "photos"], "name the images before it"),
        (["--uncertainty"], "found a droprate of 0"),
        (["--out", "out.txt"], r"ends with .jsonl, .csv, .parquet"),
        (["-", "-"], "one list on stdin"),
    ],
)
def test_what_cannot_be_asked_is_one_line(
    photos: Path,
    small_run: RunFolder,
    options: list[str],
    told: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    del photos
    assert main(["predict", str(small_run.path), "photos/b.png", *options]) == 1
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.count("\n") == 1
    assert told in said.err
