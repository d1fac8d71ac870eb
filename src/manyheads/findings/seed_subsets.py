"""What ensembles of k of S seeds score: the mean over subsets of the seeds, and each seed's part.

Disjoint groups leave most of the seeds' information unused: of 20 seeds there are four groups of 5,
but 15,504 subsets. A mean over all subsets is a U-statistic (Hoeffding 1948). How much it owes to
the seeds drawn is told by the jackknife: by what it is over the subsets without one of them.
"""

from __future__ import annotations

import math
from itertools import combinations

import numpy as np
from jaxtyping import Bool, Float32

from manyheads.core.job import SILENT, Job
from manyheads.findings.mc_dropout import ImageScores, Labels, Scores

SUBSETS = 200
_AT_ONCE = 4_000_000  # probabilities

Members = Bool[np.ndarray, "subsets seeds"]


def seed_subsets(seeds: int, size: int) -> Members:
    """All subsets of `size` seeds if these are 200 at most, or else a random sample of so many.

    The sample is seeded, and made of random divisions of the seeds into disjoint groups, so that
    each seed is about as often in it.
    """
    if math.comb(seeds, size) <= SUBSETS:
        chosen = list(combinations(range(seeds), size))
    else:
        random = np.random.Generator(np.random.Philox(np.random.SeedSequence((seeds, size))))
        groups = seeds // size
        chosen = [
            group
            for _ in range(-(-SUBSETS // groups))
            for group in random.permutation(seeds)[: groups * size].reshape(groups, size)
        ][:SUBSETS]
    members = np.zeros((len(chosen), seeds), bool)
    for row, each in zip(members, chosen, strict=True):
        row[list(each)] = True
    return members


def subset_scores(
    chances: Float32[np.ndarray, "seeds images classes"],
    labels: Labels,
    members: Members,
    job: Job = SILENT,
) -> Scores:
    """The scores of averages of `members`, each a part of the seeds, as jackknife pseudo-values.

        φ_s = θ + (S − 1) (θ̄ − θ_s)      θ: the mean over subsets, θ_s: over those without seed s,
                                         θ̄: the mean of all θ_s

    `[seeds, images]` by score. The mean over seeds is θ, the variance of that mean the jackknife's
    (Efron and Stein 1981): unbiased for what each seed adds by itself, too large for what only
    several do together. Costs one sum of all seeds' probabilities and one scoring for each subset,
    so no more than 200 of each, and little memory at a time. Raises `Interrupted` when `job`
    is stopped.
    """
    seeds, images, classes = chances.shape
    flat = chances.reshape(seeds, -1)
    size = members.sum(axis=1, keepdims=True)
    step = max(1, _AT_ONCE // (images * classes))
    # Of each score, the sum over the subsets with each seed, and over all.
    sums: dict[str, np.ndarray] = {}
    for start in range(0, len(members), step):
        job.check("the claim")
        rows = slice(start, start + step)
        weights = (members[rows] / size[rows]).astype(np.float32)
        means = (weights @ flat).reshape(-1, images, classes)
        both = np.concatenate([members[rows].T, np.ones((1, len(means)), bool)]).astype(np.float64)
        for name, scores in ImageScores.of(means, labels).scores().items():
            sums[name] = sums.get(name, 0) + both @ scores
    without = len(members) - members.sum(axis=0)[:, None]
    found = {}
    for name, each in sums.items():
        left = (each[-1] - each[:-1]) / without
        found[name] = each[-1] / len(members) + (seeds - 1) * (left.mean(axis=0) - left)
    return found
