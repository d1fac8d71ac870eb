"""Paired differences and mean scores: intervals, families, outcomes."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from manyheads.errors import SettingError
from manyheads.stats.intervals import Estimate
from manyheads.stats.paired import RESERVE, Decided, Margins, decide, mean_score, measure
from manyheads.stats.variances import Layout


def layout_of(images: int, folds: int = 1) -> Layout:
    return Layout.of(np.arange(images), np.arange(images)[None] % folds, folds)


def differences(mean: float, seeds: int = 5, images: int = 200) -> np.ndarray:
    random = np.random.default_rng(0)
    noise = random.normal(size=(seeds, 1, images)) * 0.05
    return mean + noise - noise.mean()


def test_a_family_is_adjusted_together_and_each_metric_has_its_own_better() -> None:
    layout = layout_of(400)
    family = [
        measure(metric, differences(mean, images=400), layout)
        for metric, mean in (("accuracy", 0.1), ("log_loss", 0.1), ("log_loss", 0.0))
    ]
    found = list(decide(family, Margins()))
    assert [each.outcome for each in found] == ["better", "worse", "equivalent"]
    alone = next(decide(family[:1], Margins()))
    assert found[0].p == pytest.approx(alone.p, rel=1e-9)
    assert found[0].p_holm > alone.p_holm
    assert list(decide([], Margins())) == []


def test_one_seed_declares_nothing_and_its_interval_has_no_ends() -> None:
    found = next(
        decide([measure("accuracy", differences(0.5, seeds=1), layout_of(200))], Margins())
    )
    assert found.outcome == "undecided"
    assert (found.estimate.low, found.estimate.high) == (None, None)


@pytest.mark.parametrize("folds", [1, 4])
def test_the_interval_that_is_shown_excludes_0_where_the_difference_is_declared(folds: int) -> None:
    layout, sizes = layout_of(200, folds), np.linspace(0, 0.015, 12)
    family = [measure("log_loss", differences(size), layout) for size in sizes]
    found = list(decide(family, Margins()))
    assert {each.outcome for each in found} == {"undecided", "worse"}
    for each in found:
        assert (each.adjusted_low > 0) == (each.outcome == "worse")
        assert each.adjusted_low <= each.low < each.high <= each.adjusted_high
        shown = each.estimate
        assert (shown.low, shown.high) == (each.adjusted_low, each.adjusted_high)
        assert shown.value == each.difference


def test_a_score_of_one_seed_has_students_interval_over_images() -> None:
    scores = np.random.default_rng(1).normal(size=(1, 1, 60))
    found = mean_score(scores, layout_of(60))
    expected = stats.t.interval(0.95, 59, scores.mean(), stats.sem(scores[0, 0]))
    assert (found.low, found.high) == pytest.approx(expected, rel=1e-4)


def width(scores: np.ndarray, folds: int = 1) -> float:
    found = mean_score(scores, layout_of(scores.shape[-1], folds))
    assert found.low is not None
    assert found.high is not None
    return found.high - found.low


def test_a_score_is_less_sure_with_seeds_that_differ() -> None:
    random = np.random.default_rng(2)
    scores = random.normal(size=(5, 1, 60))
    assert width(scores + random.normal(size=(5, 1, 1))) > width(scores)


def test_in_folds_there_is_a_reserve_and_more_where_folds_differ() -> None:
    scores = np.random.default_rng(2).normal(size=(1, 1, 60))
    of_fold = np.arange(60) % 2 - 0.5
    without = scores - (2 * scores * of_fold).mean() * 2 * of_fold  # folds with the same mean
    assert width(without, folds=2) == pytest.approx(width(without) * RESERVE**0.5, rel=1e-3)
    assert width(without + of_fold, folds=2) > 2 * width(without + of_fold)


def test_a_score_of_images_that_are_all_alike_has_no_interval() -> None:
    assert mean_score(np.ones((3, 1, 60)), layout_of(60)) == Estimate(1.0, None, None)


# Nothing is known of what was never seen to vary: zero of n says no more than "below 3 / n".


def decided(metric: str, apart: np.ndarray, folds: int = 1, wrong: float = np.inf) -> Decided:
    layout = layout_of(apart.shape[-1], folds)
    return next(decide([measure(metric, apart, layout, wrong)], Margins()))


@pytest.mark.parametrize("folds", [1, 2])
@pytest.mark.parametrize("images", [2, 3, 5, 6, 10, 20, 50, 100])
def test_candidates_that_never_differ_on_few_images_are_not_shown_alike(
    images: int, folds: int
) -> None:
    alike = np.zeros((4, 1, images))
    for metric in ("accuracy", "log_loss"):
        found = decided(metric, alike, folds)
        assert (found.difference, found.p, found.outcome) == (0, 1, "undecided")
    assert decided("accuracy", alike, folds).high > 0.025


@pytest.mark.parametrize("metric", ["accuracy", "log_loss"])
@pytest.mark.parametrize("images", [1, 2, 3, 4, 5])
def test_no_difference_is_declared_of_fewer_images_than_a_sign_flip_test_needs(
    metric: str, images: int
) -> None:
    """Signs of five images are all the same in 1 of 16 draws, whatever their size."""
    found = decided(metric, np.ones((20, 1, images)))
    assert found.p >= 2.0 ** (1 - images)
    assert found.outcome == "undecided"
    assert found.low <= 0 <= found.high
    assert found.adjusted_low <= 0 <= found.adjusted_high
    padded = np.concatenate([np.ones((20, 1, images)), np.zeros((20, 1, 40 - images))], axis=-1)
    assert decided(metric, padded).outcome == "undecided"


def test_ten_images_that_all_speak_for_one_are_enough() -> None:
    assert decided("accuracy", np.ones((20, 1, 10))).outcome == "better"
    assert decided("log_loss", np.ones((20, 1, 10))).outcome == "worse"


@pytest.mark.parametrize(
    ("images", "wrong", "outcome"),
    [(299, 100, "undecided"), (300, 9.9, "undecided"), (300, 10, "equivalent")],
)
def test_losses_are_shown_alike_by_300_images_of_which_10_are_wrong(
    images: int, wrong: float, outcome: str
) -> None:
    for apart in (np.zeros((4, 1, images)), differences(0, seeds=4, images=images)):
        assert decided("log_loss", apart, wrong=wrong).outcome == outcome


def test_accuracies_that_never_differ_are_shown_alike_by_some_hundred_images() -> None:
    """Within a point: 2 pseudo-units of 341 leave a standard error of 0.4 points."""
    outcomes = {n: decided("accuracy", np.zeros((4, 1, n))).outcome for n in (200, 341, 1000)}
    assert outcomes == {200: "undecided", 341: "equivalent", 1000: "equivalent"}


def test_five_seeds_learn_from_each_other_how_seeds_vary() -> None:
    """From five seeds on, a comparison whose seeds agree by luck is not trusted alone."""
    random = np.random.default_rng(3)

    def half_widths(seeds: int, family: int) -> list[float]:
        apart = random.normal(size=(family, seeds, 1, 1)) * np.ones((1, 1, 1, 300))
        apart[0] *= 0.01
        apart += 1e-3 * random.normal(size=apart.shape)
        measured = [measure("log_loss", each, layout_of(300)) for each in apart]
        return [each.high - each.low for each in decide(measured, Margins())]

    few, more = half_widths(4, 6), half_widths(5, 6)
    assert few[0] < 0.1 < 0.3 < more[0]
    assert half_widths(5, 1)[0] < 0.1


def test_margins_have_bounds() -> None:
    with pytest.raises(SettingError):
        Margins(accuracy=0)
