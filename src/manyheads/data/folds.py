"""Folds: every image trains in all of them but one, which it validates.

The law. Every fold trains on every class. Images of one unit (a group, or else one content) share
a fold. A unit that is the only one of some class trains in every fold and validates none. All
others are dealt the largest first, then in the order of their places in `[0, 1)` (see
`splits.py`), each to the fold that has the fewest images of its class, then the fewest images. So
every fold has images that validate it; where no unit holds two images, the folds' shares of a
class differ by at most one image, and a class with fewer units than folds validates as many folds
as it has units; and names, the order of the files and the machine have no part in it. Each repeat
deals anew. Where images have several labels, what is said of classes holds of labels, but units are
dealt by the law of `iterative.py`, whose shares are not so exact.

Where images were divided before (`Dataset.known_folds`), a unit that has any of them is, in the
first repeat, in the fold where most of them were, of equal ones the first; the others are dealt to
what is there, by the same law. If that leaves a fold empty, all are dealt anew.
"""

from __future__ import annotations

from collections import defaultdict

import numpy as np
from jaxtyping import Bool, Int64

from manyheads.data.columns import Rows
from manyheads.data.dataset import Dataset
from manyheads.data.iterative import deal
from manyheads.data.splits import place, unit_keys
from manyheads.errors import DataError

ALWAYS_TRAINS = -1  # in the place of a fold's number


def pool_of(dataset: Dataset) -> Rows:
    """The images that folds are made of: those for training and for validation, ascending."""
    return np.sort(np.concatenate([dataset.rows("train"), dataset.rows("validation")]))


def divide(
    dataset: Dataset, pool: Rows, folds: int, repeats: int, seed: int
) -> Int64[np.ndarray, "repeats pool"]:
    """The fold, from 0, of each image in `pool`, for each repeat; −1 for one that always trains.

    Raises `DataError` unless every fold trains on every class, and has images to validate it.
    """
    require_divisible(dataset, folds)
    fold_of = np.full((repeats, len(pool)), ALWAYS_TRAINS, np.int64)
    always = always_training(dataset, pool)
    units = _units(dataset, pool[~always])
    keys = list(unit_keys(dataset.digests, dataset.groups))
    where = {int(image): position for position, image in enumerate(pool)}
    trained = dataset.counts(pool[always])
    for repeat in range(repeats):
        if dataset.label_sets is not None:
            row = fold_of[repeat]
            row[~always] = _dealt_by_labels(dataset, pool[~always], folds, seed, repeat)
            trains = [dataset.counts(pool[row != fold]) for fold in range(folds)]
            _require_trained(dataset, np.array(trains))
            continue

        def key(unit: list[int], repeat: int = repeat) -> tuple[int, float]:
            return -len(unit), place(seed, f"repeat {repeat}\0{keys[unit[0]]}")

        ordered = sorted(units, key=key)
        known = {} if repeat else _known(dataset, ordered, folds)
        counts, dealt = _dealt(dataset, ordered, folds, known)
        if known and not counts.sum(axis=1).all():
            counts, dealt = _dealt(dataset, ordered, folds, {})
        for unit, fold in zip(ordered, dealt, strict=True):
            fold_of[repeat, [where[image] for image in unit]] = fold
        _require_trained(dataset, counts.sum(axis=0) - counts + trained)
    return fold_of


def _dealt(
    dataset: Dataset, ordered: list[list[int]], folds: int, known: dict[int, int]
) -> tuple[Int64[np.ndarray, "folds classes"], list[int]]:
    """The images of each class in each fold, and the fold of each unit; `known` are some of these.

    These are given by the places of the units among the `ordered`.
    """
    counts = np.zeros((folds, len(dataset.classes)), np.int64)
    dealt = np.full(len(ordered), ALWAYS_TRAINS)
    dealt[[*known]] = [*known.values()]
    for number, fold in known.items():
        counts[fold] += np.bincount(dataset.labels[ordered[number]], minlength=counts.shape[1])
    for number in np.flatnonzero(dealt < 0).tolist():
        labels = np.bincount(dataset.labels[ordered[number]], minlength=counts.shape[1])
        own = counts[:, labels.argmax()]
        fold = min(range(folds), key=lambda f: (own[f], counts[f].sum(), f))
        counts[fold] += labels
        dealt[number] = fold
    return counts, dealt.tolist()


def _known(dataset: Dataset, units: list[list[int]], folds: int) -> dict[int, int]:
    """The fold of each unit, by its place, where most of its images were that had one."""
    if dataset.known_folds is None:
        return {}
    found = {}
    for number, unit in enumerate(units):
        had = dataset.known_folds[unit]
        had = had[(had >= 0) & (had < folds)]
        if len(had):
            found[number] = int(np.bincount(had).argmax())
    return found


