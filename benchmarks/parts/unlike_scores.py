"""Scores of unlikeness that are compared: each larger for what is less like the training images."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from jaxtyping import Float32, Int64
from scipy.linalg import solve_triangular
from scipy.special import logsumexp, softmax
from sklearn.covariance import ledoit_wolf
from sklearn.utils.extmath import randomized_svd

Matrix = Float32[np.ndarray, "samples features"]
Score = Callable[["Fitted", Matrix, Matrix], np.ndarray]


def unit(features: Matrix) -> Matrix:
    """Rows of length 1."""
    return features / np.maximum(np.linalg.norm(features, axis=1, keepdims=True), 1e-12)


@dataclass(frozen=True)
class Gauss:
    """Normal distributions with a mean for each class and one covariance.

    `(1 − s) S + s · tr(S)/d · I`, where S is the covariance about the means and s the shrinkage of
    Ledoit and Wolf 2004; held by its Cholesky factor.
    """

    means: np.ndarray
    factor: np.ndarray

    @classmethod
    def of(cls, features: Matrix, labels: Int64[np.ndarray, "samples"]) -> Gauss:
        classes = np.unique(labels)
        means = np.stack([features[labels == label].mean(axis=0) for label in classes])
        residuals = features - means[np.searchsorted(classes, labels)]
        covariance, _ = ledoit_wolf(residuals, assume_centered=True)
        return cls(means, np.linalg.cholesky(covariance))

    def distances(self, features: Matrix) -> np.ndarray:
        """The squared Mahalanobis distance to each mean, `[samples, classes]`."""
        both = np.concatenate([features, self.means]).T
        white = solve_triangular(self.factor, both, lower=True, check_finite=False).T
        rows, means = white[: len(features)], white[len(features) :]
        squares = (rows**2).sum(axis=1)[:, np.newaxis] + (means**2).sum(axis=1)
        return squares - 2 * rows @ means.T


@dataclass(frozen=True)
class Fitted:
    """Training features with their labels, and what the scores take of them."""

    features: Matrix
    labels: Int64[np.ndarray, "samples"]
    logits: Matrix

    @cached_property
    def unit(self) -> Matrix:
        return unit(self.features)

    @cached_property
    def plain(self) -> Gauss:
        return Gauss.of(self.features, self.labels)

    @cached_property
    def normal(self) -> Gauss:
        return Gauss.of(self.unit, self.labels)

    @cached_property
    def background(self) -> Gauss:
        return Gauss.of(self.unit, np.zeros(len(self.labels), np.int64))

    @cached_property
    def center(self) -> np.ndarray:
        return self.features.mean(axis=0)

    @cached_property
    def principal(self) -> np.ndarray:
        """The directions of the 256 largest variances, `[features, 256]`."""
        apart = self.features - self.center
        return randomized_svd(apart, 256, random_state=0)[2].T


def neighbour(k: int, most: int | None = None) -> Score:
    """The distance to the k-th nearest training image; of `most` drawn ones."""

    def score(fitted: Fitted, features: Matrix, logits: Matrix) -> np.ndarray:
        del logits
        bank = fitted.unit
        if most is not None and most < len(bank):
            bank = bank[np.random.default_rng(0).permutation(len(bank))[:most]]
        near = unit(features) @ bank.T
        return -np.partition(near, -k, axis=1)[:, -k]

    return score


def mahalanobis(normal: bool) -> Score:
    """The least squared Mahalanobis distance to a class's mean."""

    def score(fitted: Fitted, features: Matrix, logits: Matrix) -> np.ndarray:
        del logits
        gauss = fitted.normal if normal else fitted.plain
        return gauss.distances(unit(features) if normal else features).min(axis=1)

    return score


def relative(fitted: Fitted, features: Matrix, logits: Matrix) -> np.ndarray:
    """The same less the distance to the mean of all images, by their own covariance."""
    del logits
    given = unit(features)
    return fitted.normal.distances(given).min(axis=1) - fitted.background.distances(given)[:, 0]


def cosine(fitted: Fitted, features: Matrix, logits: Matrix) -> np.ndarray:
    """One less the cosine to the nearest class mean."""
    del logits
    return -(unit(features) @ unit(fitted.normal.means).T).max(axis=1)


def vim(fitted: Fitted, features: Matrix, logits: Matrix) -> np.ndarray:
    """Virtual-logit matching (Wang et al. 2022): the residual, as a logit more."""
    virtual = _rest(fitted, features)
    scale = fitted.logits.max(axis=1).mean() / _rest(fitted, fitted.features).mean()
    return scale * virtual - np.asarray(logsumexp(logits, axis=1))


def _rest(fitted: Fitted, features: Matrix) -> np.ndarray:
    """The length of what the principal directions leave."""
    apart = features - fitted.center
    along = ((apart @ fitted.principal) ** 2).sum(axis=1)
    return np.sqrt(((apart**2).sum(axis=1) - along).clip(0))


SCORES: Mapping[str, Score] = {
    "largest probability": lambda _, __, logits: -np.asarray(softmax(logits, axis=1)).max(axis=1),
    "largest logit": lambda _, __, logits: -logits.max(axis=1),
    "energy": lambda _, __, logits: -np.asarray(logsumexp(logits, axis=1)),
    "ViM": vim,
    "cosine to the nearest class mean": cosine,
    "nearest neighbour": neighbour(1),
    "5th nearest neighbour": neighbour(5),
    "10th nearest neighbour": neighbour(10),
    "50th nearest neighbour": neighbour(50),
    "5th nearest of 2,000": neighbour(5, 2000),
    "5th nearest of 1,000": neighbour(5, 1000),
    "5th nearest of 500": neighbour(5, 500),
    "Mahalanobis": mahalanobis(normal=False),
    "Mahalanobis, features of length 1": mahalanobis(normal=True),
    "relative Mahalanobis, length 1": relative,
}
