"""What people do with a classifier of scikit-learn: search, pipe, score, copy, keep, stop."""

from __future__ import annotations

import pickle
import signal
import threading
import tracemalloc
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from joblib import Parallel, delayed
from sklearn.base import clone
from sklearn.calibration import CalibratedClassifierCV
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler

from manyheads import HeadClassifier
from manyheads.core.machine import cores
from manyheads.estimator import head_classifier
from manyheads.heads.fused import kernels
from tests.unit.estimator.irises import SPECIES, X, Y, quick


def test_it_is_searched_piped_and_scored() -> None:
    pipe = Pipeline([("scale", StandardScaler()), ("head", quick())])
    search = GridSearchCV(pipe, {"head__droprate": [0.0, 0.5], "head__size_inner": [0, 20]}, cv=3)
    search.fit(X, SPECIES)
    assert search.best_score_ > 0.9
    assert search.best_estimator_["head"].n_features_in_ == 4
    assert set(search.predict(X)) == set(SPECIES)
    assert search.predict_proba(X).shape == (150, 3)


def test_it_is_calibrated() -> None:
    calibrated = CalibratedClassifierCV(quick(), cv=3).fit(X, Y)
    assert calibrated.score(X, Y) > 0.9


@pytest.mark.slow
def test_processes_search_it_without_more_threads_than_they_were_given() -> None:
    grid = {"learning_rate": [0.01, 0.02], "heads": [1, 2]}
    search = GridSearchCV(quick(), grid, cv=3, n_jobs=2).fit(X, Y)
    here = GridSearchCV(quick(), grid, cv=3).fit(X, Y)
    np.testing.assert_array_equal(
        search.cv_results_["mean_test_score"], here.cv_results_["mean_test_score"]
    )
    used = Parallel(n_jobs=2)(delayed(threads_that_train)(None) for _ in range(2))
    assert used == [1, 1]


def threads_that_train(n_jobs: int | None) -> int:
    """How many threads train four heads."""
    seen, train_steps = set(), kernels.train_steps

    def noted(*arguments: Any) -> Any:
        seen.add(threading.get_ident())
        return train_steps(*arguments)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(kernels, "train_steps", noted)
        quick(heads=4, n_jobs=n_jobs).fit(X, Y)
    return len(seen)


def test_threads_are_those_that_were_asked_for() -> None:
    assert threads_that_train(None) == 1
    assert threads_that_train(-1) == min(cores(), 4)
    assert head_classifier._threads(10_000) == cores()


def test_no_thread_stays_behind() -> None:
    # What numerical libraries keep is there after this.
    quick(heads=4, n_jobs=-1).fit(X, Y).predict(X)
    before, tasks = threading.enumerate(), native_threads()
    fits = 4
    for _ in range(fits):
        quick(heads=4, n_jobs=-1).fit(X, Y).predict(X)
        assert threading.enumerate() == before
    # Those of other tests' libraries come and go.
    assert native_threads() < tasks + fits


@pytest.mark.skipif(not hasattr(signal, "pthread_kill"), reason="no signals to threads")
def test_an_interrupt_ends_the_training_and_its_threads() -> None:
    # A shell starts what it puts into the background without interrupts.
    usual = signal.signal(signal.SIGINT, signal.default_int_handler)
    before = threading.enumerate()
    main = threading.main_thread().ident
    assert main is not None
    timer = threading.Timer(0.5, signal.pthread_kill, (main, signal.SIGINT))

    def train_until_interrupted() -> None:
        timer.start()
        quick(heads=4, n_jobs=-1, epochs=100_000).fit(X, Y)

    try:
        with pytest.raises(KeyboardInterrupt):
            train_until_interrupted()
        timer.join()
    finally:
        signal.signal(signal.SIGINT, usual)
    assert threading.enumerate() == before


def native_threads() -> int:
    """The threads that the system sees; 0 where it does not tell."""
    tasks = Path("/proc/self/task")
    return len(list(tasks.iterdir())) if tasks.is_dir() else 0


@pytest.mark.parametrize(("dtype", "copies"), [(np.float32, 0), (np.float64, 1)])
def test_features_are_copied_once_at_most(dtype: Any, copies: int) -> None:
    features = np.random.default_rng(0).normal(size=(4000, 1000)).astype(dtype)
    labels = np.arange(4000) % 2
    head = quick(epochs=1, size_inner=8).fit(features[:100], labels[:100])
    bytes_of_one = 4 * features.size
    for work in (lambda: head.fit(features, labels), lambda: head.predict(features)):
        tracemalloc.start()
        work()
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        # Beside the copy: a part of the samples in float64, and the head.
        assert peak < (copies + 0.5) * bytes_of_one


def test_data_frames_bring_their_names() -> None:
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame(X, columns=["a", "b", "c", "d"])
    head = quick().fit(frame, pandas.Series(SPECIES))
    assert list(head.feature_names_in_) == ["a", "b", "c", "d"]
    np.testing.assert_array_equal(head.predict(frame), quick().fit(X, SPECIES).predict(X))
    with pytest.raises(ValueError, match="feature names should match"):
        head.predict(frame[["b", "a", "c", "d"]])
    piped = make_pipeline(StandardScaler(), quick()).set_output(transform="pandas")
    assert list(piped.fit(frame, SPECIES)[-1].feature_names_in_) == ["a", "b", "c", "d"]


@pytest.mark.parametrize(
    "given",
    [X.astype(np.float32), np.asfortranarray(X), np.repeat(X, 2, axis=0)[::2], X.tolist()],
    ids=["float32", "by columns", "strided", "lists"],
)
def test_how_features_lie_in_memory_changes_nothing(given: Any) -> None:
    np.testing.assert_array_equal(
        quick().fit(given, Y).predict_proba(given), quick().fit(X, Y).predict_proba(X)
    )


def test_read_only_memory_maps_are_read(tmp_path: Path) -> None:
    np.save(tmp_path / "x.npy", X.astype(np.float32))
    mapped = np.load(tmp_path / "x.npy", mmap_mode="r")
    np.testing.assert_array_equal(
        quick().fit(mapped, Y).predict_proba(mapped), quick().fit(X, Y).predict_proba(X)
    )


def test_clones_and_pickles_are_the_same() -> None:
    fitted = quick(heads=2, droprate=0.2).fit(X, SPECIES)
    again = pickle.loads(pickle.dumps(fitted))
    np.testing.assert_array_equal(again.predict_proba(X), fitted.predict_proba(X))
    copied: Any = clone(fitted)
    assert copied.get_params() == fitted.get_params()
    with pytest.raises(NotFittedError):
        copied.predict(X)
    np.testing.assert_array_equal(copied.fit(X, SPECIES).predict_proba(X), fitted.predict_proba(X))


def test_a_pickle_from_before_a_parameter_has_its_default_and_todays_names() -> None:
    fitted = quick().fit(X, Y)
    state: dict[str, Any] = dict(vars(fitted))
    del state["patience"]
    state["views"] = state.pop("augmented_copies") + 1
    old = HeadClassifier.__new__(HeadClassifier)
    old.__setstate__(state)
    assert old.patience is None
    assert old.get_params() == fitted.get_params()
    np.testing.assert_array_equal(old.predict(X), fitted.predict(X))
