"""Scores of ensembles of seeds: against plain loops, and in studies whose truth is known."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
from scipy.special import softmax

from manyheads.errors import Interrupted
from manyheads.findings import seed_subsets as module
from manyheads.findings.mc_dropout import ImageScores
from manyheads.findings.seed_subsets import seed_subsets, subset_scores
from manyheads.stats.paired import Margins, decide, mean_score, measure
from manyheads.stats.variances import Layout
from tests.jobs import stopped_job

CLASSES = 4


def answers(seeds: int, images: int, random: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """What seeds say: images are hard or easy, seeds good or bad, and each is wrong in its way."""
    labels = random.integers(0, CLASSES, images)
    logits = random.normal(size=(images, CLASSES)) + 0.8 * random.normal(
        size=(seeds, images, CLASSES)
    )
    logits += 0.4 * random.normal(size=(seeds, 1, CLASSES))
    logits[:, np.arange(images), labels] += random.normal(1.5, 1.5, images)
    return softmax(logits, axis=-1).astype(np.float32), labels


@pytest.mark.parametrize(("seeds", "size"), [(3, 2), (5, 4), (20, 2)])
def test_few_subsets_are_all_taken(seeds: int, size: int) -> None:
    found = {tuple(np.flatnonzero(row)) for row in seed_subsets(seeds, size)}
    assert found == set(combinations(range(seeds), size))


@pytest.mark.parametrize(("seeds", "size"), [(20, 5), (20, 10), (40, 2), (23, 10)])
def test_of_many_a_sample_with_each_seed_about_as_often(seeds: int, size: int) -> None:
    found = seed_subsets(seeds, size)
    assert (found == seed_subsets(seeds, size)).all()
    assert found.shape == (200, seeds)
    assert (found.sum(axis=1) == size).all()
    often = found.sum(axis=0) * seeds / (200 * size)
    assert 0.75 < often.min() <= often.max() < 1.25


def test_pseudo_values_are_those_of_the_jackknife() -> None:
    chances, labels = answers(5, 30, np.random.default_rng(0))

    def loss(seeds: list[int]) -> np.ndarray:
        means = [chances[list(pair)].mean(axis=0) for pair in combinations(seeds, 2)]
        return ImageScores.of(np.stack(means), labels).scores()["log_loss"].mean(axis=0)

    whole = loss([*range(5)])
    expected = [5 * whole - 4 * loss([s for s in range(5) if s != seed]) for seed in range(5)]
    found = subset_scores(chances, labels, seed_subsets(5, 2))["log_loss"]
    assert found == pytest.approx(np.stack(expected), abs=1e-5)
    assert found.mean(axis=0) == pytest.approx(whole, abs=1e-6)


def test_blocks_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    chances, labels = answers(6, 30, np.random.default_rng(0))
    members = seed_subsets(6, 3)
    whole = subset_scores(chances, labels, members)
    monkeypatch.setattr(module, "_AT_ONCE", 7 * 30 * CLASSES)
    for name, scores in subset_scores(chances, labels, members).items():
        assert scores == pytest.approx(whole[name], abs=1e-6)


def test_a_request_to_stop_is_heard() -> None:
    chances, labels = answers(3, 30, np.random.default_rng(0))
    job = stopped_job()
    with pytest.raises(Interrupted):
        subset_scores(chances, labels, seed_subsets(3, 2), job)


@pytest.mark.when_changed("statistics")
@pytest.mark.parametrize(("seeds", "size"), [(6, 2), (10, 5), (20, 5)])
def test_intervals_hold_the_truth_of_made_up_studies(seeds: int, size: int) -> None:
    """Of an ensemble's score and of its gain, for images and seeds drawn anew; yet no wider ones.

    Disjoint groups, of which there are two to four, give intervals that are wider on average.
    """
    images, studies, random = 150, 120, np.random.default_rng(1)
    layout = Layout.of(np.arange(images), np.zeros((1, images), np.int64), 1)
    score, gain = truth(size)
    held = {"score": 0, "gain": 0}
    widths = []
    for _ in range(studies):
        chances, labels = answers(seeds, images, random)
        alone = ImageScores.of(chances, labels).scores()["log_loss"]
        found = subset_scores(chances, labels, seed_subsets(seeds, size))["log_loss"]
        estimate = mean_score(layout.sums(found[:, None]), layout)
        assert estimate.low is not None
        assert estimate.high is not None
        held["score"] += estimate.low <= score <= estimate.high
        low, high = gain_interval(found - alone, layout)
        held["gain"] += low <= gain <= high
        groups = chances[: seeds // size * size].reshape(-1, size, images, CLASSES)
        apart = ImageScores.of(groups.mean(axis=1), labels).scores()["log_loss"]
        own = alone[: seeds // size * size].reshape(-1, size, images).mean(axis=1)
        few = gain_interval(apart - own, layout)
        widths.append((high - low, few[1] - few[0]))
    assert min(held.values()) >= 0.91 * studies, held
    ours, disjoint = np.mean(widths, axis=0)
    assert ours < 0.85 * disjoint


def gain_interval(apart: np.ndarray, layout: Layout) -> tuple[float, float]:
    paired = measure("log_loss", layout.sums(apart[:, None]), layout)
    (decided,) = decide([paired], Margins())
    return decided.low, decided.high


def truth(size: int) -> tuple[float, float]:
    """The log loss of an ensemble of so many seeds, and what it gains, on very many of both."""
    random, found = np.random.default_rng(0), []
    for _ in range(150):
        chances, labels = answers(size, 500, random)
        together = ImageScores.of(chances.mean(axis=0, keepdims=True), labels).scores()["log_loss"]
        apart = ImageScores.of(chances, labels).scores()["log_loss"]
        found.append((together.mean(), together.mean() - apart.mean()))
    score, gain = np.mean(found, axis=0)
    return float(score), float(gain)
