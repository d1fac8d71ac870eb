"""Whole commands in five folds on images of which one class has two, and another a single one."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from manyheads.cli.main import main
from manyheads.run.fit import image_options
from manyheads.study.space import Grid
from tests.small_study import small_images

FEW = "not every fold validates dog (2 images); none validates red panda (1 image)"
BACKBONE = ["--backbone", "mobilenet", "--weights", "random:0", "--image-size", "32"]


@pytest.fixture
def photos(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Twelve cats, two dogs and a red panda, below the current folder."""
    monkeypatch.chdir(tmp_path)
    root = small_images(Path("photos"), train=9, validation=3)
    for name, kept in (("dog", 2), ("red panda", 1)):
        for image in sorted(root.glob(f"*/{name}/*"))[kept:]:
            image.unlink()
    return root


@pytest.mark.when_changed("commands")
def test_a_sweep_and_all_that_reads_it(photos: Path, capsys: pytest.CaptureFixture[str]) -> None:
    asked = [
        "sweep", str(photos), *BACKBONE, "--droprate", "0", "0.5", "--size-inner", "6",
        "--augmented-copies", "1", "--epochs", "3", "--seeds", "2", "--folds", "5",
        "--repeats", "2",
    ]  # fmt: skip
    assert main([*asked, "--dry-run"]) == 0
    assert f"Classes    with few images: {FEW}" in capsys.readouterr().out
    assert main(asked) == 0
    shown = capsys.readouterr()
    assert f"Classes    with few images: {FEW}" in shown.err
    assert "Scores on the 14 images for training and validation" in shown.out
    assert "(all 15 images, " in shown.out
    assert main(["compare", "runs/photos"]) == 0
    longer = ["--longer", "--epochs", "6", "--patience", "2"]
    assert main(["claims", "runs/photos", "--ensemble", "--candidate", "2", *longer]) == 0
    assert main(["report", "runs/photos"]) == 0
    page = Path("runs/photos/report.html").read_text(encoding="utf-8")
    assert f"Classes with few images: {FEW}" in page
    assert "could not be read" not in page
    capsys.readouterr()
    assert main(asked) == 0  # a finished study is only read
    assert "features and heads are there already" in capsys.readouterr().err


@pytest.mark.when_changed("commands")
def test_a_fit(
    photos: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def grid(copies: int) -> Grid:
        return Grid((0.01,), (4,), (0.0, 0.5), augmented_copies=(0, 1)[: copies + 1], epochs=(9,))

    monkeypatch.setattr(image_options, "search_grid", grid)
    assert main(["fit", str(photos), *BACKBONE, "--heads", "2", "--json"]) == 0
    shown = capsys.readouterr()
    assert f"Classes    with few images: {FEW}" in shown.err
    document = json.loads(shown.out)
    assert document["folds"] == 5
    assert document["images"] == 14
    assert [each["images"] for each in document["expected"]["scores"]["classes"]] == [12, 2, 0]


def test_a_class_of_one_beside_another_alone_is_refused(
    photos: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    next(photos.glob("*/dog/*")).unlink()
    assert main(["sweep", str(photos), *BACKBONE, "--folds", "5"]) == 1
    error = capsys.readouterr().err.splitlines()[-1]
    assert "expected two or more classes of at least two different images" in error
    assert "add images to the smallest classes" in error


@pytest.mark.when_changed("commands")
def test_a_study_whose_groups_have_changed_is_no_longer_the_same(
    photos: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = [f"{path},{path.parent.name},{path.parts[1]}" for path in sorted(photos.rglob("*.png"))]

    def write(grouped: int) -> None:
        lines = [f"{row},{'burst' if n < grouped else ''}" for n, row in enumerate(rows)]
        Path("photos.csv").write_text(
            "\n".join(["path,label,split,group", *lines]), encoding="utf-8"
        )

    asked = ["sweep", "photos.csv", *BACKBONE, "--epochs", "2", "--folds", "4"]
    write(0)
    assert main(asked) == 0
    write(6)
    assert main(asked) == 1
    error = capsys.readouterr().err.splitlines()[-1]
    assert "expected the images to be divided as they were for" in error
    assert "choose another --out" in error
    write(0)
    assert main(asked) == 0
