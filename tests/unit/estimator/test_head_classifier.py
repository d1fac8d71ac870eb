"""What a classifier learns from features, from their weights, and what it refuses."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scipy.special import softmax
from sklearn import config_context
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss
from sklearn.model_selection import cross_val_score, cross_validate
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import manyheads
from manyheads import HeadClassifier
from manyheads.errors import EstimatorError, SettingError
from manyheads.estimator import head_classifier
from manyheads.heads.bank import HeadSettings, engine_named
from manyheads.heads.fold import Fold
from manyheads.heads.head import forward
from manyheads.heads.hyperparameters import NAMES, NEUTRAL, Hyperparameters
from tests.banks import train as bank_trained
from tests.banks import training_keras
from tests.unit.estimator.irises import SPECIES, X, Y, quick


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


def test_every_hyperparameter_is_a_parameter_and_regularisers_are_neutral() -> None:
    parameters = HeadClassifier().get_params()
    usual = {"learning_rate": 0.001, "learning_rate_schedule": "cosine", "epochs": None}
    usual |= {"class_weight": None, "balanced_batches": False}
    assert {name: parameters[name] for name in NAMES} == NEUTRAL | usual


@pytest.mark.parametrize("names", [np.array([0, 1, 2]), np.array([2.0, 10.0, 20.0]),
                                   np.array(["a", "b c", "d"])])  # fmt: skip
def test_class_weights_are_sample_weights_by_class(names: np.ndarray) -> None:
    """Of every kind of class, and multiplied with those of samples."""
    classes, own = names[Y], np.linspace(0.5, 2, len(Y))
    given = {names[1].item(): 3.0, names[2].item(): 0.5}
    weights = np.array([1.0, 3.0, 0.5])[Y]
    by_class = quick(class_weight=given).fit(X, classes)
    by_sample = quick().fit(X, classes, weights)
    np.testing.assert_array_equal(by_class.predict_proba(X), by_sample.predict_proba(X))
    both = quick(class_weight=given).fit(X, classes, own)
    together = quick().fit(X, classes, own * weights)
    np.testing.assert_allclose(both.predict_proba(X), together.predict_proba(X), rtol=1e-4)


def test_weights_of_no_class_and_none_at_all_are_refused() -> None:
    for bad in ({7: 2.0}, {0: 0.0}, {0: -1.0}, {0: float("nan")}, "balance"):
        with pytest.raises(SettingError, match=r"class_weight|weight of class 0"):
            quick(class_weight=bad).fit(X, Y)
    assert quick(balanced_batches=True).fit(X, Y).score(X, Y) > 0.8


@pytest.mark.parametrize(
    ("samples", "batch_size", "epochs"), [(150, 32, 200), (30, 32, 1000), (150, 2, 30)]
)
def test_heads_usually_train_for_1000_steps_at_least(
    samples: int, batch_size: int, epochs: int
) -> None:
    chosen = np.random.RandomState(0).permutation(150)[:samples]
    head = quick(epochs=None, batch_size=batch_size).fit(X[chosen], Y[chosen])
    assert head.n_iter_ == head.epochs_ == epochs


def test_usual_epochs_count_the_samples_that_are_trained_on() -> None:
    weights = np.where(np.arange(150) % 2, 1.0, 0.0)  # 75 samples, 3 steps
    assert quick(epochs=None).fit(X, Y, weights).epochs_ == 334
    held_out = quick(epochs=None, validation_fraction=0.6)
    assert held_out.fit(X, Y).epochs_ == 500  # 60 samples, 2 steps


# --- Its temperature


def digits() -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """300 digits to train on and 600 others, all with values of order one."""
    images, labels = map(np.asarray, load_digits(return_X_y=True))
    order = np.random.RandomState(0).permutation(len(labels))
    images, labels = images[order] / 16, labels[order]
    return images[:300], labels[:300], images[300:900], labels[300:900]


@pytest.mark.when_changed("commands")
@pytest.mark.parametrize("change", [{}, {"validation_fraction": 0.3}, {"heads": 3}], ids=str)
def test_a_temperature_lowers_the_log_loss_of_new_samples(change: dict[str, Any]) -> None:
    train, labels, new, of_new = digits()
    overconfident = {"size_inner": 200, "droprate": 0.0, "epochs": 60, "calibrate": True} | change
    heads = quick(**overconfident).fit(train, labels)
    plain = quick(**overconfident | {"calibrate": False}).fit(train, labels)
    assert heads.temperature_ != 1 == plain.temperature_
    assert (heads.predict(new) == plain.predict(new)).all()
    np.testing.assert_allclose(
        heads.decision_function(new) * heads.temperature_, plain.decision_function(new), rtol=1e-4,
        atol=1e-4,
    )  # fmt: skip
    assert log_loss(of_new, heads.predict_proba(new)) < log_loss(of_new, plain.predict_proba(new))


def test_a_temperature_that_the_samples_do_not_tell_is_one() -> None:
    few = quick(calibrate=True).fit(X[::2], Y[::2])  # 15 would be held out
    apart = np.repeat(np.eye(3), 100, axis=0)  # every sample held out is told apart
    told = quick(calibrate=True, epochs=60).fit(apart, np.repeat([0, 1, 2], 100))
    assert few.temperature_ == told.temperature_ == 1


def test_a_class_of_one_sample_leaves_no_temperature_out() -> None:
    odd = np.concatenate([np.repeat([0, 1], 100), [2]])
    values = np.random.RandomState(0).normal(size=(201, 5)) + odd[:, None]
    assert quick(calibrate=True).fit(values, odd).temperature_ != 1


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
        {"input_droprate": 0.2}, {"mixup": 0.4}, {"label_smoothing": 0.1}, {"l2": 0.01},
        {"optimizer": "adamw", "weight_decay": 0.1}, {"max_norm": 0.5},
        {"optimizer": "sgd", "momentum": 0.9}, {"learning_rate_schedule": "cosine"},
        {"epochs": 3}, {"batch_size": 7}, {"learning_rate": 0.02},
    ],
    ids=str,
)  # fmt: skip
def test_no_hyperparameter_is_ignored(change: dict[str, Any]) -> None:
    plain, changed = quick().fit(X, Y), quick(**change).fit(X, Y)
    assert not np.array_equal(plain.predict_proba(X), changed.predict_proba(X))


def test_adamw_without_weight_decay_is_refused_with_that_of_keras() -> None:
    with pytest.raises(SettingError, match=r"give a weight_decay, such as 0\.004"):
        quick(optimizer="adamw").fit(X, Y)


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


@pytest.mark.slow
def test_both_engines_train_the_same_heads() -> None:
    training_keras()
    weights = np.linspace(0, 2, 150)
    short: dict[str, Any] = {"epochs": 2, "heads": 2, "learning_rate": 0.001}
    fused, keras = (
        quick(engine=engine, **short).fit(X, Y, sample_weight=weights)
        for engine in ("fused", "keras")
    )
    np.testing.assert_allclose(fused.predict_proba(X), keras.predict_proba(X), rtol=1e-4)
    np.testing.assert_allclose(fused.history_[0]["loss"], keras.history_[0]["loss"], rtol=1e-4)


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


# --- What it refuses


@pytest.mark.parametrize(
    ("change", "wanted"),
    [
        ({"learning_rate": 0}, "`learning_rate` to be a number above 0"),
        ({"heads": 0}, "`heads` to be a whole number from 1"),
        ({"engine": "other"}, "`engine` to be one of auto, fused, stacked, keras"),
        ({"select": "best"}, "`select` to be one of"),
        ({"select": "best_loss"}, "expected a validation_fraction"),
        ({"patience": 3}, "expected a validation_fraction"),
        ({"validation_fraction": 1.0}, "`validation_fraction` to be a number above 0 and below 1"),
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


def test_a_class_of_one_sample_trains_where_others_are_held_out() -> None:
    labels = np.where(np.arange(150) == 0, 9, Y)
    head = quick(validation_fraction=0.2).fit(X, labels)
    assert 9 in head.classes_
    assert np.isfinite(head.predict_proba(X)).all()


def test_classes_too_small_to_be_divided_are_refused() -> None:
    few = [0, 1, 50, 51]
    with pytest.raises(EstimatorError, match=r"both parts of a validation_fraction of 0\.2"):
        quick(validation_fraction=0.2).fit(X[few], Y[few])


def test_a_head_that_diverges_is_an_error() -> None:
    with pytest.raises(EstimatorError, match="diverged in epoch 1"):
        quick(size_inner=0).fit(1e37 * X, Y)


def test_it_learns_about_what_a_logistic_regression_does() -> None:
    scores = [
        cross_validate(make_pipeline(StandardScaler(), one), X, Y, cv=5)["test_score"].mean()
        for one in (quick(epochs=60), LogisticRegression())
    ]
    assert scores[0] == pytest.approx(scores[1], abs=0.04)
