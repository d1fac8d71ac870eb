"""Iterative stratification: images with several labels are dealt so that every label is shared out.

Sechidis, Tsoumakas and Vlahavas (2011), algorithm 1, on units (images of one group, or else of one
content, which stay together). Each part wants its share of the images of every label. As long as
units with labels are left: of the labels, take the one with the fewest images left (of equal ones
the first), and deal its units, the largest first, then in the order of their marks. Each goes to
the part that lacks most images of that label, of equal ones to that which lacks most images at all,
then to the first. What is left has no label, and goes where most images are lacking.

Names, the order of the images and the machine have no part in it, but one image more or less may
move many others: a label's images are dealt where those of rarer labels have left them.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from jaxtyping import Bool, Float64, Int64, UInt64


def deal(
    members: Bool[np.ndarray, "images labels"],
    units: Int64[np.ndarray, "images"],
    marks: Float64[np.ndarray, "units"] | UInt64[np.ndarray, "units"],
    shares: Sequence[float],
    known: Int64[np.ndarray, "units"] | None = None,
) -> Int64[np.ndarray, "images"]:
    """The part, from 0, of each image; `shares` sum to 1, and a part of share 0 gets none.

    `units` number what stays together, from 0, and `marks` are the places of these. `known` are
    the parts of units that are in one already, and −1 of the others, which are dealt to what is
    there.
    """
    sizes = np.bincount(units, minlength=len(marks))
    counts = np.zeros((len(marks), members.shape[1]), np.int64)
    np.add.at(counts, units, members.astype(np.int64))
    share = np.asarray(shares, np.float64)
    lacking, lacking_all = share[:, None] * counts.sum(axis=0), share * sizes.sum()
    lacking[share == 0], lacking_all[share == 0] = -np.inf, -np.inf
    order, part = np.lexsort((marks, -sizes)), np.full(len(marks), -1)
    left = counts.sum(axis=0)

    def give(each: int, wanted: Float64[np.ndarray, "parts"]) -> None:
        # Sums of shares are rounded, so what is equal may differ in its last digits.
        most = np.flatnonzero(wanted >= wanted.max() - 1e-9)
        to = int(most[lacking_all[most].argmax()])
        part[each] = to
        lacking[to] -= counts[each]
        lacking_all[to] -= sizes[each]

    given = np.full(len(marks), -1) if known is None else known
    for each in np.flatnonzero(given >= 0).tolist():
        part[each] = given[each]
        lacking[given[each]] -= counts[each]
        lacking_all[given[each]] -= sizes[each]
        left -= counts[each]
    while left.any():
        label = int(np.where(left > 0, left, np.iinfo(np.int64).max).argmin())
        for each in order[(part[order] < 0) & (counts[order, label] > 0)].tolist():
            give(each, lacking[:, label])
            left -= counts[each]
    for each in order[part[order] < 0].tolist():
        give(each, lacking_all)
    return part[units].astype(np.int64)
