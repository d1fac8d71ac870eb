"""Comparisons of candidates: paired differences, how sure each is, and what it amounts to.

Every difference is first minus second: of two accuracies, above zero means that the first is
better; of two log losses, below zero. See docs/verdict.md for the reasoning in plain words.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache
from itertools import combinations

import numpy as np
from jaxtyping import Float64

from manyheads.core.settings import whole
from manyheads.errors import SettingError
from manyheads.stats.class_metrics import BY_CLASS, UnitClasses
from manyheads.stats.paired import (
    ALPHA,
    COMPARED,
    Decided,
    Margins,
    Outcome,
    Paired,
    Sums,
    decide,
    measure,
)
from manyheads.stats.power import RequiredSize, Undecided, required_sizes, share_kept
from manyheads.stats.validation_predictions import Validated
from manyheads.stats.variances import Layout

MAX_ALL_PAIRS = 20  # candidates
ENDING = ("final_log_loss", "gap")
_SWAPPED: dict[Outcome, Outcome] = {"better": "worse", "worse": "better"}
_KEPT = 2 * MAX_ALL_PAIRS  # scores by unit, of a candidate in a metric each


@dataclass(frozen=True, kw_only=True)
class Comparison(Decided):
    """Two candidates in one metric, over `seeds` that both have trained.

    Adjusted for all comparisons of the family in all metrics. `required` is what would probably
    settle an undecided one.
    """

    first: int
    second: int
    metric: str
    seeds: int
    required: RequiredSize

    @property
    def swapped(self) -> Comparison:
        """The same comparison, second minus first."""
        return replace(
            self,
            first=self.second,
            second=self.first,
            difference=-self.difference,
            low=-self.high,
            high=-self.low,
            adjusted_low=-self.adjusted_high,
            adjusted_high=-self.adjusted_low,
            outcome=_SWAPPED.get(self.outcome, self.outcome),
        )


@dataclass(frozen=True)
class Comparisons:
    """All comparisons of a family, and the margins that they were held to.

    `family` is how many comparisons they are adjusted for: more than there are entries where the
    `baseline` is one that the scores themselves point at.
    """

    entries: tuple[Comparison, ...]
    margins: Margins
    baseline: int | None = None
    family: int = 0

    @property
    def metrics(self) -> tuple[str, ...]:
        """The metrics of the entries; of none, those that are usually compared."""
        return tuple(dict.fromkeys(entry.metric for entry in self.entries)) or COMPARED

    def of(self, metric: str) -> list[Comparison]:
        """Those in one metric."""
        return [entry for entry in self.entries if entry.metric == metric]


class Differences:
    """Measures the candidates of a study, and paired differences between them, in any metric."""

    def __init__(self, validated: Validated) -> None:
        self.validated = validated
        self.layout = Layout.of(validated.units, validated.fold_of, validated.folds)
        self.sums = lru_cache(_KEPT)(self._sums)
        self.unit_means = lru_cache(None)(self._unit_means)

    def mean(self, candidate: int, metric: str) -> float:
        """A candidate's mean score over the seeds that it finished; NaN without any."""
        return float(self.unit_means(candidate, metric).sum() / self.layout.images)

    def between(self, first: int, second: int, metric: str) -> Paired | None:
        """First less second; None if they share no seed that both finished."""
        validated = self.validated
        seeds = np.intersect1d(validated.seeds_of(first), validated.seeds_of(second))
        if not len(seeds):
            return None
        apart = self.sums(first, metric)[seeds] - self.sums(second, metric)[seeds]
        accuracy = (self.mean(first, "accuracy") + self.mean(second, "accuracy")) / 2
        wrong = self.layout.images * (1 - accuracy)
        if metric not in BY_CLASS:
            return measure(metric, apart, self.layout, wrong)
        answers = self.sums(first, "accuracy")[seeds] - self.sums(second, "accuracy")[seeds]
        differing = int(np.count_nonzero((answers != 0).any(axis=(0, 1))))
        return measure(
            metric, apart, self.layout, wrong, classes=self._unit_classes, differing=differing
        )

    @cached_property
    def _unit_classes(self) -> UnitClasses:
        return UnitClasses.of(self.validated.labels, self.layout)

    def _sums(self, candidate: int, metric: str) -> Sums:
        """Scores added up over the images of each unit."""
        return self.layout.sums(self.validated.scores(candidate, metric))

    def _unit_means(self, candidate: int, metric: str) -> Float64[np.ndarray, "units"]:
        """The same, a mean over repeats and the seeds that it finished; NaN without any."""
        seeds = self.validated.seeds_of(candidate)
        if not len(seeds):
            return np.full(len(self.layout.sizes), np.nan)
        return self.sums(candidate, metric)[seeds].mean(axis=(0, 1))


_MARGINS = Margins()


