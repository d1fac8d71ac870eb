"""Paired differences and mean scores: intervals, families, outcomes."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from manyheads.errors import SettingError
from manyheads.evidence.paired import Decided, Margins, decide, mean_score, measure
from manyheads.evidence.statistics import Layout


def layout_of(images: int, folds: int = 1) -> Layout:
    return Layout.of(np.arange(images), np.arange(images)[None] % folds, folds)


def differences(mean: float, seeds: int = 5, images: int = 200) -> np.ndarray:
    random = np.random.default_rng(0)
    noise = random.normal(size=(seeds, 1, images)) * 0.05
    return mean + noise - noise.mean()


def test_a_family_is_adjusted_together_and_each_metric_has_its_own_better() -> None:
    layout = layout_of(200)
    family = [
        measure(metric, differences(mean), layout)
        for metric, mean in (("accuracy", 0.1), ("log_loss", 0.1), ("log_loss", 0.0))
    ]
    found = list(decide(family, Margins()))
    assert [each.outcome for each in found] == ["better", "worse", "equivalent"]
    alone = next(decide(family[:1], Margins()))
    assert found[0].p == alone.p
    assert found[0].p_holm > alone.p_holm
    assert list(decide([], Margins())) == []


def test_one_seed_declares_nothing_and_its_interval_has_no_ends() -> None:
    found = next(
        decide([measure("accuracy", differences(0.5, seeds=1), layout_of(200))], Margins())
    )
    assert found.outcome == "undecided"
    assert (found.estimate.low, found.estimate.high) == (None, None)


def test_the_wider_interval_decides() -> None:
    given = dict.fromkeys(("p", "p_holm", "p_equivalent"), 0.5)
    found = Decided(
        difference=1.0, low=0.0, high=2.0, fold_low=0.5, fold_high=3.0, outcome="undecided", **given
    )
    assert (found.estimate.value, found.estimate.low, found.estimate.high) == (1.0, 0.0, 3.0)


def test_a_score_of_one_seed_has_students_interval_over_images() -> None:
    scores = np.random.default_rng(1).normal(size=(1, 1, 60))
    found = mean_score(scores, layout_of(60))
    expected = stats.t.interval(0.95, 59, scores.mean(), stats.sem(scores[0, 0]))
    assert (found.low, found.high) == pytest.approx(expected)


def test_a_score_is_less_sure_with_seeds_that_differ_and_in_folds() -> None:
    random = np.random.default_rng(2)
    scores = random.normal(size=(5, 1, 60))
    of_seeds = random.normal(size=(5, 1, 1))

    def width(values: np.ndarray, folds: int = 1) -> float:
        found = mean_score(values, layout_of(60, folds))
        assert found.low is not None
        assert found.high is not None
        return found.high - found.low

    assert width(scores + of_seeds) > width(scores)
    assert width(scores, folds=2) > width(scores)
    assert width(np.ones((3, 1, 60))) == 0


def test_margins_have_bounds() -> None:
    with pytest.raises(SettingError):
        Margins(accuracy=0)
