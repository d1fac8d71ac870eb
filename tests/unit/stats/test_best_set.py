"""The candidates that may be the best: the best one is kept, and worse ones are left out."""

from __future__ import annotations

import time
from dataclasses import replace

import numpy as np
import pytest
from scipy.special import bdtrik

from benchmarks.parts.chance import Shape, World, made_up
from manyheads.stats.best_set import BestSet, best_set
from manyheads.stats.comparisons import Differences
from manyheads.stats.validation_predictions import Validated

SHAPE = Shape(candidates=4, seeds=5, images=120)
METRICS = ("accuracy", "log_loss")


def study(shape: Shape = SHAPE, shift: float = 0.0, number: int = 0) -> Validated:
    return made_up(np.random.default_rng(number), World(), shape, shift)


def found(validated: Validated, metric: str, cost=lambda _: 1.0) -> BestSet:
    return best_set(Differences(validated), metric, cost, among=validated.candidates)


def failed(validated: Validated, which) -> Validated:
    """The same study with the seeds `which(candidate)` of each candidate failed."""

    def said(candidate: int) -> np.ndarray:
        kept = validated.log_probabilities(candidate).copy()
        kept[which(candidate)] = np.nan
        return kept

    return replace(validated, log_probabilities=said)


@pytest.mark.when_changed("statistics")
@pytest.mark.parametrize("shape", [SHAPE, replace(SHAPE, seeds=2, folds=3)])
def test_of_alike_candidates_each_is_left_out_in_5_percent_at_most(shape: Shape) -> None:
    """Whichever is the best: nothing is better than any of them."""
    studies = 150
    out = {(metric, candidate): 0 for metric in METRICS for candidate in range(1, 5)}
    for number in range(studies):
        validated = study(shape, number=number)
        for metric in METRICS:
            for candidate in set(validated.candidates) - set(found(validated, metric).candidates):
                out[metric, candidate] += 1
    assert max(out.values()) <= bdtrik(0.99, studies, 0.05)


@pytest.mark.when_changed("statistics")
def test_a_planted_best_is_kept_and_others_are_left_out_as_it_stands_out() -> None:
    sizes = []
    for shift in (0.1, 0.4, 1.0):
        sets = [
            found(study(shift=shift, number=number), metric)
            for number in range(40)
            for metric in METRICS
        ]
        assert sum(1 not in each.candidates for each in sets) <= 1
        sizes.append(np.mean([len(each.candidates) for each in sets]))
    assert sizes[0] > 3.5
    assert sizes[2] == pytest.approx(1, abs=0.05)
    assert sizes[0] > sizes[1] > sizes[2]


@pytest.mark.parametrize("metric", METRICS)
def test_a_much_worse_one_is_left_out_and_the_best_mean_is_first(metric: str) -> None:
    validated = study(shift=-1.5, number=1)
    best, differences = found(validated, metric), Differences(validated)
    assert set(best.candidates) == {2, 3, 4}
    assert (best.metric, best.compared) == (metric, 4)
    means = [differences.mean(candidate, metric) for candidate in best.candidates]
    assert means == sorted(means, reverse=metric == "accuracy")


def test_the_cheapest_is_one_of_the_best() -> None:
    validated = study(shift=-1.5, number=1)
    best = found(validated, "log_loss")
    assert best.cheapest is None  # all cost the same
    assert found(validated, "log_loss", float).cheapest == 2  # 1 costs less, and is worse
    first, second, _ = best.candidates
    dear = [first, second]
    assert found(validated, "log_loss", lambda c: 2.0 if c in dear else 1.0).cheapest not in dear
    equal = found(validated, "log_loss", lambda c: 1.0 if c in dear else 2.0)
    assert equal.cheapest == first  # the better of two that cost the same


@pytest.mark.parametrize("metric", METRICS)
def test_one_candidate_is_the_best_and_of_two_the_better(metric: str) -> None:
    alone = found(study(replace(SHAPE, candidates=1)), metric)
    assert (alone.candidates, alone.compared, alone.cheapest) == ((1,), 1, None)
    pair = replace(SHAPE, candidates=2)
    assert set(found(study(pair), metric).candidates) == {1, 2}
    assert found(study(pair, shift=1.5), metric).candidates == (1,)


@pytest.mark.parametrize("metric", METRICS)
def test_of_one_seed_any_may_be_the_best(metric: str) -> None:
    best = found(study(replace(SHAPE, seeds=1), shift=3.0), metric)
    assert set(best.candidates) == {1, 2, 3, 4}


def test_of_two_hundred_candidates_the_best_are_found_at_once() -> None:
    validated = study(Shape(candidates=200, seeds=5, images=200), shift=2.0)
    start = time.perf_counter()
    best = found(validated, "log_loss")
    assert time.perf_counter() - start < 10
    assert best.candidates[0] == 1
    assert len(best.candidates) < 20
    assert best.compared == 200


def test_a_candidate_that_only_failed_is_none_of_them() -> None:
    validated = failed(study(), lambda candidate: slice(0, 5 * (candidate == 2)))
    best = found(validated, "accuracy")
    assert set(best.candidates) == {1, 3, 4}
    assert best.compared == 3
    none = found(failed(study(), lambda _: slice(None)), "accuracy", float)
    assert none == BestSet("accuracy", (), 0, None)


def test_one_that_shares_no_seed_with_the_others_may_be_the_best() -> None:
    apart = failed(
        study(shift=-1.5, number=1),
        lambda candidate: slice(0, 3) if candidate == 1 else slice(3, 5),
    )
    assert set(found(apart, "log_loss").candidates) == {1, 2, 3, 4}
