"""Images that are the same file under several names, and groups that splits tear apart."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass

import numpy as np

from manyheads.data.dataset import Dataset


@dataclass(frozen=True)
class ImageSet:
    """Images that belong together: their names below the root, their splits and their labels."""

    names: tuple[str, ...]
    splits: tuple[str, ...]
    labels: tuple[str, ...]

    @property
    def across_splits(self) -> bool:
        """Whether one image would be trained on and judged by."""
        return len(set(self.splits)) > 1

    @property
    def within_split(self) -> bool:
        """Whether one split holds the image more than once."""
        return len(set(self.splits)) < len(self.splits)

    @property
    def differs_in_label(self) -> bool:
        """Whether at least one of the labels must be wrong."""
        return len(set(self.labels)) > 1


class Identical(ImageSet):
    """Files with the same bytes."""


def find_identical(dataset: Dataset) -> tuple[Identical, ...]:
    """All sets of two or more files with the same bytes, in the data set's order."""
    first, place = dataset.digests.distinct()
    repeated = np.flatnonzero(np.bincount(place, minlength=len(first))[place] > 1)
    by_content: defaultdict[int, list[int]] = defaultdict(list)
    for index, content in zip(repeated.tolist(), place[repeated].tolist(), strict=True):
        by_content[content].append(index)
    return tuple(
        Identical(
            tuple(dataset.name_of(index) for index in indices),
            tuple(dataset.splits[index] for index in indices),
            tuple(dataset.classes[dataset.labels[index]] for index in indices),
        )
        for indices in by_content.values()
    )


def overlap_words(dataset: Dataset, *, folds: bool) -> tuple[str, ...]:
    """Which validation and test images are known from training by their bytes, a line a split.

    In `folds` identical images of training and validation are kept together, and test images are
    compared with both.
    """
    content = dataset.digests.distinct()[1]
    learned = [dataset.rows("train"), *([dataset.rows("validation")] if folds else [])]
    known = np.isin(content, content[np.concatenate(learned)])
    lines = []
    for split in ("validation", "test"):
        rows = dataset.rows(split)
        if folds and split == "validation":
            same = np.isin(content[rows], content[dataset.rows("train")])
            end = "folds keep such images together"
        else:
            same, end = known[rows], "scores on them say nothing of new images"
        if same.any():
            among = "training and validation" if folds and split == "test" else "training"
            count = f"all {len(rows):,}" if same.all() else f"{same.sum():,} of {len(rows):,}"
            lines.append(f"{count} {split} images are {among} images too (same bytes); {end}")
    return tuple(lines)


def label_conflict_words(dataset: Dataset) -> str:
    """How many images have several labels, by their bytes, with an example; "" if none has."""
    first, content = dataset.digests.distinct()
    classes = len(dataset.classes)
    pairs = np.unique(content * classes + dataset.labels) // classes
    several = np.flatnonzero(np.bincount(pairs, minlength=len(first)) > 1)
    if not len(several):
        return ""
    rows = np.flatnonzero(content == several[0])
    names = " = ".join(dataset.name_of(row) for row in rows[:2].tolist())
    words = "1 image has" if len(several) == 1 else f"{len(several):,} images have"
    return f"{words} different labels (same bytes), such as {names}"


def torn_groups(dataset: Dataset) -> tuple[str, ...]:
    """The groups with images in more than one split, sorted."""
    if dataset.groups is None:
        return ()
    groups, splits = dataset.groups, dataset.splits
    pairs = np.unique(np.stack([groups.codes, splits.codes]), axis=1)
    torn = np.flatnonzero(np.bincount(pairs[0]) > 1)
    return tuple(sorted(name for name in map(groups.names.__getitem__, torn.tolist()) if name))
