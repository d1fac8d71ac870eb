"""Colours, dashes and marks that tell series apart, also for colour-blind readers and in grey."""

from __future__ import annotations

# Okabe and Ito (2008), "Color Universal Design", without their yellow, which is faint on white.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000", "#999999")
# Four dashes and seven marks beside eight colours: no two of the first 56 series look the same.
DASHES = ("", "7 3", "2 3", "9 3 2 3")
MARKS = ("circle", "square", "triangle", "diamond", "plus", "cross", "wedge")


def style_of(place: int) -> tuple[int, int, int]:
    """The indices of colour, dash and mark for the series at `place`, counted from 0."""
    return place % len(COLOURS), place % len(DASHES), place % len(MARKS)
