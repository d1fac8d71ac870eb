"""A run at work as a page sees it: states, leaders, curves, how to go on, and at what cost."""

from __future__ import annotations

import json
import resource
import shutil
import sqlite3
import time
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from manyheads.errors import RunError
from manyheads.study.schema import SCORES
from manyheads.web.studio.live_curves import LEADERS, store_view
from manyheads.web.studio.live_runs import LiveRuns, budget_of, joined_bands
from manyheads.web.studio.run_catalog import RunCatalog
from manyheads.web.studio.run_processes import RunProcesses
from manyheads.web.studio.workspace import StudioPlace
from tests.studio_runs import accuracy, made_up_settings, made_up_study, write_progress

GOLDEN = Path(__file__).parents[2] / "golden" / "run"


@pytest.fixture
def live(tmp_path: Path) -> LiveRuns:
    return studio(tmp_path)


def studio(place: Path) -> LiveRuns:
    desk = StudioPlace(place)
    return LiveRuns(desk, RunCatalog(desk), RunProcesses(desk.own / "commands", place), lambda: 0.0)


def document(live: LiveRuns, name: str) -> dict[str, Any]:
    live.forget(name)
    return json.loads(live.answer(name).content)


def test_candidates_are_ranked_by_the_mean_of_their_ended_trials(tmp_path: Path) -> None:
    settings = made_up_settings()
    view = store_view(made_up_study(tmp_path, settings, ended=7).store, settings)
    assert view.states == {"done": 7, "pending": 5}
    assert [each.candidate for each in view.leaders] == [3, 2, 1]
    third, second, _ = view.leaders
    assert (second.heads, second.seeds) == (3, 3)
    values = [accuracy(2, seed, 5) for seed in range(3)]
    assert second.mean == pytest.approx(sum(values) / 3)
    assert second.deviation == pytest.approx(0.01)
    assert (third.heads, third.deviation) == (1, None)
    assert not view.waiting


@pytest.mark.parametrize("ended", [0, 5, None])
def test_a_seed_of_one_trial_is_told_as_one_of_several(tmp_path: Path, ended: int | None) -> None:
    """Without folds nothing is grouped by seeds, which is half the work, and all of it the same."""
    settings = made_up_settings()
    store = made_up_study(tmp_path, settings, ended=ended).store
    assert store_view(store, settings) == store_view(store, replace(settings, folds=2))


def test_bands_are_over_seeds_whose_folds_are_averaged(tmp_path: Path) -> None:
    settings = made_up_settings(rates=1, seeds=2, folds=2)
    view = store_view(made_up_study(tmp_path, settings).store, settings)
    epoch, seeds, mean, low, high = view.bands[1][-1]
    assert (epoch, seeds) == (5, 2)
    assert (low, high) == (accuracy(1, 0, 5), accuracy(1, 1, 5))
    assert mean == pytest.approx((low + high) / 2)


def test_by_loss_the_least_is_first(tmp_path: Path) -> None:
    settings = made_up_settings(select="best_loss")
    folder = made_up_study(tmp_path, settings)
    with closing(sqlite3.connect(folder.store)) as database, database:
        database.execute(
            "UPDATE epochs SET val_loss = 0.1 WHERE trial IN"
            " (SELECT trial FROM trials WHERE candidate = 2)"
        )
    view = store_view(folder.store, settings)
    assert (view.metric, view.leaders[0].candidate) == ("log_loss", 2)
    assert view.bands[2][-1][2:] == [0.1, 0.1, 0.1]


def test_by_a_score_of_classes_that_score_ranks_and_is_drawn(tmp_path: Path) -> None:
    settings = made_up_settings(select="best_macro_f1")
    folder = made_up_study(tmp_path, settings)
    assert store_view(folder.store, settings).leaders == ()  # none was recorded yet
    with closing(sqlite3.connect(folder.store)) as database, database:
        database.execute(SCORES)
        database.execute(
            "INSERT INTO scores SELECT trial, epochs.epoch, 1.0 / candidate"
            " FROM epochs JOIN trials USING (trial)"
        )
    view = store_view(folder.store, settings)
    assert view.metric == "macro_f1"
    assert [each.candidate for each in view.leaders][:2] == [1, 2]
    assert view.leaders[1].mean == 0.5
    assert view.bands[2][0][2:] == [0.5, 0.5, 0.5]


