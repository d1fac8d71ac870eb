"""`manyheads compare` and `manyheads report` as a user sees them, and the tables they leave."""

from __future__ import annotations

import csv
import json
import re
import shutil
from collections import defaultdict
from pathlib import Path

import numpy as np
import pytest

from manyheads import Study, list_runs
from manyheads.cli.main import main
from manyheads.findings.study_findings import read_findings
from manyheads.lesson.ensemble_claim import ensemble_claim
from manyheads.lesson.longer_claim import longer_claim
from manyheads.models.card import read_card
from manyheads.run.pipeline import Finished, run_study
from manyheads.run.plan import RunOptions
from manyheads.study.folder import RunFolder
from tests.small_study import finished_study, small_images, small_settings
from tests.studies import rows_of
from tests.unit.report.page_reader import read_page

ROOT = Path(__file__).parents[2]
ASKED = {
    "class_weight", "balanced_batches", "chosen_val_balanced_accuracy_mean",
    "chosen_val_macro_f1_mean", "val_balanced_accuracy", "val_macro_f1",
}  # fmt: skip


@pytest.fixture(scope="module")
def folded(tmp_path_factory: pytest.TempPathFactory) -> Finished:
    """A finished study with folds; read only."""
    return finished_study(tmp_path_factory.mktemp("folded"), folds=3, repeats=2, seeds=3, epochs=4)


def run_folder(finished: Finished, tmp_path: Path) -> Path:
    """A copy of a run folder that a test may write to."""
    return Path(shutil.copytree(finished.folder.path, tmp_path / "run"))


@pytest.mark.when_changed("commands")
def test_compare_says_what_it_compared_and_on_what(folded, tmp_path, capsys) -> None:
    run = run_folder(folded, tmp_path)
    assert main(["compare", str(run)]) == 0
    out = capsys.readouterr().out
    assert "droprate 0" in out
    assert "droprate 0.5" in out
    assert "Verdict  " in out
    assert "33 images in 3 folds × 2, 3 seeds" in out
    assert "At the end of training" in out
    assert "each set holds the best with 95 % confidence" in out


@pytest.mark.when_changed("commands")
def test_the_side_file_of_a_model_of_all_images_gives_it_no_scores(folded) -> None:
    selected = read_card(folded.folder.best).selected
    assert not {"val_accuracy", "val_loss"} & selected.keys()
    assert 0 <= float(selected["folds_mean_val_accuracy"]) <= 1
    assert str(selected["validated"]).startswith("on no image")


