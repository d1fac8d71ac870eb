"""Several labels per image, from a table to an export, and what other commands say of them."""

from __future__ import annotations

import csv
import io
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from manyheads import Study, TableSettings, compare_predictions, load, open_study
from manyheads.data.data_settings import ImageSettings
from manyheads.models.card import read_card
from manyheads.run.pipeline import Finished, run_study
from manyheads.study.folder import RunFolder
from manyheads.web.service.about_model import about
from tests.e2e.conftest import Said, refused
from tests.several_labels import LABELS, labelled_table, write_rows
from tests.small_study import small_settings
from tests.unit.report.page_reader import read_page

pytestmark = pytest.mark.when_changed("commands")

Command = Callable[..., Said]
SMALL = (
    "--backbone", "mobilenet", "--weights", "random:0", "--image-size", 32, "--epochs", 3,
    "--seeds", 2, "--size-inner", 8,
)  # fmt: skip


@pytest.fixture(scope="module")
def finished(shared: Path) -> Finished:
    """A finished study of several labels, with a test split, beside its table."""
    root = shared / "several_labels"
    root.mkdir()
    table = labelled_table(root)
    settings = small_settings(
        table, table=TableSettings(label_column="labels", label_separator=";"),
        image=ImageSettings(size=32), select="best_loss", seeds=2,
    )  # fmt: skip
    return run_study(settings, root / "run")


@pytest.fixture
def run(finished: Finished, tmp_path: Path) -> Path:
    """A copy of its run folder, to be written to; its table stays where it is."""
    return Path(shutil.copytree(finished.folder.path, tmp_path / "kept"))


def photographs(finished: Finished) -> list[Path]:
    """The pictures of the study's table."""
    return sorted((Path(finished.settings.data).parent / "pictures").glob("*"))


def test_a_table_becomes_a_model(command: Command, tmp_path: Path) -> None:
    labelled_table(tmp_path)
    told = command("sweep", "table.csv", *SMALL, "--droprate", 0, 0.5, "--out", "run")
    assert told.code == 0, told.err
    assert "60 images, 3 labels," in told.err
    assert "an example without any" in told.err
    assert "val_accuracy is the share of labels told right" in told.err
    settings = RunFolder(tmp_path / "run").document()
    assert settings["study"]["select"] == "best_loss"
    assert settings["table"] == {"label_column": "labels", "label_separator": ";"}
    assert settings["resolved"]["label_names"] == list(LABELS)
    again = command("sweep", "table.csv", *SMALL, "--droprate", 0, 0.5, "--out", "run")
    assert again.code == 0, again.err
    assert again.out.split("Took")[0] == told.out.split("Took")[0]


def test_a_study_in_folds_resumes_to_the_same_numbers(command: Command, tmp_path: Path) -> None:
    labelled_table(tmp_path)
    words = ("sweep", "table.csv", *SMALL, "--folds", 3, "--droprate", "0.2")
    assert command(*words, "--out", "one").code == 0
    assert command(*words, "--out", "two", "--engine", "fused").code == 0
    one, two = (tmp_path / name for name in ("one", "two"))
    assert (one / "history.csv").read_bytes() == (two / "history.csv").read_bytes()
    assert read_card(one / "best.keras").thresholds == read_card(two / "best.keras").thresholds


def test_the_model_says_each_label_above_its_threshold(finished: Finished, run: Path) -> None:
    classifier = load(run)
    thresholds = classifier.card.thresholds
    assert thresholds is not None
    assert classifier.classes == LABELS
    photo = photographs(finished)[0]
    (found,) = classifier.predict(photo)
    said = [n for n, t in zip(LABELS, thresholds, strict=True) if found.probabilities[n] > t]
    assert found.labels == tuple(said)
    assert found.label == (";".join(said) or "(none)")
    sure = [p if n in said else 1 - p for n, p in found.probabilities.items()]
    assert found.confidence == pytest.approx(min(sure))
    assert str(found.label) in repr(classifier.predict(photo))


