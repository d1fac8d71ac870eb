"""How unlike the training images an image is, and how unusual that is among held-out images.

The score is one less the cosine to the k-th nearest of the kept training images (Sun et al. 2022,
"Out-of-distribution detection with deep nearest neighbors", whose distance of features of length 1
orders images alike). The threshold is conformal (Vovk et al. 2005; Bates et al. 2023, "Testing for
outliers with conformal p-values"): held-out images, which no score was fitted to, say how large
the score of an image of the known classes is.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from jaxtyping import Float, Float16, Float32, Int64

NEIGHBOUR = 5  # k
LEAST_KEPT, MOST_KEPT = 1_000, 10_000  # bounds on training images, of which
OF_CLASS = 10  # each class has so many, if it has as many
MOST_HELD_OUT = 10_000  # images, a threshold to 0.01 %
_BLOCK = 256  # rows
_SAME = 1e-6  # scores: the order of sums, which a block of images changes
_ROUNDING = 1e-9  # of a product of a rate and a number of images

Matrix = Float[np.ndarray, "images features"]


@dataclass(frozen=True)
class Unlikeness:
    """The kept training images `kept`, rows of length 1, and the scores of images held out.

    `held_out` are ascending, in [0, 2].
    """

    kept: Float16[np.ndarray, "kept features"]
    held_out: Float32[np.ndarray, "held_out"]
    neighbour: int = NEIGHBOUR

    @property
    def features(self) -> int:
        """How many features a row has."""
        return self.kept.shape[1]

    @property
    def least_rate(self) -> float:
        """The least rate of false alarms that so many held-out images can hold: 1 / (n + 1)."""
        return 1 / (len(self.held_out) + 1)

    def scores(self, rows: Matrix) -> Float32[np.ndarray, "images"]:
        """`1 − cos(x, x₍ₖ₎)` of each row, the k-th nearest of those kept; of a row of zeros 1."""
        k = min(self.neighbour, len(self.kept))
        found = np.empty(len(rows), np.float32)
        for start in range(0, len(rows), _BLOCK):
            part = slice(start, start + _BLOCK)
            cosines = of_length_one(rows[part]) @ self._transposed
            found[part] = 1 - np.partition(cosines, -k, axis=1)[:, -k]
        return found

    def below(self, score: float) -> int:
        """How many held-out images are less unlike, by more than rounding."""
        return int(np.searchsorted(self.held_out, np.float32(score - _SAME), "left"))

    def unlike(self, score: float) -> float:
        """The share of the held-out images and this one that are less unlike, in [0, n / (n + 1)].

        One less the conformal p-value `(1 + #{i: sᵢ ≥ s}) / (n + 1)`.
        """
        return self.below(score) / (len(self.held_out) + 1)

    def needed(self, rate: float) -> int:
        """How many held-out images an unknown one is more unlike than: `⌈(n + 1)(1 − rate)⌉`.

        So a new image of the known classes, exchangeable with those held out, is called unknown
        with a probability of at most `rate`. It is more than n if `rate` is below `least_rate`.
        """
        return math.ceil((len(self.held_out) + 1) * (1 - rate) - _ROUNDING)

    def alarms(self, rate: float) -> tuple[float, float]:
        """Where the share of false alarms lies in 95 of 100 sets of so many held-out images.

        It has the distribution Beta(n + 1 − j, j), j = `needed` (Vovk 2012).
        """
        from scipy.special import betaincinv

        j = self.needed(rate)
        others = len(self.held_out) + 1 - j
        low, high = betaincinv(others, j, [0.025, 0.975])
        return float(low), float(high)

    @cached_property
    def _transposed(self) -> Float32[np.ndarray, "features kept"]:
        return np.ascontiguousarray(self.kept.T, np.float32)


def of_length_one(rows: Matrix) -> Float32[np.ndarray, "images features"]:
    """The rows, each divided by its length; a row of zeros stays."""
    rows = np.asarray(rows, np.float32)
    # Large features would overflow when they are squared.
    rows = rows / np.maximum(abs(rows).max(axis=1, keepdims=True, initial=0), np.float32(1e-30))
    return rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), np.float32(1e-30))


def as_kept(rows: Matrix) -> Float16[np.ndarray, "images features"]:
    """The rows as they are kept: of length 1, in half precision."""
    return of_length_one(rows).astype(np.float16)


def most_kept(classes: int) -> int:
    """How many training images are kept, at most: 1,000, and of many classes up to 10,000."""
    return min(MOST_KEPT, max(LEAST_KEPT, OF_CLASS * classes))


def spread(labels: Int64[np.ndarray, "images"], most: int) -> Int64[np.ndarray, "kept"]:
    """The ascending places of at most `most` images: the first of each class, of all equally many.

    A class with fewer keeps all of its own, and leaves room to the others.
    """
    _, place = np.unique(labels, return_inverse=True)
    order = np.argsort(place, kind="stable")
    counts = np.bincount(place)
    starts = np.cumsum(counts) - counts
    number = np.empty(len(labels), np.int64)  # of an image in its class
    number[order] = np.arange(len(labels)) - np.repeat(starts, counts)
    # By number, then by class: as cards are dealt.
    return np.sort(np.lexsort((place, number))[:most])


def even(count: int, most: int = MOST_HELD_OUT) -> Int64[np.ndarray, "kept"]:
    """The ascending places of at most `most` of `count` things, evenly spread."""
    if count <= most:
        return np.arange(count)
    return np.arange(most) * count // most