def test_before_any_trial_has_ended_those_at_a_rung_are_ranked(tmp_path: Path) -> None:
    settings = made_up_settings()
    folder = made_up_study(tmp_path, settings, ended=3)
    with closing(sqlite3.connect(folder.store)) as database, database:
        database.execute("UPDATE trials SET state = 'pending', epoch = 0")
    view = store_view(folder.store, settings)
    assert view.waiting
    assert [each.candidate for each in view.leaders] == [1]


def test_of_a_diverged_candidate_there_is_no_score(tmp_path: Path) -> None:
    settings = made_up_settings()
    folder = made_up_study(tmp_path, settings)
    with closing(sqlite3.connect(folder.store)) as database, database:
        database.execute("UPDATE trials SET state = 'failed' WHERE candidate = 4")
    assert 4 not in {each.candidate for each in store_view(folder.store, settings).leaders}


def test_a_store_that_is_not_there_or_none_is_told(tmp_path: Path) -> None:
    settings = made_up_settings()
    assert store_view(tmp_path / "study.sqlite", settings).leaders == ()
    (tmp_path / "study.sqlite").write_bytes(b"no database at all" * 100)
    with pytest.raises(RunError, match="the record of a study"):
        store_view(tmp_path / "study.sqlite", settings)


def test_looking_changes_nothing_and_keeps_no_writer_out(tmp_path: Path) -> None:
    settings = made_up_settings()
    folder = made_up_study(tmp_path, settings, ended=2)
    before = sorted((file.name, file.stat().st_mtime_ns) for file in tmp_path.iterdir())
    store_view(folder.store, settings)
    assert sorted((f.name, f.stat().st_mtime_ns) for f in tmp_path.iterdir()) == before


def test_curves_at_work_join_those_that_have_ended(tmp_path: Path) -> None:
    settings = made_up_settings(rates=1)
    view = store_view(made_up_study(tmp_path, settings, ended=1).store, settings)
    running = [{"candidate": 1, "epochs": [[5, 1, 0.9, 0.9, 0.9], [6, 1, 0.95, 0.95, 0.95]]}]
    band = joined_bands(view, running)[1]
    ended = accuracy(1, 0, 5)
    assert band[4] == [5, 2, pytest.approx((ended + 0.9) / 2), ended, 0.9]
    assert band[5] == [6, 1, 0.95, 0.95, 0.95]


def test_a_run_that_a_terminal_began_is_watched(live: LiveRuns, tmp_path: Path) -> None:
    folder = tmp_path / "runs" / "one"
    made_up_study(folder, made_up_settings(), ended=4)
    steps = [{"step": "extracting", "done": 1, "total": 9, "unit": "images", "limit": ""}]
    write_progress(
        folder, command=["sweep", "photos", "--seeds", "3"], steps=steps,
        plan=[f"Data       {tmp_path}/photos"],
        running=[{"candidate": 4, "trials": 1, "epochs": [[1, 1, 0.4, 0.4, 0.4]]}],
    )  # fmt: skip
    found = document(live, "runs/one")
    assert (found["state"], found["alive"]) == ("running", True)
    assert found["progress"]["steps"] == steps
    assert found["progress"]["plan"] == ["Data       photos"]
    assert found["command"] == "manyheads sweep photos --seeds 3"
    (study,) = found["studies"]
    assert [each["candidate"] for each in study["leaders"]] == [2, 1, 4]
    assert study["leaders"][2]["mean"] is None
    assert study["leaders"][2]["band"] == [[1, 1, 0.4, 0.4, 0.4]]
    assert study["leaders"][0]["words"] == "droprate 0.25"


def test_a_killed_run_is_stopped_and_resumed_by_its_own_command(
    live: LiveRuns, tmp_path: Path
) -> None:
    folder = tmp_path / "runs" / "fit"
    write_progress(folder, alive=False, command=["fit", "photos"], folder=str(tmp_path))
    found = document(live, "runs/fit")
    assert found["state"] == "stopped"
    assert found["resume"] == "manyheads fit photos --out runs/fit"
    arguments, where = live.resumption("runs/fit") or ([], None)
    assert (arguments[-1], where) == (str(folder), tmp_path)


