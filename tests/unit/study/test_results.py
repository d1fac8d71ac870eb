"""The tables of a study: exact columns, numbers that round-trip, and what they say."""

from __future__ import annotations

import statistics
from collections import defaultdict
from pathlib import Path

import pytest

from manyheads.study.folder import RunFolder
from manyheads.study.results import read_result
from manyheads.study.space import Grid
from manyheads.study.store import Store
from tests.studies import rows_of, study_settings, train

GRID = Grid((0.01, 0.1), (0, 5), (0.0, 0.5))
SETTING = "learning_rate,size_inner,droprate,droprate_schedule,input_droprate,dropblock,"
SETTING += (
    "dropblock_size,random_erasing,augmented_copies,mixup,label_smoothing,l2,weight_decay,max_norm,"
)
SETTING += "optimizer,momentum,learning_rate_schedule,epochs,batch_size"
HISTORY = f"trial,candidate,{SETTING},seed,fold,epoch,accuracy,loss,val_accuracy,val_loss"
RESULTS = f"rank,candidate,{SETTING},trials,failed,pruned_after"
for measure in (
    "peak_val_accuracy",
    "last_ten_val_accuracy",
    "final_val_accuracy",
    "min_val_loss",
    "final_val_loss",
    "chosen_val_accuracy",
    "chosen_val_loss",
    "best_epoch",
):
    RESULTS += f",{measure}_mean,{measure}_std"


@pytest.fixture(scope="module", params=["best_accuracy", "best_loss", "last"])
def run(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory):
    path = tmp_path_factory.mktemp("run")
    settings = study_settings(grid=GRID, seeds=3, epochs=12, select=request.param)
    train(settings, path)
    return path, settings


def test_the_columns_are_those_of_the_design(run) -> None:
    path, _ = run
    assert (path / "history.csv").read_text().splitlines()[0] == HISTORY
    assert (path / "results.csv").read_text().splitlines()[0] == RESULTS
    assert b"\r" not in (path / "history.csv").read_bytes()


def test_the_history_has_a_row_for_every_trial_and_epoch(run) -> None:
    path, settings = run
    expected = [
        (trial.number, trial.candidate, trial.seed, trial.fold, epoch)
        for trial in settings.trials()
        for epoch in range(1, 13)
    ]
    names = ("trial", "candidate", "seed", "fold", "epoch")
    rows = rows_of(path / "history.csv")
    assert [tuple(int(row[name]) for name in names) for row in rows] == expected
    for row in rows:
        setting = GRID[int(row["candidate"]) - 1]
        assert float(row["learning_rate"]) == setting.learning_rate
        assert int(row["size_inner"]) == setting.size_inner
        assert float(row["droprate"]) == setting.droprate


def test_the_history_holds_the_recorded_numbers_in_full(run) -> None:
    path, _ = run
    with Store(RunFolder(path).store) as store:
        for number in (1, 18):
            written = [
                tuple(float(row[name]) for name in HISTORY.split(",")[-4:])
                for row in rows_of(path / "history.csv")
                if int(row["trial"]) == number
            ]
            assert written == [metrics[:4] for metrics in store.curve(number)]


def chosen_epoch(rule: str, curve: list[tuple[float, float, int]]) -> int:
    if rule == "last":
        return curve[-1][2]
    best = {
        "best_accuracy": lambda epoch: (-epoch[0], epoch[1], epoch[2]),
        "best_loss": lambda epoch: (epoch[1], epoch[2]),
    }
    return min(curve, key=best[rule])[2]


def test_the_results_follow_from_the_history_alone(run) -> None:
    path, settings = run
    curves = defaultdict(lambda: defaultdict(list))
    for row in rows_of(path / "history.csv"):
        numbers = float(row["val_accuracy"]), float(row["val_loss"]), int(row["epoch"])
        curves[int(row["candidate"])][row["seed"]].append(numbers)
    results = rows_of(path / "results.csv")
    assert [int(row["candidate"]) for row in results] == list(range(1, 7))
    keys = {}
    for row in results:
        trials = list(curves[int(row["candidate"])].values())
        expected = {
            "peak_val_accuracy": [max(e[0] for e in curve) for curve in trials],
            "last_ten_val_accuracy": [sum(e[0] for e in curve[-10:]) / 10 for curve in trials],
            "final_val_accuracy": [curve[-1][0] for curve in trials],
            "min_val_loss": [min(e[1] for e in curve) for curve in trials],
            "final_val_loss": [curve[-1][1] for curve in trials],
            "best_epoch": [chosen_epoch(settings.select, curve) for curve in trials],
        }
        chosen = [curve[chosen_epoch(settings.select, curve) - 1] for curve in trials]
        expected["chosen_val_accuracy"] = [epoch[0] for epoch in chosen]
        expected["chosen_val_loss"] = [epoch[1] for epoch in chosen]
        for name, values in expected.items():
            assert float(row[f"{name}_mean"]) == pytest.approx(sum(values) / 3, rel=1e-12)
            deviation = float(row[f"{name}_std"])
            assert deviation == pytest.approx(statistics.stdev(values), rel=1e-9, abs=1e-12)
        assert (row["trials"], row["failed"]) == ("3", "0")
        mean = {name: float(row[f"{name}_mean"]) for name in expected}
        keys[int(row["candidate"])] = {
            "best_accuracy": (-mean["peak_val_accuracy"], mean["min_val_loss"]),
            "best_loss": (mean["min_val_loss"],),
            "last": (-mean["final_val_accuracy"], mean["final_val_loss"]),
        }[settings.select]
    order = sorted(keys, key=lambda number: (keys[number], number))
    ranks = {int(row["candidate"]): int(row["rank"]) for row in results}
    assert sorted(ranks, key=lambda number: ranks[number]) == order


def test_one_seed_has_empty_deviations(tmp_path: Path) -> None:
    train(study_settings(seeds=1), tmp_path)
    for row in rows_of(tmp_path / "results.csv"):
        assert {row[name] for name in row if name.endswith("_std")} == {""}


def test_a_candidate_that_only_diverges_has_empty_cells_and_no_rank(tmp_path: Path) -> None:
    settings = study_settings(grid=Grid((0.01,), (4,), (0.0, 0.5)), seeds=2)
    with Store(RunFolder(tmp_path).store) as store:
        store.prepare(settings.trials())
        for number in (1, 2):
            store.finish(number, "failed", 0, "diverged in epoch 1", [])
    result = train(settings, tmp_path)
    first, second = rows_of(tmp_path / "results.csv")
    assert (first["rank"], first["trials"], first["failed"]) == ("", "2", "2")
    assert {first[name] for name in first if name.endswith(("_mean", "_std"))} == {""}
    assert (second["rank"], second["failed"]) == ("1", "0")
    assert [entry.candidate for entry in result.in_order] == [1, 2]
    assert [entry.candidate for entry in result.without_result] == [1]


def test_a_candidate_with_some_failures_is_measured_by_the_others(tmp_path: Path) -> None:
    settings = study_settings()
    with Store(RunFolder(tmp_path).store) as store:
        store.prepare(settings.trials())
        store.finish(1, "failed", 0, "diverged in epoch 1", [])
        result = read_result(store, settings)
        assert result.ranking == ()
    result = train(settings, tmp_path)
    entry = result.in_order[0]
    assert (entry.trials, entry.failed) == (2, 1)
    assert entry.measures["peak_val_accuracy"].deviation is None
    assert entry.best is not None
    assert entry.best.trial.seed == 1
