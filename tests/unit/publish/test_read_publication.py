"""What is read of a run folder to be published: rows, scores, curves, files, and who it is."""

from __future__ import annotations

import math
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from benchmarks.parts.made_runs import made_run
from manyheads.core.job import Job
from manyheads.errors import Interrupted, RunError
from manyheads.findings.reading import read_validated
from manyheads.publish import candidate_rows, published_files, read_publication
from manyheads.publish.mean_intervals import mean_intervals
from manyheads.publish.publication import Publication
from manyheads.publish.read_publication import read_publication as read
from manyheads.publish.study_identity import study_parameters
from manyheads.stats.comparisons import Differences
from manyheads.stats.paired import mean_score
from manyheads.study.finished import finished_result
from manyheads.study.folder import RunFolder
from manyheads.study.space import Grid
from manyheads.study.store import Store
from manyheads.study.study_document import read_study, read_toml, to_toml

GOLDEN = Path(__file__).parents[2] / "golden" / "run"


def rows_of(publication: Publication) -> dict[int, dict[str, float]]:
    return {row.number: dict(row.metrics) for row in publication.rows}


def differences_of(run: RunFolder) -> Differences:
    settings, resolved = read_study(run.document())
    result = finished_result(run, settings)
    return Differences(read_validated(run.store, settings, result, resolved.classes))


def test_a_row_for_each_candidate_the_best_first(run: RunFolder) -> None:
    found = read(run)
    assert [row.metrics["rank"] for row in found.rows] == [1, 2, 3, 4]
    scores = [row.metrics["accuracy"] for row in found.rows]
    assert len(found.rows) == 4
    assert found.rows[0].key == f"candidate-{found.rows[0].number}"
    assert found.rows[0].name.startswith("droprate ")
    assert scores[0] >= scores[-1]
    first = found.rows[0]
    assert first.parameters["backbone"] == "xception"
    assert first.parameters["image_size"] == 150
    assert first.parameters["epochs"] == 5
    assert found.parameters["droprate"] == "0.0 0.225 0.45 0.675"


def test_scores_are_those_of_the_findings_with_their_intervals(run: RunFolder) -> None:
    differences, rows = differences_of(run), rows_of(read(run))
    for candidate, metrics in rows.items():
        for metric in ("accuracy", "log_loss"):
            sums = differences.sums(candidate, metric)
            alone = mean_score(sums, differences.layout)
            assert metrics[metric] == pytest.approx(differences.mean(candidate, metric))
            assert alone.low is not None
            assert alone.high is not None
            assert metrics[f"{metric}_low"] == pytest.approx(max(0, alone.low))
            by_seed = sums.sum(axis=-1).mean(axis=-1) / differences.layout.images
            assert metrics[f"{metric}_std"] == pytest.approx(by_seed.std(ddof=1))
        assert metrics["accuracy_high"] <= 1
        assert (metrics["seeds"], metrics["trials"], metrics["failed_trials"]) == (3, 3, 0)


def test_the_score_that_selects_is_told_with_its_name(tmp_path: Path) -> None:
    run = made_run(tmp_path / "photos", select="last_balanced_accuracy")
    found, differences = read(run), differences_of(run)
    assert found.metric == "balanced_accuracy"
    scores = [row.metrics["balanced_accuracy"] for row in found.rows]
    first = found.rows[0]
    assert scores[0] == pytest.approx(differences.mean(first.number, "balanced_accuracy"))
    assert first.metrics["balanced_accuracy_low"] < scores[0] < 1
    assert first.metrics["balanced_accuracy_high"] <= 1
    assert len(first.curves["curves/val_balanced_accuracy"]) == 5
    assert found.metrics["balanced_accuracy"] == scores[0]
    assert "expected_balanced_accuracy" in found.metrics
    assert ", balanced accuracy 0." in found.sentences[0]
    assert found.sentences[1].startswith("Expected on new images: balanced accuracy 0.")
    by_loss = read(made_run(tmp_path / "others", select="best_loss"))
    assert by_loss.metric == "log_loss"
    assert by_loss.sentences[1].startswith("Expected on new images: log loss ")
    assert "balanced_accuracy" not in by_loss.rows[0].metrics
    assert read(made_run(tmp_path / "third")).sentences[1].count("accuracy") == 1


