"""Colours, dashes and marks that tell series apart, also for colour-blind readers and in grey."""

from __future__ import annotations

# Okabe and Ito (2008), "Color Universal Design", without their yellow, which is faint on white.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000", "#999999")
# Four dashes and seven marks beside eight colours: no two of the first 56 series look the same.
# A dash is lengths drawn and left out, in widths of its line.
DASHES = ((), (4, 2), (1, 1.5), (5, 2, 1, 2))
MARKS = ("circle", "square", "triangle", "diamond", "plus", "cross", "wedge")
# What a comparison came to, by colour and mark; where nothing is decided, the mark is hollow.
OUTCOMES = {
    "better": ("#0072B2", "triangle"),
    "worse": ("#D55E00", "wedge"),
    "equivalent": ("#009E73", "square"),
    "undecided": ("#59626d", "circle"),
}


# Of heat maps and confusion matrices: from soft to `HEAT_MOST` of heat, on which dark ink is
# readable. In the dark the page has others.
HEAT, SOFT, HEAT_MOST = "#56B4E9", "#F5F7F9", 0.85


def style_of(place: int) -> tuple[int, int, int]:
    """The indices of colour, dash and mark for the series at `place`, counted from 0."""
    return place % len(COLOURS), place % len(DASHES), place % len(MARKS)
