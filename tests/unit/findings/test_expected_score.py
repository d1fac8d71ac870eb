"""What is expected of a procedure that selects: held to truths that are known."""

from __future__ import annotations

from dataclasses import replace
from functools import cache, partial

import numpy as np
import pytest

from manyheads.findings import held_out_scores
from manyheads.findings.expected_score import (
    Expected,
    expect,
    loss_moments,
    predicted_accuracy,
    predicted_log_loss,
    predicted_score,
    rank,
)
from manyheads.findings.held_out_scores import HeldOutScores
from manyheads.findings.image_truth import ClassTruth
from manyheads.stats import metrics
from manyheads.stats.class_metrics import class_scores
from manyheads.stats.intervals import Estimate, bootstrap, share_estimate

CLASSES = ("a", "b", "c")
FOLDS = 5


@pytest.fixture
def few_resamples(monkeypatch: pytest.MonkeyPatch) -> None:
    """Hundreds of scores, of which none is looked at that is resampled."""
    monkeypatch.setattr(held_out_scores, "bootstrap", partial(bootstrap, resamples=2))


def of_classes(expected: Expected) -> HeldOutScores:
    assert expected.scores is not None
    return expected.scores


def _folds(images: int) -> np.ndarray:
    return np.arange(images) % FOLDS


def _said(labels: np.ndarray, right: float, random: np.random.Generator) -> np.ndarray:
    """Log-probabilities whose greatest is the label's with a chance of `right`."""
    said = random.choice(3, size=len(labels))
    hit = random.random(len(labels)) < right
    answer = np.where(hit, labels, said)
    logits = np.eye(3)[answer] * 2 + random.normal(scale=0.1, size=(len(labels), 3))
    return (logits - np.log(np.exp(logits).sum(axis=1, keepdims=True))).astype(np.float32)


def test_the_best_option_is_found_with_and_without_each_fold() -> None:
    random = np.random.default_rng(0)
    labels = random.integers(0, 3, 600)
    options = [_said(labels, right, random) for right in (0.2, 0.8, 0.5)]
    ranked = rank(options, ClassTruth(labels), _folds(600))
    assert ranked.best == 1
    assert ranked.without == (1,) * FOLDS
    assert ranked.chosen == (1,)


def test_an_option_with_a_failed_trial_comes_last() -> None:
    random = np.random.default_rng(0)
    labels = random.integers(0, 3, 100)
    good, failed = _said(labels, 0.1, random), _said(labels, 0.9, random)
    failed[3] = np.nan
    ranked = rank([failed, good], ClassTruth(labels), _folds(100))
    assert ranked.best == 1
    assert np.isinf(ranked.losses[0])


@pytest.mark.parametrize("metric", ["accuracy", "balanced_accuracy", "macro_f1"])
def test_another_score_ranks_if_it_is_asked_for(metric: str) -> None:
    """One option is right more often, the other is as good for the small class."""
    random = np.random.default_rng(0)
    labels = np.repeat([0, 1, 2], (500, 80, 20))
    never = _said(np.where(labels == 2, 0, labels), 0.98, random)
    fair = _said(labels, 0.75, random)
    ranked = rank([never, fair], ClassTruth(labels), _folds(600), metric)
    wanted = [metrics.METRICS[metric](each, labels) for each in (never, fair)]
    assert ranked.scores == pytest.approx(wanted)
    assert ranked.best == int(np.argmax(wanted)) == int(metric != "accuracy")
    assert ranked.chosen == (ranked.best,)


def test_of_options_with_the_same_score_the_one_with_less_loss_is_better() -> None:
    random = np.random.default_rng(0)
    labels = random.integers(0, 3, 200)
    clear = _said(labels, 0.7, random)
    vague = (clear * random.uniform(0.2, 5, (200, 1))).astype(np.float32)
    ranked = rank([vague, clear], ClassTruth(labels), _folds(200), "accuracy")
    assert ranked.scores[0] == ranked.scores[1]
    assert ranked.order == (1, 0)
    assert ranked.without == (1,) * FOLDS


@pytest.mark.when_changed("statistics")
@pytest.mark.usefixtures("few_resamples")
def test_choosing_among_guesses_promises_no_more_than_guessing() -> None:
    """The naive score of the best of many guesses flatters it; what is expected does not."""
    naive, expected = [], []
    for seed in range(30):
        random = np.random.default_rng(seed)
        labels = random.integers(0, 3, 150)
        options = [_said(labels, 0, random) for _ in range(20)]
        ranked = rank(options, ClassTruth(labels), _folds(150))
        found = expect(
            ranked, options.__getitem__, ClassTruth(labels), _folds(150), np.arange(150), CLASSES
        )  # fmt: skip
        naive.append(ranked.accuracies[ranked.best])
        expected.append(found.measured.accuracy.value)
    error = np.std(expected) / np.sqrt(len(expected))
    assert np.mean(naive) > 1 / 3 + 0.05
    assert abs(np.mean(expected) - 1 / 3) < 3 * error + 0.005


