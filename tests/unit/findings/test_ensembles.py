"""Scores of subnetworks, of averages of them and of ensembles of seeds, against plain loops."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest

from manyheads.core.job import SILENT, Job
from manyheads.errors import Interrupted
from manyheads.findings.ensembles import (
    EnsembleEvidence,
    Way,
    compared_size,
    ensemble_evidence,
    ensemble_sizes,
)
from manyheads.findings.mc_dropout import AVERAGES, MASKS, Part
from manyheads.heads.head import forward, glorot_parameters, softmax
from manyheads.heads.subnetworks import group_means, random_masks, subnetwork_probabilities
from manyheads.stats import metrics
from manyheads.stats.intervals import Estimate
from manyheads.stats.paired import Margins
from manyheads.stats.variances import Layout
from tests.jobs import stopped_job

IMAGES, FEATURES, UNITS, CLASSES, RATE = 40, 6, 8, 3, 0.5
LABELS = np.arange(IMAGES) % CLASSES
MATRIX = np.random.default_rng(0).normal(size=(IMAGES, FEATURES)).astype(np.float32)
MATRIX[np.arange(IMAGES), LABELS] += 2


def networks(seeds: int, folds: int = 1) -> list[list[Part]]:
    """Heads that were never trained: good enough to be averaged."""
    made = []
    for seed in range(seeds):
        parts = []
        for fold in range(folds):
            random = np.random.default_rng([seed, fold])
            head = glorot_parameters(FEATURES, UNITS, CLASSES, random)
            # Without biases, no units answer 1/3, which lies on the edge of a bin of confidence.
            head = head._replace(bias=random.normal(size=CLASSES).astype(np.float32))
            places = np.flatnonzero(np.arange(IMAGES) % folds == fold)
            keep = random_masks(seed, fold, MASKS, UNITS, RATE)
            parts.append(Part(head, keep, places, MATRIX, places))
        made.append(parts)
    return made


def evidence(made: list[list[Part]], job: Job = SILENT) -> EnsembleEvidence:
    folds = len(made[0])
    layout = Layout.of(np.arange(IMAGES), np.arange(IMAGES)[None] % folds, folds)
    return ensemble_evidence(made, LABELS, CLASSES, layout, RATE, Margins(), job)


def way(found: EnsembleEvidence, kind: str, size: int) -> Way:
    return next(each for each in found.ways if (each.kind, each.size) == (kind, size))


@pytest.mark.when_changed("statistics")
@pytest.mark.parametrize("size", AVERAGES)
def test_averages_of_subnetworks_have_the_mean_score_of_disjoint_groups(size: int) -> None:
    made = networks(3)
    found = way(evidence(made), "subnetworks", size)
    scores = []
    for (part,) in made:
        means = group_means(
            subnetwork_probabilities(part.parameters, MATRIX, part.keep, RATE), size
        )
        assert len(means) == MASKS // size
        scores += [[metrics.METRICS[n](np.log(m), LABELS) for n in metrics.METRICS] for m in means]
    expected = dict(zip(metrics.METRICS, np.mean(scores, axis=0), strict=True))
    for name in ("accuracy", "log_loss", "ece"):
        assert getattr(found, name).value == pytest.approx(expected[name], abs=1e-5)
    assert found.draws == 3


def test_seeds_are_averaged_in_all_subsets_and_all_together() -> None:
    made = networks(5)
    found = evidence(made)
    plain = np.stack([softmax(forward(part.parameters, MATRIX)) for (part,) in made])
    assert ensemble_sizes(5) == [2, 5]
    for size, subsets in ((2, 10), (5, 1)):
        means = [plain[list(each)].mean(axis=0) for each in combinations(range(5), size)]
        ours = way(found, "deep", size)
        assert ours.draws == len(means) == subsets
        for name in ("accuracy", "log_loss", "ece"):
            expected = np.mean([metrics.METRICS[name](np.log(mean), LABELS) for mean in means])
            assert getattr(ours, name).value == pytest.approx(expected, abs=1e-5)
    alone = np.mean([metrics.accuracy(np.log(each), LABELS) for each in plain])
    assert way(found, "weight_scaling", 1).accuracy.value == pytest.approx(alone)


def test_an_ensemble_is_compared_with_the_mean_of_its_seeds() -> None:
    made = networks(5)
    found = evidence(made)
    plain = np.stack([softmax(forward(part.parameters, MATRIX)) for (part,) in made])
    (loss,) = [c for c in found.contrasts if c.first == "deep" and c.metric == "log_loss"]
    apart = [
        metrics.log_loss(np.log(plain[list(pair)].mean(axis=0)), LABELS)
        - metrics.log_loss(np.log(plain[list(pair)]), LABELS).mean()
        for pair in combinations(range(5), 2)
    ]
    assert (loss.first_size, loss.draws) == (2, 5)
    assert loss.difference.value == pytest.approx(np.mean(apart), abs=1e-5)


def test_an_ensemble_of_two_seeds_of_two_declares_nothing() -> None:
    found = [each for each in evidence(networks(2)).contrasts if each.first == "deep"]
    assert {(each.first_size, each.draws, each.outcome) for each in found} == {(2, 1, "undecided")}
    assert {each.difference.low for each in found} == {None}


def test_disagreement_is_that_of_pairs_of_members() -> None:
    made = networks(4)
    found = evidence(made)
    answers = np.stack([forward(part.parameters, MATRIX).argmax(-1) for (part,) in made])
    pairs = [(answers[a] != answers[b]).mean() for a in range(4) for b in range(a)]
    between = way(found, "deep", 2).disagreement
    assert between is not None
    assert between.value == pytest.approx(np.mean(pairs))
    assert way(found, "weight_scaling", 1).disagreement is None


def test_heads_that_are_right_about_every_image_are_not_certain_to_be() -> None:
    (part,), (other,) = networks(2)
    sure = [
        part._replace(parameters=each.parameters._replace(bias=np.array([99, 0, 0], np.float32)))
        for each in (part, other)
    ]
    layout = Layout.of(np.arange(IMAGES), np.zeros((1, IMAGES), np.int64), 1)
    labels = np.zeros(IMAGES, np.int64)
    found = ensemble_evidence([[each] for each in sure], labels, CLASSES, layout, RATE, Margins())
    for each in found.ways:
        assert each.accuracy.low == pytest.approx(IMAGES / (IMAGES + 1.959964**2), abs=1e-4)
        assert (each.accuracy.value, each.accuracy.high) == (1.0, 1.0)
    assert way(found, "deep", 2).disagreement == Estimate(0.0, None, None)


def test_in_folds_every_image_is_answered_by_the_head_that_it_validated() -> None:
    made = networks(2, folds=2)
    found = way(evidence(made), "weight_scaling", 1)
    hits = [
        forward(part.parameters, MATRIX[part.places]).argmax(-1) == LABELS[part.places]
        for network in made
        for part in network
    ]
    assert found.accuracy.value == pytest.approx(np.concatenate(hits).mean())


def test_single_subnetworks_spread_around_their_mean() -> None:
    found = evidence(networks(2))
    spread = found.accuracy
    assert spread.mean == pytest.approx(way(found, "subnetworks", 1).accuracy.value)
    assert spread.lowest < spread.tenth <= spread.median <= spread.ninetieth < spread.highest


def test_one_seed_has_scores_and_no_verdict() -> None:
    found = evidence(networks(1))
    assert {each.kind for each in found.ways} == {"subnetworks", "weight_scaling"}
    assert {each.outcome for each in found.contrasts} == {"undecided"}
    assert found.ways[0].accuracy.low is not None


@pytest.mark.parametrize(
    ("seeds", "size"),
    [(1, None), (2, 2), (3, 2), (4, 2), (5, 2), (8, 2), (10, 2), (20, 5), (40, 10)],
)
def test_the_largest_ensembles_of_a_quarter_of_the_seeds_are_compared(
    seeds: int, size: int
) -> None:
    assert compared_size(seeds) == size


def test_a_request_to_stop_is_heard() -> None:
    job = stopped_job()
    with pytest.raises(Interrupted):
        evidence(networks(1), job)
