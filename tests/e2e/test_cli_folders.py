"""Commands inside the folder of photographs, and what they say of what they leave out."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from manyheads import Study
from manyheads.cli.predict_inputs import Inputs
from manyheads.study.folder import RunFolder
from tests.e2e.conftest import SMALL, Command
from tests.strategies import distinct_image

pytestmark = pytest.mark.usefixtures("free")

OUTPUT = "1 folder that manyheads has written (runs)"


@pytest.fixture
def inside(command: Command, image_folder, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Class folders, which are the current folder."""
    del command  # it changes the current folder first
    root = image_folder({"cat": 12, "dog": 12}, name="photos")
    monkeypatch.chdir(root)
    return root


@pytest.mark.when_changed("commands")
def test_a_command_within_the_photographs_resumes_when_it_is_repeated(
    command: Command, inside: Path
) -> None:
    first = command("sweep", ".", *SMALL)
    assert first.code == 0, first.err
    assert "Left out" not in first.err
    before = {path.name for path in inside.iterdir()}
    again = command("sweep", ".", *SMALL, "--json")
    assert again.code == 0, again.err
    assert f"Left out   {OUTPUT}\n" in again.err
    assert "features and heads are there already" in again.err
    assert {path.name for path in inside.iterdir()} == before == {"cat", "dog", "runs"}
    # Every other command finds the same images.
    said = command("check", ".")
    assert f"left out {OUTPUT}\n" in said.out
    assert "2 classes" in said.out
    extracted = json.loads(command("extract", ".", "--image-size", 71, "--json").out)
    assert (extracted["images"], extracted["left_out"]) == (24, OUTPUT)
    inputs = Inputs(["."])
    assert len(list(inputs)) == 24
    assert inputs.left_out == OUTPUT.replace("runs", "photos")  # the run folder below runs/


@pytest.mark.when_changed("commands")
@pytest.mark.parametrize("out", ["run", "cat/run", "runs/a/b"])
def test_any_output_within_the_photographs_is_no_data(
    command: Command, inside: Path, out: str
) -> None:
    del inside
    options = ("sweep", ".", *SMALL, "--out", out)
    assert command(*options).code == 0
    again = command(*options)
    assert again.code == 0, again.err
    assert "1 folder that manyheads has written" in again.err
    assert "2 classes" in again.err


def test_a_class_folder_is_no_run_folder_and_a_run_folder_no_data(
    command: Command, inside: Path
) -> None:
    said = command("sweep", ".", *SMALL, "--out", "cat")
    assert said.code == 1
    assert "other files (00" in said.complaint
    assert command("sweep", ".", *SMALL).code == 0
    said = command("sweep", "runs/photos", *SMALL)
    assert said.code == 1
    assert "found a run folder that manyheads has written (study.toml is in it)" in said.complaint
    assert len(list((inside / "cat").iterdir())) == 12 + len(list((inside / "cat").glob(".lock")))


@pytest.mark.when_changed("commands")
def test_python_says_what_was_left_out(inside: Path) -> None:
    (inside / "cat" / "Thumbs.db").write_bytes(b"x")
    study = Study(inside, size_inner=4, droprate=0.5, epochs=2, seeds=1, image_size=71, out="run")
    assert study.run().left_out == "1 of 25 files (4.0 %): 1 system file"


def test_images_without_labels_are_for_predict(command: Command, image_folder) -> None:
    root = image_folder({"train/cat": 12, "train/dog": 12, "test/unknown": 3}, name="kaggle")
    said = command("sweep", root, *SMALL, "--out", "run")
    assert said.code == 0, said.err
    assert "Left out   3 of 27 files (11.1 %): 3 images without a label (0000.png, …)\n" in said.err
    (note,) = [line for line in said.err.splitlines() if line.startswith("Note")]
    asked = note.partition("manyheads predict RUN ")[2]
    assert asked == "kaggle/test" or Path(asked) == root / "test"
    assert len(list(Inputs([asked]))) == 3


@pytest.mark.when_changed("commands")
def test_predict_says_what_it_leaves_out(
    command: Command, small_run: RunFolder, image_folder
) -> None:
    root = image_folder({"cat": 2, "dog": 1}, size=80)
    (root / "@eaDir").mkdir()
    distinct_image("thumb").save(root / "@eaDir" / "thumb.png")
    (root / "notes.txt").write_text("words")
    said = command("predict", small_run.path, root, "--json")
    assert len(json.loads(said.out)) == 3
    told = "1 of 4 files (25.0 %): 1 file that is no image (notes.txt); 1 system folder (@eaDir)"
    assert said.err.startswith(f"Left out  {told}\n")