def always_training(dataset: Dataset, pool: Rows) -> Bool[np.ndarray, "pool"]:
    """Whether an image of `pool` trains in every fold: its unit is the only one of some class."""
    labels, units = _pairs(dataset, pool)
    only = np.bincount(labels, minlength=len(dataset.outputs)) == 1
    return np.isin(dataset.units[pool], units[only[labels]])


def validating_units(dataset: Dataset) -> Int64[np.ndarray, "classes"]:
    """How many units of each class are dealt to folds, and so validate."""
    pool = pool_of(dataset)
    labels, _ = _pairs(dataset, pool[~always_training(dataset, pool)])
    return np.bincount(labels, minlength=len(dataset.outputs))


def _unit_words(dataset: Dataset) -> str:
    """What units are in this data set, for people: images, or groups of them."""
    return "different images" if dataset.groups is None else "groups of images"


def require_divisible(dataset: Dataset, folds: int) -> None:
    """Raise `DataError` unless the images can be dealt to so many folds by the law above.

    Every class needs an image, two classes need two units, and together they need as many units to
    deal as there are folds.
    """
    pool, kind = pool_of(dataset), _unit_words(dataset)
    among = f"among those for training and validation in {dataset.name}"
    images = dataset.counts(pool)
    if not images.all():
        raise DataError(
            f"images of every class {among}", f"none of {dataset.outputs[images.argmin()]!r}",
            "add images to this class, or take it out",
        )  # fmt: skip
    units = validating_units(dataset)
    if (units > 0).sum() < 2:
        raise DataError(
            f"two or more classes of at least two {kind}, for folds to validate, {among}",
            f"{(units > 0).sum()}", "add images to the smallest classes",
        )  # fmt: skip
    most = most_folds(dataset)
    if most < folds:
        raise DataError(
            f"at least {folds} {kind}, for {folds} folds, {among}", f"{most} that can validate",
            "divide into fewer folds, or add images",
        )  # fmt: skip


def most_folds(dataset: Dataset) -> int:
    """Into how many folds the images can be divided at most: one for each unit that is dealt."""
    pool = pool_of(dataset)
    return len(np.unique(dataset.units[pool[~always_training(dataset, pool)]]))


def _pairs(dataset: Dataset, rows: Rows) -> Int64[np.ndarray, "2 pairs"]:
    """Each class, or each label, with each of its units among `rows`, once."""
    labels, units = dataset.labels[rows], dataset.units[rows]
    if dataset.label_sets is not None:
        images, labels = np.nonzero(dataset.label_sets.members[labels])
        units = units[images]
    return np.unique(np.stack([labels, units]), axis=1)


def _dealt_by_labels(
    dataset: Dataset, images: Rows, folds: int, seed: int, repeat: int
) -> Int64[np.ndarray, "images"]:
    """The fold of each image that has several labels, by the law of `iterative.py`."""
    assert dataset.label_sets is not None
    _, first, units = np.unique(dataset.units[images], return_index=True, return_inverse=True)
    keys = list(unit_keys(dataset.digests, dataset.groups))
    marks = [place(seed, f"repeat {repeat}\0{keys[images[each]]}") for each in first]
    members = dataset.label_sets.members[dataset.labels[images]]
    shares = [1 / folds] * folds
    if not repeat and dataset.known_folds is not None:
        had = dataset.known_folds[images]
        counts = np.zeros((len(marks), folds), np.int64)
        there = (had >= 0) & (had < folds)
        np.add.at(counts, (units[there], had[there]), 1)
        known = np.where(counts.any(axis=1), counts.argmax(axis=1), -1)
        dealt = deal(members, units, np.array(marks), shares, known)
        if len(np.unique(dealt)) == folds:
            return dealt
    return deal(members, units, np.array(marks), shares)


def _units(dataset: Dataset, pool: Rows) -> list[list[int]]:
    members: defaultdict[int, list[int]] = defaultdict(list)
    for image, unit in zip(pool.tolist(), dataset.units[pool].tolist(), strict=True):
        members[unit].append(image)
    return list(members.values())


def _require_trained(dataset: Dataset, trained: Int64[np.ndarray, "folds classes"]) -> None:
    lacking = np.flatnonzero((trained == 0).any(axis=0))
    if len(lacking):
        raise DataError(
            f"images of every class to train on in every one of {len(trained)} folds of "
            f"{dataset.name}",
            f"a fold without {dataset.outputs[lacking[0]]!r}, whose images come in few groups",
            "group the images less coarsely, or divide into another number of folds",
        )
