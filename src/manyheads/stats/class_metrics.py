"""Balanced accuracy and macro F1, image by image, and the variance of their differences.

Neither is a mean over images, but both are smooth functions of sums over images. Their linear part
(the delta method; as the infinitesimal jackknife, Efron and Tibshirani 1993, chapter 22.5) gives
each image a score whose mean over images is the metric itself and whose spread is the metric's, so
that the paired comparisons of `paired` hold them as they hold accuracy.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float32, Float64, Int64

from manyheads.stats.variances import PRIOR_DF, Layout, TwoWay

BY_CLASS = ("balanced_accuracy", "macro_f1")


def class_scores(
    metric: str,
    predictions: Float32[np.ndarray, "repeats images classes"],
    labels: Int64[np.ndarray, "images"],
) -> Float64[np.ndarray, "repeats images"]:
    """A score of each image, whose mean over images is `metric`; NaN where a head failed.

        balanced accuracy:  B + n / (k · n_a) · (hit − recall_a)
        macro F1:           F + n / k · ((2 hit − F_a) / (l_a + p_a) − F_b / (l_b + p_b))

    for an image with label a that is predicted as b, of n images; k classes have images (F1: are a
    label or a prediction), class c has l_c = n_c labels and p_c predictions. Each is the metric
    plus the image's influence on it; influences add up to 0. Scores may lie outside [0, 1].
    """
    one = _balanced if metric == "balanced_accuracy" else _macro_f1
    return np.stack([one(each, labels) for each in predictions])


def _balanced(
    predictions: Float32[np.ndarray, "images classes"], labels: Int64[np.ndarray, "images"]
) -> Float64[np.ndarray, "images"]:
    hits = (predictions.argmax(axis=-1) == labels).astype(np.float64)
    counts = np.bincount(labels, minlength=predictions.shape[-1])
    present = counts > 0
    recalls = np.bincount(labels, hits, len(counts)) / np.maximum(counts, 1)
    weights = len(labels) / (present.sum() * counts[labels])
    scores = recalls[present].mean() + weights * (hits - recalls[labels])
    return np.where(np.isnan(predictions).any(), np.nan, scores)


def _macro_f1(
    predictions: Float32[np.ndarray, "images classes"], labels: Int64[np.ndarray, "images"]
) -> Float64[np.ndarray, "images"]:
    answers, classes = predictions.argmax(axis=-1), predictions.shape[-1]
    hits = (answers == labels).astype(np.float64)
    both = np.bincount(labels, minlength=classes) + np.bincount(answers, minlength=classes)
    either, whole = both > 0, np.maximum(both, 1)
    f1 = 2 * np.bincount(labels, hits, classes) / whole
    influence = (2 * hits - f1[labels]) / whole[labels] - f1[answers] / whole[answers]
    scores = f1[either].mean() + len(labels) / either.sum() * influence
    return np.where(np.isnan(predictions).any(), np.nan, scores)


@dataclass(frozen=True)
class UnitClasses:
    """The class of each unit, that of its first image, and how many units each class has."""

    of_units: Int64[np.ndarray, "units"]
    counts: Int64[np.ndarray, "classes"]

    @classmethod
    def of(cls, labels: Int64[np.ndarray, "images"], layout: Layout) -> UnitClasses:
        """Those of images with `labels`; classes without any are left out."""
        first = np.unique(layout.units, return_index=True)[1]
        _, classes, counts = np.unique(labels[first], return_inverse=True, return_counts=True)
        return cls(classes, counts)

    @property
    def of_one(self) -> float:
        """The mean square of what one unit adds to a mean over k classes: `Σ_c 1 / n_c² / k³`.

        Of n units in equal classes it is 1 / n², as in a mean over units.
        """
        return float((1.0 / self.counts**2).sum() / len(self.counts) ** 3)


def stratified(
    estimate: TwoWay,
    sums: Float64[np.ndarray, "seeds repeats units"],
    layout: Layout,
    classes: UnitClasses,
) -> TwoWay:
    """A difference between candidates in a metric of classes, with a variance by class.

        of_units = Σ_c V_c,   V_c = v_c / (k² n_c),   df_units = (Σ V_c)² / Σ (V_c² / f_c)
        v_c = (Σ_{u in c} r_u² + d · s²) / f_c,   f_c = n_c − 1 + d,   r_u = ȳ_u · k n_c / U

    ȳ as in `two_way`; n_c of the U units are in class c of k. A rare class is known from few units,
    so its variance is shrunk to the mean variance `s² = (Σ_u r_u² + 2) / (U + 2)` with d = 4 prior
    degrees of freedom (Smyth 2004, as `variances.moderated`), and what it brings has the degrees of
    freedom of that (Satterthwaite 1946). The 2 are two more units, one that differs either way, as
    in `with_pseudo_units`; the seeds' variance allows for counting whole units.
    """
    seeds, repeats, units = sums.shape
    y = (sums - layout.sizes * estimate.difference) * (units / layout.images)
    counts, classes_there = classes.counts, len(classes.counts)
    r = y.mean(axis=(0, 1)) * classes_there * counts[classes.of_units] / units
    shared = ((r**2).sum() + 2) / (units + 2)
    df = counts - 1 + PRIOR_DF
    squares = np.bincount(classes.of_units, r**2, classes_there)
    parts = (squares + PRIOR_DF * shared) / df / (classes_there**2 * counts)
    of_seeds = estimate.of_seeds
    if estimate.df_seeds:
        of_seeds += layout.heads / (12 * seeds * repeats**2) * classes.of_one
    return replace(
        estimate,
        of_units=float(parts.sum()),
        of_seeds=of_seeds,
        df_units=float(min(estimate.df_units, parts.sum() ** 2 / (parts**2 / df).sum())),
    )
