"""What a page tells of a model: from its file alone, and from the records of its run."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from manyheads.findings.study_findings import read_findings
from manyheads.models.classifier import load
from manyheads.run.fit import fit_answers, image_options
from manyheads.run.fit.fit_record import FILE
from manyheads.run.fit.fit_run import run_fit
from manyheads.run.fit.fit_settings import FitSettings, search_grid
from manyheads.run.pipeline import Finished
from manyheads.run.test_evaluation import final_score
from manyheads.stats.confidence import RiskCoverage, risk_coverage
from manyheads.study.folder import RunFolder
from manyheads.study.space import Grid
from manyheads.web.service.about_model import _last, _risk, _without_paths, about
from tests.shortcuts import SIDE, quadrant_images
from tests.studies import free_backbone

GOLDEN = Path(__file__).parents[2] / "golden" / "run"


def told(path: Path, model: Path | None = None) -> dict[str, Any]:
    """What is known of the model at `path`, which is plain JSON.

    Where it has no whole `model`, another one is opened.
    """
    found = about("name", path, load(model or path))
    return json.loads(json.dumps(found, allow_nan=False))


def texts(found: Any) -> Iterator[str]:
    """Every text in a document."""
    if isinstance(found, str):
        yield found
    elif isinstance(found, Mapping):
        for key, value in found.items():
            yield from (str(key), *texts(value))
    elif isinstance(found, list):
        for each in found:
            yield from texts(each)


def at(risk: list[dict[str, Any]], threshold: float) -> tuple[float, float | None]:
    """Coverage and error at a threshold, as a page reads them."""
    point = next(each for each in risk if each["threshold"] >= threshold - 1e-9)
    return point["coverage"], point["error"]


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """A copy of the run folder of an earlier version."""
    return Path(shutil.copytree(GOLDEN, tmp_path / "run"))


def test_a_study_tells_its_images_scores_and_risk(run: Path) -> None:
    found, findings = told(run), read_findings(RunFolder(run))
    assert found["name"] == "name"
    assert found["classes"] == ["a", "b", "c"]
    assert found["data"]["splits"]["train"] == {"images": 36, "classes": dict.fromkeys("abc", 12)}
    for score in findings.winner:
        expected = {"value": score.score, "low": score.low, "high": score.high}
        assert found["expect"][score.metric] == expected
    assert found["expect"]["on"] == "new images like the 12 validation images"
    assert [each["images"] for each in found["recalls"]] == [4, 4, 4]
    assert found["risk_on"] == "12 validation images; mean of 3 seeds"
    assert found["made"] == {"version": "0.1.0"}
    assert "backbone" not in found  # it is of features
    assert "test" not in found  # nobody has opened it
    assert found["warnings"] == ["All scores are of 12 images only, so they are rough."]


def test_the_risk_is_that_of_abstaining_below_the_threshold(run: Path) -> None:
    findings = read_findings(RunFolder(run))
    validated = findings.validated
    answers = validated.log_probabilities(findings.selected.candidate)[:, 0].astype(np.float64)
    sure, right = np.exp(answers.max(axis=-1)), answers.argmax(axis=-1) == validated.labels
    for threshold in np.linspace(0, 1, 101).round(2):
        answered = sure >= threshold
        coverage, error = at(told_risk(run), float(threshold))
        assert coverage == pytest.approx(answered.mean())
        expected = 1 - right[answered].mean() if answered.any() else None
        assert error == (None if expected is None else pytest.approx(expected))


_RISKS: dict[Path, list[dict[str, Any]]] = {}


def told_risk(run: Path) -> list[dict[str, Any]]:
    """The risk, read once."""
    if run not in _RISKS:
        _RISKS[run] = told(run)["risk"]
    return _RISKS[run]


def test_thresholds_between_which_nothing_changes_are_told_once() -> None:
    chances = np.log(np.array([[[0.905, 0.095], [0.295, 0.705], [0.755, 0.245]]], np.float32))
    risk = list(_risk(risk_coverage(chances, np.array([0, 0, 0]))))
    assert [point["threshold"] for point in risk] == [0.7, 0.75, 0.9, 1.0]
    assert [point["error"] for point in risk] == [pytest.approx(1 / 3), 0.0, 0.0, None]
    assert at(risk, 0.0) == (1.0, pytest.approx(1 / 3))
    assert at(risk, 0.71) == (pytest.approx(2 / 3), 0.0)
    empty = np.empty(0)
    assert list(_risk(RiskCoverage(empty, empty, empty, empty, empty)))[-1]["coverage"] == 0.0


def test_a_file_alone_tells_its_card(run: Path, tmp_path: Path) -> None:
    for name in ("best.keras", "best.keras.json"):
        shutil.copy(run / name, tmp_path / name)
    found = told(tmp_path / "best.keras")
    assert found.keys() == {"name", "classes", "data", "expect"}
    assert found["expect"]["accuracy"]["low"] is None
    assert "also selected it" in found["expect"]["on"]


def test_the_best_file_of_a_run_folder_is_the_run(run: Path) -> None:
    assert told(run / "best.keras") == told(run)


@pytest.mark.parametrize("damage", ["study.toml", "study.sqlite", "images.npz"])
def test_damaged_records_are_told_and_the_card_stays(run: Path, damage: str) -> None:
    (run / damage).write_bytes(b"\0 no such thing")
    found = told(run)
    assert found["classes"] == ["a", "b", "c"]
    assert found["expect"]["accuracy"]["value"] is not None
    if damage == "images.npz":
        assert "splits" not in found["data"]
    else:
        assert found["warnings"][0].startswith("The records of the run could not be read: ")
    assert not any(str(run.parent) in text for text in texts(found))


@pytest.mark.when_changed("commands")
def test_a_model_of_images_tells_backbone_test_and_no_path(finished: Finished) -> None:
    final_score(finished.folder.path)
    found = told(finished.folder.path)
    assert found["backbone"] == "mobilenet"
    assert found["licence"] == "Apache-2.0"
    assert found["image"] == {"size": 32, "words": "32×32, bicubic"}
    assert found["data"]["name"] == "images"
    assert found["test"]["images"] == 6
    assert len(found["test"]["date"]) == len(found["made"]["date"]) == 10
    assert not any("/" in text for text in texts(found)), found


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Finished:
    from manyheads.run.pipeline import run_study
    from tests.small_study import small_images, small_settings

    root = tmp_path_factory.mktemp("study")
    return run_study(small_settings(small_images(root / "images", test=2)), root / "run")


@pytest.fixture
def fit(monkeypatch: pytest.MonkeyPatch, own_cache: Path, tmp_path: Path) -> Iterator[Path]:
    """A small fit on a backbone that costs nothing."""
    del own_cache  # it is there

    def grid(copies: int) -> Grid:
        return Grid(
            (0.01, 0.05), (6,), (0.2,), augmented_copies=search_grid(copies).augmented_copies,
            learning_rate_schedule=("cosine",), epochs=(20,),
        )  # fmt: skip

    monkeypatch.setattr(image_options, "search_grid", grid)
    with free_backbone(monkeypatch, extraction=0.01):
        data = quadrant_images(tmp_path / "photos")
        settings = FitSettings(
            data=str(data), backbone="xception", size=SIDE, heads=3, budget=600.0
        )
        yield run_fit(settings, tmp_path / "fit").path


@pytest.mark.when_changed("pages")
def test_a_fit_tells_what_its_record_expects(fit: Path) -> None:
    found = told(fit, GOLDEN)  # a backbone that costs nothing writes no whole model
    record = json.loads((fit / FILE).read_text())
    scores = record["expected"]["scores"]
    assert found["expect"]["accuracy"] == scores["accuracy"]
    assert found["expect"]["log_loss"] == scores["log_loss"]
    assert "when it was left out of training" in found["expect"]["on"]
    assert [each["class"] for each in found["recalls"]] == [e["name"] for e in scores["classes"]]
    assert at(found["risk"], 0.0)[0] == 1.0
    # Who answers for all images errs as often as is expected of the model: it is the same answers.
    assert at(found["risk"], 0.0)[1] == pytest.approx(1 - scores["accuracy"]["value"])
    assert "risk_by" not in found
    assert found["data"]["splits"].keys() == {f"in {record['folds']} folds"}
    assert found["made"]["version"]
    assert not any(str(fit.parent) in text for text in texts(found))
    (fit / fit_answers.FILE).unlink()  # as of an earlier version
    former = told(fit, GOLDEN)
    assert former["risk_by"] == "one of the heads that it averages"
    assert at(former["risk"], 0.0)[0] == 1.0


@pytest.mark.when_changed("pages")
def test_a_fit_without_its_search_still_tells_its_scores(fit: Path) -> None:
    shutil.rmtree(fit / "search")
    found = told(fit, GOLDEN)
    assert found["expect"]["accuracy"]["value"] is not None
    assert "risk" not in found


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("/data/ann/photos", "photos"), ("C:\\Users\\ann\\photos\\", "photos"),
        ("s3://bucket/photos", "photos"), ("clothing", "clothing"),
        ("hf:org/name@0123", "hf:org/name@0123"), ("timm:vit_small", "timm:vit_small"),
    ],
)  # fmt: skip
def test_only_the_last_part_of_a_path_is_told(text: str, expected: str) -> None:
    assert _last(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("no study in /data/ann/runs/x; repeat", "no study in x; repeat"),
        ("found '/a/b c'", "found 'b c'"), ("at ~/runs/x", "at x"),
        ("C:\\a\\b is gone", "b is gone"),
        ("3 of 4 images/s, and/or none", "3 of 4 images/s, and/or none"),
    ],
)  # fmt: skip
def test_texts_lose_their_absolute_paths(text: str, expected: str) -> None:
    assert _without_paths(text) == expected
