"""Scores by level: paired by seed and image, and true as often as they say."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from benchmarks.parts.chance import Shape, World, made_up
from manyheads.stats.comparisons import Differences
from manyheads.stats.intervals import Estimate
from manyheads.stats.level_scores import level_scores
from manyheads.stats.paired import mean_score
from manyheads.stats.validation_predictions import Validated


def study(number: int = 0, **shape: int) -> Validated:
    given = {"candidates": 4, "seeds": 4, "images": 150} | shape
    return made_up(np.random.default_rng(number), World(), Shape(**given))


def width(estimate: Estimate) -> float:
    assert estimate.low is not None
    assert estimate.high is not None
    assert estimate.low < estimate.value < estimate.high
    return estimate.high - estimate.low


def test_levels_are_means_over_blocks_and_runs_of_each_seed_and_repeat() -> None:
    validated = study(folds=3, repeats=2)
    first, second = level_scores(Differences(validated), [[1, 2], [3, 4]], "accuracy")
    for level, candidates in ((first, (1, 3)), (second, (2, 4))):
        scores = np.mean([validated.scores(c, "accuracy") for c in candidates], axis=0)
        assert level.runs == pytest.approx(scores.mean(axis=-1).ravel())
        assert level.mean.value == pytest.approx(scores.mean())
        assert len(level.runs) == 8


def test_the_interval_is_of_the_difference_and_not_of_the_mean() -> None:
    differences = Differences(study(images=400))
    levels = level_scores(differences, [[1, 2, 3, 4]], "log_loss")
    for candidate, level in enumerate(levels, start=1):
        sums = differences.sums(candidate, "log_loss")
        alone = mean_score(sums, differences.layout, alpha=0.05 / 4)
        assert level.mean.value == pytest.approx(alone.value)
        assert 0 < width(level.mean) < 0.6 * width(alone)


@pytest.mark.when_changed("statistics")
@pytest.mark.parametrize("shape", [{}, {"folds": 3}], ids=["given", "folds"])
def test_some_of_alike_levels_differs_from_their_mean_about_as_rarely_as_said(shape: dict) -> None:
    outside = []
    for number in range(200):
        levels = level_scores(Differences(study(number, **shape)), [[1, 2, 3, 4]], "log_loss")
        centre = np.mean([level.mean.value for level in levels])
        ends = np.array([(level.mean.low, level.mean.high) for level in levels], np.float64)
        outside.append(not np.all((ends[:, 0] <= centre) & (centre <= ends[:, 1])))
    assert np.mean(outside) <= 0.08


def test_two_levels_are_one_difference_and_need_no_adjustment() -> None:
    differences = Differences(study())
    sums = [differences.sums(candidate, "log_loss") for candidate in (1, 2)]
    half = mean_score((sums[1] - sums[0]) / 2, differences.layout)
    for level in level_scores(differences, [[1, 2]], "log_loss"):
        assert width(level.mean) == pytest.approx(width(half))


def test_with_one_seed_nothing_is_said_of_differences() -> None:
    for level in level_scores(Differences(study(seeds=1)), [[1, 2]], "accuracy"):
        assert (level.mean.low, level.mean.high) == (None, None)
        assert level.runs.tolist() == [level.mean.value]


def test_levels_that_are_the_same_have_no_interval() -> None:
    validated = study()
    same = replace(validated, log_probabilities=lambda _: validated.log_probabilities(1))
    for level in level_scores(Differences(same), [[1, 2]], "accuracy"):
        assert level.mean.low is None


def test_only_seeds_that_all_finished_count() -> None:
    validated = study()

    def failed(candidate: int) -> np.ndarray:
        found = validated.log_probabilities(candidate).copy()
        found[candidate - 1] = np.nan  # seed 0 of candidate 1, seed 1 of candidate 2
        return found

    levels = level_scores(
        Differences(replace(validated, log_probabilities=failed)), [[1, 2]], "accuracy"
    )
    whole = level_scores(Differences(validated), [[1, 2]], "accuracy")
    assert [each.runs.tolist() for each in levels] == [each.runs[2:].tolist() for each in whole]
    every = Differences(replace(validated, log_probabilities=failed))
    assert level_scores(every, [[1, 2, 3, 4]], "accuracy") == []
    assert level_scores(every, [], "accuracy") == []
