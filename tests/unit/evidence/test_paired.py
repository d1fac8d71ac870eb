"""Any paired scores, judged as candidates are."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from benchmarks.parts.chance import Shape, World, made_up
from manyheads.evidence.comparisons import compare
from manyheads.evidence.paired import Apart, paired
from manyheads.evidence.statistics import holm


def apart(shift: float = 0.0, *, seeds: int = 4, images: int = 200, number: int = 0) -> Apart:
    random = np.random.default_rng(number)
    hits = random.random((2, seeds, images)) < np.array([0.5 + shift, 0.5])[:, None, None]
    return Apart(hits[0].astype(float) - hits[1], np.arange(images), 0.01)


def test_it_says_of_candidates_what_their_comparison_says() -> None:
    validated = made_up(
        np.random.default_rng(1), World(), Shape(candidates=2, seeds=4, images=200), 0.3
    )
    scores = {m: validated.scores(1, m) - validated.scores(2, m) for m in ("log_loss", "accuracy")}
    told = paired(
        [
            Apart(scores["log_loss"][:, 0], validated.units, 0.02, less_is_better=True),
            Apart(scores["accuracy"][:, 0], validated.units, 0.01),
        ]
    )
    for found, entry in zip(told, compare(validated).entries, strict=True):
        assert found is not None
        for name in ("low", "high", "p", "p_holm", "p_equivalent", "outcome", "seeds"):
            assert getattr(found, name) == getattr(entry, name)
        assert found.value == entry.difference


@pytest.mark.parametrize(("less_is_better", "outcome"), [(False, "better"), (True, "worse")])
def test_more_is_better_unless_less_is(less_is_better: bool, outcome: str) -> None:
    (found,) = paired([replace(apart(0.4), less_is_better=less_is_better)])
    assert found is not None
    assert found.outcome == outcome
    assert found.low < found.value < found.high


def test_no_difference_at_all_is_equivalent() -> None:
    (found,) = paired([replace(apart(), scores=np.zeros((3, 20)), units=np.arange(20))])
    assert found is not None
    assert (found.outcome, found.value, found.low, found.high) == ("equivalent", 0, 0, 0)


def test_one_seed_declares_nothing() -> None:
    (found,) = paired([apart(0.5, seeds=1)])
    assert found is not None
    assert (found.outcome, found.high) == ("undecided", np.inf)


def test_a_failed_head_costs_its_seed_and_all_of_them_the_comparison() -> None:
    given = apart(0.3)
    some, none = given.scores.copy(), np.full_like(given.scores, np.nan)
    some[1] = np.nan
    without = replace(given, scores=np.delete(given.scores, 1, axis=0))
    told = paired([replace(given, scores=some), replace(given, scores=none)])
    assert told == [paired([without])[0], None]
    assert paired([replace(given, scores=none)]) == [None]


def test_images_of_a_unit_are_no_more_certain_than_one() -> None:
    once = apart(0.2)
    twice = replace(once, scores=np.repeat(once.scores, 2, axis=1), units=np.repeat(once.units, 2))
    (single,), (double,) = paired([once]), paired([twice])
    assert single is not None
    assert double is not None
    assert double.high - double.low == pytest.approx(single.high - single.low)


def test_a_family_is_adjusted_as_a_whole() -> None:
    told = [found for found in paired([apart(shift) for shift in (0.0, 0.1, 0.15)]) if found]
    p = np.array([found.p for found in told])
    assert [found.p_holm for found in told] == holm(p).tolist()
