"""How a bank is cut, and what is sent of its folds; the laws: tests/conformance/test_engines.py."""

from __future__ import annotations

import pickle
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from manyheads.core.job import Job
from manyheads.core.workers import Workers
from manyheads.errors import SettingError
from manyheads.heads.bank import engine_named
from manyheads.heads.fold import Fold, Source, Variant
from manyheads.heads.random import SeededStreams
from manyheads.heads.sent_folds import SentFolds
from manyheads.heads.spread_engine import BankContext, SpreadEngine, other_bits
from manyheads.workers.opening import opened_workers
from tests.banks import generated_fold, same, settings, train, with_versions
from tests.in_process_workers import InProcessWorkers


def units_of(heads: int, workers: InProcessWorkers, **changes: Any) -> list[range]:
    """Which heads each unit of a bank has, as they were drawn."""
    fold = generated_fold(8, 2, 2, validation=2)
    bank = [settings(seed=seed, epochs=1, **changes) for seed in range(heads)]
    stories = train(SpreadEngine("fused", workers), bank, [fold])
    assert sorted(stories) == list(range(heads))
    units: Any = workers.units
    return [range(unit.first, unit.first + len(unit.heads)) for unit in units]


def test_units_are_all_heads_in_order_and_never_one_alone() -> None:
    units = units_of(201, InProcessWorkers(2))
    assert [head for unit in units for head in unit] == list(range(201))
    assert min(map(len, units)) >= 2


def test_units_begin_small_grow_as_their_rate_is_known_and_level_out() -> None:
    sizes = list(map(len, units_of(200, InProcessWorkers(2))))
    assert sizes[:2] == [2, 2]
    assert 20 < max(sizes) <= 50  # of 196 left, a quarter
    assert sizes[-1] < 5
    assert len(sizes) < 60


def test_a_unit_takes_some_seconds(monkeypatch: pytest.MonkeyPatch) -> None:
    """Here each second is 1,000: heads are slow, and no unit has more of them than it must."""
    monkeypatch.setattr("time.perf_counter", iter(range(0, 10**9, 1000)).__next__)
    assert set(map(len, units_of(60, InProcessWorkers(2)))) == {2}


def test_a_unit_has_a_head_for_each_core_of_its_worker() -> None:
    units = units_of(40, InProcessWorkers(2, cores=8))
    assert min(map(len, units)) == 8


@pytest.mark.parametrize(("heads", "sizes"), [(1, [1]), (3, [1, 1, 1]), (6, [2, 2, 2])])
def test_few_heads_are_shared_out(heads: int, sizes: list[int]) -> None:
    assert list(map(len, units_of(heads, InProcessWorkers(3, cores=4)))) == sizes


def test_another_engine_is_refused_before_anything_is_sent() -> None:
    with pytest.raises(SettingError, match="engine"):
        SpreadEngine("steam", InProcessWorkers())


# --- What is sent


def test_of_a_large_matrix_only_the_rows_are_sent_that_folds_use(tmp_path: Path) -> None:
    plain = generated_fold(70, 40, validation=33)
    random = np.random.default_rng(0)
    where = random.permutation(30_000)[:103]
    stored = np.zeros((30_000, 40), np.float32)
    stored[where] = plain.matrix
    np.save(tmp_path / "features.npy", stored)
    mapped = np.load(tmp_path / "features.npy", mmap_mode="r")
    folds = [
        Fold(mapped, where[:70], plain.train_labels, where[70:], plain.validation_labels, 3),
        Fold(mapped, where[33:], np.r_[plain.train_labels[33:], plain.validation_labels],
             where[:33], plain.train_labels[:33], 3),
    ]  # fmt: skip
    sent = pickle.dumps(SentFolds.of(folds))
    assert len(sent) < 103 * 40 * 4 + 10_000
    bank = [settings(), settings(fold=1)]
    direct = train(engine_named("fused"), bank, folds)
    back = pickle.loads(sent).folds()
    assert back[0].matrix is back[1].matrix
    there = train(engine_named("fused"), bank, back)
    assert all(same(direct[head], there[head]) for head in (0, 1))


def test_variants_are_sent_with_the_rows_that_they_have() -> None:
    fold = with_versions(generated_fold())
    half = replace(
        fold,
        train=fold.train[:35],
        train_labels=fold.train_labels[:35],
        weights=np.linspace(1, 2, 35, dtype=np.float32),
        sources={v: Source(given.array, given.rows[:35]) for v, given in fold.sources.items()},
    )
    back = pickle.loads(pickle.dumps(SentFolds.of([half]))).folds()[0]
    assert len(back.source(Variant(1)).array) == 35
    bank = [
        settings(augmented_copies=2, random_erasing=0.3),
        settings(dropblock=0.2, augmented_copies=1),
    ]
    direct = train(engine_named("fused"), bank, [half])
    there = train(engine_named("fused"), bank, [back])
    assert all(same(direct[head], there[head]) for head in (0, 1))


# --- On processes


@pytest.fixture(scope="module")
def processes() -> Iterator[Workers]:
    """Two processes of this machine."""
    with opened_workers(2) as workers:
        assert workers is not None
        yield workers


@pytest.mark.when_changed("workers")
def test_processes_train_the_same_heads(processes: Workers) -> None:
    fold = with_versions(generated_fold())
    bank = [
        *(settings(seed=seed, epochs=3) for seed in range(9)),
        settings(size_inner=0, fold=1),
        settings(augmented_copies=2, random_erasing=0.3, dropblock=0.2),
    ]
    folds = [fold, generated_fold(90, 21, 4, seed=1)]
    there = train(SpreadEngine("fused", processes), bank, folds, rule="best_loss")
    here = train(engine_named("fused"), bank, folds, rule="best_loss")
    assert all(same(there[head], here[head]) for head in range(len(bank)))


@pytest.mark.when_changed("workers")
def test_a_head_that_fails_in_a_process_fails_alone(processes: Workers) -> None:
    good = generated_fold()
    matrix = good.matrix.copy()
    matrix[good.train[-1]] = np.nan
    heads = [settings(), settings(fold=1), settings(fold=1, seed=1)]
    stories = train(SpreadEngine("fused", processes), heads, [replace(good, matrix=matrix), good])
    ends = [stories[head].end for head in range(3)]
    assert [end and end.status for end in ends] == ["failed", "done", "done"]


@pytest.mark.when_changed("workers")
def test_a_stop_ends_the_training_of_processes_within_seconds(processes: Workers) -> None:
    fold = generated_fold(10_000, 1024, validation=1000)
    heads = [settings(seed=seed, size_inner=1024, epochs=1000) for seed in range(4)]
    engine, job = SpreadEngine("fused", processes), Job()
    train(engine, [settings()] * 2, [generated_fold()])  # they are there now
    asked = []

    def ask() -> None:
        asked.append(time.monotonic())
        job.stop()

    timer = threading.Timer(1.0, ask)
    timer.start()
    assert not list(engine.train(heads, [fold], job=job))
    assert time.monotonic() - asked[0] < 2.5
    timer.join()
    assert len(train(engine, [settings()] * 2, [generated_fold()])) == 2


def test_workers_whose_heads_are_others_are_refused() -> None:
    far = InProcessWorkers(here=False)
    heads, folds = [settings()] * 2, [generated_fold()]
    assert len(train(SpreadEngine("fused", far), heads, folds)) == 2
    context = BankContext("fused", SentFolds.of(folds), "last", SeededStreams, probe="other")
    assert other_bits(context) == "a head that fused trains there has other numbers than here"
