"""`manyheads fit` as a user sees it."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from manyheads.backbones import registry
from manyheads.backbones.weights import resolve
from manyheads.cli.main import main
from manyheads.run.fit import fit_backbones, image_options
from manyheads.study.space import Grid
from tests.networks import save_onnx
from tests.several_labels import LABELS, labelled_table
from tests.small_study import CLASSES, small_images


@pytest.fixture
def asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """A small fit of generated images, in a folder of its own."""

    def grid(copies: int) -> Grid:
        return Grid(
            (0.01,), (4,), (0.0, 0.5), augmented_copies=(0, 1)[: copies + 1],
            learning_rate_schedule=("cosine",), epochs=(9,),
        )  # fmt: skip

    monkeypatch.setattr(image_options, "search_grid", grid)
    monkeypatch.chdir(tmp_path)
    small_images(tmp_path / "photos", test=2)
    return [
        "fit", "photos", "--backbone", "mobilenet", "--weights", "random:0", "--image-size", "32",
        "--heads", "2", "--folds", "3", "--budget", "5m",
    ]  # fmt: skip


def test_its_heads_may_weigh_classes(asked: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*asked, "--class-weight", '{"dgo": 2}', "--out", "weighed"]) == 1
    assert "'dgo'; did you mean dog" in capsys.readouterr().err
    Path("weights.csv").write_text("class,weight\ndog,2\n", encoding="utf-8")
    assert main([*asked, "--class-weight", "weights.csv", "--out", "weighed"]) == 0
    card = json.loads(Path("weighed/best.keras.json").read_text(encoding="utf-8"))
    assert card["selected"]["class_weight"] == '{"dog": 2}'
    study = next(Path("weighed").rglob("study.toml"))
    assert "class_weight" in study.read_text(encoding="utf-8")
    again = [*asked, "--class-weight", '{"dog": 2.0}', "--out", "weighed"]
    assert main(again) == 0  # the same weights, wherever they stand
    capsys.readouterr()
    assert main([*asked, "--out", "weighed"]) == 1
    assert "class_weight: " in capsys.readouterr().err


@pytest.mark.when_changed("commands")
def test_it_says_what_it_will_do_and_what_to_expect(
    asked: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*asked, "-v"]) == 0
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
    assert re.search(r"Took       \d+:\d\d of 5:00, \d+ backbone passes", shown.out)

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


@pytest.mark.when_changed("commands")
def test_several_labels_per_image_become_a_model_with_thresholds(
    asked: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    labelled_table(Path())
    command = ["fit", "table.csv", *asked[2:], "--test-share", "0.2", "--out", "run"]
    assert main([*command, "-v"]) == 0
    shown = capsys.readouterr()
    assert "Labels     several per image, a sigmoid each" in shown.err
    assert "single heads; labels from 0.5 on" in shown.out
    assert re.search(r"accuracy 0\.\d+ .*, exact match 0\.\d+", shown.out)
    assert re.search(r"a test on 400 of them gives an exact match from 0\.\d+ to", shown.out)
    card = json.loads(Path("run/best.keras.json").read_text(encoding="utf-8"))
    assert card["classes"] == list(LABELS)
    assert all(0 < each < 1 for each in card["thresholds"])
    assert "| labels | 3: big, dark, red |" in Path("run/MODEL_CARD.md").read_text(encoding="utf-8")

    assert main(["predict", "run", "pictures/000.png", "--json"]) == 0
    (said,) = json.loads(capsys.readouterr().out)
    above = zip(LABELS, card["thresholds"], strict=True)
    assert said["labels"] == [name for name, bar in above if said["probabilities"][name] > bar]
    assert main(["test", "run"]) == 0
    told = capsys.readouterr().out
    assert "Expected   accuracy 0." in told
    assert "Mean average precision" in told
    assert main([*command, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["ranked_by"] == "log_loss"


def test_another_score_ranks_and_batches_are_balanced(
    asked: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    options = ["--select", "best_balanced_accuracy", "--balanced-batches", "yes", "--dry-run"]
    assert main([*asked, *options]) == 0
    assert "Ranked     by balanced accuracy on held-out images" in capsys.readouterr().out
    assert main([*asked, "--select", "fixed:3"]) == 1
    assert "heads of a fit train to the end of their schedule" in capsys.readouterr().err


@pytest.mark.when_changed("commands")
def test_several_backbones_are_options_of_one_fit(
    asked: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    save_onnx(Path("net.onnx"))
    save_onnx(Path("pooled.onnx"), pooled=True, side=32)
    rest = asked[asked.index("--image-size") :]
    command = ["fit", "photos", "--backbone", "net.onnx", "pooled.onnx", "--preprocessing", "torch"]
    assert main([*command, *rest]) == 0
    shown = capsys.readouterr()
    assert "Backbones  net; weights: the file " in shown.err
    assert "Search     1. net at 32×32, plain and mirrored: " in shown.err
    assert "2. pooled at 32×32, plain and mirrored: " in shown.err
    assert "the best 5 of 12 trained to the end, single heads" in shown.out
    assert "runs/photos-fit/best.xml" in shown.out
    names = sorted(folder.name for folder in Path("runs/photos-fit/search").glob("*px-*"))
    assert names == ["net+pooled-32px-2", "net-32px-2", "pooled-32px-2"]

    photo = str(next(Path("photos/test/cat").iterdir()))
    assert main(["predict", "runs/photos-fit", photo, "--json"]) == 0
    assert set(json.loads(capsys.readouterr().out)[0]["probabilities"]) == set(CLASSES)
    assert main(["export", "runs/photos-fit", "--format", "openvino"]) == 0
    assert main(["test", "runs/photos-fit"]) == 0
    assert re.search(
        r"2 heads in one: (net|pooled|net\+pooled) at 32×32; droprate", capsys.readouterr().out
    )
    assert main([*command, *rest, "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    pair = "net.onnx+pooled.onnx"
    assert {each["backbone"] for each in document["tried"]} == {"net.onnx", "pooled.onnx", pair}
    assert document["compared"] == []


@pytest.mark.when_changed("commands")
def test_without_a_network_a_fit_looks_among_what_is_in_the_cache(
    asked: list[str],
    own_cache: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    random = resolve(registry.get("mobilenet"), "random:0").path
    random.rename(own_cache / "weights/mobilenet-imagenet.safetensors")
    monkeypatch.setenv("MANYHEADS_OFFLINE", "1")
    monkeypatch.setattr(fit_backbones, "_FETCHED", ("resnet50",))
    assert main(["fit", "photos", *asked[asked.index("--image-size") :]]) == 0
    shown = capsys.readouterr()
    assert "Without resnet50, of which no weights are in the cache: " in shown.err
    assert "Backbone   mobilenet; weights: random numbers, seed 0" in shown.err
    assert "Chosen     mobilenet at 32×32; droprate" in shown.out
    assert Path("runs/photos-fit/search/mobilenet-32px-2").is_dir()


def test_backbones_that_are_not_known_are_refused_with_the_nearest(
    asked: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    rest = asked[asked.index("--image-size") :]
    for names, words in (
        (["mobilenet", "xceptoin"], "did you mean xception?"),
        (["auto", "xception"], "names of backbones, or auto alone, found auto xception"),
        (["mobilenet", "xception"], "an image size of at least 71 for xception, found 32"),
    ):
        assert main(["fit", "photos", "--backbone", *names, *rest]) == 1
        assert words in capsys.readouterr().err
    assert not Path("runs").exists()


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