def compare(
    validated: Validated,
    *,
    among: Sequence[int] | None = None,
    baseline: int | None = None,
    margins: Margins = _MARGINS,
    metrics: Sequence[str] = COMPARED,
    alpha: float = ALPHA,
    advise: bool = True,
    differences: Differences | None = None,
    family: int = 0,
) -> Comparisons:
    """Every pair of the candidates `among` (default: all), or each of them with the `baseline`.

    All pairs are compared of at most `MAX_ALL_PAIRS` candidates. Seeds of which a trial failed, of
    either candidate, are left out of a pair. A `baseline` that is the best or the worst of them in
    a metric may have been chosen for that, so its comparisons are adjusted for all pairs. If all
    are a choice from a larger `family` of comparisons, they are adjusted for that many. Without
    `advise`, nothing is said of what would settle it, which is quicker. Raises `SettingError` for a
    candidate that has no result, and for more candidates than that.
    """
    chosen = list(dict.fromkeys(validated.candidates if among is None else among))
    unknown = [each for each in chosen if each not in validated.candidates]
    if unknown:
        raise SettingError(
            "candidates that trained to their end", ", ".join(map(str, unknown)),
            "choose those that have a rank in results.csv",
        )  # fmt: skip
    differences = differences or Differences(validated)
    if baseline is not None:
        whole("baseline", baseline, 1, 1_000_000)
        if baseline not in validated.candidates:
            raise SettingError(
                "a baseline that trained to its end", f"candidate {baseline}",
                "choose one that has a rank in results.csv",
            )  # fmt: skip
        pairs = [(candidate, baseline) for candidate in chosen if candidate != baseline]
        if _stands_out(differences, baseline, chosen, metrics):
            count = len(pairs) + 1
            family = max(family, len(metrics) * count * (count - 1) // 2)
    elif len(chosen) > MAX_ALL_PAIRS:
        raise SettingError(
            f"at most {MAX_ALL_PAIRS} candidates to compare every pair of", f"{len(chosen):,}",
            "choose some, or compare all with one baseline",
        )  # fmt: skip
    else:
        pairs = list(combinations(chosen, 2))
    compared: list[tuple[int, int]] = []
    measured: list[Paired] = []
    for first, second in pairs:
        for metric in metrics:
            pair = differences.between(first, second, metric)
            if pair is not None:
                compared.append((first, second))
                measured.append(pair)
    decided = list(decide(measured, margins, alpha=alpha, size=family))
    required = [RequiredSize()] * len(measured)
    if advise:
        required = _required_sizes(measured, decided, differences.layout, margins, alpha)
    entries = tuple(_entries(compared, measured, decided, required))
    return Comparisons(entries, margins, baseline, max(family, len(entries)))


def _stands_out(
    differences: Differences, baseline: int, among: Sequence[int], metrics: Sequence[str]
) -> bool:
    """Whether the baseline is first or last of all in a metric."""
    for metric in metrics:
        means = [differences.mean(each, metric) for each in {*among, baseline}]
        if differences.mean(baseline, metric) in (np.nanmin(means), np.nanmax(means)):
            return True
    return False


def _entries(
    pairs: Sequence[tuple[int, int]],
    measured: Sequence[Paired],
    decided: Sequence[Decided],
    required: Sequence[RequiredSize],
) -> Iterator[Comparison]:
    for (first, second), pair, what, size in zip(pairs, measured, decided, required, strict=True):
        yield Comparison(
            first=first, second=second, metric=pair.metric, seeds=pair.seeds, required=size,
            **vars(what),
        )  # fmt: skip


def _required_sizes(
    measured: Sequence[Paired],
    decided: Sequence[Decided],
    layout: Layout,
    margins: Margins,
    alpha: float,
) -> list[RequiredSize]:
    """What would settle each undecided comparison; nothing for the others."""
    # What is declared leaves its share of the 5 % to those that are not: Holm's last step.
    real = alpha / max(1, sum(each.p_holm > alpha for each in decided))
    same = alpha / max(1, sum(each.p_equivalent > alpha for each in decided))
    required = [RequiredSize()] * len(measured)
    open_places = []
    for place, pair in enumerate(measured):
        if pair.seeds == 1:
            required[place] = RequiredSize(seeds=2)
        elif (
            decided[place].outcome == "undecided"
            and pair.tested.variance > 0
            and pair.both.df_units
        ):
            open_places.append(place)
    # Shrinkage needs all differences of a metric, decided ones too: the undecided alone would
    # suggest that true differences are smaller than they are.
    kept = {
        metric: share_kept([pair for pair in measured if pair.metric == metric])
        for metric in {measured[place].metric for place in open_places}
    }
    undecided = [
        Undecided(pair, margins.of(pair.metric), kept[pair.metric])
        for pair in (measured[place] for place in open_places)
    ]
    for place, size in zip(
        open_places, required_sizes(undecided, layout, (real, same)), strict=True
    ):
        required[place] = size
    return required
