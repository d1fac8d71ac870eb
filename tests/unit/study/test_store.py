"""The record of a study: what it promises, through crashes, full disks and foreign files."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest

from manyheads.errors import DiskError, RunError
from manyheads.heads.bank import Metrics
from manyheads.study.schema import SCHEMA_VERSION, STATES
from manyheads.study.space import Trials
from manyheads.study.store import Division, Store

GOLDEN = Path(__file__).parents[2] / "golden" / "study_v1.sql"
CURVE = [Metrics(0.1, 0.30000000000000004, 1 / 3, 1e-300), Metrics(0.5, 5e300, 0.0, 1.0)]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "study.sqlite"


@pytest.fixture
def store(path: Path):
    with Store(path) as store:
        store.prepare(Trials(2, 2))
        yield store


def states(store: Store) -> list[str]:
    return [record.state for record in store.trials()]


def test_all_trials_begin_pending_in_their_order(store: Store) -> None:
    assert [record.trial for record in store.trials()] == list(Trials(2, 2))
    assert {(r.state, r.epoch, r.note) for r in store.trials()} == {("pending", 0, "")}


@pytest.mark.parametrize("state", ["done", "failed", "pruned"])
def test_a_trial_ends_with_all_its_epochs(store: Store, path: Path, state: str) -> None:
    store.start(2)
    assert states(store) == ["pending", "running", "pending", "pending"]
    store.finish(2, state, 1, "a note: 'quoted' – 🦊", CURVE)
    with Store(path) as again:
        record = again.trials(state)[0]
        assert (record.trial.number, record.epoch, record.note) == (2, 1, "a note: 'quoted' – 🦊")
        assert list(map(repr, again.curve(2))) == list(map(repr, CURVE))


def test_scores_of_a_rule_are_kept_in_a_table_that_other_studies_lack(
    store: Store, path: Path
) -> None:
    def tables() -> set[str]:
        with closing(sqlite3.connect(path)) as database:
            return {name for (name,) in database.execute("SELECT name FROM sqlite_master")}

    store.finish(1, "done", 1, "", CURVE)
    assert "scores" not in tables()
    scored = [
        each._replace(val_score=score) for each, score in zip(CURVE, (1 / 3, 0.0), strict=True)
    ]
    store.finish(2, "pending", 1, "", scored[:1])  # at a rung, and then to the end
    store.finish(2, "done", 1, "", scored)
    with Store(path) as again:
        assert again.curve(2) == scored
        assert again.curve(1) == CURVE
        again.prepare(Trials(2, 3))  # more seeds: trials have other numbers
        assert sorted(map(len, map(again.curve, range(1, 7)))) == [0, 0, 0, 0, 2, 2]
        assert scored in [again.curve(number) for number in range(1, 7)]


def test_trials_are_chosen_by_their_states(store: Store) -> None:
    store.finish(1, "done", 1, "", CURVE)
    store.finish(3, "failed", 0, "", [])
    assert [r.trial.number for r in store.trials("done", "failed")] == [1, 3]
    assert [r.trial.number for r in store.trials("pending")] == [2, 4]
    assert store.curve(3) == []


def test_preparing_again_keeps_what_ended_and_frees_what_was_cut_off(store: Store) -> None:
    for number, state in enumerate(("done", "failed", "pruned"), start=1):
        store.finish(number, state, 1, "", CURVE)
    store.start(4)
    store.prepare(Trials(2, 2))
    assert states(store) == ["done", "failed", "pruned", "pending"]


def test_finishing_again_replaces_the_epochs(store: Store) -> None:
    store.finish(1, "done", 2, "", CURVE)
    store.finish(1, "done", 1, "", CURVE[:1])
    assert store.curve(1) == CURVE[:1]


def test_an_unknown_state_is_refused_and_changes_nothing(store: Store) -> None:
    with pytest.raises(RunError):
        store.finish(1, "lost", 1, "", CURVE)
    assert states(store) == ["pending"] * 4
    assert store.curve(1) == []
    store.finish(1, "done", 1, "", CURVE)


def test_a_kill_between_two_statements_leaves_whole_trials(path: Path) -> None:
    script = """
import os, signal, sys
from pathlib import Path
from manyheads.heads.bank import Metrics
from manyheads.study.schema import SCHEMA_VERSION, STATES
from manyheads.study.space import Trials
from manyheads.study.store import Store
store = Store(Path(sys.argv[1]))
store.prepare(Trials(2, 2))
curve = [Metrics(0.5, 1.0, 0.5, 1.0)] * 3
store.finish(1, "done", 1, "", curve)
store.start(2)
def dying():
    yield curve[0]
    os.kill(os.getpid(), signal.SIGKILL)