def test_of_several_labels_these_are_counted_and_not_their_sets() -> None:
    document = read_toml(GOLDEN / "study.toml")
    assert study_parameters(document)["classes"] == 3
    document["resolved"]["label_names"] = ["big", "red"]
    told = study_parameters(document)
    assert told["labels"] == 2
    assert "classes" not in told


@pytest.mark.parametrize("seeds", [1, 2, 6])
@pytest.mark.parametrize("folds", [None, 3])
def test_many_intervals_at_once_are_those_of_one(tmp_path: Path, seeds: int, folds) -> None:
    differences = differences_of(made_run(tmp_path / "run", 5, seeds=seeds, folds=folds))
    every = differences.validated.candidates
    for metric in ("accuracy", "log_loss"):
        sums = [differences.sums(each, metric) for each in every]
        sums.append(0 * sums[0])  # no image differs from another: there is no interval
        alone = [mean_score(each, differences.layout) for each in sums]
        found = mean_intervals(sums, differences.layout)
        assert [each.value for each in found] == pytest.approx([each.value for each in alone])
        for one, other in zip(alone, found, strict=True):
            assert (one.low is None) == (other.low is None)
            if one.low is not None and other.low is not None:
                assert other.low == pytest.approx(one.low, rel=1e-9)
        assert found[-1].low is None


def test_cost_is_in_epochs_of_the_usual_head(tmp_path: Path) -> None:
    grid = Grid((0.001,), (0, 100), (0.5,), epochs=(4,))
    rows = rows_of(read(made_run(tmp_path / "run", grid=grid)))
    assert rows[2]["cost"] == rows[2]["epochs_trained"] == 3 * 4
    assert 0 < rows[1]["cost"] < rows[2]["cost"]


def test_curves_are_means_over_trials_of_the_best(run: RunFolder, monkeypatch) -> None:
    monkeypatch.setattr(candidate_rows, "CURVES", 2)
    found = read(run)
    assert [len(row.curves) for row in found.rows] == [4, 4, 0, 0]
    best = found.rows[0]
    with Store(run.store) as store:
        records = store.trials("done", candidate=best.number)
        curves = [store.curve(record.trial.number) for record in records]
    means = [sum(c[epoch].val_loss for c in curves) / 3 for epoch in range(5)]
    assert best.curves["curves/val_loss"] == pytest.approx(means)


def test_pruned_and_failed_candidates_have_no_scores_that_look_comparable(run: RunFolder) -> None:
    with Store(run.store) as store:
        for record in store.trials(candidate=1):
            store.finish(record.trial.number, "failed", 0, "diverged", [])
        store.prune([2], "pruned")
    rows = {row.number: row for row in read(run).rows}
    assert [rows[number].state for number in (1, 2, 3, 4)] == ["failed", "pruned", "done", "done"]
    assert not rows[1].curves
    assert "accuracy" not in rows[1].metrics
    assert rows[1].metrics["failed_trials"] == 3
    assert rows[2].metrics["rung_accuracy"] > 0
    assert not {"rank", "accuracy"} & rows[2].metrics.keys()
    assert [row.state for row in read(run).rows] == ["done", "done", "pruned", "failed"]


def test_equal_studies_have_equal_contents_wherever_they_lie(run: RunFolder, tmp_path: Path):
    moved = RunFolder(shutil.copytree(run.path, tmp_path / "elsewhere" / "photos"))
    text = moved.settings.read_text("utf-8").replace('"/photos"', '"/other/photos"')
    moved.settings.write_text(text, "utf-8")
    assert read(moved).content == read(run).content
    assert read(moved).key == read(run).key
    assert read(moved).label == f"photos-{read(run).key[:8]}"