def test_predictions_are_printed_and_written_by_label(
    command: Command, finished: Finished, run: Path
) -> None:
    photos = photographs(finished)[:3]
    told = command("predict", run, *photos)
    assert told.code == 0, told.err
    assert told.out.split()[:4] == ["image", "labels", "least", "sure"]
    rows = [
        json.loads(line)
        for line in command("predict", run, *photos, "--jsonl").out.split("\n")
        if line
    ]
    assert all(row["label"] == (";".join(row["labels"]) or "(none)") for row in rows)
    table = list(csv.DictReader(io.StringIO(command("predict", run, *photos, "--csv").out)))
    assert [float(row["big"]) for row in table] == pytest.approx(
        [row["probabilities"]["big"] for row in rows]
    )
    told = command("predict", run, finished.settings.data)
    assert "of 60 answers" in told.err
    assert "no class of the model" not in told.err
    assert "unsure 3" in command("predict", run, *photos, "--min-confidence", 1).err


@pytest.mark.parametrize("name", ["keras", "openvino"])
def test_an_export_has_a_sigmoid_and_is_checked(
    command: Command, finished: Finished, run: Path, name: str
) -> None:
    told = command("export", run, "--format", name)
    assert told.code == 0, told.err
    assert "gives probabilities: [n, 3]" in told.out
    assert "checked: " in told.out
    file = next((run / "export").glob("best.keras" if name == "keras" else "best.xml"))
    photos = photographs(finished)[:4]
    wanted, found = load(run).predict(photos), load(file).predict(photos)
    np.testing.assert_allclose(found.probabilities, wanted.probabilities, atol=1e-5)
    assert abs(found.probabilities.sum(axis=1) - 1).max() > 0.01


def test_a_smaller_model_is_measured_by_label(command: Command, run: Path) -> None:
    told = command("export", run, "--format", "openvino", "--quantize", "f16")
    assert told.code == 0, told.err
    assert "get the same labels." in told.out
    file = next((run / "export").glob("best-f16*.xml"))
    cost = read_card(file).quantised
    assert cost is not None
    assert cost.cost is not None
    assert cost.cost.several_labels
    document = json.loads(file.with_name(f"{file.name}.json").read_text(encoding="utf-8"))
    assert document["quantised"]["cost"]["several_labels"] is True


def test_the_test_images_are_scored_by_label(command: Command, run: Path) -> None:
    told = command("test", run)
    assert told.code == 0, told.err
    for words in ("Mean average precision", "Macro F1", "Exact match", "threshold"):
        assert words in told.out
    assert "on record, no new evaluation" in command("test", run).out
    evaluation = open_study(run).test(progress=False)
    assert evaluation.scores is None
    assert evaluation.label_scores is not None
    assert [each.label for each in evaluation.label_scores.labels] == list(LABELS)
    assert {each.score for each in evaluation.entries} >= {"exact_match", "macro_f1"}
    assert "Mean average precision" in _page(command, run)


def test_the_report_has_labels_in_the_place_of_the_confusion_matrix(
    command: Command, run: Path
) -> None:
    page = _page(command, run)
    assert "Mean average precision" in page
    assert "none is confused with another" in page
    assert "have a label that is missed, or one that is said wrongly" in page
    assert not (run / "confusion.png").exists()
    assert "of saying of each label what most have" in page


def test_the_report_shows_the_images_with_the_largest_loss(command: Command, run: Path) -> None:
    _page(command, run)
    wrong = read_page((run / "report.html").read_text(encoding="utf-8")).by_id("wrong")
    shown = [" ".join(each.text.split()) for each in wrong.all("figcaption")]
    assert shown
    losses = [float(re.findall(r"loss (\d\.\d{3})", each)[0]) for each in shown]
    assert losses == sorted(losses, reverse=True)
    assert all(re.search(r"missed|wrongly", each) for each in shown)
    for each in shown:
        labelled = re.split(r"[;,] ?", each.split("labelled ")[1].split(", loss")[0])
        missed = re.findall(r"missed ([\w, ]+?)(?: wrongly| labelled|labelled|wrongly)", each)
        assert set(missed[0].split(", ") if missed else []) <= set(labelled)


def test_the_page_of_a_service_knows_labels_thresholds_and_what_abstaining_costs(
    finished: Finished,
) -> None:
    folder = finished.folder.path
    found = about("garments", folder, load(folder))
    assert found["thresholds"] == list(load(folder).card.thresholds or ())
    assert [each["label"] for each in found["labels"]] == list(LABELS)
    counts = [found["data"]["splits"]["validation"]["classes"][label] for label in LABELS]
    assert [each["images"] for each in found["labels"]] == counts
    assert "recalls" not in found
    assert found["risk"][0]["coverage"] == 1.0
    assert 0 < found["expect"]["accuracy"]["value"] <= 1


