"""Near-duplicates among a fit's images: looked for once, and each cluster kept in one fold.

A burst or the frames of a video are many files of one sight. Dealt to several folds, each of them
is judged by heads that have trained on its twins, and the scores flatter. So a cluster is one unit,
as a group is, unless it would cost a class folds that it validates: of a few images that lie close
together and far from all others, features cannot tell whether they are twins.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from manyheads.core.job import Job
from manyheads.core.places import write_text
from manyheads.data.dataset import Dataset
from manyheads.data.folds import divide, pool_of, validating_units
from manyheads.errors import DataError, RunError
from manyheads.features.extraction import Features
from manyheads.findings.groups import cluster_rows, joined_groups
from manyheads.findings.similar import find_similar
from manyheads.study.space import counted

MOST = 20_000  # images: comparing each with each takes about a minute then
FILE = "near-duplicates.json"
_FORMAT = 1
_PAIR = 1.5e-7  # seconds to compare two images
_AT_ONCE = 3_000  # images that are compared in a second or two, which need no announcement


def comparing_seconds(images: int) -> float:
    """About how long it takes to compare so many images with each other."""
    return _PAIR * images**2 if images <= MOST else 0.0


@dataclass
class NearDuplicates:
    """Joins the near-duplicates among a fit's images, for all studies in the folder `out`.

    What was found is kept in `out`, so that every study and every later call divides alike; a
    search that was begun without it goes on without it.
    """

    out: Path
    folds: int
    job: Job
    _told: bool = False

    def __call__(self, dataset: Dataset, features: Features) -> Dataset:
        """The data set with each cluster of near-duplicates in one group.

        Raises `RunError` for a record that cannot be read, and `Interrupted` if it is stopped.
        """
        file = self.out / FILE
        if not file.is_file():
            if any(self.out.glob("*/study.sqlite")):
                return dataset
            clusters, words = self._found(dataset, features)
            digests = [[dataset.digests[image] for image in cluster] for cluster in clusters]
            document = {"format": _FORMAT, "words": words, "clusters": digests}
            write_text(file, json.dumps(document, indent=1) + "\n")
        clusters, words = _read(file, dataset)
        if words and not self._told:
            self._told = True
            self.job.note(words)
        return _joined(dataset, clusters)

    def _found(self, dataset: Dataset, features: Features) -> tuple[list[list[int]], str]:
        """The clusters to be kept together, and what to say."""
        pool = pool_of(dataset)
        images = len(np.unique(features.rows[pool]))
        if images > MOST:
            return [], (
                f"Near-duplicates: not looked for among more than {MOST:,} images; "
                "`manyheads check` writes a table with such groups"
            )
        if images > _AT_ONCE:
            self.job.note(f"Looking for near-duplicates among {images:,} images …")
        inside = dataset.without(dataset.rows("test").tolist())
        similar = find_similar(inside, replace(features, rows=features.rows[pool]), job=self.job)
        clusters = [pool[rows].tolist() for rows in cluster_rows(inside, similar)]
        kept, spared = together(dataset, clusters, self.folds)
        return kept, _words(kept, len(clusters) - len(kept), spared)


def together(
    dataset: Dataset, clusters: Sequence[list[int]], folds: int
) -> tuple[list[list[int]], list[str]]:
    """The clusters of indices that can each be one unit, and the classes that the others hold.

    Left out are those with images of a class that would validate fewer folds than without, and
    all if the images could not be divided then.
    """
    before = np.minimum(validating_units(dataset), folds)
    kept, spared = list(clusters), np.zeros(len(before), bool)
    while kept:
        joined = _joined(dataset, kept)
        losing = np.minimum(validating_units(joined), folds) < before
        if not losing.any():
            if _divisible(joined, folds):
                break
            losing[:] = True
        inside = np.concatenate(kept)
        torn = np.zeros(len(dataset), bool)
        for output in np.flatnonzero(losing).tolist():
            having = dataset.having(output)
            spared[output] |= having[inside].any()
            torn |= having
        kept = [cluster for cluster in kept if not torn[cluster].any()]
    return kept, [name for name, lost in zip(dataset.outputs, spared, strict=True) if lost]


def _divisible(dataset: Dataset, folds: int) -> bool:
    try:
        divide(dataset, pool_of(dataset), folds, 1, 0)
    except DataError:
        return False
    return True


def _joined(dataset: Dataset, clusters: Sequence[Sequence[int]]) -> Dataset:
    return replace(dataset, groups=joined_groups(dataset, clusters)) if clusters else dataset


def _words(kept: Sequence[Sequence[int]], left: int, spared: Sequence[str]) -> str:
    """Such as `Near-duplicates: 14 images in 6 clusters; each cluster is kept in one fold`."""
    parts = []
    if kept:
        images = counted(sum(map(len, kept)), "image")
        parts.append(
            f"{images} in {counted(len(kept), 'cluster')}; each cluster is kept in one fold"
        )
    if left:
        parts.append(
            f"{counted(left, 'cluster')} may be torn, or fewer folds would validate "
            f"{', '.join(spared)}"
        )
    return f"Near-duplicates: {'; '.join(parts)}" if parts else ""


def _read(file: Path, dataset: Dataset) -> tuple[list[list[int]], str]:
    """The clusters that `file` records, by their places in `dataset`, and what to say of them."""
    try:
        document = json.loads(file.read_text(encoding="utf-8"))
        if document["format"] != _FORMAT:
            raise ValueError("another format")
        first = {dataset.digests[image]: image for image in reversed(range(len(dataset)))}
        return [[first[each] for each in one] for one in document["clusters"]], document["words"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise RunError(
            f"a record of the near-duplicates of these images in {file}", str(error),
            "choose another `out`",
        ) from error  # fmt: skip
