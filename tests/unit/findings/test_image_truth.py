"""What is expected of a procedure that selects, where an image may have several labels."""

from __future__ import annotations

import numpy as np
import pytest

from manyheads.findings import label_scores
from manyheads.findings.expected_score import (
    expect,
    predicted_accuracy,
    predicted_log_loss,
    rank,
)
from manyheads.findings.image_truth import LabelTruth
from manyheads.stats import label_metrics

LABELS = ("a", "b", "c")


@pytest.fixture
def few_label_resamples(monkeypatch: pytest.MonkeyPatch) -> None:
    """Dozens of scores by label, whose intervals are not looked at."""
    monkeypatch.setattr(label_scores, "RESAMPLES", 2)


def _folds(images: int) -> np.ndarray:
    return np.arange(images) % 5


def _labelled(images: int, random: np.random.Generator) -> np.ndarray:
    """Which of three labels images have, each seldomer than the one before."""
    return random.random((images, 3)) < (0.5, 0.3, 0.1)


def _log_odds(targets: np.ndarray, clear: float, random: np.random.Generator) -> np.ndarray:
    noise = random.normal(size=targets.shape)
    return (clear * (2 * targets - 1.2) + 1.5 * noise).astype(np.float32)


def test_options_of_several_labels_are_ranked_and_scored_by_label() -> None:
    random = np.random.default_rng(0)
    targets = _labelled(500, random)
    options = [4 * _log_odds(targets, clear, random) for clear in (0.3, 1.5, 0.8)]
    truth, folds = LabelTruth(targets), _folds(500)
    ranked = rank(options, truth, folds)
    assert ranked.order == (1, 2, 0)
    assert ranked.accuracies[1] == pytest.approx(((options[1] > 0) == targets).mean())
    found = expect(ranked, options.__getitem__, truth, folds, np.arange(500), LABELS)
    scores = found.label_scores
    assert scores is not None
    assert found.measured is scores
    assert found.scores is None
    assert found.ece_unscaled is None
    assert found.temperature > 2
    assert scores.log_loss.value < found.log_loss_unscaled * 0.8
    assert [each.threshold for each in scores.labels] == list(found.thresholds or ())
    low, high = predicted_accuracy(found, 400)
    assert low < scores.exact_match.value < high
    low, high = predicted_log_loss(found, 400)
    assert low < scores.log_loss.value < high


@pytest.mark.when_changed("statistics")
@pytest.mark.usefixtures("few_label_resamples")
def test_choosing_among_guesses_of_labels_promises_no_more_than_guessing() -> None:
    """Neither the choice, nor the thresholds, nor the temperature flatter what is expected."""
    right, gained = [], []
    for seed in range(40):
        random = np.random.default_rng(seed)
        targets = random.random((120, 3)) < 0.5
        options = [random.normal(size=(120, 3)).astype(np.float32) for _ in range(10)]
        truth, folds = LabelTruth(targets), _folds(120)
        ranked = rank(options, truth, folds, "accuracy")
        found = expect(ranked, options.__getitem__, truth, folds, np.arange(120), LABELS)
        scores = found.label_scores
        assert scores is not None
        right.append(scores.accuracy.value)
        gained.append(np.log(2) - scores.log_loss.value)
    error = np.std(right) / np.sqrt(len(right))
    assert abs(np.mean(right) - 0.5) < 3 * error + 0.005
    assert np.mean(gained) < 0


def test_what_is_expected_of_a_fold_does_not_know_its_labels() -> None:
    """With all labels of a fold the other way round, its answers and its losses turn with them."""
    random = np.random.default_rng(1)
    targets, folds = _labelled(200, random), _folds(200)
    said, inside = _log_odds(targets, 0.7, random), folds == 2
    other = np.where(inside[:, None], ~targets, targets)
    known = [LabelTruth(each).of(~inside).temperature(said[~inside]) for each in (targets, other)]
    assert known[0] == known[1]
    answers = [label_metrics.cross_fitted(said, each, folds)[inside] for each in (targets, other)]
    np.testing.assert_array_equal(answers[0], answers[1])
    # Thresholds in log-odds are those of the scaled ones, but for their scale.
    scaled = label_metrics.cross_fitted(said / np.float32(known[0]), targets, folds)
    np.testing.assert_array_equal(scaled[inside], answers[0])
