"""The backbones of a study side by side: the best that each comes to, and what it costs."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from manyheads.backbones.backbone_cost import BackboneCost
from manyheads.core.table import Table, as_html, names, numbers
from manyheads.core.text import NOTHING, counted, decimal, joined
from manyheads.findings.finding import Finding
from manyheads.findings.wording import difference_words, margin_words
from manyheads.stats.comparisons import Comparison, Comparisons, Differences, Margins, compare
from manyheads.stats.intervals import Estimate
from manyheads.study.backbone_choices import BackboneCandidates, BackboneChoice

Standing = Literal["selected", "better", "equivalent", "undecided", "worse", "not assessed"]
METRICS = ("accuracy", "log_loss")
_LESS = 0.8  # of a cost, at most; more is hardly less
_UNKNOWN = BackboneCost(None, None, None)


@dataclass(frozen=True)
class BackboneScore:
    """A backbone at an image size with its best candidate, on the images that validate.

    `difference` is the selected candidate's accuracy less this one's, with its 95 % interval,
    adjusted for all pairs of candidates: each was chosen for its scores. `standing` is this one's
    beside the selected; "not assessed" with fewer than two seeds.
    """

    name: str
    image_size: int
    candidate: int
    accuracy: float
    log_loss: float
    difference: float
    low: float
    high: float
    standing: Standing
    cost: BackboneCost


@dataclass(frozen=True)
class Backbones(Finding):
    """The backbones of a study, the best first, and which cheaper one is as good."""

    scores: tuple[BackboneScore, ...]
    margins: Margins

    @property
    def entries(self) -> tuple[BackboneScore, ...]:
        """A score for each backbone."""
        return self.scores

    @property
    def selected(self) -> BackboneScore:
        """The backbone of the selected candidate."""
        return next(each for each in self.scores if each.standing == "selected")

    @property
    def cheaper(self) -> tuple[BackboneScore, ...]:
        """Those that take clearly less arithmetic, or time where that is not known, than it."""
        return tuple(each for each in self.scores if _is_less(each.cost, self.selected.cost))

    @property
    def sentences(self) -> tuple[str, ...]:
        """Which cheaper backbone is equivalent to the selected one, or better for its cost."""
        return (self._headline(),)

    def _headline(self) -> str:
        selected, margin = self.selected, margin_words("accuracy", self.margins)
        name = _name(selected, self.scores)
        if not self.cheaper:
            return f"None of the others costs less than {name}{_cost_words(selected.cost)}."
        same = [each for each in self.cheaper if each.standing in ("equivalent", "better")]
        if same:
            words = joined([f"{_name(e, self.scores)}{_cost_words(e.cost)}" for e in same])
            verb, takes = ("is", "costs") if len(same) == 1 else ("are", "cost")
            return (
                f"{words} {verb} as good in accuracy within {margin} and {takes} less than "
                f"{name}{_cost_words(selected.cost)}."
            )
        undecided = [each for each in self.cheaper if each.standing == "undecided"]
        if undecided:
            best = max(undecided, key=lambda each: each.accuracy)
            found = difference_words("accuracy", Estimate(best.difference, best.low, best.high))
            return (
                f"{_name(best, self.scores)}{_cost_words(best.cost)} costs less than "
                f"{name}{_cost_words(selected.cost)}; whether it is as good is undecided: {found}."
            )
        if any(each.standing == "not assessed" for each in self.cheaper):
            return "Whether a cheaper backbone is as good takes two seeds or more to tell."
        return (
            f"Each backbone that costs less than {name}{_cost_words(selected.cost)} is less "
            "accurate."
        )

    def _repr_html_(self) -> str:
        return f"{super()._repr_html_()}\n{as_html(self.table)}"

    @property
    def table(self) -> Table:
        """A row for each backbone, with its scores and what it costs."""
        return Table(
            caption="Backbones, each with its best setting",
            columns=[
                *(each._replace(key=True) for each in names("backbone")),
                *numbers("image\nsize", "val_accuracy", "val_loss"),
                *numbers("selected above it,\npoints [95 %]"),
                *numbers("images/s", "MB", "GFLOP\nper image"),
            ],
            rows=[
                (
                    each.name, f"{each.image_size}", decimal(each.accuracy),
                    decimal(each.log_loss), _above(each), *cost_cells(each.cost),
                )
                for each in self.scores
            ],
        )  # fmt: skip


def backbone_scores(
    differences: Differences,
    candidates: BackboneCandidates,
    ranking: Sequence[int],
    costs: Sequence[BackboneCost],
    verdict: Comparisons,
) -> Backbones:
    """The backbones of a study whose `ranking` lists its candidates, the best first.

    Differences are those of the `verdict`, where all of these are among its comparisons.
    """
    best: dict[int, int] = {}
    for candidate in ranking:
        best.setdefault(candidates.place_of(candidate - 1), candidate)
    selected, count = ranking[0], len(ranking)
    pairs = [_pair(verdict, each, selected) for each in best.values() if each != selected]
    if None in pairs:
        family = compare(
            differences.validated, among=list(best.values()), baseline=selected,
            margins=verdict.margins, metrics=METRICS, advise=False, differences=differences,
            family=len(METRICS) * count * (count - 1) // 2,
        )  # fmt: skip
        pairs = [_pair(family, each, selected) for each in best.values() if each != selected]
    of = {pair.first: pair for pair in pairs if pair is not None}
    known = list(costs) if len(costs) == len(candidates.choices) else []
    scores = [
        _score(
            differences, of.get(candidate), candidates.choices[place], candidate, selected,
            known[place] if known else _UNKNOWN,
        )
        for place, candidate in best.items()
    ]  # fmt: skip
    return Backbones(tuple(scores), verdict.margins)


def _pair(family: Comparisons, candidate: int, selected: int) -> Comparison | None:
    """The comparison of accuracies, the candidate's less the selected one's."""
    for each in family.of("accuracy"):
        if (each.first, each.second) == (candidate, selected):
            return each
        if (each.first, each.second) == (selected, candidate):
            return each.swapped
    return None


def _score(
    differences: Differences,
    pair: Comparison | None,
    choice: BackboneChoice,
    candidate: int,
    selected: int,
    cost: BackboneCost,
) -> BackboneScore:
    found = (0.0, 0.0, 0.0) if candidate == selected else (math.nan, -math.inf, math.inf)
    if pair is not None:
        found = -pair.difference, -pair.adjusted_high, -pair.adjusted_low
    return BackboneScore(
        name=choice.name,
        image_size=choice.image.size,
        candidate=candidate,
        accuracy=differences.mean(candidate, "accuracy"),
        log_loss=differences.mean(candidate, "log_loss"),
        difference=found[0],
        low=found[1],
        high=found[2],
        standing="selected" if candidate == selected else _standing(pair),
        cost=cost,
    )


def _standing(pair: Comparison | None) -> Standing:
    if pair is None or pair.seeds < 2:
        return "not assessed"
    return pair.outcome


def _is_less(cost: BackboneCost, than: BackboneCost) -> bool:
    """Whether a cost is clearly less: in arithmetic, or in time where that is not known."""
    if cost.gflop is not None and than.gflop is not None:
        return cost.gflop <= _LESS * than.gflop
    if cost.images_per_second is not None and than.images_per_second is not None:
        return than.images_per_second <= _LESS * cost.images_per_second
    return False


def _name(score: BackboneScore, scores: Sequence[BackboneScore]) -> str:
    alike = sum(each.name == score.name for each in scores)
    return f"{score.name} at {score.image_size}" if alike > 1 else score.name


def _cost_words(cost: BackboneCost) -> str:
    """Such as ` (0.8 GFLOP per image)`; nothing where no cost is known."""
    if cost.gflop is not None:
        return f" ({cost_cells(cost)[-1]} GFLOP per image)"
    if cost.images_per_second is not None:
        return f" ({counted(round(cost.images_per_second), 'image')} per second)"
    return ""


def _above(score: BackboneScore) -> str:
    if score.standing == "selected":
        return "selected"
    found = Estimate(score.difference, score.low, score.high)
    return (
        NOTHING if math.isnan(score.difference) else difference_words("accuracy", found, unit=False)
    )


def cost_cells(cost: BackboneCost) -> tuple[str, str, str]:
    """Images a second, megabytes and GFLOP per image; a dash for what is not known."""
    speed, size, work = cost.images_per_second, cost.megabytes, cost.gflop
    return (
        NOTHING if speed is None else decimal(speed, 0 if speed >= 10 else 1),
        NOTHING if size is None else decimal(size, 0 if size >= 10 else 1),
        NOTHING if work is None else decimal(work, 1 if work >= 0.1 else 3),
    )
