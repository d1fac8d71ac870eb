"""Images that look nearly the same though their files differ, from their features.

The distance of two images with features `x` and `y`, 0 for the same direction, is

    distance = 1 − x·y / (|x|·|y|).

Two images are a near-duplicate if they are far closer to each other than to all the rest:

    distance ≤ NEARER × the distance of each to its tenth-nearest image, or
    distance ≤ SAME × the mean distance of two images of the data set.

The first rule asks each image's own surroundings, so it holds in a crowded class as in a sparse
one, and for any backbone; the second finds the images of a long burst, which are all each other's
neighbours. docs/check.md has the table that both numbers were read from. Every image is compared
with every other, in square blocks, so what is in memory at once grows with the images alone.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64, Int64

from manyheads.core.job import SILENT, Job
from manyheads.core.settings import number
from manyheads.data.dataset import Dataset
from manyheads.data.duplicates import ImageSet
from manyheads.features.extraction import Features
from manyheads.stats.clusters import Clusters
from manyheads.stats.neighbours import Kept, Links, Neighbours

NEARER = 1 / 3
SAME = 0.05
MAX_PAIRS = 10_000
_BLOCK = 1024  # images by images at a time: some megabytes, and large enough for full speed
_ROUNDING = 2e-6  # float32 makes as much of the distance of equal features
_AT_ONCE = 512  # pairs whose distance is computed in float64 at a time

Images = Int64[np.ndarray, "images"]


@dataclass(frozen=True)
class SimilarPair(ImageSet):
    """Two images that look nearly the same; `similarity` is the cosine between their features."""

    similarity: float


@dataclass(frozen=True)
class SimilarImages:
    """What `find_similar` found among `images` different ones.

    `found` counts all pairs, and `across_splits` and `differ_in_label` those among them that are;
    `pairs` lists them, those across splits first, then those with different labels, then the most
    similar: the first `MAX_PAIRS` of very many. `clusters` are all images that hang together by
    such pairs.
    """

    nearer: float
    images: int
    found: int
    across_splits: int
    differ_in_label: int
    pairs: tuple[SimilarPair, ...]
    clusters: tuple[ImageSet, ...]


def find_similar(
    dataset: Dataset,
    features: Features,
    *,
    nearer: float = NEARER,
    job: Job = SILENT,
) -> SimilarImages:
    """All near-duplicates with different bytes among the readable images.

    A content counts once in each split under each label, so `check_dataset`'s identical files are
    not told again. The pairs are the same in whatever order the images come. Raises `SettingError`
    unless `nearer` is in (0, 1), and `Interrupted` when `job` is stopped.
    """
    nearer = check_nearer(nearer)
    images, contents = _compared(dataset, features)
    search = _Search(features.matrix, features.rows[images], contents, nearer)
    splits, labels = dataset.splits.codes[images], dataset.labels[images]
    clusters, kept = Clusters(len(images)), Kept(MAX_PAIRS)
    for links in search.links(job):
        clusters.join(links.first, links.second)
        across = splits[links.first] != splits[links.second]
        kept.add(links, across, labels[links.first] != labels[links.second])

    def called(members: Images) -> tuple[tuple[str, ...], tuple[str, ...], tuple[str, ...]]:
        at = images[members].tolist()
        return (
            tuple(dataset.name_of(index) for index in at),
            tuple(dataset.splits[index] for index in at),
            tuple(dataset.classes[dataset.labels[index]] for index in at),
        )

    both = np.stack([kept.links.first, kept.links.second], axis=1)
    cosines = search.cosines(kept.links).tolist()
    pairs = [SimilarPair(*called(pair), cosine) for pair, cosine in zip(both, cosines, strict=True)]
    return SimilarImages(
        nearer=nearer,
        images=len(images),
        found=kept.found,
        across_splits=kept.across,
        differ_in_label=kept.differing,
        pairs=tuple(sorted(pairs, key=_first_what_matters)),
        clusters=tuple(ImageSet(*called(members)) for members in clusters.members()),
    )


def check_nearer(nearer: object) -> float:
    """`nearer` as a number in (0, 1); raises `SettingError` for anything else."""
    return number("nearer", nearer, 0, 1, open_low=True, open_high=True)


def _first_what_matters(pair: SimilarPair) -> tuple[bool, bool, float, tuple[str, ...]]:
    return not pair.across_splits, not pair.differs_in_label, -pair.similarity, pair.names


def _compared(dataset: Dataset, features: Features) -> tuple[Images, Images]:
    """The first image of each content in each split with each label; numbers of contents."""
    _, place = dataset.digests.distinct()
    keys = np.stack([place, dataset.splits.codes, dataset.labels])
    readable = np.flatnonzero(features.rows >= 0)
    _, first = np.unique(keys[:, readable], axis=1, return_index=True)
    images = readable[np.sort(first)]
    return images, place[images]


class _Search:
    """Compares all images, some megabytes at a time."""

    def __init__(self, matrix: np.ndarray, rows: Images, contents: Images, nearer: float) -> None:
        self._matrix, self._rows, self._contents, self._nearer = matrix, rows, contents, nearer

    def links(self, job: Job) -> Iterator[Links]:
        """The near-duplicates, each pair once, a block at a time."""
        starts = range(0, len(self._rows), _BLOCK)
        done, blocks = 0, len(starts) * (len(starts) + 1) // 2
        neighbours = Neighbours(len(self._rows))
        same = max(SAME * self._mean_distance(), _ROUNDING)
        for start in starts:
            left = self._directions(start)
            for other in starts[start // _BLOCK :]:
                job.check("comparing the images")
                right = left if other == start else self._directions(other)
                distances = 1 - left @ right.T
                distances[self._same_content(start, other)] = np.inf
                neighbours.add(distances, start, other)
                yield Links.below(same, distances, start, other)
                done += 1
                job.progress("comparing", done, blocks, "blocks")
        yield neighbours.close(self._nearer, above=same)

    def _mean_distance(self) -> float:
        """The mean distance of two, `1 − (|Σ u|² − Σ |u|²) / (n² − n)` for unit vectors u."""
        count = len(self._rows)
        if count < 2:
            return 0.0
        total, squares = np.zeros(self._matrix.shape[1]), 0.0
        for start in range(0, count, _BLOCK):
            directions = self._directions(start).astype(np.float64)
            total += directions.sum(axis=0)
            squares += np.square(directions).sum()
        return float(1 - (total @ total - squares) / (count**2 - count))

    def _directions(self, start: int) -> np.ndarray:
        return _unit(self._matrix[self._rows[start : start + _BLOCK]])

    def _same_content(self, start: int, other: int) -> np.ndarray:
        left, right = (self._contents[at : at + _BLOCK] for at in (start, other))
        return left[:, None] == right

    def cosines(self, links: Links) -> Float64[np.ndarray, "images"]:
        """The cosine of each pair in float64, rounded to six places."""
        found = np.empty(len(links.first))
        for start in range(0, len(found), _AT_ONCE):
            part = slice(start, start + _AT_ONCE)
            one, other = (
                _unit(self._matrix[self._rows[side[part]]].astype(np.float64))
                for side in (links.first, links.second)
            )
            found[part] = np.einsum("pf,pf->p", one, other)
        return found.round(6)


def _unit(features: np.ndarray) -> np.ndarray:
    """Rows of length 1; a row of zeros stays, and is near to none."""
    lengths = np.linalg.norm(features, axis=1, keepdims=True)
    return features / np.where(lengths > 0, lengths, 1)
