"""The importance of hyperparameters, from predictions whose truth is known."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest

from benchmarks.parts.chance import Shape, World, made_up
from manyheads.findings.importance import Importance, importance_of
from manyheads.findings.scattered_scores import scattered_scores
from manyheads.findings.study_findings import Findings
from manyheads.stats.comparisons import Differences
from manyheads.stats.validation_predictions import LogProbabilities
from manyheads.study.drawn_candidates import candidates_of
from manyheads.study.space import Candidates, Grid
from tests.studies import study_settings

RANGES = {"learning_rate": ["1e-4..1e-1"], "size_inner": [8], "droprate": ["0..0.8"]}


def findings(grid: Candidates, effect: Any, *, seeds: int = 4, **other: Any) -> Findings:
    """Findings of a study in which `effect` of a setting is added to all margins of its heads."""
    settings = study_settings(seeds=seeds, **other)
    settings = replace(settings, grid=grid.with_epochs(3))
    shape = Shape(candidates=len(grid), seeds=seeds, images=150, folds=settings.folds or 1)
    validated = made_up(np.random.default_rng(0), World(seed=0.02, liking=0.3), shape)
    plain = validated.log_probabilities

    def moved(candidate: int) -> LogProbabilities:
        found = plain(candidate).astype(np.float64)
        right = validated.labels[:, None] == np.arange(found.shape[-1])
        found = found + right * effect(grid[candidate - 1])
        return (found - np.log(np.exp(found).sum(axis=-1, keepdims=True))).astype(np.float32)

    validated = replace(validated, log_probabilities=moved)
    found = SimpleNamespace(
        settings=settings,
        validated=validated,
        differences=Differences(validated),
        result=SimpleNamespace(ranking=[SimpleNamespace(candidate=1)]),
    )
    found.importance = importance_of(cast(Findings, found))
    return cast(Findings, found)


def importance(grid: Candidates, effect: Any, **options: Any) -> Importance:
    return findings(grid, effect, **options).importance


def by_rate(setting: Any) -> float:
    return -1.5 * abs(np.log10(setting.learning_rate) + 2.5)


GRID = Grid((0.0001, 0.001, 0.01), (8,), (0.0, 0.4, 0.8))


@pytest.mark.parametrize("folds", [None, 3])
def test_what_matters_in_a_grid_is_told_from_what_does_not(folds: int | None) -> None:
    found = importance(GRID, by_rate, folds=folds)
    first, second = found.shares
    assert (first.hyperparameter, second.hyperparameter) == ("learning_rate", "droprate")
    assert first.share > 0.85
    assert first.low is not None
    assert second.low is not None
    assert first.low > 0.5
    assert second.low < 0.05
    assert found.candidates == 9
    assert found.headline.startswith("Importance for accuracy: learning_rate ")
    assert "allow for other images and seeds." in found.basis
    assert list(found.to_frame().columns) == ["hyperparameter", "share", "low", "high"]


def test_what_matters_of_drawn_candidates_is_told_from_what_does_not() -> None:
    found = importance(candidates_of(RANGES, 30), by_rate)
    first, second = found.shares
    assert first.hyperparameter == "learning_rate"
    assert first.share > 0.7
    assert second.low == 0
    assert "images, seeds and candidates" in found.basis


def test_of_one_seed_a_grid_has_no_intervals_and_a_draw_has_those_of_other_candidates() -> None:
    grid = importance(GRID, by_rate, seeds=1)
    assert all(each.low is None for each in grid.shares)
    assert grid.basis.endswith("with one seed, no interval is known.")
    drawn = importance(candidates_of(RANGES, 30), by_rate, seeds=1)
    assert drawn.shares[0].low
    assert "images and candidates" in drawn.basis


def test_log_loss_is_measured_where_it_selects() -> None:
    found = importance(GRID, by_rate, select="best_loss")
    assert (found.metric, found.shares[0].hyperparameter) == ("log_loss", "learning_rate")
    assert "points" not in found.basis


@pytest.mark.parametrize(
    ("grid", "words"),
    [
        (Grid((0.1,), (8,), (0.0, 0.5)), "droprate alone varies"),
        (Grid((0.1,), (8,), (0.5,)), "nothing varies"),
        (candidates_of(RANGES, 5), "5 candidates are too few"),
        (GRID, "do not differ in accuracy beyond noise"),
    ],
)
def test_where_there_is_nothing_to_say_it_says_why(grid: Candidates, words: str) -> None:
    found = importance(grid, lambda _: 0.0)
    assert found.shares == ()
    assert found.sentences == (found.headline,)
    assert words in found.headline


def test_a_hyperparameter_without_effect_in_some_candidates_is_measured_in_the_others() -> None:
    asked = RANGES | {"optimizer": ["adam", "sgd"], "momentum": ["0..0.9"]}
    grid = candidates_of(asked, 60)
    found = importance(grid, lambda each: by_rate(each) - 2 * (each.optimizer == "sgd"))
    shares = {each.hyperparameter: each.share for each in found.shares}
    assert min(shares["learning_rate"], shares["optimizer"]) > 0.15
    assert max(shares["momentum"], shares["droprate"]) < 0.1


def test_a_zero_beside_a_range_is_a_level_of_its_own() -> None:
    asked = RANGES | {"optimizer": ["sgd"], "weight_decay": [0, "1e-5..1e-2"]}
    found = importance(candidates_of(asked, 40), lambda each: -2.0 * (each.weight_decay == 0))
    assert found.shares[0].hyperparameter == "weight_decay"
    assert found.shares[0].share > 0.8


def test_points_lie_in_the_order_of_values_and_know_the_selected_one() -> None:
    given = findings(candidates_of(RANGES, 30), by_rate)
    first, second = scattered_scores(given)
    assert (first.hyperparameter, first.is_log) == ("learning_rate", True)
    assert (second.hyperparameter, second.is_log) == ("droprate", False)
    assert list(first.values) == sorted(each.learning_rate for each in given.settings.grid)
    assert first.selected is not None
    assert first.values[first.selected] == given.settings.grid[0].learning_rate
    mean = given.differences.mean(1, "accuracy")
    assert first.scores[first.selected] == pytest.approx(mean)


def test_of_one_hyperparameter_both_metrics_have_points() -> None:
    grid = candidates_of(RANGES | {"droprate": [0.5]}, 10)
    found = scattered_scores(findings(grid, by_rate))
    assert [each.metric for each in found] == ["accuracy", "log_loss"]
