"""Fits that rank by another score than log loss, and fits of several labels per image."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from manyheads.api.verbs import fit
from manyheads.cli.fit_screen import as_json, show
from manyheads.core.settings import plain
from manyheads.data.data_settings import SplitSettings, TableSettings
from manyheads.errors import DataError, SettingError
from manyheads.findings.label_scores import LabelScores
from manyheads.publish.read_fit_publication import fit_publication
from manyheads.run.fit import fit_model
from manyheads.run.fit.fit_record import Fitted, read_fit
from manyheads.run.fit.fit_run import planned_fit, run_fit
from manyheads.run.fit.fit_settings import FitSettings
from manyheads.run.fit.grown_fit import plan_growth
from manyheads.run.hand_over.card_facts import facts_of_fit
from manyheads.run.run_answers import read_answers
from manyheads.run.run_list import list_runs
from manyheads.web.studio.run_documents import _fit as document_of
from tests.fits import free_fits
from tests.several_labels import LABELS, labelled_table
from tests.shortcuts import SIDE, quadrant_images

TABLE = TableSettings(label_column="labels", label_separator=";")


@pytest.fixture(autouse=True)
def free(monkeypatch: pytest.MonkeyPatch, own_cache: Path) -> Iterator[None]:
    """Two settings of the head, on a backbone that costs nothing."""
    del own_cache  # it is there
    with free_fits(monkeypatch, 10):
        yield


def settings(data: Path, **changes: Any) -> FitSettings:
    usual = {"backbone": "xception", "size": SIDE, "heads": 2, "folds": 3, "augment": "none"}
    split = SplitSettings(test=0.0)
    return FitSettings(data=str(data), split=split, **usual | changes)


def words_of(fitted: Fitted, capsys: pytest.CaptureFixture[str]) -> str:
    """What is printed of a fit, on one line."""
    show(fitted)
    return " ".join(capsys.readouterr().out.split())


@pytest.mark.when_changed("studies")
@pytest.mark.parametrize(
    ("rule", "metric", "said"),
    [
        ("last_macro_f1", "macro_f1", "macro F1"),
        ("last", "accuracy", "accuracy"),
    ],
)
def test_the_score_that_is_asked_for_ranks_and_is_named(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    rule: str,
    metric: str,
    said: str,
) -> None:
    data, about = quadrant_images(tmp_path / "photos", 15, 5), dict[str, Any]()
    write = fit_model.write_models

    def written(*given: Any, **also: Any) -> Any:
        about.update(given[4][0][0].about)
        return write(*given, **also)

    monkeypatch.setattr(fit_model, "write_models", written)
    asked = settings(data, select=rule, balanced_batches="yes")
    fitted = run_fit(asked, tmp_path / "fit")
    scores = [each.scored(metric) for each in fitted.tried]
    assert scores == sorted(scores, reverse=True)
    assert fitted.tried[0].hyperparameters["balanced_batches"] == "yes"
    assert read_fit(tmp_path / "fit") == fitted
    assert fitted.expected.scores is not None
    expected = getattr(fitted.expected.scores, metric)
    assert next(iter(fitted.leading_scores.values())) == expected
    ends = "", "_low", "_high"
    told = [about[f"expected_{metric}{end}"] for end in ends]
    assert told == [expected.value, expected.low, expected.high]
    assert about["balanced_batches"] == "yes"
    shown = words_of(fitted, capsys)
    assert f"by {said} on held-out images" in shown
    assert f"held-out images: {said} {expected.value:.3f}" in shown
    document = as_json(fitted)
    assert document["ranked_by"] == metric
    if metric == "macro_f1":
        low, high = document["macro_f1_of_400"]
        assert 0 <= low < expected.value < high <= 1
        assert f"a macro F1 from {low:.3f} to {high:.3f}, an accuracy from" in shown
    assert f"by {said} on held-out images" in facts_of_fit(fitted).selection[0]
    (row,) = list_runs(tmp_path / "fit").entries
    assert (row.metric, row.score) == (metric, expected.value)
    published = fit_publication(fitted, (), ())
    assert published.metric == metric
    assert [row.metrics[metric] for row in published.rows] == scores
    page = document_of(fitted)
    assert page["expected"][0]["metric"] == said
    assert [each["title"] for each in page["tables"][0]["columns"]][1] == said


def test_a_fit_of_several_labels_is_a_model_with_thresholds(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    table = labelled_table(tmp_path)
    fitted = run_fit(settings(table, table=TABLE), tmp_path / "fit")
    scores, expected = fitted.expected.label_scores, fitted.expected
    assert isinstance(scores, LabelScores)
    assert expected.scores is None
    assert [each.label for each in scores.labels] == list(LABELS)
    assert scores.images == fitted.images == 60
    assert scores.log_loss.value < 0.64  # that of saying of each label what most have
    assert [each.threshold for each in scores.labels] == list(expected.thresholds or ())
    assert read_fit(tmp_path / "fit") == fitted
    with table.open(encoding="utf-8", newline="") as file:
        rows = [*csv.DictReader(file)]
    paths = [tmp_path / row["path"] for row in rows]
    given = [row["labels"].split(";") if row["labels"] else [] for row in rows]
    again = fit(
        (paths, given), backbone="xception", image_size=SIDE, heads=2, folds=3, augment="none",
        out=tmp_path / "again", progress=False,
    )  # fmt: skip
    assert plain(again.expected) == plain(expected)
    shown = words_of(fitted, capsys)
    for words in (
        "exact match", "mean average precision", "labels from 0.5 on", "F1 [95 %] threshold",
        "a test on 400 of them gives an exact match from",
    ):  # fmt: skip
        assert words in shown
    document = json.loads(json.dumps(as_json(fitted)))
    assert "test_of_400" not in document
    assert len(document["exact_match_of_400"]) == 2
    facts = facts_of_fit(fitted)
    assert facts.labels == scores
    assert facts.recalls == ()
    assert fit_publication(fitted, (), ()).metrics["expected_exact_match"] == pytest.approx(
        scores.exact_match.value
    )
    (row,) = list_runs(tmp_path / "fit").entries
    assert row.score == scores.accuracy.value
    assert document_of(fitted)["expected"]
    with pytest.raises(DataError, match="model card"):
        read_answers("fit", tmp_path / "fit")


@pytest.mark.when_changed("studies")
def test_the_model_is_the_mean_of_log_odds_at_one_temperature(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept: dict[str, Any] = {}

    def written(*given: Any, **also: Any) -> None:
        kept.update(outputs=given[2], wanted=given[4], **also)

    monkeypatch.setattr("manyheads.run.fit.fit_model.write_models", written)
    monkeypatch.setattr("manyheads.run.fit.fit_model.keep_unlikeness", lambda *_: None)
    fitted = run_fit(settings(labelled_table(tmp_path), table=TABLE), tmp_path / "fit")
    ((best, _),) = kept["wanted"]
    assert kept["outputs"] == LABELS
    assert kept["thresholds"](best) == fitted.expected.thresholds
    assert best.about["temperature"] == fitted.expected.temperature
    assert best.parameters.bias.shape == (len(LABELS),)
    np.testing.assert_array_equal(fitted.head().kernel, best.parameters.kernel)


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        ({"select": "last_macro_f1"}, "one class per image, for last_macro_f1"),
        ({"class_weight": "balanced"}, "one class per image, for class weights"),
        ({"balanced_batches": "yes"}, "one class per image, for balanced batches"),
    ],
)
def test_what_is_of_classes_is_refused_before_anything_is_done(
    tmp_path: Path, asked: dict[str, str], words: str
) -> None:
    table = labelled_table(tmp_path)
    with pytest.raises(DataError, match=words):
        run_fit(settings(table, table=TABLE, **asked), tmp_path / "fit")
    assert not (tmp_path / "fit").exists()


def test_the_plan_says_what_ranks_and_what_labels_mean(tmp_path: Path) -> None:
    table = labelled_table(tmp_path)
    plan = "\n".join(planned_fit(settings(table, table=TABLE), tmp_path / "fit").text(in_full=True))
    assert "60 images, 3 labels" in plan
    assert "Labels     several per image, a sigmoid each" in plan
    assert "Ranked     by log loss on held-out images" in plan
    assert "Images" not in plan


def test_the_plan_says_how_images_are_read_if_that_is_unusual(tmp_path: Path) -> None:
    data = quadrant_images(tmp_path / "photos", 12, 4)
    plan = planned_fit(settings(data, depth=12, decode="scaled"), tmp_path / "fit").text()
    assert "Images     depth 12, scaled decoding" in "\n".join(plan)


@pytest.mark.when_changed("studies")
def test_what_is_named_is_another_than_that_of_the_former_run(tmp_path: Path) -> None:
    data = quadrant_images(tmp_path / "photos", 12, 4)
    asked = settings(data, select="last_macro_f1", balanced_batches="yes")
    run_fit(asked, tmp_path / "fit")
    (data / "train/cat/0.png").unlink()
    usual = FitSettings(data=str(data), split=asked.split)
    kept = plan_growth(tmp_path / "fit", usual).settings
    assert (kept.metric, kept.balanced_batches) == ("macro_f1", "yes")
    other = plan_growth(tmp_path / "fit", usual, named=["select", "balanced_batches"]).settings
    assert (other.metric, other.balanced_batches) == ("log_loss", None)


def test_a_named_decoding_must_be_that_of_the_former_run(tmp_path: Path) -> None:
    data = quadrant_images(tmp_path / "photos", 12, 4)
    asked = settings(data, decode="scaled")
    run_fit(asked, tmp_path / "fit")
    (data / "train/cat/0.png").unlink()
    usual = replace(asked, decode="full")
    assert plan_growth(tmp_path / "fit", usual).settings.decode == "scaled"
    with pytest.raises(SettingError, match="fit, scaled, found full"):
        plan_growth(tmp_path / "fit", usual, named=["decode"])