store.finish(2, "done", 1, "", dying())
"""
    ended = subprocess.run([sys.executable, "-c", script, os.fspath(path)], check=False)
    assert ended.returncode == -signal.SIGKILL
    with Store(path) as store:
        assert states(store) == ["done", "running", "pending", "pending"]
        assert (len(store.curve(1)), len(store.curve(2))) == (3, 0)


def test_a_full_disk_is_a_clear_error_and_nothing_is_lost(store: Store) -> None:
    store.finish(1, "done", 1, "", CURVE)
    pages = store._db.execute("PRAGMA page_count").fetchone()[0]
    store._db.execute(f"PRAGMA max_page_count = {pages}")
    with pytest.raises(DiskError, match=r"disk is full; make room .* every finished trial is kept"):
        store.finish(2, "done", 1, "", CURVE * 5000)
    assert states(store) == ["done", "pending", "pending", "pending"]
    assert store.curve(1) == CURVE
    store._db.execute("PRAGMA max_page_count = 100000")
    store.finish(2, "done", 1, "", CURVE * 5000)
    assert len(store.curve(2)) == 10_000


def test_a_disk_that_fills_at_the_commit_loses_nothing(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Store(path) as store:
        store.prepare(Trials(1, 2))
        whole = store._db

        class Full:
            def __getattr__(self, name: str):
                return getattr(whole, name)

            def execute(self, text: str, *rest):
                if text == "COMMIT":
                    raise sqlite3.OperationalError("database or disk is full")
                return whole.execute(text, *rest)

        monkeypatch.setattr(store, "_db", Full())
        with pytest.raises(DiskError, match="disk is full"):
            store.finish(1, "done", 1, "", CURVE)
        monkeypatch.undo()
        assert states(store) == ["pending", "pending"]
        store.finish(1, "done", 1, "", CURVE)
        assert states(store) == ["done", "pending"]


def test_a_folder_that_is_not_there_is_a_disk_error(tmp_path: Path) -> None:
    with pytest.raises(DiskError, match="unable to open"):
        Store(tmp_path / "missing" / "study.sqlite")


def test_a_file_that_is_no_database_is_a_run_error(path: Path) -> None:
    path.write_bytes(b"this is no database, whatever its name says" * 100)
    with pytest.raises(RunError, match=r"expected the record of a study in .*not a database"):
        Store(path)
    assert path.read_bytes().startswith(b"this is no database")


def test_a_study_from_the_future_is_left_alone(path: Path) -> None:
    Store(path).close()
    with closing(sqlite3.connect(path)) as database:
        database.execute(f"PRAGMA user_version = {SCHEMA_VERSION + 1}")
    with pytest.raises(
        RunError, match=f"of format {SCHEMA_VERSION} in .*, found format {SCHEMA_VERSION + 1}; use"
    ):
        Store(path)


def test_a_study_of_format_1_still_opens(path: Path) -> None:
    with closing(sqlite3.connect(path)) as database:
        database.executescript(GOLDEN.read_text(encoding="utf-8"))
    with Store(path) as store:
        store.prepare(Trials(3, 2))
        # The sixth trial is of the study that this one grows to.
        assert states(store) == ["done", "failed", "pruned", "pending", "pending", "pending"]
        assert {record.state for record in store.trials()} <= set(STATES)
        assert store.curve(1)[1] == Metrics(0.1, 0.30000000000000004, 0.75, 1e-300)
        assert store.trials("failed")[0].note == "diverged in epoch 2"
        assert store.divisions() == []
        assert store.predictions(1, 1, 3) is None
        store.finish(4, "done", 1, "", CURVE, {1: np.zeros((2, 3), np.float16)})
        assert store.predictions(4, 1, 3) is not None


def test_a_study_of_format_2_keeps_its_predictions(path: Path) -> None:
    said = -np.arange(6, dtype="<f2").reshape(2, 3)
    with closing(sqlite3.connect(path)) as database:
        database.executescript(GOLDEN.read_text(encoding="utf-8"))
        database.executescript(GOLDEN.with_name("what_study_v1_lacks.sql").read_text("utf-8"))
        database.execute("INSERT INTO predictions VALUES (1, ?)", (said.tobytes(),))
        database.commit()
    with Store(path) as store:
        chosen = store.trials()[0].epoch
        np.testing.assert_array_equal(store.predictions(1, chosen, 3), said)
        assert store.predictions(1, chosen + 1, 3) is None
        assert store.has_predictions()


def test_predictions_and_divisions_come_back_as_they_were(store: Store) -> None:
    said = -np.arange(12, dtype=np.float16).reshape(4, 3)
    store.finish(1, "done", 1, "", CURVE, {1: said, 2: said - 1})
    store.finish(2, "failed", 0, "diverged", [])
    divided = [
        Division(np.array([5, 2**40]), np.array([0, 1]), np.array([9, 9])),
        Division(np.array([7]), np.array([2]), np.array([3])),
    ]
    store.divide(divided)
    store.divide(divided)
    np.testing.assert_array_equal(store.predictions(1, 1, 3), said)
    np.testing.assert_array_equal(store.predictions(1, 2, 3), said - 1)
    assert store.predictions(2, 1, 3) is None
    for found, wanted in zip(store.divisions(), divided, strict=True):
        for name in ("images", "labels", "units"):
            np.testing.assert_array_equal(getattr(found, name), getattr(wanted, name))


def test_predictions_beyond_what_a_value_of_sqlite_holds_lie_in_parts(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("manyheads.study.store._LARGEST", 10)
    said = -np.arange(15, dtype=np.float16).reshape(5, 3)
    store.finish(1, "done", 1, "", CURVE, {1: said})
    np.testing.assert_array_equal(store.predictions(1, 1, 3), said)