def test_a_study_that_grows_stays_the_same_and_another_does_not(tmp_path: Path) -> None:
    asked: list[dict[str, Any]] = [
        {}, {"seeds": 4}, {"select": "best_loss"}, {"folds": 2}, {"folds": 2, "repeats": 2},
    ]  # fmt: skip
    keys = [
        read(made_run(tmp_path / f"{place}", **changes)).key for place, changes in enumerate(asked)
    ]
    assert keys[0] == keys[1]
    assert keys[3] == keys[4]
    assert len({keys[0], keys[2], keys[3]}) == 3


def test_content_changes_with_what_a_tracker_is_told(run: RunFolder, tmp_path: Path) -> None:
    more = read(made_run(tmp_path / "more" / "photos", seeds=5))
    assert more.content != read(run).content
    assert more.rows[0].content != read(run).rows[0].content
    row = read(run).rows[0]
    assert replace(row, name="another").content != row.content


def test_numbers_are_finite_and_places_are_not_told(run: RunFolder) -> None:
    document = read_toml(run.settings)
    document["study"] |= {"data": "/data/someone/secret/photos", "weights": "/data/someone/w.h5"}
    run.settings.write_text(to_toml(document), "utf-8")
    found = read(run)
    assert all(math.isfinite(v) for row in found.rows for v in row.metrics.values())
    told = f"{found.parameters} {found.tags} {found.text}"
    assert "someone" not in told
    assert (found.data, found.parameters["weights"]) == ("photos", "w.h5")


def test_a_long_list_is_shortened(tmp_path: Path) -> None:
    found = read(made_run(tmp_path / "run", 100, seeds=1))
    assert max(len(str(value)) for value in found.parameters.values()) <= 250
    assert len(found.rows) == 100


def test_very_many_candidates_are_bounded_and_it_says_so(run: RunFolder, monkeypatch) -> None:
    monkeypatch.setattr(candidate_rows, "MOST_ROWS", 3)
    monkeypatch.setattr(read_publication, "MOST_ROWS", 3)
    found = read(run)
    assert [row.metrics["rank"] for row in found.rows] == [1, 2, 3]
    assert "The best 3 of 4 candidates." in found.text


def test_files_are_bounded_and_what_is_left_out_is_said(run: RunFolder, monkeypatch) -> None:
    run.models[0].write_bytes(b"x" * 1000)
    run.models[0].with_name("best.keras.json").write_text("{}")
    names = [file.name for file in read(run).files]
    assert names == ["report.html", "study.toml", "results.csv", "best.keras", "best.keras.json"]
    monkeypatch.setattr(published_files, "MOST_BYTES", 1000 + run.report.stat().st_size)
    found = read(run)
    assert "best.keras" not in [file.name for file in found.files]
    assert "Not published: best.keras (1.0 kB)" in found.left_out[-1]
    assert read(run, files=False).files == ()


def test_a_study_of_an_earlier_version_has_no_intervals_and_says_so(tmp_path: Path) -> None:
    run = RunFolder(shutil.copytree(GOLDEN, tmp_path / "golden"))
    with Store(run.store) as store:
        store._db.execute("DELETE FROM predictions")
        store._db.execute("DELETE FROM divisions")
    found = read(run)
    assert "earlier version" in found.text
    assert found.rows[0].metrics["accuracy"] == pytest.approx(0.58333, abs=1e-4)
    assert "accuracy_low" not in found.rows[0].metrics
    assert found.tags["backbone"] == "none"


def test_what_is_not_finished_is_refused(run: RunFolder, tmp_path: Path) -> None:
    with Store(run.store) as store:
        store.start(1)
    with pytest.raises(RunError, match="heads still to train"):
        read(run)
    with pytest.raises(RunError, match=r"no study\.toml in it"):
        read(RunFolder(tmp_path))
    search = tmp_path / "fit" / "search" / "64px"
    shutil.copytree(run.path, search)
    with pytest.raises(RunError, match="options still to try"):
        read(RunFolder(tmp_path / "fit"))


def test_a_stop_ends_the_reading(run: RunFolder) -> None:
    job = Job()
    job.stop()
    with pytest.raises(Interrupted):
        read(run, job=job)
