"""`manyheads claims` as a user sees it, and what it leaves in the run folder."""

from __future__ import annotations

import csv
import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from manyheads import Study
from manyheads.cli.main import main
from manyheads.errors import Interrupted, RunError
from manyheads.findings.claim_record import read_ensemble, read_longer
from manyheads.lesson.ensemble_claim import ensemble_claim
from manyheads.lesson.longer_claim import longer_claim
from manyheads.run.pipeline import Finished
from manyheads.study.folder import RunFolder
from manyheads.study.space import Grid
from manyheads.study.store import Store
from tests.jobs import StoppingJob
from tests.small_study import finished_study

pytestmark = pytest.mark.when_changed("commands")


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Finished:
    """A finished study, whose second candidate has dropout; read only."""
    return finished_study(tmp_path_factory.mktemp("claims"), seeds=4, epochs=4)


@pytest.fixture(scope="module")
def folded(tmp_path_factory: pytest.TempPathFactory) -> Finished:
    """A finished study with folds; read only."""
    return finished_study(tmp_path_factory.mktemp("folded"), folds=3, repeats=2, seeds=2, epochs=3)


@pytest.fixture
def run(study: Finished, tmp_path: Path) -> RunFolder:
    """A run folder that a test may write to."""
    return RunFolder(shutil.copytree(study.folder.path, tmp_path / "run"))


def test_both_claims_say_their_cost_then_a_table_and_a_verdict(run: RunFolder, capsys) -> None:
    asked = ["--ensemble", "--candidate", 2, "--longer", "--epochs", 20, "--patience", 4]
    assert main(["claims", str(run.path), *map(str, asked)]) == 0
    shown = capsys.readouterr()
    assert shown.err.count("Cost       no backbone passes; ") == 2
    with Store(run.store) as store:
        epochs = sum(record.epoch for record in store.trials("done", candidate=2))
    assert f"4 heads to train ({epochs} epochs of heads), about 0:0" in shown.err
    assert "8 heads to train (at most 160 epochs of heads), at most 0:0" in shown.err
    assert shown.out.count("Verdict  ") == 2
    for words in ("one random subnetwork", "the average of 100 subnetworks", "weight scaling",
                  "an ensemble of 2 seeds", "droprate 0.5", "Epochs to the best"):  # fmt: skip
        assert words in shown.out
    for name in ("ensemble.csv", "longer.csv"):
        assert str(run.claims / name) in shown.out
        assert (run.claims / name).is_file()


def test_what_is_printed_as_json_is_what_is_recorded(run: RunFolder, capsys) -> None:
    assert main(["claims", str(run.path), "--ensemble", "--candidate", "2", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    recorded = json.loads((run.claims / "ensemble.json").read_text(encoding="utf-8"))
    assert recorded.pop("format") == 1
    assert told == {"ensemble": recorded}


def test_weight_scaling_scores_as_the_study_recorded(run: RunFolder) -> None:
    claim = ensemble_claim(run.path, candidate=2)
    (scaling,) = [way for way in claim.ways if way.kind == "weight_scaling"]
    with Store(run.store) as store:
        chosen = [
            store.curve(record.trial.number)[record.epoch - 1]
            for record in store.trials("done", candidate=2)
        ]
    accuracy = np.mean([each.val_accuracy for each in chosen])
    assert scaling.accuracy.value == pytest.approx(accuracy)
    loss = np.mean([each.val_loss for each in chosen])
    assert scaling.log_loss.value == pytest.approx(loss, abs=1e-4)
    assert claim == read_ensemble(run)
    assert ensemble_claim(run.path, candidate=2) == claim  # masks are drawn from counters


def test_the_curves_go_on_where_the_study_ended(run: RunFolder) -> None:
    claim = longer_claim(run.path, epochs=12, patience=6)
    assert claim == read_longer(run)
    with Store(run.store) as store:
        curves = [store.curve(r.trial.number) for r in store.trials("done", candidate=1)]
    first = claim.candidates[0]
    assert first.epochs[:4] == (1, 2, 3, 4)
    means = np.mean([[each.val_loss for each in curve] for curve in curves], axis=0)
    np.testing.assert_allclose(first.val_loss[:4], means)
    with (run.claims / "longer.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [(row["candidate"], row["seed"]) for row in rows] == [
        (str(candidate), str(seed)) for candidate in (1, 2) for seed in range(4)
    ]
    mean = np.mean([float(row["log_loss_epoch"]) for row in rows if row["candidate"] == "1"])
    assert first.log_loss.epoch.value == pytest.approx(mean)


def test_heads_cut_off_at_the_limit_say_so(run: RunFolder, capsys) -> None:
    asked = ["--longer", "--epochs", "3", "--patience", "2"]
    assert main(["claims", str(run.path), *asked]) == 0
    out = capsys.readouterr().out
    assert "at least" in out
    assert "when training ended; more --epochs (so far 3) would tell." in out


def test_with_folds_heads_of_the_first_repeat_answer(folded: Finished, tmp_path: Path) -> None:
    run = RunFolder(shutil.copytree(folded.folder.path, tmp_path / "run"))
    claim = ensemble_claim(run.path, candidate=2)
    assert (claim.images, claim.folds, claim.seeds) == (33, 3, 2)
    (scaling,) = [way for way in claim.ways if way.kind == "weight_scaling"]
    with Store(run.store) as store:
        chosen = [
            store.curve(record.trial.number)[record.epoch - 1].val_accuracy
            for record in store.trials("done", candidate=2)
            if record.trial.fold < 3
        ]
    assert scaling.accuracy.value == pytest.approx(np.mean(chosen))
    longer = longer_claim(run.path, epochs=6, patience=2)
    assert [each.heads for each in longer.candidates] == [12, 12]
    assert "in 3 folds" in longer.sentences[-1]


def test_the_report_shows_what_was_checked(run: RunFolder) -> None:
    assert main(["report", str(run.path)]) == 0
    assert "Dropout as an ensemble" not in run.report.read_text(encoding="utf-8")
    ensemble_claim(run.path, candidate=2)
    longer_claim(run.path, epochs=8, patience=3)
    assert main(["report", str(run.path)]) == 0
    page = run.report.read_text(encoding="utf-8")
    for words in ("Dropout as an ensemble", "Longer training", "averages of random subnetworks"):
        assert words in page


def test_python_checks_the_same(study: Finished, run: RunFolder) -> None:
    from dataclasses import replace

    python = Study(study.dataset.root, droprate=[0.0, 0.5], out=run.path)
    python._finished = replace(study, folder=run)
    assert python.ensemble_claim(candidate=2).candidate == 2
    assert python.longer_claim(epochs=6, patience=2).limit == 6


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([], ("--ensemble, --longer or both", "neither")),
        (["--longer", "--candidate", "2"], ("--ensemble with --candidate",)),
        (["--ensemble", "--epochs", "9"], ("--longer with --epochs",)),
        (["--ensemble", "--candidate", "1"], ("droprate above 0", "--candidate 2 (droprate 0.5)")),
        (["--ensemble", "--candidate", "9"], ("--candidate to be a whole number from 1 to 2",)),
        (["--ensemble", "--margin-accuracy", "0"], ("margin of accuracy",)),
        (["--longer", "--patience", "40"], ("patience below the 40 epochs",)),
        (["--longer", "--epochs", "x"], ("--epochs to be a whole number",)),
    ],
)
def test_what_cannot_be_checked_is_said_with_a_remedy(run: RunFolder, capsys, arguments, words):
    assert main(["claims", str(run.path), *arguments]) == 1
    error = capsys.readouterr().err
    assert all(word in error for word in words), error
    assert not run.claims.exists()


