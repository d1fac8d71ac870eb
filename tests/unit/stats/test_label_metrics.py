"""Metrics of several labels per image, held to scikit-learn's, and thresholds."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn import metrics as sklearn

from manyheads.heads.head import binary_cross_entropy, compact_log_odds, sigmoid
from manyheads.stats import label_metrics

RANDOM = np.random.default_rng(0)
TARGETS = RANDOM.random((80, 5)) < (0.5, 0.3, 0.2, 0.1, 0.0)
LOG_ODDS = (RANDOM.normal(size=(80, 5)) + 2 * TARGETS - 1).astype(np.float32)
LOG_ODDS[:20] = LOG_ODDS[20:40]  # equal scores


def test_average_precision_is_that_of_scikit_learn_weighted_or_not() -> None:
    weights = RANDOM.integers(0, 3, (4, 80)).astype(np.float64)
    found = label_metrics.average_precisions(LOG_ODDS, TARGETS, weights)
    for row, each in enumerate(weights):
        for label in range(4):
            wanted = sklearn.average_precision_score(
                TARGETS[:, label], LOG_ODDS[:, label], sample_weight=each
            )
            assert found[row, label] == pytest.approx(wanted)
    assert np.isnan(found[:, 4]).all()
    plain = label_metrics.average_precisions(LOG_ODDS, TARGETS)
    assert label_metrics.mean_over_labels(plain) == pytest.approx(np.mean(plain[:4]))


def test_f1_and_exact_match_are_those_of_scikit_learn() -> None:
    answers = LOG_ODDS > 0.3
    found = label_metrics.f1_scores(answers, TARGETS)
    wanted = [sklearn.f1_score(TARGETS[:, place], answers[:, place]) for place in range(4)]
    np.testing.assert_allclose(found[:4], wanted)
    assert np.isnan(found[4])
    exact = label_metrics.image_exact(LOG_ODDS, TARGETS).mean()
    assert exact == pytest.approx(sklearn.accuracy_score(TARGETS, LOG_ODDS > 0))


def test_scores_of_images_are_those_of_the_formulas() -> None:
    chances = label_metrics.probabilities(LOG_ODDS)
    loss = -np.where(TARGETS, np.log(chances), np.log1p(-chances)).mean(axis=1)
    np.testing.assert_allclose(label_metrics.image_log_loss(LOG_ODDS, TARGETS), loss)
    np.testing.assert_allclose(binary_cross_entropy(LOG_ODDS, TARGETS), loss, rtol=1e-5)
    np.testing.assert_allclose(sigmoid(LOG_ODDS), chances, rtol=1e-6)
    hits = 1 - sklearn.hamming_loss(TARGETS, LOG_ODDS > 0)
    assert label_metrics.image_accuracy(LOG_ODDS, TARGETS).mean() == pytest.approx(hits)
    missing = np.where(np.arange(80)[:, None] == 3, np.nan, LOG_ODDS).astype(np.float32)
    for metric in label_metrics.OF_IMAGES.values():
        assert np.flatnonzero(np.isnan(metric(missing, TARGETS))).tolist() == [3]


@pytest.mark.when_changed("statistics")
def test_a_threshold_has_the_greatest_f1_of_all() -> None:
    found = label_metrics.best_thresholds(LOG_ODDS, TARGETS)
    chances = label_metrics.probabilities(LOG_ODDS)
    for label in range(3):
        best = max(
            sklearn.f1_score(TARGETS[:, label], chances[:, label] > cut)
            for cut in np.linspace(0.001, 0.999, 999)
        )
        own = sklearn.f1_score(TARGETS[:, label], chances[:, label] > found[label])
        assert own >= best - 1e-12
    assert found[4] == 0.5  # no image has it
    few = label_metrics.best_thresholds(LOG_ODDS[:, 3:], TARGETS[:, 3:])
    assert (few[0] == 0.5) == (TARGETS[:, 3].sum() < label_metrics.ENOUGH)


def test_cross_fitted_answers_do_not_depend_on_the_labels_of_their_own_part() -> None:
    parts = np.arange(80) % 4
    first = label_metrics.cross_fitted(LOG_ODDS, TARGETS, parts)
    other = TARGETS.copy()
    other[parts == 2] ^= True
    again = label_metrics.cross_fitted(LOG_ODDS, other, parts)
    assert np.array_equal(first[parts == 2], again[parts == 2])


def test_half_precision_keeps_signs_and_bounds() -> None:
    given = np.array([[1e-9, -1e-9, 1e9, -1e9, 0.0, 2.5]], np.float32)
    found = compact_log_odds(given)
    assert found.dtype == np.float16
    assert (found > 0).tolist() == (given > 0).tolist()
    assert np.isfinite(found).all()


def test_probabilities_of_0_and_1_have_finite_log_odds() -> None:
    chances = np.array([[0.0, 0.5, 1.0, 0.9]], np.float32)
    found = label_metrics.log_odds_of(chances)
    assert found.dtype == np.float32
    assert found[0] == pytest.approx([-16.6355, 0, 16.6355, np.log(9)], rel=1e-5)