@pytest.mark.when_changed("statistics")
@pytest.mark.usefixtures("few_resamples")
def test_its_interval_and_that_of_a_new_test_hold_what_comes() -> None:
    """Of many procedures as good as 0.8, some 95 % hold it, and a test of as many new images."""
    inside, tested, trials = 0, 0, 300
    for seed in range(trials):
        random = np.random.default_rng(seed)
        labels = random.integers(0, 3, 200)
        options = [_said(labels, 0.7, random)]  # right by chance in a third of the others
        ranked = rank(options, ClassTruth(labels), _folds(200))
        found = expect(
            ranked, options.__getitem__, ClassTruth(labels), _folds(200), np.arange(200), CLASSES
        )
        accuracy = found.measured.accuracy
        assert accuracy.low is not None
        assert accuracy.high is not None
        inside += accuracy.low <= 0.8 <= accuracy.high
        low, high = predicted_accuracy(found, 100)
        tested += low <= random.binomial(100, 0.8) / 100 <= high
    assert 0.92 <= inside / trials <= 0.98
    assert 0.92 <= tested / trials <= 0.985


@pytest.mark.when_changed("statistics")
@pytest.mark.usefixtures("few_resamples")
def test_a_sample_that_chose_the_options_is_in_no_score() -> None:
    """Of twenty that are as good, a sample's luckiest is scored as it is, by the other images.

    With the sample among them it would be flattered, by the sample's share of its luck.
    """
    flattered, honest, inside, trials = [], [], 0, 200
    for seed in range(trials):
        random = np.random.default_rng(seed)
        labels = random.integers(0, 3, 300)
        sample = np.arange(300) < 100
        every = [_said(labels, 0.7, random) for _ in range(20)]
        chosen = max(every, key=lambda said: (said.argmax(axis=1) == labels)[sample].mean())
        ranked = rank([chosen], ClassTruth(labels), _folds(300))
        of_all, of_rest = (
            expect(
                ranked,
                [chosen].__getitem__,
                ClassTruth(labels),
                _folds(300),
                np.arange(300),
                CLASSES,
                apart,
            ).measured.accuracy
            for apart in (None, sample)
        )
        flattered.append(of_all.value)
        honest.append(of_rest.value)
        assert of_rest.low is not None
        assert of_rest.high is not None
        inside += of_rest.low <= 0.8 <= of_rest.high
    error = np.std(honest) / np.sqrt(trials)
    assert np.mean(flattered) > 0.8 + 5 * error
    assert abs(np.mean(honest) - 0.8) < 3 * error
    assert 0.92 <= inside / trials <= 0.985


def test_a_temperature_is_fitted_without_the_images_that_it_scales() -> None:
    """Confidence that is ten times too high is set right for new images too."""
    random = np.random.default_rng(3)
    labels = random.integers(0, 3, 900)
    said = [(_said(labels, 0.7, random) * 10).astype(np.float32)]
    ranked = rank(said, ClassTruth(labels), _folds(900))
    found = expect(
        ranked, said.__getitem__, ClassTruth(labels), _folds(900), np.arange(900), CLASSES
    )
    assert found.temperature > 5
    assert found.measured.log_loss.value < found.log_loss_unscaled / 3
    assert found.ece_unscaled is not None
    assert of_classes(found).ece.value < found.ece_unscaled / 2


@pytest.mark.when_changed("studies")
@pytest.mark.parametrize("accuracy", [0.5, 0.8, 0.9, 0.97, 0.99])
@pytest.mark.parametrize("here", [50, 200, 1000, 3000])
@pytest.mark.parametrize("new", [50, 400, 3000])
def test_the_accuracy_of_a_new_test_is_in_its_range(accuracy: float, here: int, new: int) -> None:
    """Whatever it is here; a count of few images may well be held more often than 95 %."""
    random = np.random.default_rng(0)
    known: dict[int, tuple[float, float]] = {}
    below = above = 0
    for _ in range(600):
        hits = int(random.binomial(here, accuracy))
        if hits not in known:
            known[hits] = predicted_accuracy(told(hits, here), new)
        low, high = known[hits]
        found = random.binomial(new, accuracy) / new
        below, above = below + (found < low), above + (found > high)
    assert below + above <= 600 * 0.09
    assert max(below, above) <= 600 * 0.06


@cache
def an_expectation() -> Expected:
    labels = np.arange(60) % 3
    said = [_said(labels, 0.7, np.random.default_rng(0))]
    return expect(
        rank(said, ClassTruth(labels), _folds(60)), said.__getitem__,
        ClassTruth(labels), _folds(60), np.arange(60), CLASSES,
    )  # fmt: skip


def told(hits: int, images: int) -> Expected:
    """The expectation after so many right answers on so many images."""
    known = an_expectation()
    scores = replace(of_classes(known), images=images, accuracy=share_estimate(
        np.arange(images) < hits, np.arange(images)
    ))  # fmt: skip
    return replace(known, scores=scores, accuracy_draws=float(images))