def test_the_card_tells_of_labels_and_its_code_says_what_predict_says(
    command: Command, finished: Finished, run: Path, tmp_path: Path
) -> None:
    page = (run / "MODEL_CARD.md").read_text(encoding="utf-8")
    assert "| labels | 3: big, dark, red |" in page
    assert "By label, on " in page
    assert "Recall by class" not in page
    told = command("export", run, "--format", "hub", "--out", "hub")
    assert told.code == 0, told.err
    config = json.loads((tmp_path / "hub" / "config.json").read_text(encoding="utf-8"))
    assert config["problem_type"] == "multi_label_classification"
    assert config["thresholds"] == pytest.approx(load(run).card.thresholds)
    photo = photographs(finished)[0]
    (tmp_path / "hub" / "photo.jpg").write_bytes(photo.read_bytes())
    card = (tmp_path / "hub" / "README.md").read_text(encoding="utf-8")
    code = card.split("```python\n")[1].split("```")[0]
    environment = os.environ | {"KERAS_BACKEND": "openvino"}
    said = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path / "hub", env=environment, check=True,
        capture_output=True, text=True,
    ).stdout  # fmt: skip
    (wanted,) = load(run).predict(photo)
    assert [line.split()[0] for line in said.splitlines()] == list(wanted.labels or ())


def test_check_and_split_count_labels(command: Command, finished: Finished) -> None:
    table = finished.settings.data
    told = command("check", table)
    assert told.code == 0
    assert "60 images, 3 labels, manifest" in told.out
    assert "images" in told.out.splitlines()[-1] or "example without any" in told.out
    document = json.loads(command("check", table, "--json").out)
    assert document["classes"] == list(LABELS)
    assert sum(document["sizes"].values()) == 60
    told = command("split", table, "--out", "split.csv")
    assert "manyheads sweep split.csv --label-separator ';'" in told.out
    assert command("sweep", "split.csv", "--label-separator", ";", *SMALL, "--dry-run").code == 0


def test_a_pack_has_all_labels_and_trains_to_the_same_numbers(
    command: Command, finished: Finished, run: Path, tmp_path: Path
) -> None:
    told = command(
        "features", "pack", run, "--data", finished.settings.data, "--out", "p.safetensors"
    )
    assert told.code == 0, told.err
    assert "3 labels;" in told.out
    told = command(
        "sweep", "p.safetensors", *SMALL[6:], "--learning-rate-schedule", "constant",
        "--droprate", 0, 0.5, "--out", "packed",
    )  # fmt: skip
    assert told.code == 0, told.err
    settings = RunFolder(tmp_path / "packed").document()
    assert settings["study"]["select"] == "best_loss"
    assert settings["resolved"]["label_names"] == list(LABELS)
    assert (tmp_path / "packed" / "history.csv").read_text() == (run / "history.csv").read_text()


@pytest.mark.parametrize(
    ("words", "refusal"),
    [
        (("fit", "TABLE", "--select", "last_macro_f1"), "one class per image, for last_macro_f1"),
        (("fit", "TABLE", "--class-weight", "balanced"), "for class weights"),
        (("lesson", "TABLE", *SMALL[:6]), "one class per image, for the lesson"),
        (("shortcut", "TABLE", "--class", "red"), "for the check for shortcuts"),
        (("check", "TABLE", "--labels"), "one class per image, for suspicious labels"),
        (("claims", "RUN", "--ensemble"), "one class per image, for the lesson's claims"),
        (("claims", "RUN", "--longer"), "one class per image, for the lesson's claims"),
        (("predict", "RUN", "PHOTO", "--uncertainty"), "one class per image, for --uncertainty"),
        (("sweep", "TABLE", *SMALL, "--engine", "stacked"), "several labels per image"),
        (("sweep", "TABLE", *SMALL, "--class-weight", "balanced"), "for class weights"),
        (("sweep", "TABLE", *SMALL, "--balanced-batches", "yes"), "for balanced batches"),
        (("sweep", "TABLE", *SMALL, "--select", "best_macro_f1"), "for best_macro_f1"),
    ],
)
def test_what_takes_one_class_says_so_in_a_line(
    command: Command, finished: Finished, run: Path, words: tuple[object, ...], refusal: str
) -> None:
    if words[:2] == ("check", "TABLE"):
        pytest.importorskip("cleanlab")
    photo = photographs(finished)[0]
    known = {"TABLE": finished.settings.data, "RUN": run, "PHOTO": photo}
    refused(command(*(known.get(str(word), word) for word in words)), refusal)


