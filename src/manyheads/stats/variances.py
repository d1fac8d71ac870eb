"""The estimators: a paired difference over images and seeds, and what it owes to each.

Notation: seeds s of S, repeats r of R, units u of U (images that belong together), cells c: the
K·R folds of all repeats, each with heads of its own. `d` is a difference of two candidates.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float64, Int64

PRIOR_DF = 4.0


@dataclass(frozen=True)
class Layout:
    """How images lie in units and units in cells: `sizes` in images, `cells` of each unit.

    A cell's number is `repeat · folds + fold`.
    """

    units: Int64[np.ndarray, "images"]
    sizes: Int64[np.ndarray, "units"]
    cells: Int64[np.ndarray, "repeats units"]
    folds: int

    @classmethod
    def of(
        cls,
        units: Int64[np.ndarray, "images"],
        fold_of: Int64[np.ndarray, "repeats images"],
        folds: int,
    ) -> Layout:
        """The layout of images with their units and folds; units may have any numbers."""
        _, first, unit, sizes = np.unique(
            units, return_index=True, return_inverse=True, return_counts=True
        )
        cells = fold_of[:, first] + folds * np.arange(len(fold_of))[:, None]
        return cls(unit, sizes, cells, folds)

    @property
    def images(self) -> int:
        """How many images there are."""
        return len(self.units)

    @property
    def heads(self) -> int:
        """How many heads one seed of one candidate trains: a cell each."""
        return self.folds * len(self.cells)

    def sums(
        self, scores: Float64[np.ndarray, "seeds repeats images"]
    ) -> Float64[np.ndarray, "seeds repeats units"]:
        """Scores added up over the images of each unit."""
        if len(self.sizes) == self.images:
            return scores[..., np.argsort(self.units)]
        order = np.argsort(self.units, kind="stable")
        starts = np.concatenate([[0], np.cumsum(self.sizes)[:-1]])
        return np.add.reduceat(scores[..., order], starts, axis=-1)

    def by_cell(
        self, values: Float64[np.ndarray, "*rows repeats units"]
    ) -> Float64[np.ndarray, "*rows cells"]:
        """Values added up over the units of each cell."""
        flat = values.reshape(*values.shape[:-2], -1)
        if self.heads == 1:
            return flat.sum(axis=-1, keepdims=True)
        cells = self.cells.ravel()
        order = np.argsort(cells, kind="stable")
        starts = np.searchsorted(cells[order], np.arange(self.heads))
        return np.add.reduceat(flat[..., order], starts, axis=-1)


@dataclass(frozen=True)
class TwoWay:
    """A mean difference and the parts of its variance, for units and seeds drawn anew together.

    `of_units` and `of_seeds` are the variances of the mean if only units, or only seeds, were
    drawn anew; either one contains `of_both`, the interaction, which must count once. `df_units`
    and `df_seeds` are their degrees of freedom; 0: there is nothing to estimate it from.
    """

    difference: float
    of_units: float
    of_seeds: float
    of_both: float
    df_units: float
    df_seeds: int

    @property
    def variance(self) -> float:
        """`of_units + of_seeds − of_both`, and no less than either of the first two."""
        together = self.of_units + self.of_seeds - self.of_both
        return max(together, self.of_units, self.of_seeds)


def two_way(sums: Float64[np.ndarray, "seeds repeats units"], layout: Layout) -> TwoWay:
    """The mean over images of differences that are added up by unit, and its variance.

    With `y = (Σ_images d − size · D) · U / N`, whose mean is 0 (a ratio's linear part, so that
    units of unequal size do no harm):

        of_units = Σ_u ȳ_u² / U² · E / (E − 1)              E = N² / Σ_u size_u²
        of_seeds = Σ_c Σ_s (y_sc − ȳ_c)² / (S − 1) / S      y_sc: the cell's sum, over U · R
        of_both  = Σ_c n_c · MS_residual(c) / S / (U · R)²

    In a given split (one cell) these are MS_units, MS_seeds and MS_residual over S · U, and the
    variance is `(MS_units + MS_seeds − MS_residual) / (S · U)`: two-way random effects without
    replication. In folds every cell has heads of its own, so seeds count within cells. Units of
    unequal size are worth E of equal size (Kish 1965, section 11.7): the variance is known from so
    many, with E − 1 degrees of freedom. No NaN.
    """
    seeds, repeats, units = sums.shape
    difference = sums.sum() / (seeds * repeats * layout.images)
    # The mean is a ratio of two sums over units, of differences and of sizes. Its linear part
    # measures each unit by what it adds beyond the mean: a large unit whose images differ as all
    # do adds nothing, however large it is.
    y = (sums - layout.sizes * difference) * (units / layout.images)
    by_unit = y.mean(axis=(0, 1))
    # One unit of half the images leaves as little to average as a few equal ones would.
    worth = layout.images**2 / float((layout.sizes**2).sum())
    of_units = (by_unit**2).sum() / units**2 * (worth / (worth - 1) if units > 1 else 1)
    if seeds == 1:
        return TwoWay(float(difference), float(of_units), 0.0, 0.0, worth - 1, 0)
    apart = y - y.mean(axis=0)  # from the mean over seeds
    # A head moves all units of its cell together, so what seeds bring is seen in the cell's sums:
    # between[s, c] is by how much seed s moves cell c from its mean.
    between = layout.by_cell(apart)
    squares = (between**2).sum(axis=0)
    # What is left within a cell once its head's common movement is taken out is the interaction:
    # a seed that is better on some units and worse on others.
    counts = np.bincount(layout.cells.ravel(), minlength=layout.heads)
    rest = layout.by_cell((apart**2).sum(axis=0)) - squares / counts
    of_rest = counts * np.maximum(rest, 0) / np.maximum(counts - 1, 1)
    scale = (seeds - 1) * seeds * (units * repeats) ** 2
    return TwoWay(
        difference=float(difference),
        of_units=float(of_units),
        of_seeds=float(squares.sum() / scale),
        of_both=float(of_rest.sum() / scale),
        df_units=worth - 1,
        df_seeds=(seeds - 1) * layout.heads,
    )


def with_pseudo_units(estimate: TwoWay, units: int) -> TwoWay:
    """A difference of accuracies as if two more units had been seen, one that differs either way.

        D' = D · U / (U + 2),   of_units' = (Σ_u d_u² + 2) / (U + 2)² − D'² / (U + 2)

    (Bonett and Price 2012, Adjusted Wald confidence interval for a difference of binomial
    proportions based on paired data). Without them, candidates that are right on the same few
    images have a variance of zero, as if it were certain that they are right on the same images of
    every kind.
    """
    # The sum of squares is won back from the variance, gets the two units' squares (1 each, of
    # opposite signs, so that the sum of differences stays), and is made a variance again.
    more = units + 2
    difference = estimate.difference * units / more
    squares = estimate.of_units * max(units - 1, 1) * units + units * estimate.difference**2 + 2
    of_units = squares / more**2 - difference**2 / more
    return replace(estimate, difference=difference, of_units=of_units)


def with_rounding(estimate: TwoWay, seeds: int, layout: Layout) -> TwoWay:
    """A difference of accuracies whose variance over seeds allows for counting whole units.

        of_seeds' = of_seeds + C / (12 · S · (U · R)²)       C heads of a seed, U units, R repeats

    The number of units by which two heads differ is whole, so that two seeds often agree to the
    unit; a variance of exactly zero would say that all seeds do. 1/12 is what rounding brings.
    """
    if not estimate.df_seeds:
        return estimate
    repeats = len(layout.cells)
    more = layout.heads / (12 * seeds * (len(layout.sizes) * repeats) ** 2)
    return replace(estimate, of_seeds=estimate.of_seeds + more)


def of_folds(
    sums: Float64[np.ndarray, "seeds repeats units"], layout: Layout, estimate: TwoWay
) -> float:
    """The variance of a mean difference as the differences of its folds show it; 0 without folds.

        mean_r S_r² / K − of_seeds · (R − 1)

    S_r² is the variance of the K folds' mean differences in repeat r; R repeats average what heads
    bring. It contains what the training images of a fold bring, of which images and seeds know
    nothing, and is known from few folds. Ours.
    """
    if layout.folds == 1:
        return 0.0
    by_fold = fold_means(sums, layout).reshape(-1, layout.folds)
    of_one = by_fold.var(axis=1, ddof=1).mean() / layout.folds
    return float(max(0.0, of_one - estimate.of_seeds * (len(layout.cells) - 1)))


def moderated(
    variances: Float64[np.ndarray, "family"], df: Float64[np.ndarray, "family"]
) -> tuple[Float64[np.ndarray, "family"], Float64[np.ndarray, "family"]]:
    """Variances of a family, all with the same `df`, each shrunk to their mean; and their new df.

        s̃² = (d₀ · s̄² + d · s²) / (d₀ + d),   with d₀ + d degrees of freedom

    The prior degrees of freedom d₀ are what the logarithms of the variances vary by (Smyth 2004,
    Linear models and empirical Bayes methods, section 6.2), and at most `PRIOR_DF`: variances of
    differences between the same few candidates are not independent, and look more alike than they
    are. Alone, or where one is zero, they stay as they are.
    """
    from scipy.special import polygamma

    if len(variances) < 2 or (variances <= 0).any():
        return variances, df
    spread = float(np.var(np.log(variances), ddof=1)) - float(polygamma(1, df[0] / 2))
    prior = PRIOR_DF if spread <= 0 else min(PRIOR_DF, 2 * _inverse_trigamma(spread))
    shrunk = (prior * variances.mean() + df * variances) / (prior + df)
    return shrunk, df + prior


def _inverse_trigamma(value: float) -> float:
    """Where ψ′ is `value`, by Newton's method on 1 / ψ′, which is nearly straight (Smyth 2004)."""
    from scipy.special import polygamma

    root = 0.5 + 1 / value
    for _ in range(20):
        now = float(polygamma(1, root))
        step = now * (1 - now / value) / float(polygamma(2, root))
        root += step
        if abs(step) < 1e-10 * root:
            break
    return root


