"""`manyheads compare` and `manyheads report` as a user sees them, and the tables they leave."""

from __future__ import annotations

import csv
import json
import re
import shutil
from pathlib import Path

import pytest

from manyheads.api import Study
from manyheads.claims.ensemble import ensemble_claim
from manyheads.claims.longer import longer_claim
from manyheads.cli.main import main
from manyheads.evidence.findings import read_findings
from manyheads.model.card import read_card
from manyheads.pipeline import Finished, run_study
from manyheads.plan import RunOptions
from manyheads.study.folder import RunFolder
from tests.small_study import finished_study, small_images, small_settings

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def folded(tmp_path_factory: pytest.TempPathFactory) -> Finished:
    """A finished study with folds; read only."""
    return finished_study(tmp_path_factory.mktemp("folded"), folds=3, repeats=2, seeds=3, epochs=4)


def run_folder(finished: Finished, tmp_path: Path) -> Path:
    """A copy of a run folder that a test may write to."""
    return Path(shutil.copytree(finished.folder.path, tmp_path / "run"))


def test_compare_says_what_it_compared_and_on_what(folded, tmp_path, capsys) -> None:
    run = run_folder(folded, tmp_path)
    assert main(["compare", str(run)]) == 0
    out = capsys.readouterr().out
    assert "droprate 0" in out
    assert "droprate 0.5" in out
    assert "Verdict  " in out
    assert "33 images" in out
    assert "3 folds, 2 times over" in out
    assert "3 seeds" in out


def test_the_side_file_of_a_model_of_all_images_gives_it_no_scores(folded) -> None:
    selected = read_card(folded.folder.best).selected
    assert not {"val_accuracy", "val_loss"} & selected.keys()
    assert 0 <= float(selected["folds_mean_val_accuracy"]) <= 1
    assert str(selected["validated"]).startswith("on no image")


def test_every_pair_in_both_metrics_is_in_the_table(folded, tmp_path, capsys) -> None:
    run = run_folder(folded, tmp_path)
    assert main(["compare", str(run), "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    with (run / "comparisons.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["metric"] for row in rows] == ["log_loss", "accuracy"]
    for row, entry in zip(rows, told["entries"], strict=True):
        assert float(row["difference"]) == entry["difference"]
        assert row["outcome"] == entry["outcome"]


def test_a_difference_is_that_of_the_recorded_scores(folded) -> None:
    findings = read_findings(folded.folder)
    means = {
        entry.candidate: entry.measures["chosen_val_loss"].mean for entry in findings.result.ranking
    }
    loss = next(entry for entry in findings.comparisons.entries if entry.metric == "log_loss")
    # Folds are of equal size here, so the mean over trials is that over images.
    assert loss.difference == pytest.approx(means[loss.first] - means[loss.second], abs=2e-3)
    assert loss.low <= loss.difference <= loss.high


def test_a_generous_margin_makes_differences_equivalent(folded, tmp_path, capsys) -> None:
    run = run_folder(folded, tmp_path)
    arguments = ["--margin-accuracy", "100", "--margin-log-loss", "1"]
    assert main(["compare", str(run), "--json", *arguments]) == 0
    told = json.loads(capsys.readouterr().out)
    assert "equivalent" in {entry["outcome"] for entry in told["entries"]}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--baseline", "9"], "baseline to be a whole number from 1 to 2"),
        (["--baseline", "x"], "baseline to be a whole number"),
        (["--margin-accuracy", "0"], "margin of accuracy in points to be a number above 0"),
        (["--margin-log-loss", "-1"], "margin of log_loss to be a number above 0"),
    ],
)
def test_bad_values_are_named(folded, tmp_path, capsys, arguments, message) -> None:
    assert main(["compare", str(run_folder(folded, tmp_path)), *arguments]) == 1
    assert re.search(message, capsys.readouterr().err)


def test_one_seed_declares_nothing_and_says_why(tmp_path: Path, capsys) -> None:
    finished_study(tmp_path, seeds=1)
    assert main(["compare", str(tmp_path / "run"), "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert {entry["outcome"] for entry in told["entries"]} == {"undecided"}
    assert any("seed" in sentence for sentence in told["verdict"])


def test_a_single_candidate_has_nothing_to_compare(tmp_path: Path, capsys) -> None:
    settings = small_settings(small_images(tmp_path / "images"))
    from dataclasses import replace

    from manyheads.study.space import Grid

    run_study(replace(settings, grid=Grid((0.001,), (8,), (0.5,))), tmp_path / "run")
    assert main(["compare", str(tmp_path / "run")]) == 0
    assert "nothing to compare" in capsys.readouterr().out


def test_the_report_is_one_file_that_names_the_verdict(folded, tmp_path, capsys) -> None:
    run = run_folder(folded, tmp_path)
    assert main(["report", str(run), "--figures"]) == 0
    page = (run / "report.html").read_text(encoding="utf-8")
    assert "droprate 0.5" in page
    assert "--folds 3 --repeats 2" in page
    assert not re.search(r'(src|href)="https?:', page)
    assert {file.suffix for file in (run / "figures").iterdir()} == {".png", ".svg"}
    assert str(run / "report.html") in capsys.readouterr().out


def test_a_report_without_its_images_says_so(tmp_path: Path) -> None:
    finished = finished_study(tmp_path, seeds=2)
    shutil.rmtree(finished.dataset.root)
    assert main(["report", str(tmp_path / "run")]) == 0
    assert "could not be read again" in (tmp_path / "run/report.html").read_text(encoding="utf-8")


def test_an_unfinished_study_is_refused(tmp_path: Path, capsys) -> None:
    for command in ("compare", "report"):
        assert main([command, str(tmp_path)]) == 1
        assert "no study.toml" in capsys.readouterr().err


def test_python_gives_the_same_verdict(folded) -> None:
    study = Study(folded.dataset.root, droprate=[0.0, 0.5], out=folded.folder.path)
    study._finished = folded
    assert study.verdict().sentences == read_findings(folded.folder).verdict.sentences


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
        assert documented == header
    from pyarrow import parquet

    for table in (folder.history, folder.results, folder.comparisons):
        header = table.read_text().splitlines()[0].split(",")
        assert parquet.read_schema(table.with_suffix(".parquet")).names == header
