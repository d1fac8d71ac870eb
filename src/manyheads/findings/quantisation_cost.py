"""What quantising a model cost: measured on images, told as a table and in sentences."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, field

from manyheads.core.table import Table, as_html, names, numbers
from manyheads.core.text import NOTHING, capital, counted, decimal, interval, joined, percent
from manyheads.findings.finding import Finding
from manyheads.findings.wording import METRIC_WORDS, amount, difference_words, margin_words
from manyheads.stats.intervals import Estimate
from manyheads.stats.paired import Margins

_MARGINS = Margins()


@dataclass(frozen=True, kw_only=True)
class ScoreChange:
    """A score of the float32 model and of the quantised one, and the paired difference.

    `difference` is quantised minus float32, with its 95 % interval for images drawn anew, adjusted
    for both scores; of accuracy a share, of log loss nats. `outcome` is that of the quantised
    model: better, worse, equivalent (within 1 point, or 0.02 of log loss) or undecided.
    """

    metric: str
    float32: float
    quantised: float
    difference: Estimate
    outcome: str


@dataclass(frozen=True, kw_only=True)
class QuantisationCost(Finding):
    """What quantising to `kind` cost, measured in the `runtime` on `images`; `source` says which.

    `equal_labels` is the share of images that get the same label; of `several_labels` per image, of
    those that get the same ones, and accuracy and log loss are means over labels. `size` and
    `float32_size` are bytes of the model's files; `milliseconds` the median time of one image,
    alone, on `threads` of the `processor`, both models in turn.
    """

    kind: str
    runtime: str
    images: int
    source: str
    scores: tuple[ScoreChange, ...]
    equal_labels: Estimate
    size: int
    float32_size: int
    milliseconds: float
    float32_milliseconds: float
    threads: int
    processor: str
    several_labels: bool = field(default=False, metadata={"told": "if changed"})

    def score(self, metric: str) -> ScoreChange:
        """The change of one score."""
        return next(each for each in self.scores if each.metric == metric)

    @property
    def entries(self) -> tuple[ScoreChange, ...]:  # pyright: ignore[reportIncompatibleMethodOverride]
        """The scores, accuracy first."""
        return self.scores

    @property
    def sentences(self) -> tuple[str, ...]:  # pyright: ignore[reportIncompatibleMethodOverride]
        """How much worse it is, how sure that is, and whether it is faster."""
        return tuple(self._sentences())

    def _sentences(self) -> Iterator[str]:
        accuracy, log_loss = self.score("accuracy"), self.score("log_loss")
        same = self.equal_labels
        labels = "labels" if self.several_labels else "label"
        yield (
            f"{interval(same.value, same.low, same.high, _percent)} % of the {self.images:,} "
            f"{self.source} get the same {labels}."
        )
        yield (
            f"These images exclude a loss of more than {_most(accuracy, -1)} points of accuracy "
            f"and of {_most(log_loss, 1)} in log loss (95 % confidence)."
        )
        worse = [METRIC_WORDS[each.metric] for each in self.scores if each.outcome == "worse"]
        if worse:
            yield f"The loss in {joined(worse)} is significant."
        elif all(each.outcome == "equivalent" for each in self.scores):
            within = joined([margin_words(each.metric, _MARGINS) for each in self.scores])
            yield f"Accuracy and log loss are equivalent within {within}."
        if not self.source.startswith("validation"):
            yield (
                "The model was trained on these images, so its scores are too high; their "
                "differences are what counts."
            )
        if self.milliseconds > self.float32_milliseconds:
            yield f"{capital(self.kind)} is slower on this processor: smaller, not faster."

    @property
    def table(self) -> Table:
        """Float32 and quantised, side by side."""
        rows = [
            (
                capital(METRIC_WORDS[each.metric]),
                decimal(each.float32),
                decimal(each.quantised),
                difference_words(each.metric, each.difference),
            )
            for each in self.scores
        ]
        rows += [
            (name, decimal(before, digits), decimal(after, digits), _relative(before, after))
            for name, before, after, digits in (
                ("Megabytes", self.float32_size / 1e6, self.size / 1e6, 1),
                ("Milliseconds", self.float32_milliseconds, self.milliseconds, 1),
            )
        ]
        return Table(
            caption=f"{self.runtime} on {self.images:,} {self.source}; milliseconds of one image "
            f"alone, on {counted(self.threads, 'thread')}",
            columns=[*names("score"), *numbers("float32", self.kind, "difference [95 %]")],
            rows=rows,
        )

    def _repr_html_(self) -> str:
        return f"{super()._repr_html_()}\n{as_html(self.table)}"


def _most(change: ScoreChange, sign: int) -> str:
    """The greatest loss that the interval holds; infinite where there is no interval."""
    end = change.difference.low if sign < 0 else change.difference.high
    return amount(change.metric, max(0.0, math.inf if end is None else sign * end))


def _percent(share: float) -> str:
    return decimal(100 * share, 1)


def _relative(before: float, after: float) -> str:
    return f"{percent(after / before - 1, 0)}" if before else NOTHING