def test_without_dropout_anywhere_another_study_is_the_remedy(tmp_path: Path, capsys) -> None:
    finished_study(tmp_path, grid=Grid((0.001,), (0, 8), (0.0,)))
    assert main(["claims", str(tmp_path / "run"), "--ensemble"]) == 1
    assert "begin a study with an inner layer and a droprate above 0" in capsys.readouterr().err


def test_an_unfinished_study_and_changed_images_are_refused(
    study: Finished, run: RunFolder, tmp_path: Path, capsys
) -> None:
    assert main(["claims", str(tmp_path), "--ensemble"]) == 1
    assert "no study.toml" in capsys.readouterr().err
    images = Path(shutil.copytree(str(study.dataset.root), tmp_path / "images"))
    longer = ["--longer", "--epochs", "3", "--patience", "1"]
    assert main(["claims", str(run.path), "--data", str(images), *longer]) == 0
    (images / "validation" / "dog" / "0.png").unlink()
    capsys.readouterr()
    assert main(["claims", str(run.path), "--data", str(images), *longer]) == 1
    words = "the data set has changed since: 1 image removed (validation/dog/0.png); restore"
    assert words in capsys.readouterr().err
    with Store(run.store) as store:
        store.start(1)
    assert main(["claims", str(run.path), *longer]) == 1
    assert "heads still to train" in capsys.readouterr().err


@pytest.mark.parametrize("check", [ensemble_claim, longer_claim])
def test_what_is_interrupted_is_not_recorded(run: RunFolder, check) -> None:
    job = StoppingJob("training")
    options = {"candidate": 2} if check is ensemble_claim else {"epochs": 5000, "patience": 4999}
    with pytest.raises(Interrupted, match="nothing was recorded"):
        check(run.path, job=job, **options)
    assert not run.claims.exists()


def test_a_head_that_comes_out_different_is_an_error(run: RunFolder) -> None:
    with Store(run.store) as store:
        (record, *_) = store.trials("done", candidate=2)
        curve = store.curve(record.trial.number)
        curve[0] = curve[0]._replace(loss=curve[0].loss + 1)
        store.finish(record.trial.number, "done", record.epoch, "", curve)
    with pytest.raises(RunError, match="to train to the same numbers again"):
        ensemble_claim(run.path, candidate=2)
    assert not run.claims.exists()


def test_a_damaged_record_is_named(run: RunFolder, capsys) -> None:
    run.claims.mkdir()
    (run.claims / "longer.json").write_text('{"format": 9}')
    assert main(["report", str(run.path)]) == 1
    error = capsys.readouterr().err
    assert "longer.json" in error
    assert "repeat `manyheads claims`" in error
