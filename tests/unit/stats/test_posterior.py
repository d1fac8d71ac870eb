"""How probable better, equivalent and worse are: the tests' own distribution, read otherwise."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from benchmarks.parts.chance import Shape, World, made_up
from manyheads.stats.comparisons import Differences, Margins, compare
from manyheads.stats.posterior import Posterior, posteriors
from manyheads.stats.validation_predictions import Validated

SHAPE = Shape(candidates=2, seeds=4, images=2000)


def study(shape: Shape = SHAPE, shift: float = 0.0, number: int = 0) -> Validated:
    return made_up(np.random.default_rng(number), World(seed=0.2), shape, shift)


def found(validated: Validated, margins: Margins | None = None) -> list[Posterior]:
    compared = compare(validated, margins=margins or Margins(), advise=False)
    return list(posteriors(Differences(validated), compared))


@pytest.mark.when_changed("statistics")
@pytest.mark.parametrize("shape", [SHAPE, replace(SHAPE, candidates=4, folds=4, images=80)])
def test_they_sum_to_1_and_are_of_each_comparison(shape: Shape) -> None:
    for shift in (-2.0, 0.0, 0.1):
        validated = study(shape, shift)
        every = found(validated)
        assert [(e.metric, e.first, e.second) for e in every] == [
            (e.metric, e.first, e.second) for e in compare(validated).entries
        ]
        for each in every:
            parts = each.better, each.equivalent, each.worse
            assert sum(parts) == pytest.approx(1)
            assert min(parts) >= 0


def test_the_one_that_is_better_is_probably_better() -> None:
    for each in found(study(shift=1.0)):
        assert each.better > 0.99
    for each in found(study(shift=-1.0)):
        assert each.worse > 0.99
    wide = found(study(replace(SHAPE, seeds=10)), Margins(accuracy=0.2, log_loss=0.4))
    assert min(each.equivalent for each in wide) > 0.95


@pytest.mark.parametrize("number", [0, 1])
def test_they_are_the_shares_of_draws_around_what_was_found(number: int) -> None:
    """`D + √images · N(0, 1) + √heads · t`, with as many degrees of freedom as the heads have."""
    validated, margin = study(shift=0.1, number=number), Margins().log_loss
    pair = Differences(validated).between(1, 2, "log_loss")
    assert pair is not None
    heads = pair.both.of_seeds
    random, draws = np.random.default_rng(2), 200_000
    drawn = (
        pair.both.difference
        + (pair.both.variance - heads) ** 0.5 * random.normal(size=draws)
        + heads**0.5 * random.standard_t(pair.both.df_seeds, draws)
    )
    each = next(each for each in found(validated) if each.metric == "log_loss")
    assert heads > 0.3 * pair.both.variance
    expected = (drawn < -margin).mean(), (abs(drawn) <= margin).mean(), (drawn > margin).mean()
    assert (each.better, each.equivalent, each.worse) == pytest.approx(expected, abs=0.01)


def test_of_one_seed_nothing_is_probable() -> None:
    assert found(study(replace(SHAPE, seeds=1), shift=3.0)) == []
