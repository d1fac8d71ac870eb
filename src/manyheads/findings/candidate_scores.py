"""The mean score of each candidate of a study, and what it would differ by in another one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float64

from manyheads.heads.bank import Metrics
from manyheads.heads.epoch_rules import chooses_epoch
from manyheads.stats.comparisons import Differences
from manyheads.stats.paired import RESERVE, SHARES
from manyheads.stats.variance_shares import DRAWS, MeanNoise
from manyheads.stats.variances import two_way
from manyheads.study.store import Store

if TYPE_CHECKING:
    from manyheads.findings.study_findings import Findings

_CLUSTERS = 500  # that units are put together in; the variance of a mean needs no more
_MOST = 30_000_000  # scores of an image by a head that are read; of more, the curves suffice
_SAMPLE = 20  # candidates that the interaction of images and seeds is measured on

Deviations = Float64[np.ndarray, "candidates parts"]


@dataclass(frozen=True)
class CandidateScores:
    """The `candidates` with a score, their `means`, and draws of their noise.

    `with_images`: the noise allows for other images; else, for other seeds alone. `epoch_words`
    say up to which epoch scores are, where that is not the last.
    """

    candidates: tuple[int, ...]
    means: Float64[np.ndarray, "candidates"]
    noise: MeanNoise
    with_images: bool
    epoch_words: str = ""


def candidate_scores(findings: Findings, metric: str) -> CandidateScores:
    """The scores in `metric` of all candidates of a finished study.

    They are those of the findings, each at its own epoch; of a study that pruned, and of a very
    large one, the best of each head's curve, up to the rung that all candidates have come to.
    """
    settings, validated = findings.settings, findings.validated
    size = len(validated.candidates) * settings.seeds * len(validated.labels)
    if settings.prune is None and size * (settings.repeats or 1) <= _MOST:
        return _of_predictions(findings.differences, metric)
    return _of_curves(findings, metric)


def _of_predictions(differences: Differences, metric: str) -> CandidateScores:
    layout = differences.layout
    clusters = np.arange(len(layout.sizes)) % min(_CLUSTERS, len(layout.sizes))
    candidates, means, images, seeds = [], [], [], []
    for candidate in differences.validated.candidates:
        finished = differences.validated.seeds_of(candidate)
        if not len(finished):
            continue
        sums = differences.sums(candidate, metric)[finished]
        mean = float(sums.mean(axis=(0, 1)).sum() / layout.images)
        apart = (sums.mean(axis=(0, 1)) - layout.sizes * mean) / layout.images
        candidates.append(candidate)
        means.append(mean)
        images.append(np.bincount(clusters, apart))
        by_cell = layout.by_cell(sums) / (layout.images * sums.shape[1])
        whole = np.full((differences.validated.seeds(), layout.heads), np.nan)
        whole[finished] = by_cell
        seeds.append(whole)
    shared = _shared(differences, candidates, metric)
    noise = MeanNoise(
        images=shared * _drawn(np.array(images), 0),
        seeds=shared * _of_seeds(np.array(seeds)),
        df=(differences.validated.seeds() - 1) * layout.heads,
    )
    return CandidateScores(tuple(candidates), np.array(means), noise, with_images=True)


def _of_curves(findings: Findings, metric: str) -> CandidateScores:
    settings, rung = findings.settings, findings.settings.rungs[0]
    cells = settings.divisions
    scores = np.full((len(settings.grid), settings.seeds, cells), np.nan)
    names = {"accuracy": "val_accuracy", "log_loss": "val_loss"}
    column = Metrics._fields.index(names.get(metric, "val_score"))
    best = np.max if metric in SHARES else np.min
    if not chooses_epoch(settings.select):
        best = _last
    with Store(findings.folder.store) as store:
        for record in store.trials("done", "pruned"):
            curve = np.array(store.curve(record.trial.number)[: rung.epochs])[:, column]
            place = record.trial.candidate - 1, record.trial.seed, record.trial.fold
            scores[place] = best(curve)
    scores[~np.isfinite(scores).all(axis=-1)] = np.nan  # a seed without its folds is none
    kept = np.flatnonzero(np.isfinite(scores).any(axis=(1, 2)))
    scores = scores[kept]
    means = np.nanmean(scores, axis=(1, 2))
    none = np.zeros((DRAWS, len(kept)))
    noise = MeanNoise(none, _of_seeds(scores / cells), (settings.seeds - 1) * cells)
    words = f" up to epoch {rung.epochs}" if len(settings.rungs) > 1 else ""
    return CandidateScores(tuple((kept + 1).tolist()), means, noise, False, words)


def _last(curve: Float64[np.ndarray, "epochs"]) -> float:
    return float(curve[-1])


def _of_seeds(
    parts: Float64[np.ndarray, "candidates seeds cells"],
) -> Float64[np.ndarray, "draws candidates"]:
    """Draws of what other seeds would change; a seed's part is NaN where its trials failed.

    One draw moves all candidates by the same seeds: those that share first weights move together.
    """
    finished = np.isfinite(parts).all(axis=2, keepdims=True)
    count = finished.sum(axis=1, keepdims=True)
    mean = np.where(finished, parts, 0).sum(axis=1, keepdims=True) / count
    scale = 1 / np.sqrt(np.maximum(count * (count - 1), 1))
    apart = np.where(finished, parts - mean, 0) * scale
    return _drawn(apart.reshape(len(parts), -1), 1)


def _drawn(parts: Deviations, stream: int) -> Float64[np.ndarray, "draws candidates"]:
    """Draws of the sum of independent parts, whose deviations from their means are given."""
    weights = np.random.default_rng(stream).standard_normal((DRAWS, parts.shape[1]))
    return weights @ parts.T


def _shared(differences: Differences, candidates: Sequence[int], metric: str) -> float:
    """The factor for noise of images and of seeds added up, which holds their interaction twice.

    With folds the variance is multiplied as that of every difference.
    """
    layout = differences.layout
    reserve = 1.0 if layout.folds == 1 else RESERVE
    step = max(1, len(candidates) // _SAMPLE)
    validated, seeds = differences.validated, differences.validated.seeds()
    chosen = [each for each in candidates[::step] if len(validated.seeds_of(each)) == seeds]
    if seeds < 2 or len(chosen) < 2:
        return float(np.sqrt(reserve))
    sums = np.array([differences.sums(each, metric) for each in chosen])
    parts = [two_way(each, layout) for each in sums - sums.mean(axis=0)]
    added = sum(each.of_units + each.of_seeds for each in parts)
    together = sum(each.variance for each in parts)
    return float(np.sqrt(reserve * (together / added if added > 0 else 1.0)))
