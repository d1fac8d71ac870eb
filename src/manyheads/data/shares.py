"""How many images of each class a split holds, and how splits differ in that."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import combinations

from manyheads.core.text import counted
from manyheads.data.dataset import Dataset
from manyheads.data.splits import SPLITS

Counts = dict[str, dict[str, int]]

_POINTS = 5.0  # a shift of shares is large from this many percentage points on,
_ERRORS = 3.0  # and certain from this many standard errors on: small splits must not cry wolf


UNEQUAL = 10.0
"""Classes are very unequal where the largest has so many times the images of the smallest: the
least factor that Cui et al. 2019 (Class-balanced loss) study as imbalance."""

BALANCED_RULE = "last_balanced_accuracy"
"""The rule of selection that is advised then."""


@dataclass(frozen=True)
class ShareShift:
    """How the class shares of two splits differ.

    `total_variation` is ½ Σ|p - q|, in [0, 1]: the least part of one split's images that would
    have to change their class. `points` is the largest difference of one class's share, q - p, in
    percentage points; `errors` is the same, less half an image of each split (Yates 1934: few
    images move in steps), in standard errors of two random draws of these sizes.
    """

    first: str
    second: str
    total_variation: float
    largest_class: str
    points: float
    errors: float

    @property
    def large(self) -> bool:
        """Whether the shift is large enough to change a score, be it chance or not."""
        return abs(self.points) >= _POINTS

    @property
    def certain(self) -> bool:
        """Whether the shift is more than chance makes, be it large or not."""
        return self.errors >= _ERRORS

    @property
    def matters(self) -> bool:
        """Whether scores on the two splits are not comparable without saying so."""
        return self.large and self.certain


def count_classes(dataset: Dataset) -> Counts:
    """Images by split and class, or label; splits without images are left out, classes never."""
    counts: Counts = {}
    for split in SPLITS:
        rows = dataset.rows(split)
        if len(rows):
            counts[split] = dict(zip(dataset.outputs, dataset.counts(rows).tolist(), strict=True))
    return counts


def unequal_words(classes: Mapping[str, int]) -> str:
    """How unequal the classes are that have images; "" unless by `UNEQUAL` times or more.

    Such as `735 images of t-shirt and 12 of skirt (61 times)`.
    """
    present = {name: count for name, count in classes.items() if count}
    if not present:
        return ""
    largest, smallest = max(present, key=present.__getitem__), min(present, key=present.__getitem__)
    most, least = present[largest], present[smallest]
    if most < UNEQUAL * least:
        return ""
    times = most // least
    return f"{counted(most, 'image')} of {largest} and {least:,} of {smallest} ({times:,} times)"


def class_shares(
    counts: Counts, sizes: Mapping[str, int] | None = None
) -> dict[str, dict[str, float]]:
    """Each class's share of its split, in [0, 1].

    `sizes` are the images of each split, where an image may have several labels.
    """
    sizes = sizes or {split: sum(classes.values()) for split, classes in counts.items()}
    return {
        split: {name: count / sizes[split] for name, count in classes.items()}
        for split, classes in counts.items()
    }


def share_shifts(counts: Counts) -> tuple[ShareShift, ...]:
    """The shift between each two splits that hold images."""
    return tuple(_shift(counts, first, second) for first, second in combinations(counts, 2))


def _shift(counts: Counts, first: str, second: str) -> ShareShift:
    shares = class_shares({first: counts[first], second: counts[second]})
    sizes = [sum(counts[split].values()) for split in (first, second)]
    differences = {name: shares[second][name] - shares[first][name] for name in counts[first]}
    # Rounded, so that of equal shifts (always so of two classes) the first is named.
    name = max(differences, key=lambda name: round(abs(differences[name]), 12))
    pooled = (counts[first][name] + counts[second][name]) / sum(sizes)
    error = math.sqrt(pooled * (1 - pooled) * (1 / sizes[0] + 1 / sizes[1]))
    step = (1 / sizes[0] + 1 / sizes[1]) / 2
    return ShareShift(
        first,
        second,
        sum(abs(difference) for difference in differences.values()) / 2,
        name,
        100 * differences[name],
        max(0.0, abs(differences[name]) - step) / error if error else 0.0,
    )
