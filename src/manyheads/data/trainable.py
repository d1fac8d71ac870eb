"""Whether heads can be trained on a data set, and what to do if they cannot."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from manyheads.data.columns import Names, Rows
from manyheads.data.label_names import near_words
from manyheads.data.splits import assign_splits, carve_validation
from manyheads.errors import DataError

if TYPE_CHECKING:
    from manyheads.data.dataset import Dataset

_SEEDS_TRIED = 100
_SOME = 1000
_NEEDED = ("train", "validation")


def require_trainable(dataset: Dataset) -> None:
    """Raise `DataError` unless each of two or more classes is in both training and validation."""
    for expected, found, remedy in _obstacles(dataset):
        raise DataError(f"{expected} in {dataset.name}", found, remedy)


def _obstacles(dataset: Dataset) -> Iterator[tuple[str, str, str]]:
    in_all = np.bincount(dataset.labels, minlength=len(dataset.classes))
    if np.count_nonzero(in_all) < 2:
        present = [repr(dataset.classes[label]) for label in np.flatnonzero(in_all)]
        yield "two or more classes", ", ".join(present) or "none", "add images of other classes"
    for label in np.flatnonzero(in_all == 1):
        name = dataset.classes[label]
        yield (
            "two or more images of every class",
            f"one of {name!r}",
            "add images to this class or take it out",
        )
    for split in _NEEDED:
        if not len(dataset.rows(split)):
            yield f"{split} images", "none", _remedy(dataset, split, "any class")
    for split in _NEEDED:
        count = np.bincount(dataset.labels[dataset.rows(split)], minlength=len(dataset.classes))
        missing = [repr(dataset.classes[label]) for label in np.flatnonzero(count == 0)]
        if missing:
            # Labels of one split may be written in another way than those of the others.
            absent = [dataset.classes[label] for label in np.flatnonzero(count == 0)]
            there = [dataset.classes[label] for label in np.flatnonzero(count)]
            near = near_words(absent, there)
            more = f" and {len(missing) - 3} more" if len(missing) > 3 else ""
            yield (
                f"every class among the {split} images",
                f"none of {', '.join(missing[:3])}{more}",
                near or _remedy(dataset, split, missing[0]),
            )


def _remedy(dataset: Dataset, split: str, name: str) -> str:
    if dataset.divided is None:
        return f"add {split} images of {name}"
    if dataset.divided.validation == 0:
        return "set the validation share above 0"
    seed = _helpful_seed(dataset)
    if seed is None:
        return f"add images of {name}, or take the class out"
    return f"divide the images with another split seed, for example {seed}"


def _helpful_seed(dataset: Dataset) -> int | None:
    """The first split seed that leaves no class out of training or validation."""
    sizes = np.bincount(dataset.labels)
    by_class = np.split(np.argsort(dataset.labels, kind="stable"), np.cumsum(sizes)[:-1])
    smallest_first = sorted((rows for rows in by_class if len(rows)), key=len)
    for seed in range(_SEEDS_TRIED):
        if all(_reaches_all_needed(dataset, rows, seed) for rows in smallest_first):
            return seed
    return None


def _reaches_all_needed(dataset: Dataset, rows: Rows, seed: int) -> bool:
    # A few images of a large class nearly always do: not all of a million have to be placed.
    return any(set(_NEEDED) <= set(_divided(dataset, part, seed)) for part in (rows[:_SOME], rows))


def _divided(dataset: Dataset, rows: Rows, seed: int) -> Names:
    assert dataset.divided is not None
    settings = replace(dataset.divided, seed=seed)
    digests, splits = dataset.digests.take(rows), dataset.splits.take(rows)
    groups = None if dataset.groups is None else dataset.groups.take(rows)
    if not dataset.carved:
        return assign_splits(digests, groups, settings)
    before = ["train" if split == "validation" else split for split in splits]
    return carve_validation(before, digests, groups, settings)
