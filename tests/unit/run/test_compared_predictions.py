"""Predictions by any program beside those of a study's model, on its validation images."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from manyheads import compare_predictions
from manyheads.cli.main import main
from manyheads.errors import DataError, RunError
from manyheads.models.classifier import load
from manyheads.run.pipeline import Finished

CLASSES = ("cat", "dog", "red panda")


@pytest.fixture
def own(small_study: Finished, tmp_path: Path) -> Path:
    """What the study's own model predicts, by `predict`."""
    target = tmp_path / "own.csv"
    images = small_study.folder.path.parent / "images"
    folder = str(small_study.folder.path)
    assert main(["predict", folder, str(images), "--out", str(target)]) == 0
    return target


def test_the_studys_own_predictions_are_its_own(small_study: Finished, own: Path) -> None:
    found = compare_predictions(small_study.folder.path, own)
    assert found.found.images == 12
    assert found.found.equal_labels.value == 1
    assert found.left_out == 21  # the training images
    assert found.found.accuracy.difference == 0
    assert found.found.log_loss.difference == pytest.approx(0, abs=1e-3)
    selected = load(small_study.folder.path).card.selected
    assert found.found.accuracy.first == pytest.approx(float(selected["val_accuracy"]))
    assert found.found.log_loss.first == pytest.approx(float(selected["val_loss"]), abs=1e-3)
    assert found.sentences[-1] == "21 predictions of other images are left out."
    assert "own.csv" in str(found)


def test_a_better_model_is_said_to_be_one(
    small_study: Finished, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    target = tmp_path / "tuned.csv"
    rows = [(path, [0.9 if name == label else 0.05 for name in CLASSES])
            for path, label in validation(small_study)]  # fmt: skip
    write(target, rows)
    assert main(["compare", str(small_study.folder.path), str(target)]) == 0
    said = capsys.readouterr().out
    assert "Scores on 12 validation images" in said
    assert "Accuracy: tuned.csv is better" in " ".join(said.split())
    assert main(["compare", str(small_study.folder.path), str(target), "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["accuracy"]["second"] == 1
    assert document["log_loss"]["outcome"] == "better"
    assert document["second"] == "tuned.csv"


def test_a_path_is_known_by_its_end(small_study: Finished, tmp_path: Path) -> None:
    target = tmp_path / "tuned.csv"
    ends = ["elsewhere\\{}", "/other/place/{}", "{}"]
    rows = [
        (ends[place % 3].format(name), [0.2, 0.3, 0.5])
        for place, (name, _) in enumerate(validation(small_study))
    ]
    write(target, [*rows, ("validation/cat/none.png", [1, 0, 0]), ("0.png", [1, 0, 0])])
    assert compare_predictions(small_study.folder.path, target).left_out == 2


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lambda rows: rows[1:], "found no row for 1 image, such as validation/cat/0.png"),
        (lambda rows: [*rows, rows[0]], "expected each image once.*line 2 and in line 14"),
        (lambda rows: [(rows[0][0], [1.5, -2.0, 3.1]), *rows[1:]], "in line 2.*not logits"),
        (lambda rows: [(rows[0][0], [0.5, 0.3, 0.1]), *rows[1:]], r"numbers that add up to 0\.9"),
        (lambda rows: [(rows[0][0], ["0,5", 0.5, 0]), *rows[1:]], "found '0,5'"),
        (lambda rows: [(rows[0][0], ["", 0.5, 0.5]), *rows[1:]], "found ''"),
        (lambda rows: [(rows[0][0], ["nan", 0.5, 0.5]), *rows[1:]], "negative or infinite"),
    ],
)  # fmt: skip
def test_a_table_that_does_not_fit(
    small_study: Finished, tmp_path: Path, spoil: Callable[[list], list], said: str
) -> None:
    target = tmp_path / "tuned.csv"
    write(target, spoil([(name, [0.2, 0.3, 0.5]) for name, _ in validation(small_study)]))
    with pytest.raises(DataError, match=said):
        compare_predictions(small_study.folder.path, target)


def test_a_table_without_a_class(small_study: Finished, tmp_path: Path) -> None:
    target = tmp_path / "tuned.csv"
    target.write_text("image,cat,dog\na.png,0.5,0.5\n")
    with pytest.raises(DataError, match="found none called 'red panda'"):
        compare_predictions(small_study.folder.path, target)
    target.write_bytes(b"")
    with pytest.raises(DataError, match="found none called 'image'"):
        compare_predictions(small_study.folder.path, target)
    with pytest.raises(DataError, match="no such file"):
        compare_predictions(small_study.folder.path, tmp_path / "nothing.csv")


def test_a_study_with_folds_has_no_validation_images_of_its_model(
    small_study: Finished, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from dataclasses import replace

    from manyheads.run import compared_predictions

    settings, resolved = compared_predictions.read_study(small_study.folder.document())
    monkeypatch.setattr(
        compared_predictions, "read_study", lambda _: (replace(settings, folds=5), resolved)
    )
    with pytest.raises(RunError, match="found one with 5 folds"):
        compare_predictions(small_study.folder.path, tmp_path / "tuned.csv")


def test_one_run_and_one_table(
    small_study: Finished, own: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = str(small_study.folder.path)
    for wrong in ([run, run, str(own)], [str(own)], [run, str(own), "--bayes"]):
        assert main(["compare", *wrong]) == 1
        said = capsys.readouterr().err
        assert said.startswith("manyheads: expected one run and one file of predictions")
        assert said.count("\n") == 1


def validation(study: Finished) -> list[tuple[str, str]]:
    """The names of the validation images, with their labels."""
    dataset = study.dataset
    rows = dataset.rows("validation")
    return [(dataset.name_of(row), dataset.classes[dataset.labels[row]]) for row in rows]


def write(target: Path, rows: list) -> None:
    with target.open("w", newline="", encoding="utf-8") as file:
        table = csv.writer(file)
        table.writerow(["image", *CLASSES])
        table.writerows([name, *np.asarray(values, object)] for name, values in rows)
