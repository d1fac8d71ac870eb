"""What the selected setting scores where classes count alike, if they are of very unequal size."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from manyheads.core.text import decimal, interval, option
from manyheads.data.shares import BALANCED_RULE, unequal_words
from manyheads.findings.finding import Finding
from manyheads.findings.wording import METRIC_WORDS
from manyheads.stats.class_metrics import BY_CLASS
from manyheads.stats.comparisons import Differences
from manyheads.stats.winner import WinnerScore, winner_scores


@dataclass(frozen=True)
class ClassBalance(Finding):
    """Balanced accuracy and macro F1 of the selected setting, expected on new images.

    `sizes` says how unequal the classes are; empty if they are not, and the study selects by one of
    these scores. `advice` is what to compare, empty where the study has compared it.
    """

    sizes: str
    scores: tuple[WinnerScore, ...]
    advice: str

    @property
    def sentences(self) -> tuple[str, ...]:
        """How unequal the classes are, the scores, and what to compare."""
        words = [
            f"{METRIC_WORDS[each.metric]} {interval(each.score, each.low, each.high, decimal)}"
            for each in self.scores
        ]
        expected = f"Expected on new images: {', '.join(words)}." if words else ""
        sizes = f"Very unequal in size: {self.sizes}." if self.sizes else ""
        return tuple(filter(None, (sizes, expected, self.advice)))

    @property
    def entries(self) -> tuple[WinnerScore, ...]:
        """The scores."""
        return self.scores


def class_balance(
    differences: Differences,
    ranking: Sequence[int],
    leading: str,
    *,
    among: Sequence[int],
    trained: Mapping[str, int],
    weighted: bool,
) -> ClassBalance | None:
    """The balance of a study; None where it is of no concern.

    That is where classes are not very unequal (`data.shares.UNEQUAL`), neither among those that
    `trained`, images by class, nor among those that validate, and the metric `leading` is not of
    classes; nor where an image may have several labels. `weighted` says whether the study compares
    class weights or balanced batches.
    """
    validated = differences.validated
    if validated.label_sets is not None:
        return None
    counts = np.bincount(validated.labels, minlength=len(validated.classes))
    there = dict(zip(validated.classes, counts.tolist(), strict=True))
    found = {"train": unequal_words(trained), "validate": unequal_words(there)}
    which, sizes = next(((each, words) for each, words in found.items() if words), ("", ""))
    if not sizes and leading not in BY_CLASS:
        return None
    found_scores = winner_scores(differences, ranking[0], leading, among=among, also=BY_CLASS)
    scores = {each.metric: each for each in found_scores}
    asked = [] if weighted else option("class_weight", "none", "balanced")
    asked += [] if leading in BY_CLASS else option("select", BALANCED_RULE)
    advice = f"If small classes matter as much, sweep with {' '.join(asked)}." if asked else ""
    return ClassBalance(
        f"{sizes} among those that {which}" if sizes else "",
        tuple(scores[metric] for metric in BY_CLASS if metric in scores),
        advice if sizes else "",
    )
