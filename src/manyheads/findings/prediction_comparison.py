"""A model's predictions beside those of a study's model, told as a table and in sentences."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from manyheads.core.table import Table, as_html, names, numbers, words
from manyheads.core.text import capital, counted, decimal, interval, p_value
from manyheads.findings.finding import Finding
from manyheads.findings.wording import METRIC_WORDS, difference_words, margin_words
from manyheads.stats.two_models import ModelsCompared, ScoreDifference

_OF_LABELS = (
    "Accuracy is the share of labels told right, at a probability of 0.5, and log loss the mean of "
    "the labels' binary cross-entropies: the scores by which a study compares its candidates. "
    "Mean average precision and macro F1, which no single image has, are not compared, nor is "
    "exact match, which depends on the thresholds of each model."
)
"""What is compared of several labels per image, and what is not."""


@dataclass(frozen=True)
class ComparedPredictions(Finding):
    """Two models on the validation images of a study: the study's, and one that predicted a file.

    `first` and `second` name them. `found` has the scores of both, the paired differences, second
    minus first, and the share of equal labels. `left_out` counts predictions of other images. Of
    `several_labels` per image, an answer is all labels that are said, by the first's thresholds.
    """

    first: str
    second: str
    found: ModelsCompared
    left_out: int
    several_labels: bool = False

    @property
    def entries(self) -> tuple[ScoreDifference, ...]:  # pyright: ignore[reportIncompatibleMethodOverride]
        """The scores, accuracy first."""
        return self.found.scores

    @property
    def sentences(self) -> tuple[str, ...]:  # pyright: ignore[reportIncompatibleMethodOverride]
        """Which differences are significant, and what limits that."""
        return tuple(self._sentences())

    def _sentences(self) -> Iterator[str]:
        yield from map(self._of_score, self.found.scores)
        same = self.found.equal_labels
        equal = interval(same.value, same.low, same.high, _percent)
        images = counted(self.found.images, "validation image")
        if self.several_labels:
            yield (
                f"Both say the same labels of {equal} % of the {images}, with the thresholds of "
                f"{self.first} for both."
            )
            yield _OF_LABELS
        else:
            yield f"Both give the same label to {equal} % of the {images}."
        yield (
            "Both models are fixed: the intervals are for images drawn anew. Training either of "
            "them again, with another seed, may differ by more."
        )
        yield (
            f"{self.first} was selected on these images, so its scores are a little too high. Do "
            f"not choose among several versions of {self.second} by this comparison."
        )
        if self.left_out:
            yield f"{counted(self.left_out, 'prediction')} of other images are left out."

    def _of_score(self, score: ScoreDifference) -> str:
        metric = METRIC_WORDS[score.metric]
        if score.outcome in ("better", "worse"):
            by = difference_words(score.metric, score.estimate)
            return f"{capital(metric)}: {self.second} is {score.outcome}, by a difference of {by}."
        if score.outcome == "equivalent":
            within = margin_words(score.metric, self.found.margins)
            return f"{capital(metric)}: equivalent within {within}."
        by = difference_words(score.metric, score.estimate)
        return f"{capital(metric)}: no significant difference, {by}."

    @property
    def table(self) -> Table:
        """Both models, side by side."""
        return Table(
            caption=f"Scores on {counted(self.found.images, 'validation image')}; intervals and p "
            "are adjusted for both (Holm)",
            columns=[
                *names("score"),
                *numbers(self.first, self.second, "second − first\n[adjusted 95 %]", "p\n(Holm)"),
                *words("the second\nis"),
            ],
            rows=[
                (
                    capital(METRIC_WORDS[each.metric]),
                    decimal(each.first),
                    decimal(each.second),
                    difference_words(each.metric, each.estimate),
                    p_value(each.p_holm),
                    each.outcome,
                )
                for each in self.found.scores
            ],
        )

    def _repr_html_(self) -> str:
        return f"{super()._repr_html_()}\n{as_html(self.table)}"


def _percent(share: float) -> str:
    return decimal(100 * share, 1)
