"""Balanced accuracy and macro F1 image by image: means, influences, and what intervals hold."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from manyheads.stats.class_metrics import BY_CLASS, UnitClasses, class_scores
from manyheads.stats.comparisons import Differences, compare
from manyheads.stats.metrics import METRICS
from manyheads.stats.paired import SHARES, Family, Margins, compared_in
from manyheads.stats.validation_predictions import Validated
from manyheads.stats.variances import Layout


def said(random: np.random.Generator, labels: np.ndarray, classes: int, skill: float) -> np.ndarray:
    """Log-probabilities `[images, classes]` that are right the more often the greater the skill."""
    logits = random.normal(size=(len(labels), classes))
    logits[np.arange(len(labels)), labels] += skill
    return (logits - np.log(np.exp(logits).sum(axis=1, keepdims=True))).astype(np.float32)


@given(seed=st.integers(0, 10_000), classes=st.integers(2, 6), images=st.integers(2, 60))
@pytest.mark.parametrize("metric", BY_CLASS)
def test_the_mean_of_the_scores_is_the_metric(
    metric: str, seed: int, classes: int, images: int
) -> None:
    """The counterpart of the influences, which add up to 0, whatever classes are missing."""
    random = np.random.default_rng(seed)
    labels = random.integers(0, classes, images)
    predictions = said(random, labels, classes, 1.0)
    scores = class_scores(metric, predictions[None], labels)
    assert scores.mean() == pytest.approx(float(METRICS[metric](predictions, labels)), abs=1e-12)


@pytest.mark.parametrize("metric", BY_CLASS)
def test_a_score_is_what_the_metric_gains_by_weighing_its_image_more(metric: str) -> None:
    """The influence is the derivative of the metric by the image's weight."""
    random = np.random.default_rng(5)
    labels = random.choice(4, 80, p=(0.6, 0.2, 0.15, 0.05))
    predictions = said(random, labels, 4, 1.0)
    scores, step = class_scores(metric, predictions[None], labels)[0], 1e-6
    for image in range(0, 80, 7):
        weights = np.ones(80)
        weights[image] += step
        gained = METRICS[metric](predictions, labels, weights) - scores.mean()
        assert 80 * float(gained) / step == pytest.approx(scores[image] - scores.mean(), abs=1e-4)


def test_of_equal_classes_balanced_accuracy_is_accuracy() -> None:
    random = np.random.default_rng(0)
    labels = np.arange(60) % 3
    predictions = said(random, labels, 3, 1.0)[None]
    hits = predictions.argmax(axis=-1) == labels
    scores = class_scores("balanced_accuracy", predictions, labels)
    assert scores.mean() == pytest.approx(hits.mean())
    layout = Layout.of(np.arange(60), np.zeros((1, 60), np.int64), 1)
    assert UnitClasses.of(labels, layout).of_one == pytest.approx(1 / 60**2)


def test_a_failed_head_has_no_score() -> None:
    labels = np.array([0, 1, 1])
    nothing = np.full((2, 3, 2), np.nan, np.float32)
    nothing[1] = said(np.random.default_rng(0), labels, 2, 1.0)
    for metric in BY_CLASS:
        scores = class_scores(metric, nothing, labels)
        assert np.isnan(scores[0]).all()
        assert np.isfinite(scores[1]).all()


def candidates(
    seed: int, skills: tuple[float, ...], images: int = 341, seeds: int = 4
) -> Validated:
    """Candidates on images of unequal classes, which all find hard or easy together."""
    random = np.random.default_rng(seed)
    labels = random.choice(5, images, p=(0.5, 0.25, 0.15, 0.07, 0.03))
    shared = random.normal(size=(images, 5))
    found = {}
    for number, skill in enumerate(skills, start=1):
        heads = []
        for _ in range(seeds):
            logits = shared + 0.5 * random.normal(size=(images, 5)) + 0.2 * random.normal(size=5)
            logits[np.arange(images), labels] += skill
            heads.append(logits - np.log(np.exp(logits).sum(axis=1, keepdims=True)))
        found[number] = np.array(heads, np.float32)[:, None]
    return Validated(
        tuple(found), tuple(f"droprate 0.{each}" for each in found), labels, tuple("abcde"),
        np.arange(images), np.zeros((1, images), np.int64), 1, found.__getitem__,
    )  # fmt: skip


@pytest.mark.when_changed("statistics")
@pytest.mark.parametrize("metric", BY_CLASS)
def test_equal_candidates_are_seldom_declared_different_and_others_are(metric: str) -> None:
    wrong = right = 0
    for seed in range(60):
        for skills in ((1.5, 1.5), (1.5, 2.7)):
            found = candidates(seed, skills)
            entry = compare(found, metrics=(metric,), advise=False).entries[0]
            wrong += skills[0] == skills[1] and entry.outcome in ("better", "worse")
            right += skills[0] != skills[1] and entry.outcome == "worse"
    assert wrong <= 6  # of 60, at 5 %: 3
    assert right >= 50


@pytest.mark.slow
@pytest.mark.parametrize("metric", BY_CLASS)
def test_intervals_hold_the_true_difference_as_often_as_they_say(metric: str) -> None:
    """At least 95 %, within what 400 studies tell; and no wider than twice what is needed."""
    large = [candidates(seed, (1.5, 1.9), images=20_000, seeds=1) for seed in range(40)]
    truth = np.mean(
        [Differences(v).mean(1, metric) - Differences(v).mean(2, metric) for v in large]
    )
    held, widths, centres = 0, [], []
    for seed in range(400):
        differences = Differences(candidates(1_000 + seed, (1.5, 1.9)))
        pair = differences.between(1, 2, metric)
        assert pair is not None
        family = Family([pair])
        width, centre = float(family.half_width(0.05)[0]), float(family.difference[0])
        held += abs(centre - truth) <= width
        widths.append(width)
        centres.append(centre)
    assert held / 400 >= 0.93
    assert np.mean(widths) <= 2 * 1.96 * np.std(centres)


def test_shares_have_their_margins_and_directions() -> None:
    assert set(SHARES) == {"accuracy", *BY_CLASS}
    margins = Margins(accuracy=0.03, log_loss=0.1)
    assert [margins.of(metric) for metric in BY_CLASS] == [0.03, 0.03]
    assert compared_in("macro_f1") == ("log_loss", "macro_f1")
    assert compared_in("log_loss") == compared_in("accuracy") == ("log_loss", "accuracy")


def test_a_difference_is_the_difference_of_the_means() -> None:
    found: Any = candidates(1, (1.0, 1.3))
    differences = Differences(found)
    for metric in BY_CLASS:
        pair = differences.between(1, 2, metric)
        assert pair is not None
        both = [differences.mean(each, metric) for each in (1, 2)]
        assert pair.both.difference == pytest.approx(both[0] - both[1])
        every = [
            np.mean([METRICS[metric](head[0], found.labels) for head in found.log_probabilities(c)])
            for c in (1, 2)
        ]
        assert both == pytest.approx(every)
