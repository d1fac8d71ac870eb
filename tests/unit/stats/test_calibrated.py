"""The promises of a verdict, by simulation: the short version of `benchmarks/verdict.py`."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.special import bdtrik

from benchmarks.parts.chance import Shape, World, made_up, true_differences
from benchmarks.parts.judging import Tally
from manyheads.stats.comparisons import compare

STUDIES = 250


@pytest.mark.when_changed("statistics")
@pytest.mark.parametrize("world", [World(), World(seed=0.4, training=0.2)])
@pytest.mark.parametrize(
    "shape",
    [
        Shape(candidates=2, seeds=2, images=120),
        Shape(candidates=4, seeds=3, images=120),
        Shape(candidates=4, seeds=20, images=120),
        Shape(candidates=4, seeds=3, images=120, folds=5),
        Shape(candidates=2, seeds=2, images=120, folds=3, repeats=3),
    ],
)
def test_identical_candidates_are_told_apart_in_5_percent_at_most(
    world: World, shape: Shape
) -> None:
    random, tally = np.random.default_rng(1), Tally()
    for _ in range(STUDIES):
        tally.add(made_up(random, world, shape))
    # As many as 5 % would give in 999 of 1,000 such tests.
    assert tally.false <= bdtrik(0.999, STUDIES, 0.05) + 1
    assert tally.held / tally.intervals >= 0.93


@pytest.mark.when_changed("statistics")
def test_intervals_hold_a_planted_difference_and_it_is_found() -> None:
    world, random, tally, found = World(), np.random.default_rng(2), Tally(), 0
    truth = true_differences(world, 0.8)
    shape = Shape(candidates=2, seeds=8, images=250)
    for _ in range(STUDIES):
        study = made_up(random, world, shape, 0.8)
        tally.add(study, truth)
        entries = compare(study, advise=False).entries
        assert not any(entry.outcome == "worse" for entry in entries)
        found += all(entry.outcome == "better" for entry in entries)
    assert found > 0.9 * STUDIES
    assert tally.held / tally.intervals >= 0.92


def test_two_seeds_that_agree_to_the_image_do_not_make_a_difference_certain() -> None:
    world, found = World(seed=0.4), 0
    for number in range(12):
        study = made_up(
            np.random.default_rng((9, number)), world, Shape(candidates=12, seeds=2, images=200)
        )
        entries = compare(study, advise=False).entries
        found += any(entry.outcome in ("better", "worse") for entry in entries)
    assert found <= 2
