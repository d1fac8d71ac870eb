"""How much a report holds, so that its size does not grow with the study; each is said in words."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Int64

from manyheads.findings.held_out_scores import ClassRecall
from manyheads.report.parts import Candidate, WrongImage, WrongImages

if TYPE_CHECKING:
    from scipy.sparse import csr_array

DRAWN = 20  # candidates in the curves, comparisons of each metric in their plot
PICTURED = 8  # candidates in `curves.png`, where none can be hidden: as many as colours
EPOCHS = 100  # of a curve
ROWS = 200  # of a table
BEST = 10  # named candidates that may be the best
WRONG = 48  # images
FIRST_WRONG = 12  # of these; the others are behind a click
CONFUSED = 20  # classes in the confusion matrix
RECALLS = 40  # classes in their plot
EXAMPLES = 20  # of a warning


def drawn_candidates(candidates: Sequence[Candidate], most: int = DRAWN) -> list[Candidate]:
    """The best, at most so many, that have curves, the selected one among them, in grid order."""
    curved = [candidate for candidate in candidates if candidate.curves]
    best = curved[:most]
    rest = [candidate for candidate in curved[most:] if candidate.selected]
    return sorted([*best[: most - len(rest)], *rest], key=lambda each: each.number)


def drawn_epochs(longest: int) -> Int64[np.ndarray, "drawn"]:
    """At most `EPOCHS` of the epochs 1 to `longest`, evenly spread, with the first and the last."""
    last = max(1, longest)
    return np.linspace(1, last, min(last, EPOCHS)).round().astype(np.int64)


def most_confused(confusion: csr_array) -> Int64[np.ndarray, "shown"]:
    """The `CONFUSED` classes with the most wrong answers to or from them, in their own order."""
    wrong = confusion.sum(axis=0) + confusion.sum(axis=1) - 2 * confusion.diagonal()
    return np.sort(np.argsort(-wrong, kind="stable")[:CONFUSED])


def worst_recalls(recalls: Sequence[ClassRecall], count: int) -> Sequence[ClassRecall]:
    """All in their own order if there are at most `count`, else the worst recognised, worst first.

    Classes without images are left out first.
    """
    if len(recalls) <= count:
        return recalls
    known = [each for each in recalls if each.recall is not None]
    return sorted(known, key=lambda each: each.recall.value if each.recall else 1.0)[:count]


def wrong_shown(wrong: WrongImages | None) -> list[WrongImage]:
    """The `WRONG` most confident of the images that the model gets wrong, in that order.

    Of several labels per image, those with the largest loss.
    """
    shown = wrong.shown if wrong else ()
    return sorted(shown, key=lambda e: -(e.confidence if e.loss is None else e.loss))[:WRONG]