@dataclass(frozen=True)
class Folds:
    """The corrected resampled t: `variance` of the mean with `df`; `spread` is S² of the folds."""

    variance: float
    spread: float
    df: int


def corrected_t(by_fold: Float64[np.ndarray, "cells"], folds: int) -> Folds:
    """The variance of a mean over J = folds × repeats scores of folds.

    `(1 / J + n_test / n_train) · S²`, J − 1 degrees of freedom, n_test / n_train = 1 / (folds −
    1): an allowance for training images that folds share, made for resampling at random (Nadeau
    and Bengio 2003, Inference for the generalization error) and wide for folds. It serves where a
    score is known for each fold and not for each image. Needs two folds.
    """
    count = len(by_fold)
    spread = float(np.var(by_fold, ddof=1))
    return Folds((1 / count + 1 / (folds - 1)) * spread, spread, count - 1)


def fold_means(
    sums: Float64[np.ndarray, "seeds repeats units"], layout: Layout
) -> Float64[np.ndarray, "cells"]:
    """The mean over seeds and images of every cell."""
    sizes = layout.by_cell(np.broadcast_to(layout.sizes, layout.cells.shape))
    return layout.by_cell(sums.mean(axis=0)) / sizes


def holm(p: Float64[np.ndarray, "family"], size: int = 0) -> Float64[np.ndarray, "family"]:
    """p adjusted so that declaring what is ≤ α errs anywhere with a probability of α at most.

    The i-th smallest of m is multiplied by m − i + 1, then no smaller than those before it
    (Holm 1979, A simple sequentially rejective multiple test procedure). `size` is m, if these are
    some of a larger family.
    """
    return np.minimum(_holm_steps(p, size), 1.0)


def holm_factors(p: Float64[np.ndarray, "family"], size: int = 0) -> Float64[np.ndarray, "family"]:
    """What Holm's procedure multiplies each p by; α over it is the level of the p's own step."""
    positive = p > 0
    factors = _holm_steps(p, size) / np.where(positive, p, 1)
    return np.where(positive, factors, max(len(p), size))


def _holm_steps(p: Float64[np.ndarray, "family"], size: int) -> Float64[np.ndarray, "family"]:
    order = np.argsort(p, kind="stable")
    most = max(len(p), size)
    adjusted = np.empty_like(p)
    adjusted[order] = np.maximum.accumulate(p[order] * np.arange(most, most - len(p), -1))
    return adjusted