def test_a_study_is_resumed_by_its_settings(live: LiveRuns, tmp_path: Path) -> None:
    made_up_study(tmp_path / "one", made_up_settings(), ended=4)
    assert document(live, "one")["resume"] == "manyheads sweep --config one --out one"


def test_a_command_of_another_kind_resumes_nothing(live: LiveRuns, tmp_path: Path) -> None:
    write_progress(tmp_path / "one", alive=False, command=["serve", "x"], folder=str(tmp_path))
    assert live.resumption("one") is None
    assert document(live, "one")["resume"] is None


def test_a_finished_run_has_no_progress(live: LiveRuns, tmp_path: Path) -> None:
    shutil.copytree(GOLDEN, tmp_path / "old")
    found = document(live, "old")
    assert (found["state"], found["progress"]) == ("done", None)
    assert found["best"]
    assert found["studies"][0]["leaders"]


def test_no_name_leads_out_of_the_place(live: LiveRuns, tmp_path: Path) -> None:
    (tmp_path / "no-run").mkdir()
    for name in ("..", "/etc", "no-run", "missing", "a\0b", "x" * 5000, ".manyheads-studio"):
        with pytest.raises(RunError):
            live.answer(name)


def test_an_answer_holds_for_a_while_and_longer_if_it_was_dear(tmp_path: Path) -> None:
    moments = iter([0.0, 2.0, 2.0, 3.0, 17.9, 18.1, 18.2, 18.2])
    desk = StudioPlace(tmp_path)
    live = LiveRuns(desk, RunCatalog(desk), RunProcesses(desk.own, tmp_path), moments.__next__)
    made_up_study(tmp_path / "one", made_up_settings(), ended=4)
    first = live.answer("one")  # it took two seconds
    assert live.answer("one") is first
    assert live.answer("one") is first
    assert live.answer("one") is not first


def test_the_budget_of_a_command() -> None:
    assert budget_of(["fit", "x", "--budget", "4m"]) == 240
    assert budget_of(["fit", "x", "--budget=90s"]) == 90
    assert budget_of(["fit", "x", "--budget"]) is None
    assert budget_of(["fit", "x", "--budget", "soon"]) is None
    assert budget_of([]) is None


def test_the_list_reads_a_run_again_only_if_it_has_changed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from manyheads.web.studio import run_catalog

    read: list[Path] = []
    listed = run_catalog.listed_run
    monkeypatch.setattr(
        run_catalog, "listed_run", lambda path: (read.append(path), listed(path))[1]
    )
    for number in range(3):
        made_up_study(tmp_path / f"run-{number}", made_up_settings(), ended=number)
    moment = [0.0]
    catalog = RunCatalog(StudioPlace(tmp_path), lambda: moment[0])
    names = {each.name for each in catalog.entries()}
    assert names == {"run-0", "run-1", "run-2"}
    assert len(read) == 3
    catalog.entries()
    assert len(read) == 3
    write_progress(tmp_path / "run-1")
    changed = {each.name: each.alive for each in catalog.entries()}
    assert changed == {"run-0": False, "run-1": True, "run-2": False}
    assert len(read) == 4
    made_up_study(tmp_path / "run-3", made_up_settings(), ended=1)
    assert len(catalog.entries()) == 3  # the folders are searched every few seconds
    moment[0] = 10
    assert len(catalog.entries()) == 4
    shutil.rmtree(tmp_path / "run-3")
    assert len(catalog.entries()) == 3


@pytest.mark.slow
def test_a_hundred_thousand_trials_are_watched_flat(tmp_path: Path) -> None:
    settings = made_up_settings(rates=10_000, seeds=10)
    made_up_study(tmp_path / "large", settings)
    live = studio(tmp_path)
    live._words.told("")  # what is loaded once is loaded
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    began, used = time.perf_counter(), time.process_time()
    found = document(live, "large")
    took, used = time.perf_counter() - began, time.process_time() - used
    grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
    print(
        f"\n{took:.2f} s, of the processor {used:.2f} s; {grown:.0f} MiB more; "
        f"{len(live.answer('large').content):,} bytes",
        end="",
    )
    assert len(found["studies"][0]["leaders"]) == LEADERS
    assert found["studies"][0]["states"] == {"done": 100_000}
    assert len(live.answer("large").content) < 200_000
    assert used < 1  # which is also the time where nothing else is at work
    assert grown < 100
