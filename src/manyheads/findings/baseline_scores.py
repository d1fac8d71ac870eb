"""The selected candidate beside standard classifiers on the same features and images."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from manyheads.core.table import Table, as_html, names, numbers
from manyheads.core.text import NOTHING, decimal
from manyheads.findings.finding import Finding
from manyheads.findings.wording import amount, difference_words
from manyheads.stats.comparisons import compare
from manyheads.stats.intervals import Estimate
from manyheads.stats.validation_predictions import LogProbabilities, OfHeads, Validated
from manyheads.study.baselines import MAJORITY, Baseline

Standing = Literal["better", "not shown to differ", "worse", "not assessed"]
_BASELINE = 0  # its number beside candidates, which are counted from 1


@dataclass(frozen=True)
class BaselineScore:
    """A baseline's scores on the images that validate, and how the selected candidate stands to it.

    `log_loss` is None for votes, which are no probabilities. `trained_on` training images of
    `train` were learnt from in each fold, in `seconds` of the processor altogether. `difference` is
    the selected candidate's accuracy less the baseline's, with its 95 % interval over images and
    seeds, not adjusted for others; NaN where no seed has finished in every fold. `standing` is the
    candidate's, "not assessed" with fewer than two seeds.
    """

    name: str
    accuracy: float
    log_loss: float | None
    trained_on: int
    train: int
    seconds: float
    difference: float
    low: float
    high: float
    standing: Standing


@dataclass(frozen=True)
class Baselines(Finding):
    """The selected candidate beside every baseline, on the images that validate."""

    scores: tuple[BaselineScore, ...]

    @property
    def entries(self) -> tuple[BaselineScore, ...]:
        """A score for each baseline."""
        return self.scores

    @property
    def sentences(self) -> tuple[str, ...]:
        """How the selected candidate stands to the baseline of the highest accuracy."""
        best = max(self.scores, key=lambda each: each.accuracy)
        features = f"{best.name} on the same features (accuracy {decimal(best.accuracy)})"
        if best.standing == "not assessed":
            return (f"Not compared with {features}: that takes two seeds, trained to the end.",)
        by = _difference(best)
        if best.standing == "better":
            return (f"The selected setting is better than {features}, by {by}.",)
        if best.standing == "worse":
            remedy = "train heads longer, with more regularisation, or on larger images"
            return (f"The selected setting is worse than {features}: {by}. Use that, or {remedy}.",)
        return (f"Not shown to differ from {features}: {by}.",)

    def _repr_html_(self) -> str:
        return f"{super()._repr_html_()}\n{as_html(self.table)}"

    @property
    def table(self) -> Table:
        """A row for each baseline, and by how much the selected candidate is above it."""
        most = min(each.trained_on for each in self.scores)
        some = "" if most == self.scores[0].train else f", trained on {most:,} images at most"
        return Table(
            caption=f"Baselines on the same features{some}",
            columns=[
                *names("baseline"),
                *numbers("val_accuracy", "val_loss", "seconds"),
                *numbers("selected above it,\npoints [95 %]"),
            ],
            rows=[
                (
                    each.name, decimal(each.accuracy),
                    NOTHING if each.log_loss is None else decimal(each.log_loss),
                    decimal(each.seconds, 1),
                    amount("accuracy", each.difference) if each.standing == "not assessed"
                    else _difference(each, unit=False),
                )
                for each in self.scores
            ],
        )  # fmt: skip


def beside_baselines(
    validated: Validated, selected: int, baselines: Sequence[Baseline]
) -> Baselines:
    """Every baseline's scores, and the selected candidate's difference from it."""
    return Baselines(tuple(_scored(validated, selected, each) for each in baselines))


def _scored(validated: Validated, selected: int, baseline: Baseline) -> BaselineScore:
    logs = baseline.log_probabilities.astype(np.float32)
    both = _beside(validated, selected, logs)
    family = compare(both, among=(selected, _BASELINE), metrics=("accuracy",), advise=False)
    # There is no pair if every seed of the candidate has diverged in a fold.
    pair = family.entries[0] if family.entries else None
    standing: Standing = "not shown to differ"
    if pair is None or pair.seeds < 2:
        standing = "not assessed"
    elif pair.low > 0:
        standing = "better"
    elif pair.high < 0:
        standing = "worse"
    loss = float(validated.image_scores("log_loss", logs[None]).mean())
    several = validated.label_sets is not None
    return BaselineScore(
        name="majority of each label" if several and baseline.name == MAJORITY else baseline.name,
        accuracy=float(validated.image_scores("accuracy", logs[None]).mean()),
        log_loss=loss if baseline.has_probabilities else None,
        trained_on=baseline.trained_on,
        train=baseline.train,
        seconds=baseline.seconds,
        difference=math.nan if pair is None else pair.difference,
        low=-math.inf if pair is None else pair.low,
        high=math.inf if pair is None else pair.high,
        standing=standing,
    )


def _beside(validated: Validated, selected: int, logs: np.ndarray) -> Validated:
    """The selected candidate and a baseline, which is the same for every seed, of one repeat."""

    def first_repeat(candidate: int, given: LogProbabilities) -> LogProbabilities:
        same = np.broadcast_to(logs, (len(given), 1, *logs.shape))
        return given[:, :1] if candidate != _BASELINE else same

    def predictions(candidate: int) -> LogProbabilities:
        return first_repeat(candidate, validated.log_probabilities(selected))

    both = replace(
        validated,
        candidates=(_BASELINE, selected),
        names=("", validated.name(selected)),
        fold_of=validated.fold_of[:1],
        log_probabilities=predictions,
    )
    others = validated.other_epochs
    if others is None:
        return both

    def at(candidate: int, moment: str) -> LogProbabilities:
        return first_repeat(candidate, others.at(selected, moment))

    def luck(candidate: int, metric: str) -> OfHeads:
        of_heads = others.luck(selected, metric)[:, :1]
        return of_heads if candidate != _BASELINE else np.zeros_like(of_heads)

    return replace(both, other_epochs=replace(others, at=at, luck=luck))


def _difference(score: BaselineScore, *, unit: bool = True) -> str:
    found = Estimate(score.difference, score.low, score.high)
    return difference_words("accuracy", found, unit=unit)
