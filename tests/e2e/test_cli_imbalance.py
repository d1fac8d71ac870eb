"""Class weights, balanced batches and selection by scores of classes, as whole commands."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path

import numpy as np
import pytest

import manyheads
from tests.e2e.conftest import Command, Said, refused
from tests.studies import outcome_of, rows_of

GRID = (
    "--epochs", 4, "--seeds", 2, "--size-inner", 8, "--droprate", 0.5, "--no-baselines",
    "--learning-rate", 0.01,
)  # fmt: skip


@pytest.fixture
def unequal(tmp_path: Path) -> Path:
    """Features of three classes, of 120, 30 and 10 images, hard to tell apart."""
    random = np.random.default_rng(0)
    labels = np.repeat([0, 1, 2], (120, 30, 10))
    matrix = random.normal(size=(160, 12)) + 1.2 * np.eye(3, 12)[labels]
    path = tmp_path / "unequal.npz"
    names = np.array(["t-shirt", "hat", "skirt"])[labels]
    np.savez(path, features=np.maximum(matrix, 0).astype(np.float32), labels=names)
    return path


@pytest.mark.when_changed("commands")
def test_a_study_of_weights_is_judged_by_the_score_that_selects(
    command: Command, unequal: Path, tmp_path: Path
) -> None:
    Path("weights.csv").write_text("class,weight\nskirt,4\nhat,2\n", encoding="utf-8")
    asked = (
        "sweep", unequal, *GRID, "--class-weight", "none", "balanced", "weights.csv",
        "--balanced-batches", "no", "yes", "--select", "last_macro_f1", "--out", "run",
    )  # fmt: skip
    told = command(*asked)
    assert told.code == 0, told.err
    assert "class_weight none balanced hat=2+skirt=4; balanced_batches no yes" in told.err
    assert "val_macro_f1" in told.out
    assert "Macro F1: " in told.out[told.out.index("Verdict") :]
    assert "Classes  Very unequal in size: " in told.out
    assert "Expected on new images: balanced accuracy" in " ".join(told.out.split())
    rows = rows_of(Path("run/results.csv"))
    assert {row["class_weight"] for row in rows} == {"none", "balanced", '{"hat": 2, "skirt": 4}'}
    ranked = sorted(rows, key=lambda row: int(row["rank"]))
    scores = [float(row["chosen_val_macro_f1_mean"]) for row in ranked]
    assert scores == sorted(scores, reverse=True)
    curve = rows_of(Path("run/history.csv"))
    assert all(0 <= float(row["val_macro_f1"]) <= 1 for row in curve)
    metrics = {row["metric"] for row in rows_of(Path("run/comparisons.csv"))}
    assert metrics == {"log_loss", "macro_f1", "final_log_loss"}  # gaps are of other scales
    assert "Macro F1, in points" in command("compare", "run").out
    settings = tomllib.loads(Path("run/study.toml").read_text(encoding="utf-8"))
    assert settings["grid"]["class_weight"][2] == '{"hat": 2, "skirt": 4}'
    # The weights are what counts, wherever they were read from.
    Path("weights.csv").rename("other.json")
    Path("other.json").write_text('{"hat": 2.0, "skirt": 4}', encoding="utf-8")
    before = outcome_of(tmp_path / "run")
    again = command(*[each if each != "weights.csv" else "other.json" for each in asked])
    assert again.code == 0, again.err
    assert outcome_of(tmp_path / "run") == before
    for verb in (("compare", "run"), ("report", "run"), ("runs", "."), ("compare", "run", "run")):
        assert command(*verb).code == 0 or verb[1:] == ("run", "run")


@pytest.mark.when_changed("commands")
def test_a_study_that_asks_for_none_of_it_has_the_files_that_it_had(
    command: Command, unequal: Path
) -> None:
    told = command("sweep", unequal, *GRID, "--out", "run")
    assert told.code == 0, told.err
    text = Path("run/study.toml").read_text(encoding="utf-8")
    assert "class_weight" not in text
    assert "balanced_batches" not in text
    for name in ("results.csv", "history.csv"):
        columns = Path("run", name).read_text(encoding="utf-8").partition("\n")[0]
        assert "class_weight" not in columns
        assert "score" not in columns
    said = json.loads(command("sweep", unequal, *GRID, "--out", "run", "--json").out)
    scores = {each["metric"] for each in said["recommendation"]["class_balance"]}
    assert scores == {"balanced_accuracy", "macro_f1"}


@pytest.mark.parametrize(
    ("options", "found"),
    [
        (("--class-weight", "balance"), "did you mean balanced?"),
        (("--class-weight", "gone.csv"), "no file of that name"),
        (("--class-weight", '{"skirts": 2}'), "did you mean skirt?"),
        (("--class-weight", '{"skirt": 0}'), "above 0"),
        (("--class-weight", '{"skirt": -3}'), "above 0"),
        (("--class-weight", '{"skirt": 1e12}'), "1e+06"),
        (("--class-weight", '{"skirt": NaN}'), "found nan"),
        (("--balanced-batches", "maybe"), "--balanced-batches"),
        (("--select", "macro_f1"), "last_macro_f1"),
        (("--select", "last_macro_f1", "--patience", 3), "best_macro_f1"),
    ],
)  # fmt: skip
def test_what_cannot_be_meant_is_told_in_one_line(
    command: Command, unequal: Path, options: tuple[object, ...], found: str
) -> None:
    told: Said = command("sweep", unequal, *GRID, *options, "--out", "run")
    refused(told, found)
    assert not Path("run").exists()


@pytest.mark.when_changed("commands")
def test_python_takes_a_dictionary_and_rules_by_scores(unequal: Path, tmp_path: Path) -> None:
    study = manyheads.Study(
        unequal, droprate=0.5, learning_rate=0.01, size_inner=8, epochs=5, seeds=2, folds=2,
        class_weight=["none", {"skirt": 4}], balanced_batches=[False, True],
        select="best_balanced_accuracy", patience=3, out=tmp_path / "run",
    )  # fmt: skip
    study.run()
    assert len(study.results) == 4
    assert study.results[0]["chosen_val_balanced_accuracy_mean"] is not None
    assert "val_balanced_accuracy" in study.history[0]
    assert study.recommendation().best.metric == "balanced_accuracy"
    assert {each.metric for each in study.verdict().comparisons.entries} == {
        "log_loss", "balanced_accuracy",
    }  # fmt: skip
    study.report()
    # Heads that are missing are made again, to the epochs and the scores that were recorded.
    before = outcome_of(tmp_path / "run")
    for file in (tmp_path / "run" / "heads").iterdir():
        file.unlink()
    manyheads.open_study(tmp_path / "run").run()
    assert outcome_of(tmp_path / "run") == before
