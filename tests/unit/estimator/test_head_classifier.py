"""What people do with a classifier of scikit-learn: on features, in memory."""

from __future__ import annotations

import pickle
import threading
import tracemalloc
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from joblib import Parallel, delayed
from scipy.special import softmax
from sklearn import config_context
from sklearn.base import clone
from sklearn.calibration import CalibratedClassifierCV
from sklearn.datasets import load_digits, load_iris
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, cross_val_score, cross_validate
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler

import manyheads
from manyheads import HeadClassifier
from manyheads.errors import EstimatorError, SettingError
from manyheads.estimator import head_classifier
from manyheads.heads import kernels
from manyheads.heads.bank import HeadSettings, engine_named
from manyheads.heads.fold import Fold
from manyheads.heads.head import forward
from manyheads.heads.hyperparameters import NAMES, NEUTRAL, Hyperparameters
from manyheads.machine import cores
from tests.banks import train as bank_trained

X, Y = (np.asarray(part) for part in load_iris(return_X_y=True))
SPECIES = np.array(["setosa", "versicolor", "virginica"])[Y]


def quick(**changes: Any) -> HeadClassifier:
    """A classifier that learns irises in a fraction of a second, always in the same way."""
    given = {"learning_rate": 0.01, "size_inner": 20, "epochs": 20, "random_state": 0}
    return HeadClassifier(**(given | changes))


def twice(values: Any, places: Any) -> np.ndarray:
    """`values`, those at `places` two times."""
    return np.concatenate([values, values[places]])


# --- What it learns


def test_the_lazy_name_is_the_class() -> None:
    assert manyheads.HeadClassifier is head_classifier.HeadClassifier
    assert "HeadClassifier" in dir(manyheads)


def test_defaults_learn_digits_as_they_are() -> None:
    digits, labels = load_digits(return_X_y=True)
    assert cross_val_score(HeadClassifier(random_state=0), digits, labels, cv=3).min() > 0.9


@pytest.mark.parametrize("columns", [0, 1], ids=["binary", "multiclass"])
def test_all_answers_are_of_the_same_logits(columns: int) -> None:
    kept = np.isin(Y, range(2 + columns))
    head = quick().fit(X[kept], SPECIES[kept])
    logits = head.decision_function(X)
    if not columns:
        logits = np.stack([np.zeros(len(X)), logits], axis=1)
    probabilities = head.predict_proba(X)
    np.testing.assert_allclose(softmax(logits, axis=1), probabilities, rtol=1e-9)
    np.testing.assert_allclose(np.log(probabilities), head.predict_log_proba(X), rtol=1e-7)
    assert list(head.classes_) == ["setosa", "versicolor", "virginica"][: 2 + columns]
    assert (head.predict(X) == head.classes_[probabilities.argmax(axis=1)]).all()
    assert head.score(X[kept], SPECIES[kept]) > 0.85


def test_heads_are_averaged_in_their_logits() -> None:
    heads = quick(heads=3).fit(X, Y)
    each = [forward(head, X.astype(np.float32)) for head in heads.heads_]
    np.testing.assert_allclose(heads.decision_function(X), np.mean(each, axis=0), atol=1e-4)
    assert not np.allclose(each[0], each[1])


def test_the_first_of_several_heads_is_the_one_alone() -> None:
    alone, several = quick().fit(X, Y), quick(heads=3).fit(X, Y)
    np.testing.assert_array_equal(alone.heads_[0].kernel, several.heads_[0].kernel)


def test_the_same_seed_gives_the_same_bits_on_any_number_of_threads() -> None:
    one = quick(heads=4, n_jobs=1).fit(X, Y).predict_proba(X)
    more = quick(heads=4, n_jobs=-1).fit(X, Y).predict_proba(X)
    other = quick(heads=4, random_state=1).fit(X, Y).predict_proba(X)
    np.testing.assert_array_equal(one, more)
    assert not np.array_equal(one, other)


def test_fitting_again_begins_anew() -> None:
    head = quick().fit(X, Y)
    first = head.predict_proba(X)
    np.testing.assert_array_equal(head.fit(X, Y).predict_proba(X), first)
    state = np.random.RandomState(0)
    drawn = quick(random_state=state)
    assert not np.array_equal(drawn.fit(X, Y).predict_proba(X), drawn.fit(X, Y).predict_proba(X))


