"""Pruning: what trains on has the numbers it has without, whatever happens on the way."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from statistics import fmean
from typing import Any

import pytest

from manyheads.core.job import Event, Job
from manyheads.errors import Interrupted, RunError
from manyheads.heads.bank import EpochEnd, HeadEnd, engine_named
from manyheads.study.events import EpochEnded
from manyheads.study.folder import RunFolder
from manyheads.study.history import METRICS
from manyheads.study.space import Grid
from manyheads.study.store import Store
from manyheads.study.study_settings import StudySettings
from manyheads.study.work import Work
from tests import studies
from tests.banks import generated_fold
from tests.jobs import HeardJob, StoppingJob
from tests.studies import FEATURES, outcome_of, rows_of, study_settings, train

GRID = Grid((0.3, 0.03, 0.003), (0, 4), (0.0, 0.3, 0.6))
RULES = ("best_accuracy", "best_loss", "last")
FOLD = generated_fold(40, FEATURES, validation=60)


def pruning(rule: str = "best_accuracy", **changes: Any) -> StudySettings:
    """Twelve candidates, of which four train from epoch 4 to 12, and one with patience or not."""
    given: dict[str, Any] = {"grid": GRID, "seeds": 2, "epochs": 12, "select": rule, "prune": 3}
    return study_settings(**(given | changes))


Curves = dict[int, list[tuple[str, ...]]]


def curves_of(run: Path) -> Curves:
    """The rows of each trial in the history, metrics as text."""
    curves: Curves = defaultdict(list)
    for row in rows_of(run / "history.csv"):
        curves[int(row["trial"])].append(tuple(row[name] for name in METRICS))
    return dict(curves)


def states_of(run: Path) -> dict[int, str]:
    with Store(RunFolder(run).store) as store:
        return {record.trial.number: record.state for record in store.trials()}


@pytest.fixture(scope="module", params=RULES)
def studied(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory):
    """A study with and without pruning: its settings, and both folders."""
    settings = pruning(request.param)
    folder = tmp_path_factory.mktemp("studied")
    train(replace(settings, prune=None), folder / "whole", folds=[FOLD])
    result = train(settings, folder / "pruned", folds=[FOLD])
    return settings, result, folder / "whole", folder / "pruned"


def test_what_trains_on_has_the_numbers_it_has_without_pruning(studied) -> None:
    settings, result, whole, pruned = studied
    assert [(rung.candidates, rung.epochs) for rung in settings.rungs] == [(12, 4), (4, 12)]
    expected, found, states = curves_of(whole), curves_of(pruned), states_of(pruned)
    assert sorted(states.values()) == ["done"] * 8 + ["pruned"] * 16
    for trial in settings.trials():
        length = 12 if states[trial.number] == "done" else 4
        assert found[trial.number] == expected[trial.number][:length]
    for entry in result.ranking:
        name = RunFolder(pruned).head(entry.candidate).name
        assert (pruned / "heads" / name).read_bytes() == (whole / "heads" / name).read_bytes()
    assert len(list((pruned / "heads").iterdir())) == 4


def test_those_train_on_that_the_rule_puts_first_at_the_rung(studied) -> None:
    settings, result, whole, _ = studied
    curves = curves_of(whole)
    keys = {}
    for candidate in range(1, 13):
        firsts = [
            [tuple(map(float, row)) for row in curves[trial.number][:4]]
            for trial in settings.trials()
            if trial.candidate == candidate
        ]
        last = [curve[-1] for curve in firsts]
        keys[candidate] = {
            "best_accuracy": (
                -fmean(max(row[2] for row in curve) for curve in firsts),
                fmean(min(row[3] for row in curve) for curve in firsts),
            ),
            "best_loss": (fmean(min(row[3] for row in curve) for curve in firsts),),
            "last": (-fmean(row[2] for row in last), fmean(row[3] for row in last)),
        }[settings.select]
    order = sorted(keys, key=lambda number: (keys[number], number))
    assert {entry.candidate for entry in result.ranking} == set(order[:4])
    assert [entry.candidate for entry in result.pruned] == order[4:]


def test_pruned_candidates_are_listed_as_such(studied) -> None:
    _, result, _, pruned = studied
    rows = {int(row["candidate"]): row for row in rows_of(pruned / "results.csv")}
    for entry in result.ranking:
        assert rows[entry.candidate]["pruned_after"] == ""
        assert rows[entry.candidate]["rank"] != ""
        assert rows[entry.candidate]["last_ten_val_accuracy_mean"] != ""
    for entry in result.pruned:
        assert entry.pruned_after == 4
        row = rows[entry.candidate]
        assert (row["rank"], row["pruned_after"], row["trials"]) == ("", "4", "2")
        for name in ("last_ten_val_accuracy", "final_val_accuracy", "final_val_loss"):
            assert row[f"{name}_mean"] == row[f"{name}_std"] == ""
        assert float(row["peak_val_accuracy_mean"]) > 0


@pytest.fixture(scope="module", params=[None, 2], ids=["no patience", "patience"])
def uninterrupted(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory):
    settings = pruning(patience=request.param)
    path = tmp_path_factory.mktemp("uninterrupted")
    train(settings, path, folds=[FOLD])
    return settings, outcome_of(path)


@pytest.mark.when_changed("studies")
@pytest.mark.parametrize("epochs", [1, 23, 57, 95, 96, 97, 130])
def test_a_study_stopped_anywhere_goes_on_to_the_same_bits(
    uninterrupted, tmp_path: Path, epochs: int
) -> None:
    settings, expected = uninterrupted
    stops = 0
    while stops < 3:
        job = StoppingJob(EpochEnded, epochs)
        try:
            train(settings, tmp_path, folds=[FOLD], job=job)
            break
        except Interrupted:
            stops += 1
    train(settings, tmp_path, folds=[FOLD])
    assert outcome_of(tmp_path) == expected


def test_a_study_killed_before_it_has_pruned_prunes_alike(
    uninterrupted, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings, expected = uninterrupted

    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(Store, "prune", killed)
        with pytest.raises(KeyboardInterrupt):
            train(settings, tmp_path, folds=[FOLD])
    assert "pruned" not in states_of(tmp_path).values()
    train(settings, tmp_path, folds=[FOLD])
    assert outcome_of(tmp_path) == expected


@pytest.mark.when_changed("studies")
@pytest.mark.parametrize("at", [1, 10, 23, 24, 25, 32])
@pytest.mark.parametrize("recorded", [False, True])
def test_a_study_killed_at_the_end_of_any_trial_goes_on_to_the_same_bits(
    uninterrupted, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, at: int, recorded: bool
) -> None:
    settings, expected = uninterrupted
    finish, calls = Store.finish, []

    def killed(store: Store, *arguments: Any) -> None:
        calls.append(arguments)
        if recorded or len(calls) < at:
            finish(store, *arguments)
        if len(calls) == at:
            raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(Store, "finish", killed)
        with suppress(KeyboardInterrupt):  # with patience, fewer trials than that may end
            train(settings, tmp_path, folds=[FOLD])
    assert len(calls) >= min(at, 24)
    train(settings, tmp_path, folds=[FOLD])
    assert outcome_of(tmp_path) == expected


class Backwards:
    """An engine that trains a bank from its last head to its first."""

    def __init__(self, name: str) -> None:
        self.name, self._engine = name, engine_named(name)

    def train(self, heads: Any, *arguments: Any, **options: Any) -> Iterator[Any]:
        last = len(heads) - 1
        for event in self._engine.train(heads[::-1], *arguments, **options):
            yield replace(event, head=last - event.head)


def test_the_order_in_which_trials_end_changes_nothing(
    uninterrupted, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings, expected = uninterrupted
    monkeypatch.setattr(studies, "engine_named", Backwards)
    train(settings, tmp_path, folds=[FOLD])
    assert outcome_of(tmp_path) == expected


def test_patience_and_pruning_together_end_no_survivor_too_late(uninterrupted, tmp_path) -> None:
    settings, _ = uninterrupted
    train(settings, tmp_path / "pruned", folds=[FOLD])
    train(replace(settings, prune=None), tmp_path / "whole", folds=[FOLD])
    expected, found = curves_of(tmp_path / "whole"), curves_of(tmp_path / "pruned")
    for number, state in states_of(tmp_path / "pruned").items():
        assert found[number] == (expected[number] if state == "done" else expected[number][:4])


def test_a_survivor_that_no_longer_trains_alike_is_said(tmp_path: Path) -> None:
    job = StoppingJob(EpochEnded, 100)  # in the second rung
    with pytest.raises(Interrupted):
        train(pruning(), tmp_path, folds=[FOLD], job=job)
    other = generated_fold(40, FEATURES, validation=60, seed=5)
    with pytest.raises(RunError, match=r"to train to the same numbers again, found others in epo"):
        train(pruning(), tmp_path, folds=[other])


class Diverging(Backwards):
    """An engine whose heads of some learning rates diverge, each in an epoch of its own."""

    def __init__(self, name: str, diverge: dict[float, int]) -> None:
        super().__init__(name)
        self._diverge = diverge

    def train(self, heads: Any, *arguments: Any, **options: Any) -> Iterator[Any]:
        over = set()
        for event in super().train(heads, *arguments, **options):
            last = self._diverge.get(heads[event.head].hyperparameters.learning_rate, 99)
            if event.head not in over and event.epoch >= last and isinstance(event, EpochEnd):
                over.add(event.head)
                yield HeadEnd(event.head, "failed", f"diverged in epoch {last}", 1, None)
            elif event.head not in over:
                yield event


@pytest.fixture
def diverge(monkeypatch: pytest.MonkeyPatch):
    """Have the heads of a learning rate diverge in an epoch."""

    def diverge(epochs: dict[float, int]) -> None:
        monkeypatch.setattr(studies, "engine_named", lambda name: Diverging(name, epochs))

    return diverge


def test_candidates_that_diverge_before_a_rung_are_none_of_the_best(tmp_path, diverge) -> None:
    diverge({0.03: 2, 0.3: 3})
    result = train(pruning(), tmp_path, folds=[FOLD])
    left = {number for number in range(1, 13) if GRID[number - 1].learning_rate == 0.003}
    assert {entry.candidate for entry in result.ranking} == left
    assert (len(result.pruned), len(result.without_result)) == (0, 8)


def test_a_rung_at_which_all_have_diverged_ends_the_study(tmp_path: Path, diverge) -> None:
    diverge(dict.fromkeys(GRID.learning_rate, 2))
    result = train(pruning(), tmp_path, folds=[FOLD])
    assert (result.ranking, result.pruned) == ((), ())
    assert set(states_of(tmp_path).values()) == {"failed"}
    assert len(rows_of(tmp_path / "results.csv")) == 12
    again = HeardJob()
    assert train(pruning(), tmp_path, folds=[FOLD], job=again) == result
    assert not any(isinstance(event, EpochEnded) for event in again.events)


@pytest.mark.when_changed("studies")
@pytest.mark.parametrize("epochs", [100, 120, 140])
def test_what_diverges_after_a_rung_had_its_part_in_it(
    tmp_path: Path, diverge, studied, epochs: int
) -> None:
    """It failed, but the decision at the rung is not made anew without it."""
    settings, result, _, _ = studied
    winners = {entry.candidate for entry in result.ranking}
    diverge({GRID[result.ranking[0].candidate - 1].learning_rate: 7})
    job = StoppingJob(EpochEnded, epochs)
    with pytest.raises(Interrupted):
        train(settings, tmp_path, folds=[FOLD], job=job)
    found = train(settings, tmp_path, folds=[FOLD])
    assert {entry.candidate for entry in (*found.ranking, *found.without_result)} == winners
    assert [entry.candidate for entry in found.pruned] == [e.candidate for e in result.pruned]
    assert found.without_result


def test_what_is_left_is_known_from_the_beginning(tmp_path: Path) -> None:
    work, left = Work(pruning()), list[int]()

    def watch(event: Event) -> None:
        if isinstance(event, EpochEnded):
            left.append(work.left.epochs)

    train(pruning(), tmp_path, folds=[FOLD], job=Job(watch), work=work)
    epochs = 24 * 4 + 8 * 12
    assert left == list(range(epochs - 1, -1, -1))
    with Store(RunFolder(tmp_path).store) as store:
        again = Work(pruning())
        again.count(store.trials())
    assert (again.done.epochs, again.left.epochs) == (epochs, 0)
