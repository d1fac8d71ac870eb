"""Compound units are assigned to splits: the second law of `stratified.py`, which states it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float64, Int8, Int64, UInt64

from manyheads.data.columns import Rows

TRAIN, VALIDATION, TEST = range(3)  # in the order in which a split gets its first image

_ROUNDS = 20
_AT_ONCE = 4096
_GAIN = 0.25  # of imbalance; less is not worth a move, for a move costs stability
_LARGE = 0.5  # of the smallest split's share; moves even out what smaller units leave
_LACK = 1e9  # the imbalance of a class without images in a split, more than of any images


def assign_compound(
    labels: Int64[np.ndarray, "images"],
    units: Int64[np.ndarray, "images"],
    marks: UInt64[np.ndarray, "units"],
    shares: Sequence[int],
    *,
    large_first: bool = False,
) -> Int8[np.ndarray, "units"]:
    """The split of each unit, of which `units` has the numbers by image and `marks` the places.

    `shares` are whole numbers in proportion to the splits' shares, `marks` in units of 2⁻⁶⁴. With
    `large_first` large units begin where they fit, and the others by the shares that are left.
    """
    sizes = np.bincount(units)
    order = np.lexsort((marks, -sizes))
    rank = np.empty_like(order)
    rank[order] = np.arange(len(order))
    # Ranks break ties: the larger unit first, then the lower place. The numbers of units, which
    # depend on the order of the images, decide nothing.
    search = _LocalSearch(labels, rank[units], marks[order], shares)
    if large_first:
        search.deal_large(marks[order])
    search.mend()
    for _ in range(_ROUNDS):
        if not search.round():
            break
    return search.splits[rank]


class _LocalSearch:
    """Compound units by rank, the split of each, and the imbalance of that.

    `_class` and `_images` are a sparse matrix by unit, in rows from `_starts`: which classes a unit
    has, and how many images of each.
    """

    def __init__(
        self,
        labels: Int64[np.ndarray, "images"],
        units: Int64[np.ndarray, "images"],
        marks: UInt64[np.ndarray, "units"],
        shares: Sequence[int],
    ) -> None:
        classes = int(labels.max()) + 1
        pairs, counts = np.unique(units * (classes + 1) + labels, return_counts=True)
        # The images of all classes together are one class more, behind every unit's own.
        sizes = np.bincount(units)
        pairs = np.concatenate([pairs, np.arange(len(sizes)) * (classes + 1) + classes])
        order = np.argsort(pairs, kind="stable")
        unit, self._class = np.divmod(pairs[order], classes + 1)
        self._images = np.concatenate([counts, sizes])[order].astype(np.float64)
        self._starts = np.append(np.searchsorted(unit, np.arange(len(sizes))), len(unit))
        self._unit = unit
        # Whole numbers of any size: Python divides what NumPy cannot hold.
        share = np.array([each / sum(shares) for each in shares])
        self._allowed = np.array([True, shares[VALIDATION] > 0, shares[TEST] > 0])
        self._share = share
        self.splits = _by_place(marks, share)
        self._here = np.zeros((classes + 1, 3))
        np.add.at(self._here, (self._class, self.splits[unit]), self._images)
        whole = self._here.sum(axis=1, keepdims=True)
        self._target, self._whole = whole * share, np.maximum(whole, 1)
        # A class of one unit can fill one split, of two units two: in the order of the splits.
        reach = np.bincount(self._class, minlength=classes + 1)[:, None]
        self._wanted = self._allowed & (reach >= np.cumsum(self._allowed))
        self._wanted[classes] = False

    def deal_large(self, marks: UInt64[np.ndarray, "units"]) -> None:
        """Let the large units begin where they fit best, and the others in what they leave.

        Single moves cannot undo where chance puts a unit that is larger than what two splits lack.
        """
        sizes = np.bincount(self._unit, self._images * (self._class == len(self._here) - 1))
        least = self._share[self._share > 0].min()
        large = int((sizes > _LARGE * least * sizes.sum()).sum())  # the first, by their ranks
        here = np.zeros_like(self._here)
        for unit in range(large):
            rows = slice(self._starts[unit], self._starts[unit + 1])
            label, images = self._class[rows], self._images[rows][:, None]
            missing = here[label] - self._target[label]
            change = images * (2 * missing + images) / self._whole[label]
            total = np.where(self._allowed, change.sum(axis=0).round(6), np.inf)
            self.splits[unit] = best = int(total.argmin())
            here[label, best] += self._images[rows]
        if large:
            left = np.maximum(self._target[-1] - here[-1], 0)
            self.splits[large:] = _by_place(marks[large:], left / max(left.sum(), 1))
            self._here = np.zeros_like(here)
            np.add.at(self._here, (self._class, self.splits[self._unit]), self._images)

    def mend(self) -> None:
        """Move units to splits in which a class lacks, the best first, while there is one."""
        lacking = np.flatnonzero((self._wanted & (self._here == 0)).any(axis=1))
        for label in sorted(lacking.tolist(), key=self._rarity):
            for split in np.flatnonzero(self._wanted[label]).tolist():
                if not self._here[label, split]:
                    units = self._unit[self._class == label]
                    changes = self._changes(units)[:, split].round(6)
                    best = int(changes.argmin())
                    if changes[best] < -_LACK / 2:
                        self._move(int(units[best]), split)

    def _rarity(self, label: int) -> tuple[int, float, list[int], list[float]]:
        """What classes are ordered by, not by their names: units, images, and which these are."""
        rows = np.flatnonzero(self._class == label)
        images = self._images[rows]
        return len(rows), float(images.sum()), self._unit[rows].tolist(), images.tolist()

    def round(self) -> bool:
        """Let each unit move to its best split, those first that gain most; whether one did."""
        parts = range(0, len(self.splits), _AT_ONCE)
        units = np.arange(len(self.splits))
        gains = -np.concatenate([self._changes(units[n : n + _AT_ONCE]).min(1) for n in parts])
        # Rounded, so that the order in which a sum was added up decides nothing.
        order = np.argsort(-gains.round(6), kind="stable")
        # The gains are those when the round began; each is computed again at its turn, because the
        # units before it may have moved.
        moved = False
        for unit in order[gains[order] >= _GAIN].tolist():
            changes = self._changes(units[unit : unit + 1])[0].round(6)
            best = int(changes.argmin())
            if changes[best] <= -_GAIN:
                self._move(unit, best)
                moved = True
        return moved

    def _changes(self, units: Rows) -> Float64[np.ndarray, "units splits"]:
        """By how much the imbalance would grow if one of these units moved to each split."""
        first, last = self._starts[units], self._starts[units + 1]
        lengths = last - first
        begins = np.cumsum(lengths) - lengths
        rows = np.arange(int(lengths.sum())) + np.repeat(first - begins, lengths)
        label, images = self._class[rows], self._images[rows][:, None]
        here, own = self._here[label], self.splits[self._unit[rows]][:, None]
        # Leaving its own split and joining another change the imbalance independently. Staying is
        # both in one split: joining is set to undo leaving, so that it sums to exactly zero.
        leave = np.take_along_axis(self._change(label, here, -images), own, axis=1)
        join = self._change(label, here, images)
        np.put_along_axis(join, own, -leave, axis=1)
        total = np.add.reduceat(join + leave, begins, axis=0)
        total[:, ~self._allowed] = np.inf
        return total

    def _change(self, label: Rows, here: np.ndarray, images: np.ndarray) -> np.ndarray:
        # (missing + images)² − missing², without the cancellation of two large squares.
        missing = here - self._target[label]
        change = images * (2 * missing + images) / self._whole[label]
        lacks = (here + images == 0).astype(np.float64) - (here == 0)
        return change + _LACK * lacks * self._wanted[label]

    def _move(self, unit: int, split: int) -> None:
        rows = slice(self._starts[unit], self._starts[unit + 1])
        classes = self._class[rows]  # each of them once
        self._here[classes, self.splits[unit]] -= self._images[rows]
        self._here[classes, split] += self._images[rows]
        self.splits[unit] = split


def _by_place(
    marks: UInt64[np.ndarray, "units"], share: Float64[np.ndarray, "splits"]
) -> Int8[np.ndarray, "units"]:
    """The split of each place: validation takes the lowest, test the highest."""
    places, splits = marks / 2.0**64, np.zeros(len(marks), np.int8)
    splits[places < share[VALIDATION]] = VALIDATION
    splits[places >= 1 - share[TEST]] = TEST
    return splits
