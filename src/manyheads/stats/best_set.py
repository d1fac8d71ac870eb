"""The candidates that may be the best: all pairs is seldom the question, the best one is.

Multiple comparisons with the best (Hsu 1981, 1984): a candidate is left out if another is better by
a test at a level that allows for all the others. The best one is then left out with a probability
of at most 5 %, because nothing is better than it, whichever it is.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from manyheads.stats.comparisons import Differences
from manyheads.stats.paired import ALPHA, SHARES, Family, Paired

LEADERS = 5  # a candidate is compared with so many of the best by their means


@dataclass(frozen=True)
class BestSet:
    """The `candidates` that may be the best in `metric`, best mean first, out of `compared`.

    `cheapest` is the one among them that costs least, None where all cost the same.
    """

    metric: str
    candidates: tuple[int, ...]
    compared: int
    cheapest: int | None


def best_set(
    differences: Differences,
    metric: str,
    cost: Callable[[int], float],
    *,
    among: Sequence[int],
    alpha: float = ALPHA,
) -> BestSet:
    """The candidates `among` that hold the best in `metric` with a confidence of `1 − alpha`.

    A candidate of C is left out if one of the `LEADERS` is better than it with a one-sided p of at
    most α / (C − 1) (Bonferroni, which holds whatever the correlations are). Candidates without a
    finished seed are left out; one that shares no seed with a leader stays.
    """
    less_is_better = metric not in SHARES
    means = {each: differences.mean(each, metric) for each in among}
    order = sorted(
        (each for each, mean in means.items() if np.isfinite(mean)),
        key=lambda each: (means[each] if less_is_better else -means[each], each),
    )
    pairs: list[int] = []
    measured: list[Paired] = []
    for candidate in order:
        for leader in order[:LEADERS]:
            pair = differences.between(leader, candidate, metric) if leader != candidate else None
            if pair is not None:
                pairs.append(candidate)
                measured.append(pair)
    beaten: set[int] = set()
    if measured:
        tests = Family(measured)
        p = tests.p_below(0.0) if less_is_better else tests.p_above(0.0)
        worse = p * (len(order) - 1) <= alpha
        beaten = {candidate for candidate, out in zip(pairs, worse, strict=True) if out}
    kept = tuple(candidate for candidate in order if candidate not in beaten)
    costs = {candidate: cost(candidate) for candidate in kept}
    alike = len(set(costs.values())) <= 1
    cheapest = None if alike else min(kept, key=lambda each: (costs[each], kept.index(each)))
    return BestSet(metric, kept, len(order), cheapest)