def test_runs_and_comparisons_take_them(command: Command, run: Path, tmp_path: Path) -> None:
    shutil.copytree(run, tmp_path / "other")
    assert command("runs", tmp_path).code == 0
    told = command("compare", run, tmp_path / "other")
    assert told.code == 0, told.err


def test_its_own_predictions_compared_with_it_are_its_own(
    command: Command, finished: Finished, run: Path, tmp_path: Path
) -> None:
    assert command("predict", run, finished.settings.data, "--out", "own.csv").code == 0
    found = compare_predictions(run, tmp_path / "own.csv")
    validation = len(finished.dataset.rows("validation"))
    assert (found.found.images, found.left_out) == (validation, 60 - validation)
    assert found.found.equal_labels.value == 1
    assert found.found.accuracy.difference == 0
    assert found.found.log_loss.difference == pytest.approx(0, abs=1e-3)
    selected = read_card(run / "best.keras").selected
    assert found.found.log_loss.first == pytest.approx(float(selected["val_loss"]), abs=1e-3)


def test_a_better_model_of_several_labels_is_said_to_be_one(
    command: Command, finished: Finished, run: Path, tmp_path: Path
) -> None:
    write_rows(tmp_path / "tuned.csv", ["image", *LABELS], right_answers(finished))
    told = command("compare", run, "tuned.csv")
    assert told.code == 0, told.err
    said = " ".join(told.out.split())
    assert "Log loss: tuned.csv is better" in said
    assert "Accuracy is the share of labels told right" in said
    assert "macro F1, which no single image has, are not compared" in said
    document = json.loads(command("compare", run, "tuned.csv", "--json").out)
    assert document["accuracy"]["second"] == 1
    assert document["log_loss"]["second"] == pytest.approx(-np.log(0.9), abs=1e-3)
    low, high = (document["log_loss"][name] for name in ("adjusted_low", "adjusted_high"))
    assert low < document["log_loss"]["difference"] < high < 0


@pytest.mark.parametrize(
    ("cells", "refusal"),
    [
        (["1.5", "0.1", "0.1"], "a probability for each label, from 0 to 1, in line 2"),
        (["-0.1", "0.1", "0.1"], "found -0.1; write probabilities, not logits"),
        (["nan", "0.1", "0.1"], "found nan"),
        (["", "0.1", "0.1"], "found ''"),
    ],
)
def test_probabilities_of_labels_that_are_none(
    command: Command, finished: Finished, run: Path, tmp_path: Path, cells: list[str], refusal: str
) -> None:
    (first, *_), *others = right_answers(finished)
    write_rows(tmp_path / "tuned.csv", ["image", *LABELS], [[first, *cells], *others])
    refused(command("compare", run, "tuned.csv"), refusal)
    write_rows(tmp_path / "tuned.csv", ["image", *LABELS[1:]], [[first, "0", "1"]])
    refused(command("compare", run, "tuned.csv"), "one for each label in tuned.csv")


def right_answers(finished: Finished) -> list[list[str]]:
    """Rows that say 0.9 of the labels that a validation image has, and 0.1 of the others."""
    data = finished.dataset
    texts = [(row, data.classes[data.labels[row]].split(";")) for row in data.rows("validation")]
    return [
        [data.name_of(row), *("0.9" if label in own else "0.1" for label in LABELS)]
        for row, own in texts
    ]


def test_a_study_in_python_takes_lists_of_labels(finished: Finished, tmp_path: Path) -> None:
    data = finished.dataset
    texts = [data.classes[number] for number in data.labels]
    given = [[] if text == "(none)" else text.split(";") for text in texts]
    study = Study(
        (list(data.paths), given), backbone="mobilenet", weights="random:0", image_size=32,
        size_inner=8, droprate=[0.2], epochs=2, seeds=1, out=tmp_path / "listed",
    )  # fmt: skip
    finished_study = study.run()
    assert finished_study.best.card.thresholds is not None


def _page(command: Command, run: Path) -> str:
    told = command("report", run)
    assert told.code == 0, told.err
    return " ".join(read_page((run / "report.html").read_text()).text.split())