def expected_of(losses: np.ndarray, units: np.ndarray) -> Expected:
    """The expectation after these log losses."""
    known, (variance, skew) = an_expectation(), loss_moments(losses, units)
    scores = replace(
        of_classes(known), images=len(losses), units=int(units.max()) + 1,
        log_loss=Estimate(float(losses.mean()), None, None),
    )  # fmt: skip
    return replace(known, scores=scores, loss_variance=variance, loss_skew=skew)


def test_what_chance_draws_is_told_of_units() -> None:
    """Images three times over are worth as many draws as once, and so is a test of as many."""
    random = np.random.default_rng(0)
    labels = random.integers(0, 3, 200)
    said = _said(labels, 0.7, random)
    ranges = []
    for times in (1, 3):
        many, folds = labels.repeat(times), _folds(200).repeat(times)
        model, units = said.repeat(times, axis=0), np.arange(200).repeat(times)
        ranked = rank([model], ClassTruth(many), folds)
        found = expect(ranked, [model].__getitem__, ClassTruth(many), folds, units, CLASSES)
        assert found.accuracy_draws == pytest.approx(200)
        tests = 90 * times
        ranges.append((*predicted_accuracy(found, tests), *predicted_log_loss(found, tests)))
    assert ranges[0] == pytest.approx(ranges[1])


@pytest.mark.when_changed("statistics")
@pytest.mark.parametrize("skill", [2.5, 4.0])
@pytest.mark.parametrize(("here", "new"), [(200, 60), (200, 400), (200, 3000), (1500, 400)])
@pytest.mark.parametrize("unit", [1, 4])
def test_the_log_loss_of_a_new_test_is_in_its_range(
    skill: float, here: int, new: int, unit: int
) -> None:
    """On either side of it about as often, with one image a unit or four that are alike."""
    random = np.random.default_rng(0)
    below = above = 0
    for _ in range(400):
        losses = drawn_losses(here // unit, skill, random).repeat(unit)
        units = np.arange(here) // unit
        low, high = predicted_log_loss(expected_of(losses, units), new)
        found = drawn_losses(new // unit, skill, random).mean()
        below, above = below + (found < low), above + (found > high)
    assert below + above <= 400 * 0.09
    assert max(below, above) <= 400 * 0.06
    assert below + above >= 400 * 0.02


@pytest.mark.when_changed("statistics")
@pytest.mark.parametrize("metric", ["balanced_accuracy", "macro_f1"])
@pytest.mark.parametrize(("here", "new"), [(300, 400), (1500, 200)])
def test_the_score_of_classes_of_a_new_test_is_in_its_range(
    metric: str, here: int, new: int
) -> None:
    """Of classes of unequal size, that are found unequally well."""
    random = np.random.default_rng(0)
    below = above = 0
    for _ in range(400):
        said, labels = drawn_answers(here, random)
        (parts,) = class_scores(metric, said[np.newaxis], labels)
        known, value = an_expectation(), float(metrics.METRICS[metric](said, labels))
        found = replace(
            known, score_moments=loss_moments(parts, np.arange(here)),
            scores=replace(
                of_classes(known), images=here, units=here, **{metric: Estimate(value, None, None)}
            ),
        )  # fmt: skip
        low, high = predicted_score(found, metric, new)
        score = metrics.METRICS[metric](*drawn_answers(new, random))
        below, above = below + (score < low), above + (score > high)
    assert below + above <= 400 * 0.09
    assert max(below, above) <= 400 * 0.06
    assert below + above >= 400 * 0.02


def drawn_answers(images: int, random: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Answers for images of three classes, of which the smallest is found least often."""
    labels = random.choice(3, images, p=(0.6, 0.3, 0.1))
    hit = random.random(images) < np.array([0.95, 0.85, 0.6])[labels]
    answers = np.where(hit, labels, (labels + random.integers(1, 3, images)) % 3)
    return np.log(np.eye(3, dtype=np.float32)[answers] * 0.8 + 0.1), labels


def drawn_losses(images: int, skill: float, random: np.random.Generator) -> np.ndarray:
    """Log losses of answers of ten classes: skewed to the right."""
    logits = 1.2 * random.normal(size=(images, 10))
    logits[:, 0] += random.normal(skill, 1.8, images)
    return np.log(np.exp(logits).sum(axis=1)) - logits[:, 0]


@pytest.mark.parametrize("images", [50, 5000])
def test_a_larger_test_is_told_more_narrowly(images: int) -> None:
    random = np.random.default_rng(1)
    labels = random.integers(0, 3, 400)
    said = [_said(labels, 0.7, random)]
    found = expect(
        rank(said, ClassTruth(labels), _folds(400)), said.__getitem__,
        ClassTruth(labels), _folds(400), np.arange(400), CLASSES,
    )  # fmt: skip
    low, high = predicted_accuracy(found, images)
    accuracy = found.measured.accuracy
    assert accuracy.low is not None
    assert low < accuracy.low
    assert (high - low) > (0.18 if images == 50 else 0.05)
