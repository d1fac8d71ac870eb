"""`manyheads fit --from` and `export --format hub` as a user sees them."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from manyheads.cli.main import main
from manyheads.run.fit import image_options
from manyheads.study.space import Grid
from tests.fits import free_fits
from tests.several_labels import labelled_table
from tests.shortcuts import SIDE
from tests.small_study import small_images
from tests.strategies import distinct_image


@pytest.fixture
def photos(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A finished fit of generated images in runs/photos-fit."""

    def grid(copies: int) -> Grid:
        return Grid(
            (0.01,), (4,), (0.0, 0.5), augmented_copies=(0, 1)[: copies + 1],
            learning_rate_schedule=("cosine",), epochs=(9,),
        )  # fmt: skip

    monkeypatch.setattr(image_options, "search_grid", grid)
    monkeypatch.chdir(tmp_path)
    photos = small_images(tmp_path / "photos")
    assert main([
        "fit", "photos", "--backbone", "mobilenet", "--weights", "random:0", "--image-size", "32",
        "--heads", "2", "--folds", "3", "--budget", "5m", "--augment", "none",
    ]) == 0  # fmt: skip
    return photos


@pytest.mark.when_changed("commands")
def test_a_fit_from_a_run_and_what_is_handed_over(
    photos: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    asked = ["fit", "photos", "--from", "runs/photos-fit"]
    capsys.readouterr()
    assert Path("runs/photos-fit/MODEL_CARD.md").is_file()

    assert main(asked) == 0
    shown = capsys.readouterr().out
    assert "Nothing has changed: 33 images with the same labels as in runs/photos-fit." in shown
    assert not Path("runs/photos-fit-2").exists()

    for number in range(7):
        folder = photos / "train" / "emu"
        folder.mkdir(exist_ok=True)
        distinct_image(f"emu {number}", 40).save(folder / f"{number}.png")
    (photos / "train" / "cat" / "0.png").unlink()
    assert main([*asked, "--dry-run"]) == 0
    shown = capsys.readouterr().out
    assert "From       runs/photos-fit: a fit on 33 images" in shown
    assert "7 images added and 1 removed; class 'emu' is new (7 images)" in shown
    assert "Kept       32 images of runs/photos-fit, in their split and fold of then" in shown
    assert "32×32, plain: 7 backbone passes" in shown
    assert not Path("runs/photos-fit-2").exists()

    assert main(asked) == 0
    shown = capsys.readouterr().out
    assert "Changed    7 images added and 1 removed" in shown
    assert "Record     runs/photos-fit-2/fit.json; MODEL_CARD.md" in shown
    assert "Better?    On 32 images that both runs held out" in shown
    assert "Class 'emu' is new: of its 7 held-out images" in shown
    assert main([*asked, "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["run"] == "runs/photos-fit-2"
    assert found["growth"]["changes"]["added"] == 7
    assert found["growth"]["said"][0].startswith("On 32 images")

    assert main(["export", "runs/photos-fit-2", "--format", "hub", "--license", "mit"]) == 0
    shown = capsys.readouterr().out
    assert "runs/photos-fit-2/export/hub/README.md" in shown
    assert "hf upload ORG/NAME runs/photos-fit-2/export/hub" in shown
    card = Path("runs/photos-fit-2/export/hub/README.md").read_text(encoding="utf-8")
    assert 'license: "mit"' in card
    assert "It began from an earlier run." in card


def test_what_is_asked_wrongly_is_said(photos: Path, capsys: pytest.CaptureFixture[str]) -> None:
    capsys.readouterr()
    shutil.move(photos, "elsewhere")
    for words, told in (
        (["fit", "elsewhere", "--from", "none"], "no such folder"),
        (["fit", "elsewhere", "--train-on-validation"], "--from"),
        (["fit", "elsewhere", "--from", "runs/photos-fit", "--backbone", "xception"],
         "leave out --backbone"),
        (["export", "runs/photos-fit", "--license", "mit"], "--format hub"),
        (["export", "runs/photos-fit", "--format", "hub", "--raw"], "leave out --raw"),
        (["export", "runs/photos-fit", "--format", "hub", "--out", "elsewhere"],
         "a folder of other files"),
    ):  # fmt: skip
        assert main(words) != 0
        said = capsys.readouterr().err
        assert told in said, (words, said)
        assert "Traceback" not in said


@pytest.mark.when_changed("commands")
def test_a_further_label_is_told_beside_the_verdict(
    tmp_path: Path, own_cache: Path, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    del own_cache  # it is there
    monkeypatch.chdir(tmp_path)
    table = labelled_table(tmp_path).name
    columns = ["--label-column", "labels", "--label-separator", ";"]
    with free_fits(monkeypatch):
        assert main([
            "fit", table, *columns, "--backbone", "xception", "--image-size", str(SIDE),
            "--heads", "2", "--folds", "3", "--augment", "none", "--test-share", "0",
        ]) == 0  # fmt: skip
        header, *rows = Path(table).read_text().splitlines()
        more = [f"{row};third" if place % 3 == 0 else row for place, row in enumerate(rows)]
        Path(table).write_text("\n".join([header, *more]) + "\n")
        capsys.readouterr()
        run = f"runs/{Path(table).stem}-fit"
        assert main(["fit", table, "--from", run]) == 0
    shown = " ".join(capsys.readouterr().out.split())
    assert "label 'third' is new" in shown
    assert "by the 3 labels that both know" in shown
    assert "Label 'third' is new: " in shown
