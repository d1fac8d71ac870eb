"""Pairs of images that are close, and each image's nearest, from blocks of distances."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float32, Int64

NEIGHBOURS = 10

Distances = Float32[np.ndarray, "left right"]


class Links(NamedTuple):
    """Pairs of images, `first` < `second`, and their distance."""

    first: Int64[np.ndarray, "pairs"]
    second: Int64[np.ndarray, "pairs"]
    distance: Float32[np.ndarray, "pairs"]

    @classmethod
    def below(cls, limit: float, distances: Distances, start: int, other: int) -> Links:
        """The pairs of a block, its first row image `start` and its first column image `other`."""
        left, right = np.nonzero(distances <= limit)
        links = cls(left + start, right + other, distances[left, right])
        return links.where(links.first < links.second)

    def where(self, chosen: np.ndarray) -> Links:
        """The pairs at these places."""
        return Links(*(column[chosen] for column in self))

    def and_(self, others: Links) -> Links:
        """These pairs and then others."""
        return Links(*(np.concatenate(both) for both in zip(self, others, strict=True)))


class Neighbours:
    """The `NEIGHBOURS` nearest images of each, once every block of distances was added."""

    def __init__(self, count: int) -> None:
        self._distances = np.full((count, NEIGHBOURS), np.inf, np.float32)
        self._images = np.zeros((count, NEIGHBOURS), np.int64)

    def add(self, distances: Distances, start: int, other: int) -> None:
        """Add a block, and its transpose unless it lies on the diagonal."""
        self._add(distances, start, other)
        if start != other:
            self._add(distances.T, other, start)

    def _add(self, distances: Distances, start: int, other: int) -> None:
        last = self._distances[start : start + len(distances)].max(axis=1)
        # The more was added, the fewer images meet a nearer one.
        changed = np.flatnonzero(distances.min(axis=1) < last)
        images = np.broadcast_to(np.arange(distances.shape[1]), (len(changed), distances.shape[1]))
        near, whose = _least(distances[changed], images)
        rows = changed + start
        self._distances[rows], self._images[rows] = _least(
            np.concatenate([self._distances[rows], near], axis=1),
            np.concatenate([self._images[rows], whose + other], axis=1),
        )

    def close(self, share: float, *, above: float) -> Links:
        """The pairs at most `share` < 1 of the distance of either to its last neighbour.

        So each is among the other's neighbours. Those not `above` a distance are left out.
        """
        known = np.where(np.isfinite(self._distances), self._distances, -np.inf)
        last = known.max(axis=1, initial=-np.inf)
        first = np.repeat(np.arange(len(last)), NEIGHBOURS)
        links = Links(first, self._images.ravel(), self._distances.ravel())
        links = links.where((links.first < links.second) & np.isfinite(links.distance))
        limit = share * np.minimum(last[links.first], last[links.second])
        return links.where((links.distance <= limit) & (links.distance > above))


def _least(distances: np.ndarray, images: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The least `NEIGHBOURS` distances of each row, if there are as many, and whose they are."""
    if distances.shape[1] <= NEIGHBOURS:
        return distances, images
    best = np.argpartition(distances, NEIGHBOURS - 1, axis=1)[:, :NEIGHBOURS]
    return np.take_along_axis(distances, best, 1), np.take_along_axis(images, best, 1)


class Kept:
    """Counts all pairs and keeps the `most` that matter most, in `links`."""

    def __init__(self, most: int) -> None:
        self.found = self.across = self.differing = 0
        none = np.zeros(0, np.int64)
        self.links = Links(none, none, np.zeros(0, np.float32))
        self._most, self._ranks = most, np.zeros(0)

    def add(
        self,
        links: Links,
        across: Bool[np.ndarray, "pairs"],
        differing: Bool[np.ndarray, "pairs"],
    ) -> None:
        """Add pairs: which of them are in two splits, and which under two labels."""
        self.found += len(across)
        self.across += int(across.sum())
        self.differing += int(differing.sum())
        # A distance is at most 2: across splits comes first, then two labels, then the nearest.
        ranks = np.concatenate([self._ranks, links.distance - 8.0 * across - 4.0 * differing])
        best = np.argsort(ranks, kind="stable")[: self._most]
        self.links, self._ranks = self.links.and_(links).where(best), ranks[best]