def test_every_hyperparameter_is_a_parameter_with_its_neutral_value() -> None:
    parameters = HeadClassifier().get_params()
    assert {name: parameters[name] for name in NAMES} == NEUTRAL | {"learning_rate": 0.001}


def test_a_head_is_the_one_that_the_engine_trains_from_its_seed() -> None:
    fitted = quick().fit(X, Y)
    fold = Fold(X.astype(np.float32), np.arange(150), Y, np.arange(3), Y[:3], 3)
    names = {name: fitted.get_params()[name] for name in NAMES}
    seed = int(np.random.RandomState(0).randint(2**31 - 1))
    head = HeadSettings(hyperparameters=Hyperparameters(**names), seed=seed, fold=0, epochs=20)
    story = bank_trained(engine_named("fused"), [head], [fold], rule="last")[0]
    np.testing.assert_array_equal(story.parameters.kernel, fitted.heads_[0].kernel)


@pytest.mark.parametrize(
    "change",
    [
        {"size_inner": 0}, {"droprate": 0.0}, {"droprate_schedule": "early:3"},
        {"feature_droprate": 0.2}, {"mixup": 0.4}, {"label_smoothing": 0.1}, {"l2": 0.01},
        {"optimizer": "adamw", "weight_decay": 0.1}, {"max_norm": 0.5},
        {"optimizer": "sgd", "momentum": 0.9}, {"learning_rate_schedule": "cosine"},
        {"epochs": 3}, {"batch_size": 7}, {"learning_rate": 0.02},
    ],
    ids=str,
)  # fmt: skip
def test_no_hyperparameter_is_ignored(change: dict[str, Any]) -> None:
    plain, changed = quick().fit(X, Y), quick(**change).fit(X, Y)
    assert not np.array_equal(plain.predict_proba(X), changed.predict_proba(X))


def test_history_is_each_heads_curves() -> None:
    head = quick(heads=2, epochs=4).fit(X, Y)
    assert [set(curves) for curves in head.history_] == [{"accuracy", "loss"}] * 2
    assert all(len(curve) == 4 for curves in head.history_ for curve in curves.values())
    assert head.n_iter_ == 4


def test_nothing_is_held_out_unless_asked_for() -> None:
    head = quick(validation_fraction=0.3, select="best_loss", patience=2, epochs=400).fit(X, Y)
    curves = head.history_[0]
    assert head.n_iter_ == len(curves["val_loss"]) < 400
    assert int(np.argmin(curves["val_loss"])) == head.n_iter_ - 3
    last = quick(epochs=head.n_iter_).fit(X, Y)
    assert not np.array_equal(last.predict_proba(X), head.predict_proba(X))


# --- Weights


def test_without_weight_is_as_if_not_there() -> None:
    weights = np.where(np.arange(len(X)) % 3, 1.0, 0.0)
    weighted = quick().fit(X, Y, sample_weight=weights).predict_proba(X)
    kept = weights > 0
    np.testing.assert_array_equal(weighted, quick().fit(X[kept], Y[kept]).predict_proba(X))


def test_equal_weights_of_one_change_nothing() -> None:
    weighted = quick().fit(X, Y, sample_weight=np.ones(len(X))).predict_proba(X)
    np.testing.assert_array_equal(weighted, quick().fit(X, Y).predict_proba(X))


def test_in_whole_batches_a_weight_of_two_is_a_sample_twice() -> None:
    """Up to Adam's epsilon: the mean is over more samples, and Adam does not see its scale."""
    heavy = np.flatnonzero(np.random.default_rng(0).random(len(X)) < 0.5)
    weights = np.ones(len(X))
    weights[heavy] = 2
    whole = quick(batch_size=1000, droprate=0.0, epochs=40)
    weighted = whole.fit(X, Y, sample_weight=weights).predict_proba(X)
    repeated = whole.fit(twice(X, heavy), twice(Y, heavy)).predict_proba(X)
    np.testing.assert_allclose(weighted, repeated, atol=1e-3)
    assert not np.allclose(weighted, whole.fit(X, Y).predict_proba(X), atol=1e-3)


