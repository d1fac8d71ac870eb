"""`manyheads sweep` over ranges: drawn, pruned, resumed, grown, reported and asked of."""

from __future__ import annotations

import csv
import json
import re
import shlex
from pathlib import Path

import numpy as np
import pytest

from manyheads import Range, Study, open_study
from manyheads.findings.scores_by_setting import scores_by_setting
from manyheads.findings.study_findings import read_findings
from manyheads.report.from_study import command_of
from manyheads.study.folder import RunFolder
from tests.e2e.conftest import Command, refused

RANGES = ("--learning-rate", "1e-3..1", "--size-inner", "2..6", "--droprate", "0", "0.5")
SMALL = ("--features", "features.npy", "--epochs", 9, "--seeds", 2, "--select", "best_accuracy")


@pytest.fixture
def table(tmp_path: Path) -> Path:
    """A table of two classes, and features beside it that tell them apart for the most part."""
    random = np.random.default_rng(0)
    labels = np.arange(90) % 2
    values = random.standard_normal((90, 5)).astype(np.float32) + 1.2 * labels[:, None]
    np.save(tmp_path / "features.npy", values.astype(np.float32))
    splits = ["train" if n < 50 else "validation" for n in range(90)]
    rows = [f"{'dog' if n % 2 else 'cat'},{split}" for n, split in enumerate(splits)]
    (tmp_path / "table.csv").write_text("\n".join(["label,split", *rows, ""]))
    return tmp_path / "table.csv"


def results(run: str) -> list[dict[str, str]]:
    with (Path(run) / "results.csv").open(newline="") as file:
        return list(csv.DictReader(file))


@pytest.mark.when_changed("commands")
def test_a_sweep_over_ranges_from_plan_to_report(command: Command, table: Path) -> None:
    asked = ("sweep", table, *RANGES, *SMALL, "--out", "run")
    plan = command(*asked, "--trials", 12, "--dry-run")
    assert "learning_rate 0.001..1; size_inner 2..6; droprate 0 0.5" in plan.out
    assert "12 candidates drawn × 2 seeds = 24 heads" in plan.out
    told = command(*asked, "--candidates", 12)
    assert told.code == 0, told.err
    assert "\nEffects  Importance" in told.out
    rows = results("run")
    assert len({(row["learning_rate"], row["size_inner"], row["droprate"]) for row in rows}) == 12
    assert all(0.001 <= float(row["learning_rate"]) <= 1 for row in rows)
    assert {row["size_inner"] for row in rows} <= set("23456")

    assert "features and heads are there already" in command(*asked, "--trials", 12).err
    assert (
        "features and heads are there already"
        in command("sweep", "--config", "run", "--out", "run").err
    )
    found = json.loads(command(*asked, "--trials", 12, "--json").out)["importance"]
    assert found["metric"] == "accuracy"
    study = open_study("run")
    assert list(study.importance().sentences) == found["sentences"]
    assert study.settings.grid.listed("learning_rate") == (Range(0.001, 1),)
    assert len(study.scores) == 12

    assert command("report", "run").code == 0
    page = Path("run/report.html").read_text("utf-8")
    assert "learning_rate (logarithmic)" in page
    assert "--learning-rate 0.001..1" in re.sub("<[^>]+>", "", page)  # a command is spans
    repeated = shlex.split(command_of(study.settings, "run"))
    assert "features and heads are there already" in command(*repeated[1:]).err


@pytest.mark.when_changed("commands")
def test_a_study_that_goes_on_equals_one_that_drew_as_many_at_once(
    command: Command, table: Path
) -> None:
    asked = ("sweep", table, *RANGES, *SMALL)
    for count in (5, 8):
        told = command(*asked, "--candidates", count, "--out", "grown")
        assert told.code == 0, told.err
    assert "6 of 16 heads × 9 epochs" in told.err
    assert command(*asked, "--candidates", 8, "--out", "whole").code == 0
    assert results("grown") == results("whole")
    fewer = command(*asked, "--candidates", 5, "--out", "grown")
    assert (fewer.code, "draw.candidates: 8 → 5" in fewer.complaint) == (1, True)
    other = command(*asked, "--candidates", 8, "--draw-seed", 1, "--out", "grown")
    assert "draw.seed: 0 → 1" in other.complaint


@pytest.mark.when_changed("commands")
def test_pruning_halves_drawn_candidates_and_importance_is_of_all_of_them(
    command: Command, table: Path
) -> None:
    told = command("sweep", table, *RANGES, *SMALL, "--candidates", 24, "--prune", "--out", "run")
    assert told.code == 0, told.err
    assert sum(bool(row["pruned_after"]) for row in results("run")) == 16
    findings = read_findings(RunFolder("run"))
    if findings.importance.shares:
        assert findings.importance.candidates == 24
        assert "up to epoch 3" in findings.importance.basis
        assert "other images" not in findings.importance.basis
    scattered = scores_by_setting(findings)
    assert scattered is not None
    assert max(len(each.values) for each in scattered.scattered) == 8


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--learning-rate", "1e-3..1"), "--candidates, the number to draw, with the range of"),
        (("--learning-rate", "1..1e-3", "--trials", 9), "write the lower end first"),
        (("--optimizer", "adam..sgd", "--trials", 9), "list them, separated by spaces"),
        (("--trials", 9), "--candidates to be at most 4,"),
        (("--trials", "many"), "--candidates to be a whole number from 2 to 10000"),
        (("--draw-seed", 1), "--candidates to draw with a --draw-seed"),
        (("--epochs", "5..9", "--prune", "--trials", 9), "one number of epochs to prune by"),
    ],
)
def test_what_cannot_be_drawn_is_one_line(
    command: Command, table: Path, options: tuple[object, ...], words: str
) -> None:
    refused(command("sweep", table, *SMALL, *options, "--out", "run"), words)


def test_python_takes_ranges_as_text_and_as_values(table: Path) -> None:
    text = Study(table, learning_rate="1e-3..1", candidates=6, epochs=5, image_size=32)
    value = Study(table, learning_rate=Range(1e-3, 1), candidates=6, epochs=5, image_size=32)
    assert text.settings == value.settings
    assert "learning_rate 0.001..1" in repr(text)
    assert "6 candidates drawn" in repr(text)
