"""How good a model of several labels per image is: metrics of its log-odds, and its thresholds.

All take log-odds `[..., images, labels]`, targets `[images, labels]` and, where images count
differently, weights `[..., images]`; they give float64 `[...]`, or `[..., labels]` for what is of
each label. A label that no image has, or one whose images all have weight 0, has no average
precision and no F1 (NaN), and is left out of the means over labels.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from jaxtyping import Bool, Float, Float32, Float64

LogOdds = Float32[np.ndarray, "*stack images labels"]
Targets = Bool[np.ndarray, "images labels"]
Weights = Float64[np.ndarray, "*stack images"] | None
OfImages = Float64[np.ndarray, "*stack images"]
OfLabels = Float64[np.ndarray, "*stack labels"]
Values = Float64[np.ndarray, "*stack"]

HALF = 0.5
"""The threshold of a label that has too few images to choose one by."""

NEAREST = 2.0**-24
"""No probability counts as nearer to 0 or 1: a float32 has none nearer to 1, and 0 is as far."""

ENOUGH = 10
"""With fewer images that have a label, or that lack it, its threshold is `HALF`."""


def image_accuracy(log_odds: LogOdds, targets: Targets) -> OfImages:
    """The share of labels told right of each image, at a probability of 0.5, in [0, 1]."""
    return _finite((log_odds > 0) == targets, log_odds).mean(axis=-1)


def image_exact(log_odds: LogOdds, targets: Targets) -> OfImages:
    """Whether all labels of an image are told right, 0 or 1."""
    return _finite((log_odds > 0) == targets, log_odds).min(axis=-1)


def image_log_loss(log_odds: LogOdds, targets: Targets) -> OfImages:
    """The mean over labels of `max(z, 0) − z·t + log(1 + exp(−|z|))`, in nats."""
    z = log_odds.astype(np.float64)
    return (np.maximum(z, 0) - z * targets + np.log1p(np.exp(-np.abs(z)))).mean(axis=-1)


def image_brier(log_odds: LogOdds, targets: Targets) -> OfImages:
    """The mean over labels of `(p − t)²`, in [0, 1] (Brier 1950)."""
    return ((probabilities(log_odds) - targets) ** 2).mean(axis=-1)


def probabilities(log_odds: LogOdds) -> Float64[np.ndarray, "*stack images labels"]:
    """`1 / (1 + exp(−z))` of each, without overflow."""
    from scipy.special import expit

    return expit(log_odds.astype(np.float64))


def log_odds_of(chances: Float[np.ndarray, "*stack images labels"]) -> LogOdds:
    """Finite log-odds of probabilities, none of which counts as nearer to 0 or 1 than `NEAREST`."""
    bounded = np.clip(chances.astype(np.float64), NEAREST, 1 - NEAREST)
    return np.log(bounded / (1 - bounded)).astype(np.float32)


def average_precisions(log_odds: LogOdds, targets: Targets, weights: Weights = None) -> OfLabels:
    """Of each label `Σₖ (Rₖ − Rₖ₋₁) Pₖ` over its thresholds, in [0, 1].

    Recall and precision of the images at or above each score, without interpolation: as
    scikit-learn's `average_precision_score`. The log-odds are of one model, `[images, labels]`.
    """
    weights = np.ones(len(targets)) if weights is None else weights
    found = []
    for label in range(targets.shape[1]):
        order = np.argsort(-log_odds[:, label], kind="stable")
        scores = log_odds[order, label]
        ends = np.append(np.flatnonzero(np.diff(scores)), len(scores) - 1)
        own = weights[..., order]
        hits = np.cumsum(own * targets[order, label], axis=-1)[..., ends]
        precision = _ratio(hits, np.cumsum(own, axis=-1)[..., ends])
        gained = np.diff(hits, axis=-1, prepend=0.0)
        total = hits[..., -1]
        found.append(_ratio((gained * np.nan_to_num(precision)).sum(axis=-1), total))
    return np.stack(found, axis=-1)


def f1_scores(
    answers: Bool[np.ndarray, "images labels"], targets: Targets, weights: Weights = None
) -> OfLabels:
    """Of each label `2 tp / (2 tp + fp + fn)`, in [0, 1]; NaN for one that no image has."""
    weights = np.ones(len(targets)) if weights is None else weights
    of_label = weights @ targets.astype(np.float64)
    right = weights @ (answers & targets).astype(np.float64)
    either = of_label + weights @ answers.astype(np.float64)
    return np.where(of_label > 0, _ratio(2 * right, either), np.nan)


def mean_over_labels(of_labels: OfLabels) -> Values:
    """The mean over the labels that have a value; NaN without any."""
    known = ~np.isnan(of_labels)
    return _ratio(np.where(known, of_labels, 0).sum(axis=-1), known.sum(axis=-1))


def best_thresholds(
    log_odds: Float32[np.ndarray, "images labels"], targets: Targets
) -> Float64[np.ndarray, "labels"]:
    """Of each label the probability above which F1 is greatest on these images, in (0, 1).

    Half-way between two scores, in log-odds; of equally good ones the nearest to 0.5. It is 0.5
    where fewer than `ENOUGH` images have the label, or lack it.
    """
    found = np.full(targets.shape[1], HALF)
    for label in range(targets.shape[1]):
        own = targets[:, label]
        if min(own.sum(), (~own).sum()) >= ENOUGH:
            found[label] = _best_threshold(log_odds[:, label].astype(np.float64), own)
    return found


def _best_threshold(
    scores: Float64[np.ndarray, "images"], own: Bool[np.ndarray, "images"]
) -> float:
    order = np.argsort(-scores, kind="stable")
    ranked = scores[order]
    ends = np.append(np.flatnonzero(np.diff(ranked)), len(ranked) - 1)
    hits = np.cumsum(own[order])[ends]
    f1 = 2 * hits / (own.sum() + ends + 1)
    # Below the last score nothing is left to be half-way to.
    below = np.append(ranked[ends[:-1] + 1], ranked[-1] - 1)
    cuts = (ranked[ends] + below) / 2
    best = np.flatnonzero(f1 >= f1.max() - 1e-12)
    cut = cuts[best[np.abs(cuts[best]).argmin()]]
    return float(np.clip(probabilities(np.array(cut)), 1e-6, 1 - 1e-6))


def cross_fitted(
    log_odds: Float32[np.ndarray, "images labels"],
    targets: Targets,
    parts: np.ndarray,
) -> Bool[np.ndarray, "images labels"]:
    """The answers at thresholds that were chosen without the part (fold) of each image."""
    chances = probabilities(log_odds)
    answers = np.zeros(targets.shape, np.bool_)
    for part in np.unique(parts):
        inside = parts == part
        answers[inside] = chances[inside] > best_thresholds(log_odds[~inside], targets[~inside])
    return answers


OF_IMAGES: dict[str, Callable[[LogOdds, Targets], OfImages]] = {
    "accuracy": image_accuracy,
    "log_loss": image_log_loss,
    "brier": image_brier,
    "final_log_loss": image_log_loss,
    "exact_match": image_exact,
}
"""Scores of each image; their means are those of a model."""


def _finite(right: np.ndarray, log_odds: LogOdds) -> Float64[np.ndarray, "*stack images labels"]:
    """What is right, as numbers; NaN where nothing was predicted."""
    return np.where(np.isnan(log_odds), np.nan, right.astype(np.float64))


def _ratio(part: np.ndarray, whole: np.ndarray) -> Float64[np.ndarray, "*stack"]:
    part, whole = np.broadcast_arrays(part, np.asarray(whole, np.float64))
    return np.divide(part, whole, out=np.full(whole.shape, np.nan), where=whole > 0)[()]