def test_weights_draw_the_answer() -> None:
    noise = np.random.default_rng(0).normal(size=(200, 3))
    labels = np.arange(200) % 2
    head = quick(epochs=5).fit(noise, labels, sample_weight=1 + 9 * labels)
    assert head.predict(noise).mean() > 0.9


def test_weights_are_routed_as_metadata() -> None:
    weights = np.where(Y == 0, 0.0, 1.0)
    with config_context(enable_metadata_routing=True):
        routed = make_pipeline(StandardScaler(), quick().set_fit_request(sample_weight=True))
        routed[0].set_fit_request(sample_weight=False)
        assert 0 not in routed.fit(X, Y, sample_weight=weights).predict(X)


# --- Where it stands in scikit-learn


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
    quick(heads=4, n_jobs=-1).fit(X, Y)  # what numerical libraries keep is there now
    before, tasks = threading.enumerate(), native_threads()
    quick(heads=4, n_jobs=-1).fit(X, Y).predict(X)
    assert threading.enumerate() == before
    assert native_threads() == tasks


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


def test_a_pickle_from_before_a_parameter_has_its_default() -> None:
    fitted = quick().fit(X, Y)
    state: Any = fitted.__getstate__()
    del state["patience"]
    old = HeadClassifier.__new__(HeadClassifier)
    old.__setstate__(state)
    assert old.patience is None
    np.testing.assert_array_equal(old.predict(X), fitted.predict(X))


# --- What it refuses


@pytest.mark.parametrize(
    ("change", "wanted"),
    [
        ({"learning_rate": 0}, "learning_rate to be a number above 0"),
        ({"heads": 0}, "heads to be a whole number from 1"),
        ({"engine": "other"}, "engine to be one of fused, keras"),
        ({"select": "best"}, "select to be one of"),
        ({"select": "best_loss"}, "expected a validation_fraction"),
        ({"patience": 3}, "expected a validation_fraction"),
        ({"validation_fraction": 1.0}, "validation_fraction to be a number above 0 and below 1"),
        ({"momentum": 0.5}, "momentum 0.0 with another optimizer"),
    ],
    ids=str,
)
def test_parameters_out_of_range_are_told_by_fit(change: dict[str, Any], wanted: str) -> None:
    with pytest.raises(SettingError, match=wanted):
        quick(**change).fit(X, Y)


@pytest.mark.parametrize(
    ("weights", "wanted"),
    [
        (np.zeros(150), "nothing but zeros"),
        (np.full(150, -1.0), "negative or not finite"),
        (np.full(150, np.nan), "negative or not finite"),
        (np.ones(149), r"an array \[149\]"),
        (["heavy"] * 150, "could not convert"),
        ((Y == 1).astype(float), "with weight of two or more classes, found one class"),
    ],
    ids=["none", "negative", "not a number", "too few", "words", "of one class"],
)
def test_weights_that_are_none_are_refused(weights: Any, wanted: str) -> None:
    with pytest.raises(EstimatorError, match=wanted):
        quick().fit(X, Y, sample_weight=weights)


def test_one_class_and_continuous_targets_are_refused() -> None:
    with pytest.raises(ValueError, match="two or more classes, found one class, 'a'"):
        quick().fit(X, ["a"] * 150)
    with pytest.raises(ValueError, match="Unknown label type"):
        quick().fit(X, np.linspace(0, 1, 150))


def test_a_class_too_small_to_be_divided_is_refused() -> None:
    labels = np.where(np.arange(150) == 0, 9, Y)
    with pytest.raises(EstimatorError, match=r"both parts of a validation_fraction of 0\.2"):
        quick(validation_fraction=0.2).fit(X, labels)


def test_a_head_that_diverges_is_an_error() -> None:
    with pytest.raises(EstimatorError, match="diverged in epoch 1"):
        quick(size_inner=0).fit(1e37 * X, Y)


def test_it_learns_about_what_a_logistic_regression_does() -> None:
    scores = [
        cross_validate(make_pipeline(StandardScaler(), one), X, Y, cv=5)["test_score"].mean()
        for one in (quick(epochs=60), LogisticRegression())
    ]
    assert scores[0] == pytest.approx(scores[1], abs=0.04)