def test_every_pair_in_every_metric_is_in_the_table(folded, tmp_path, capsys) -> None:
    run = run_folder(folded, tmp_path)
    assert main(["compare", str(run), "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    with (run / "comparisons.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["metric"] for row in rows] == ["log_loss", "accuracy", "final_log_loss", "gap"]
    for row, entry in zip(rows, told["entries"] + told["ends"]["entries"], strict=True):
        assert row["metric"] == entry["metric"]
        assert float(row["difference"]) == entry["difference"]
        assert float(row["adjusted_low"]) == entry["adjusted_low"]
        assert row["outcome"] == entry["outcome"]
    assert [found["metric"] for found in told["best"]] == ["log_loss", "accuracy"]
    assert all(set(found["candidates"]) <= {1, 2} for found in told["best"])
    assert "posteriors" not in told
    best = told["recommendation"]
    assert best["candidate"] in (1, 2)
    assert best["sentences"][0].startswith(f"Use {best['name']}: accuracy ")
    (listed,) = list_runs(run).entries
    assert listed.best == best["name"]
    assert listed.deviation is None  # the table's is over folds as well


def test_a_difference_is_that_of_the_recorded_curves(folded) -> None:
    curves = defaultdict(list)
    for row in rows_of(folded.folder.history):
        trial = tuple(int(row[name]) for name in ("candidate", "seed", "fold"))
        curves[trial].append(float(row["val_loss"]))
    scores = defaultdict(list)
    for (candidate, seed, fold), curve in curves.items():
        first = 3 * (fold // 3)  # of the repeat
        others = [curves[candidate, seed, first + k] for k in range(3) if first + k != fold]
        scores[candidate].append(curve[int(np.argmin(np.mean(others, axis=0)))])
    means = {candidate: np.mean(found) for candidate, found in scores.items()}
    (loss,) = read_findings(folded.folder).comparisons.of("log_loss")
    # Folds are of equal size here, so the mean over trials is that over images.
    assert loss.difference == pytest.approx(means[loss.first] - means[loss.second], abs=2e-3)
    assert loss.low <= loss.difference <= loss.high
    ends = read_findings(folded.folder).verdict.ends
    assert ends is not None
    (end,) = ends.of("final_log_loss")
    last = {c: np.mean([v[-1] for trial, v in curves.items() if trial[0] == c]) for c in (1, 2)}
    assert end.difference == pytest.approx(last[end.first] - last[end.second], abs=2e-3)


def test_probabilities_stand_beside_the_verdict_and_leave_it_alone(
    folded, tmp_path, capsys
) -> None:
    run = run_folder(folded, tmp_path)
    assert main(["compare", str(run)]) == 0
    plain = capsys.readouterr().out
    assert "P(equivalent)" not in plain
    assert main(["compare", str(run), "--bayes"]) == 0
    out = capsys.readouterr().out
    assert out.count("P(equivalent)") == 2
    assert out.partition("Verdict  ")[2] == plain.partition("Verdict  ")[2]
    assert main(["compare", str(run), "--bayes", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)["posteriors"]
    assert [entry["metric"] for entry in told] == ["log_loss", "accuracy"]
    for entry in told:
        shares = [entry[name] for name in ("better", "equivalent", "worse")]
        assert sum(shares) == pytest.approx(1)
        assert min(shares) >= 0


def test_a_generous_margin_makes_differences_equivalent(folded, tmp_path, capsys) -> None:
    run = run_folder(folded, tmp_path)
    arguments = ["--margin-accuracy", "100", "--margin-log-loss", "1"]
    assert main(["compare", str(run), "--json", *arguments]) == 0
    told = json.loads(capsys.readouterr().out)
    assert "equivalent" in {entry["outcome"] for entry in told["entries"]}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--baseline", "9"], "--baseline to be a whole number from 1 to 2"),
        (["--baseline", "x"], "--baseline to be a whole number"),
        (["--margin-accuracy", "0"], "margin of accuracy in points to be a number above 0"),
        (["--margin-log-loss", "-1"], "margin of log_loss to be a number above 0"),
    ],
)
def test_bad_values_are_named(folded, tmp_path, capsys, arguments, message) -> None:
    assert main(["compare", str(run_folder(folded, tmp_path)), *arguments]) == 1
    assert re.search(message, capsys.readouterr().err)


@pytest.mark.when_changed("commands")
def test_one_seed_declares_nothing_and_says_why(tmp_path: Path, capsys) -> None:
    finished_study(tmp_path, seeds=1)
    assert main(["compare", str(tmp_path / "run"), "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert {entry["outcome"] for entry in told["entries"]} == {"undecided"}
    assert any("seed" in sentence for sentence in told["verdict"])
    assert main(["compare", str(tmp_path / "run"), "--bayes"]) == 0
    assert "Probabilities: none. With one seed" in capsys.readouterr().out


def test_a_single_candidate_has_nothing_to_compare(tmp_path: Path, capsys) -> None:
    settings = small_settings(small_images(tmp_path / "images"))
    from dataclasses import replace

    from manyheads.study.space import Grid

    run_study(replace(settings, grid=Grid((0.001,), (8,), (0.5,))), tmp_path / "run")
    assert main(["compare", str(tmp_path / "run")]) == 0
    assert "nothing to compare" in capsys.readouterr().out


@pytest.mark.when_changed("commands")
def test_the_report_is_one_file_that_names_the_verdict(folded, tmp_path, capsys) -> None:
    run = run_folder(folded, tmp_path)
    assert main(["report", str(run), "--figures"]) == 0
    page = (run / "report.html").read_text(encoding="utf-8")
    assert "droprate 0.5" in page
    assert "--folds 3 --repeats 2" in read_page(page).by_id("repeat").text
    assert not re.search(r'(src|href)="https?:', page)
    assert {file.suffix for file in (run / "figures").iterdir()} == {".png", ".svg"}
    assert str(run / "report.html") in capsys.readouterr().out


@pytest.mark.when_changed("commands")
def test_the_report_begins_with_the_best_and_what_to_expect(folded, tmp_path) -> None:
    run, findings = run_folder(folded, tmp_path), read_findings(folded.folder)
    assert main(["report", str(run)]) == 0
    page = read_page((run / "report.html").read_text(encoding="utf-8"))
    begin, scores = page.by_id("answer").text, page.by_id("scores").text
    section = page.by_id("comparisons").text
    assert begin.startswith(f"Answer {findings.recommendation.use}")
    cells = [each.text for name in ("scores", "comparisons") for each in page.by_id(name).all("td")]
    for found in findings.verdict.best:
        assert f"{len(found.candidates)} of 2" in cells
    for each in findings.winner:
        assert f"{each.naive:.3f}" in cells
        assert f"{each.score:.3f} [{each.low:.3f}, {each.high:.3f}]" in cells
    assert "Bias-corrected bootstrap, no test set" in scores
    apart = "The log loss is at the epochs best in it; the model has those of best_accuracy"
    assert apart in scores
    assert "Final log loss margin" in section
    assert "Gap to the training loss margin" in section
    for hint in findings.verdict.hints:
        assert hint in section
        assert hint not in begin


@pytest.mark.when_changed("commands")
def test_what_was_expected_stands_beside_the_record_of_the_test(tmp_path: Path) -> None:
    images = small_images(tmp_path / "images", test=4)
    run = tmp_path / "run"
    findings = run_study(small_settings(images, seeds=2), run).findings
    assert findings is not None

    def last_column() -> list[str]:
        assert main(["report", str(run)]) == 0
        section = read_page((run / "report.html").read_text(encoding="utf-8")).by_id("answer")
        tables = [[list(row.all("th", "td")) for row in t.all("tr")] for t in section.all("table")]
        (table,) = [t for t in tables if t[0][1].text == "value [95 %]"]
        return [row[-1].text for row in table]

    selected = findings.result.ranking[0].candidate
    assert main(["test", str(run)]) == 0
    title, accuracy, log_loss, *_ = last_column()
    expected = findings.winner[1]
    assert title == "expected without these images [95 %]"
    assert accuracy.startswith(f"{expected.score:.3f} [")
    assert log_loss == "–"  # the model is at the epoch of best_accuracy
    assert main(["test", str(run), "--candidate", str(3 - selected), "--again"]) == 0
    assert last_column()[0] != "expected without these images [95 %]"


@pytest.mark.when_changed("commands")
def test_a_report_without_its_images_says_so(tmp_path: Path) -> None:
    finished = finished_study(tmp_path, seeds=2)
    shutil.rmtree(str(finished.dataset.root))
    assert main(["report", str(tmp_path / "run")]) == 0
    assert "could not be read again" in (tmp_path / "run/report.html").read_text(encoding="utf-8")


@pytest.mark.when_changed("commands")
def test_a_report_on_other_images_says_which_have_changed(tmp_path: Path) -> None:
    finished = finished_study(tmp_path, seeds=2)
    Path(str(finished.dataset.root), "train", "cat", "3.png").unlink()
    assert main(["report", str(tmp_path / "run")]) == 0
    page = (tmp_path / "run/report.html").read_text(encoding="utf-8")
    assert "1 image removed (train/cat/3.png)" in page


def test_an_unfinished_study_is_refused(tmp_path: Path, capsys) -> None:
    for command in ("compare", "report"):
        assert main([command, str(tmp_path)]) == 1
        assert "no study.toml" in capsys.readouterr().err


def test_python_gives_the_same_verdict(folded) -> None:
    study = Study(folded.dataset.root, droprate=[0.0, 0.5], out=folded.folder.path)
    study._finished = folded
    assert study.verdict().sentences == read_findings(folded.folder).verdict.sentences
    assert study.posteriors().entries == read_findings(folded.folder).posteriors
    (loss, accuracy) = study.posteriors(baseline=2, margin_accuracy=100, margin_log_loss=0.001)
    assert (accuracy.metric, accuracy.first, accuracy.second) == ("accuracy", 1, 2)
    assert accuracy.equivalent > loss.equivalent


@pytest.mark.when_changed("commands")
def test_every_column_of_every_table_is_documented_and_no_other(tmp_path: Path) -> None:
    finished = finished_study(tmp_path, options=RunOptions(parquet=True), seeds=2)
    folder: RunFolder = finished.folder
    ensemble_claim(folder.path, candidate=2)
    longer_claim(folder.path, epochs=3, patience=1)
    text = (ROOT / "docs" / "columns.md").read_text(encoding="utf-8")
    sections = dict(re.findall(r"## (\S+\.csv)\n(.*?)(?=\n## |\Z)", text, re.DOTALL))
    del sections["claims/shortcut.csv"]  # which tests/e2e/test_cli_shortcut.py holds
    tables = {str(table.relative_to(folder.path)): table for table in folder.path.rglob("*.csv")}
    assert set(sections) == set(tables)
    for name, table in tables.items():
        header = table.read_text().splitlines()[0].split(",")
        cells = re.findall(r"^\| (`.*?) \|", sections[name], re.MULTILINE)
        documented = [column for cell in cells for column in re.findall(r"`(\w+)`", cell)]
        # Columns of a study that asks for them; tests/e2e/test_cli_imbalance.py has one.
        assert [name for name in documented if name in header or name not in ASKED] == header
    from pyarrow import parquet

    for table in (folder.history, folder.results, folder.comparisons):
        header = table.read_text().splitlines()[0].split(",")
        assert parquet.read_schema(table.with_suffix(".parquet")).names == header


@pytest.mark.when_changed("commands")
def test_several_runs_are_compared_on_the_images_that_they_share(tmp_path: Path, capsys) -> None:
    data = small_images(tmp_path / "images", validation=6)
    for name, changes in (("a", {"seeds": 3}), ("b", {"seeds": 2, "epochs": 4})):
        run_study(small_settings(data, **changes), tmp_path / name)
    runs = [str(tmp_path / name) for name in "ab"]
    before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*.csv")}
    assert main(["compare", *runs]) == 0
    out = capsys.readouterr().out
    said = " ".join(out.split())
    assert out.startswith("Selected candidates; scores to expect on new images, not paired\n")
    assert re.search(r"\nCandidates\n    1  a: droprate 0(\.5)?\n    2  b: droprate 0(\.5)?\n", out)
    assert "The runs share 18 validation images (a has 18, b has 18)." in said
    assert "On 18 validation images, 2 seeds" in said
    assert "adjusted for all 8 comparisons (Holm)" in said
    assert {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*.csv")} == before

    assert main(["compare", *runs, "--all-candidates", "--json", "--bayes"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert [run["run"] for run in told["runs"]] == ["a", "b"]
    assert told["shared_images"] == 18
    assert list(told["candidates"]) == ["1", "2", "3", "4"]
    assert len(told["entries"]) == len(told["posteriors"]) == 2 * 6
    assert told["family"] == 12
    assert main(["compare", *runs, "--all-candidates", "--bayes"]) == 0
    assert "P(equivalent)" in capsys.readouterr().out

    Path(runs[1], "images.npz").unlink()
    assert main(["compare", *runs]) == 0
    said = " ".join(capsys.readouterr().out.split())
    assert said.endswith("Verdict None: b kept no list of its images, as earlier versions did not.")
    assert main(["compare", *runs, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["verdict"] == []


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["RUN", "RUN"], "expected each run once, found run twice; name every run only once"),
        (["RUN", "elsewhere", "--baseline", "1"], "one run for --baseline, a number in its resul"),
        (["RUN", "--all-candidates"], "several runs for --all-candidates, found one"),
        (["RUN", "elsewhere"], "a run folder at elsewhere, found no such folder"),
    ],
)
def test_runs_that_are_not_compared(small_run, capsys, arguments, message) -> None:
    named = [str(small_run.path) if each == "RUN" else each for each in arguments]
    assert main(["compare", *named]) == 1
    err = capsys.readouterr().err
    assert message in err
    assert err.count("\n") == 1
