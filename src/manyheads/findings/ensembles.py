"""Whether dropout works as an ensemble: subnetworks, averages of them, and ensembles of seeds.

Every score is a mean over images, so all have the intervals that differences of candidates have:
for images and seeds drawn anew together, and over folds where a study has them. An average of k
subnetworks is drawn again and again, as often as disjoint groups of k masks allow, and its score
is the mean over these: it is the score to be expected of one such average. That of an ensemble of k
seeds is the mean over subsets of the seeds, with what each seed adds told by the jackknife.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from jaxtyping import Float64, Int64

from manyheads.core.job import SILENT, Job
from manyheads.findings.mc_dropout import (
    AVERAGES,
    DropoutPredictions,
    ImageScores,
    Labels,
    Part,
    Scores,
)
from manyheads.findings.seed_subsets import seed_subsets, subset_scores
from manyheads.heads.subnetworks import disagreement, group_means
from manyheads.stats.intervals import Estimate, at_the_border
from manyheads.stats.paired import (
    COMPARED,
    Margins,
    Outcome,
    Paired,
    decide,
    mean_score,
    measure,
)
from manyheads.stats.variances import Layout

SIZES = (2, 5, 10)  # seeds
SCORES = ("accuracy", "log_loss", "ece")
_SHARES = (4, 2, 1)  # of an ensemble that is compared: a quarter of the seeds at most, if it can be

Kind = Literal["subnetworks", "weight_scaling", "deep", "deep_subnetworks"]


@dataclass(frozen=True, kw_only=True)
class Way:
    """A way to answer, and how good it is.

    `size` networks are averaged: subnetworks, or seeds. `draws` is the number of seeds, or of
    subsets of them, that the scores are means over; with one, intervals are for images alone.
    `disagreement` is how often two of what is averaged answer differently.
    """

    kind: Kind
    size: int
    draws: int
    accuracy: Estimate
    log_loss: Estimate
    ece: Estimate
    disagreement: Estimate | None


@dataclass(frozen=True, kw_only=True)
class Contrast:
    """Two ways in one metric: `difference` is first minus second, `outcome` of the first.

    `p` is adjusted by Holm for all contrasts of the claim. `draws` is the number of seeds that the
    interval rests on; with one, an ensemble of all seeds too, it has no ends.
    """

    first: Kind
    first_size: int
    second: Kind
    metric: str
    difference: Estimate
    p: float
    p_equivalent: float
    outcome: Outcome
    draws: int


@dataclass(frozen=True)
class ScoreRange:
    """Scores of single subnetworks: the mean, and from lowest to highest with quantiles between."""

    mean: float
    lowest: float
    tenth: float
    median: float
    ninetieth: float
    highest: float

    @classmethod
    def of(cls, values: Float64[np.ndarray, "subnetworks"]) -> ScoreRange:
        """The spread of at least one value."""
        return cls(float(values.mean()), *np.quantile(values, (0, 0.1, 0.5, 0.9, 1)).tolist())


@dataclass(frozen=True)
class EnsembleEvidence:
    """What subnetworks and ensembles come to."""

    accuracy: ScoreRange
    log_loss: ScoreRange
    ways: tuple[Way, ...]
    contrasts: tuple[Contrast, ...]


def ensemble_evidence(
    networks: Sequence[Sequence[Part]],
    labels: Labels,
    classes: int,
    layout: Layout,
    droprate: float,
    margins: Margins,
    job: Job = SILENT,
) -> EnsembleEvidence:
    """The evidence of at least one network, a seed's heads of all folds, each with `MASKS` masks.

    `layout` is of a single repeat. Raises `Interrupted` when `job` is stopped.
    """
    predictions = [
        DropoutPredictions(network, labels, classes, droprate, job) for network in networks
    ]
    plain = np.stack([each.plain for each in predictions])
    averaged = np.stack([each.averaged for each in predictions])
    found: dict[tuple[Kind, int], Scores] = {
        ("subnetworks", size): {
            name: np.stack([each.scores[size][name] for each in predictions]) for name in SCORES
        }
        for size in AVERAGES
    }
    found["weight_scaling", 1] = ImageScores.of(plain, labels).scores()
    draws = dict.fromkeys(found, len(networks))
    of_seeds: tuple[tuple[Kind, np.ndarray], ...] = (
        ("deep", plain),
        ("deep_subnetworks", averaged),
    )
    for size in ensemble_sizes(len(networks)):
        members = seed_subsets(len(networks), size)
        for kind, predicted in of_seeds:
            draws[kind, size] = len(members)
            if len(members) > 1:
                found[kind, size] = subset_scores(predicted, labels, members, job)
            else:
                found[kind, size] = ImageScores.of(group_means(predicted, size), labels).scores()
    within = np.stack([each.disagreement for each in predictions])
    apart = {"subnetworks": mean_score(_sums(within, layout), layout)}
    if len(networks) > 1:
        apart["deep"] = _between(plain.argmax(-1), classes, layout)
        apart["deep_subnetworks"] = _between(averaged.argmax(-1), classes, layout)
    ways = tuple(
        Way(
            kind=kind,
            size=size,
            draws=draws[kind, size],
            **{name: _within_bounds(name, scores[name], layout) for name in SCORES},
            disagreement=apart.get(kind),
        )
        for (kind, size), scores in found.items()
    )
    return EnsembleEvidence(
        accuracy=ScoreRange.of(np.concatenate([each.single_accuracy for each in predictions])),
        log_loss=ScoreRange.of(np.concatenate([each.single_loss for each in predictions])),
        ways=ways,
        contrasts=tuple(_contrasts(found, len(networks), layout, margins)),
    )


def ensemble_sizes(seeds: int) -> list[int]:
    """The sizes of ensembles of so many seeds: of `SIZES` those that there are, and all."""
    return sorted({size for size in (*SIZES, seeds) if 2 <= size <= seeds})


def compared_size(seeds: int) -> int | None:
    """The size of the ensembles of seeds that are compared; None for a single seed.

    The largest of a quarter of the seeds at most, or else of half, or else not of all: one of all
    seeds declares nothing.
    """
    sizes = ensemble_sizes(seeds)
    for share in _SHARES:
        if possible := [size for size in sizes if share * size <= seeds and size < seeds]:
            return max(possible)
    return max(sizes, default=None)


def _sums(scores: Float64[np.ndarray, "draws images"], layout: Layout) -> np.ndarray:
    return layout.sums(scores[:, None])


def _within_bounds(name: str, scores: np.ndarray, layout: Layout) -> Estimate:
    found = mean_score(_sums(scores, layout), layout)
    if found.low is None or found.high is None:  # no image differs from another
        return at_the_border(found, len(layout.sizes)) if name == "accuracy" else found
    most = np.inf if name == "log_loss" else 1.0
    return Estimate(found.value, max(found.low, 0.0), min(found.high, most))


def _between(answers: Int64[np.ndarray, "seeds images"], classes: int, layout: Layout) -> Estimate:
    """How often two of at least two seeds answer differently.

    Its interval is that of jackknife pseudo-values, `S θ − (S − 1) θ_without_s`, whose mean is θ.
    """
    seeds = len(answers)
    whole = disagreement(answers, classes)
    if seeds == 2:  # there is no pair without one of them
        return mean_score(_sums(whole[None], layout), layout)
    without = np.stack(
        [disagreement(np.delete(answers, seed, axis=0), classes) for seed in range(seeds)]
    )
    return mean_score(_sums(seeds * whole - (seeds - 1) * without, layout), layout)


def _contrasts(
    found: dict[tuple[Kind, int], Scores], seeds: int, layout: Layout, margins: Margins
) -> Iterator[Contrast]:
    """One subnetwork, the largest average, and an ensemble of seeds, each with weight scaling."""
    pairs: list[tuple[Kind, int]] = [("subnetworks", 1), ("subnetworks", AVERAGES[-1])]
    if size := compared_size(seeds):
        pairs.append(("deep", size))
    family: list[tuple[tuple[Kind, int], Paired]] = []
    for kind, size in pairs:
        for metric in COMPARED:
            first, second = found[kind, size][metric], found["weight_scaling", 1][metric]
            if len(first) < len(second):  # an ensemble of all seeds, with their mean
                second = second.mean(axis=0, keepdims=True)
            family.append(((kind, size), measure(metric, _sums(first - second, layout), layout)))
    decided = decide([each for _, each in family], margins)
    for ((kind, size), paired), what in zip(family, decided, strict=True):
        yield Contrast(
            first=kind,
            first_size=size,
            second="weight_scaling",
            metric=paired.metric,
            difference=what.estimate,
            p=what.p_holm,
            p_equivalent=what.p_equivalent,
            outcome=what.outcome,
            draws=paired.seeds,
        )
