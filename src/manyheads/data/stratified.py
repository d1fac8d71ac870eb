"""The division of images by class and group: `SplitSettings.rule` "stratified" and "balanced".

**Units.** What must not be separated is a unit: the images of one group, or else of one content.
Units that share a content are joined, but where the joined unit would have more than half of all
images. A unit of one content and one class is *single*, and counts as one image however many
copies it has; every other is *compound*.

**Places.** The place of a unit in [0, 1) is that of its key and the split seed (see `splits.py`);
the key is its group, of several the one with the least place, or else its content.

**The law for single units.** Of each class they are ranked by their places. The first of them are
for validation, the last for test, those between for training; how many, the method of Sainte-Laguë
(1910; Balinski & Young 1982) says. Beginning with the images of the class that compound units have
brought to each split, one more is given to training, then to validation, then to test, as long as
that split (of a share above 0) has none; then each to the split with the largest
share / (2 · count + 1), of equal ones to the first in this order. So of n images of a class, none
of them in a compound unit, every split has its share of n rounded down or up, but at least one if
n is enough for that: 6 are 4, 1 and 1 by the shares 0.6, 0.2 and 0.2. And so one single unit more
or less moves at most two others, both of its class, and never from validation to test or back.

**The law for compound units.** Each begins in the split that has its place, if validation takes
the lowest places, test the highest and training the rest, by their shares. Then units move as long
as that lowers the imbalance of the compound units by 1/4 or more: `Σ (images - share · images of
the class)² / images of the class`, over all splits and classes and once more over the images of
all classes together. (Images drawn by chance come to `share · (1 - share)`, at most 1/4, a term.)
First, if a class has no image in a split that it can fill, the one unit moves that mends it best,
for the class of the fewest units first, then of the fewest images, then of the first units. A class
of one unit can fill training, one of two validation too, one of three every split of a share above
0. Then, in rounds, the units are visited in the order of what each could gain when
the round began, and each moves to its best split if it gains that much still, and no class loses
its only images in a split that it can fill. Single units have no part in it: adding, removing or
relabelling them moves no compound unit. A compound unit that comes, goes or grows may move others,
though most stay where their places put them
(docs/decisions/0023-images-are-divided-by-class-and-group.md).

**The law for large units**, which "balanced" adds where there are groups. A compound unit is large
if it has more than half of the images that the split of the smallest share above 0 is due, of those
of the compound units. Large units begin, the largest first, in the split where they lower the
imbalance most or raise it least; all others by their places, as above, but by the shares that the
large ones have left. Then units move as above. Where no unit is large, and where there are no
groups, both rules are the same.

Names, the order of the images and the machine have no part in any of it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from fractions import Fraction

import numpy as np
from jaxtyping import Int8, Int64, UInt64

from manyheads.data.columns import Categorical, Digests, Rows
from manyheads.data.compound import TEST, TRAIN, VALIDATION, assign_compound

_SLACK = 3  # how far below its quota a count may begin; then each image is given out by itself


def divide(
    labels: Int64[np.ndarray, "images"],
    digests: Digests,
    groups: Categorical | None,
    seed: int,
    validation: float,
    test: float,
    *,
    large_first: bool = False,
) -> Int8[np.ndarray, "images"]:
    """`TRAIN`, `VALIDATION` or `TEST` for each image, by the laws above.

    `large_first` adds the law for large units.
    """
    if not len(labels):
        return np.zeros(0, np.int8)
    shares = _shares(validation, test)
    first, content = digests.distinct()
    units, marks = joined_units(digests.take(first), content, groups, seed)
    order = np.argsort(units, kind="stable")
    starts = np.flatnonzero(np.diff(units[order], prepend=-1))
    # A unit is single if the greatest and the least of its contents, and of its labels, are equal.
    single = np.ones(len(starts), bool)
    for values in (content, labels):
        sorted_ = values[order]
        single &= np.maximum.reduceat(sorted_, starts) == np.minimum.reduceat(sorted_, starts)
    of_unit = np.zeros(len(starts), np.int8)
    brought = np.zeros((int(labels.max()) + 1, 3), np.int64)
    if not single.all():
        inside = ~single[units]
        compound = np.flatnonzero(~single)
        numbered = np.cumsum(~single) - 1
        found = assign_compound(
            labels[inside], numbered[units[inside]], marks[compound], shares,
            large_first=large_first and groups is not None and any(groups.names),
        )  # fmt: skip
        of_unit[compound] = found
        np.add.at(brought, (labels[inside], of_unit[units[inside]]), 1)
    alone = np.flatnonzero(single)
    of_unit[alone] = _single(labels[order][starts][alone], marks[alone], brought, shares)
    return of_unit[units]


def share_out(count: int, shares: Sequence[int], brought: Sequence[int]) -> list[int]:
    """How many of `count` images each split gets that has so many `brought`, by the law above.

    `shares` are whole numbers in proportion to the splits' shares.
    """
    counts, left = list(map(int, brought)), count
    for split, share in enumerate(shares):
        if left and not counts[split] and (share or split == TRAIN):
            counts[split], left = 1, left - 1
    counts = _quotas(counts, left, shares)
    # Quotas are a lower bound found by division, so that the loop below gives out a handful of
    # images, not a million; what remains is what all counts together still lack.
    left += sum(map(int, brought)) + count - left - sum(counts)
    while left:
        best = TRAIN
        for split in (VALIDATION, TEST):
            # share / (2 · count + 1), compared in whole numbers: no rounding on any machine.
            if shares[split] * (2 * counts[best] + 1) > shares[best] * (2 * counts[split] + 1):
                best = split
        counts[best] += 1
        left -= 1
    return [after - int(before) for after, before in zip(counts, brought, strict=True)]


def _quotas(counts: list[int], left: int, shares: Sequence[int]) -> list[int]:
    """Counts a little below what giving out the `left` images one by one would come to."""
    total = sum(counts) + left
    growing = {split for split, share in enumerate(shares) if share}
    while True:
        rest = total - sum(count for split, count in enumerate(counts) if split not in growing)
        whole = sum(shares[split] for split in growing)
        # A split that compound units have filled beyond its quota gets no more, which leaves less
        # for the others: so again, until none is.
        full = {s for s in growing if counts[s] * whole >= rest * shares[s]}
        if not full:
            break
        growing -= full
    return [
        max(count, rest * shares[split] // whole - _SLACK) if split in growing else count
        for split, count in enumerate(counts)
    ]


def _shares(validation: float, test: float) -> tuple[int, int, int]:
    """Whole numbers in proportion to the shares as they are written: 0.2 is a fifth."""
    first, second = Fraction(repr(float(validation))), Fraction(repr(float(test)))
    whole = first.denominator * second.denominator
    return int((1 - first - second) * whole), int(first * whole), int(second * whole)


def joined_units(
    contents: Digests, content: Rows, groups: Categorical | None, seed: int
) -> tuple[Rows, UInt64[np.ndarray, "units"]]:
    """The number of each image's unit, and the place of each unit in units of 2⁻⁶⁴.

    `content` is the place of each image's content among the different `contents`.
    """
    if groups is None or not any(groups.names):
        return content, _marks(seed, (f"content\0{digest}" for digest in contents))
    named = np.array([bool(name) for name in groups.names])
    grouped = named[groups.codes]
    apart = np.where(grouped, len(contents) + groups.codes, content)
    joined = _joined(content, groups.codes, grouped, len(contents), len(named))
    large = np.bincount(joined)[joined] > len(content) / 2
    keys = np.where(large, len(contents) + len(named) + apart, joined)
    _, units = np.unique(keys, return_inverse=True)
    group_marks = _marks(seed, (f"group\0{name}" for name in groups.names))
    marks = np.full(int(units.max()) + 1, np.iinfo(np.uint64).max)
    np.minimum.at(marks, units[grouped], group_marks[groups.codes[grouped]])
    without = np.setdiff1d(units, units[grouped])
    _, first = np.unique(units, return_index=True)
    alone = contents.take(content[first[without]])
    marks[without] = _marks(seed, (f"content\0{digest}" for digest in alone))
    return units, marks


def _joined(content: Rows, codes: Rows, grouped: Rows, contents: int, groups: int) -> Rows:
    """A number for each image: equal for those that hang together by contents and groups."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    pairs = content[grouped], contents + codes[grouped]
    size = contents + groups
    edges = coo_array((np.ones(len(pairs[0]), bool), pairs), shape=(size, size))
    return connected_components(edges, directed=False)[1][content].astype(np.int64)


def _marks(seed: int, keys: Iterable[str]) -> UInt64[np.ndarray, "keys"]:
    """The places of `keys`, in units of 2⁻⁶⁴: the same as `splits.place`, and all of its bits."""
    begun = hashlib.sha256(f"split\0{seed}\0".encode())
    values = bytearray()
    for key in keys:
        mark = begun.copy()
        mark.update(key.encode("utf-8", "surrogateescape"))
        values += mark.digest()[:8]
    return np.frombuffer(bytes(values), ">u8").astype(np.uint64)


def _single(
    labels: Int64[np.ndarray, "units"],
    marks: UInt64[np.ndarray, "units"],
    brought: Int64[np.ndarray, "classes splits"],
    shares: Sequence[int],
) -> Int8[np.ndarray, "units"]:
    splits = np.zeros(len(labels), np.int8)
    order = np.lexsort((marks, labels))
    end = 0
    for label, count in enumerate(np.bincount(labels, minlength=len(brought)).tolist()):
        start, end = end, end + count
        _, validated, tested = share_out(count, shares, brought[label].tolist())
        splits[order[start : start + validated]] = VALIDATION
        splits[order[end - tested : end]] = TEST
    return splits
