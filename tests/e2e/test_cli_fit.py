"""`manyheads fit` as a user sees it."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from manyheads.cli.main import main
from manyheads.run.fit import image_options
from manyheads.study.space import Grid
from tests.small_study import CLASSES, small_images


@pytest.fixture
def asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """A small fit of generated images, in a folder of its own."""

    def grid(copies: int) -> Grid:
        return Grid(
            (0.01,), (4,), (0.0, 0.5), augmented_copies=(0, 1)[: copies + 1],
            learning_rate_schedule=("cosine",), epochs=(3,),
        )  # fmt: skip

    monkeypatch.setattr(image_options, "search_grid", grid)
    monkeypatch.chdir(tmp_path)
    small_images(tmp_path / "photos", test=2)
    return [
        "fit", "photos", "--backbone", "mobilenet", "--weights", "random:0", "--image-size", "32",
        "--heads", "2", "--folds", "3", "--budget", "5m",
    ]  # fmt: skip


def test_it_says_what_it_will_do_and_what_to_expect(
    asked: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(asked) == 0
    shown = capsys.readouterr()
    assert "Folds      3, of all images for training and validation" in shown.err
    assert re.search(r"Budget     5:00, of which searches take about \d+:\d\d", shown.err)
    assert "Search     1. 32×32, plain and mirrored: " in shown.err
    assert "the best 4 of 4 trained to the end, single heads" in shown.out
    assert "Chosen     32×32; droprate 0" in shown.out
    assert "from nested cross-validation on 33 held-out images:" in shown.out
    assert re.search(r"a test on 400 of them gives an accuracy from 0\.\d+ to \d\.\d+", shown.out)
    assert re.search(r"a log loss from \d\.\d+ to \d\.\d+, each 19 times out of 20", shown.out)
    assert "optimistic" not in shown.out
    assert all(name in shown.out for name in CLASSES)
    assert "runs/photos-fit/best.keras" in shown.out
    assert re.search(r"Took       \d+:\d\d, \d+ backbone passes", shown.out)

    photo = next(Path("photos/test/cat").iterdir())
    assert main(["predict", "runs/photos-fit", str(photo), "--json"]) == 0
    (said,) = json.loads(capsys.readouterr().out)
    assert set(said["probabilities"]) == set(CLASSES)
    assert main(["export", "runs/photos-fit", "--out", "mine.keras"]) == 0
    assert Path("mine.keras").is_file()

    for recorded in ("recorded now", "on record"):
        assert main(["test", "runs/photos-fit"]) == 0
        said = capsys.readouterr().out
        assert "Model      2 heads in one: 32×32; droprate 0" in said
        assert "Expected   accuracy 0." in said
        assert "Test       6 images, not used for selection" in said
        assert recorded in said

    assert main([*asked, "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["heads"] == 2
    low, high = document["test_of_400"]
    assert low < document["expected"]["scores"]["accuracy"]["value"] < high
    low, high = document["log_loss_of_400"]
    assert low < document["expected"]["scores"]["log_loss"]["value"] < high


def test_a_fit_in_the_folder_of_a_study_is_refused(
    asked: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    Path("mine").mkdir()
    Path("mine/study.toml").write_text("[study]\n")
    assert main([*asked, "--out", "mine"]) == 1
    error = capsys.readouterr().err.splitlines()[-1]
    assert error.startswith("manyheads: expected an empty folder or a fit at mine, found other")


def test_a_budget_that_is_none_is_refused(
    asked: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*asked[:-1], "soon"]) == 1
    assert "expected a budget such as 90s, 30m or 1.5h, found 'soon'" in capsys.readouterr().err
