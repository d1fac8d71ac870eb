"""Comparisons of candidates: paired differences, how sure each is, and what it amounts to.

Every difference is first minus second: of two accuracies, above zero means that the first is
better; of two log losses, below zero. See docs/verdict.md for the reasoning in plain words.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import combinations

import numpy as np

from manyheads.errors import SettingError
from manyheads.evidence.needs import Needs, Undecided, needs_of
from manyheads.evidence.paired import ALPHA, Measured, Outcome, Tested
from manyheads.evidence.statistics import Folds, Layout, TwoWay, corrected_t, fold_means, two_way
from manyheads.evidence.validated import Validated
from manyheads.settings import number, store, whole

MAX_ALL_PAIRS = 20  # candidates
COMPARED = ("log_loss", "accuracy")
_KEPT = 2 * MAX_ALL_PAIRS  # scores by unit, of a candidate in a metric each


@dataclass(frozen=True, kw_only=True)
class Margins:
    """Differences that make no difference in practice: of shares in accuracy, of nats in log loss.

    Each is above 0 and at most 1. Raises `SettingError`.
    """

    accuracy: float = 0.01
    log_loss: float = 0.02

    def __post_init__(self) -> None:
        for name in COMPARED:
            checked = number(f"the margin of {name}", getattr(self, name), 0, 1, open_low=True)
            store(self, **{name: checked})


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """Two candidates in one metric, over `seeds` that both have trained.

    `low` to `high` is the 95 % interval for images and seeds drawn anew together, `fold_low` to
    `fold_high` that of the corrected resampled t over folds (None for a given split). The wider
    one gives `p`; `p_holm` is adjusted for all comparisons of the family in both metrics, and
    `p_equivalent` is that of a difference outside the margin, adjusted alike. `outcome` is of the
    first. `needs` is what would probably settle an undecided one. With one seed there is no
    interval: `low` and `high` are infinite.
    """

    first: int
    second: int
    metric: str
    difference: float
    low: float
    high: float
    fold_low: float | None
    fold_high: float | None
    p: float
    p_holm: float
    p_equivalent: float
    outcome: Outcome
    seeds: int
    needs: Needs


@dataclass(frozen=True)
class Comparisons:
    """All comparisons of a family, and the margins that they were held to."""

    entries: tuple[Comparison, ...]
    margins: Margins
    baseline: int | None = None

    def of(self, metric: str) -> list[Comparison]:
        """Those in one metric."""
        return [entry for entry in self.entries if entry.metric == metric]


@dataclass(frozen=True)
class _Measured:
    pair: tuple[int, int]
    metric: str
    seeds: int
    both: TwoWay
    folds: Folds | None


_MARGINS = Margins()


def compare(
    validated: Validated,
    *,
    among: Sequence[int] | None = None,
    baseline: int | None = None,
    margins: Margins = _MARGINS,
    advise: bool = True,
) -> Comparisons:
    """Every pair of the candidates `among` (default: all), or each of them with the `baseline`.

    All pairs are compared of at most `MAX_ALL_PAIRS` candidates. Seeds of which a trial failed, of
    either candidate, are left out of a pair. Without `advise`, nothing is said of what would settle
    it, which is quicker. Raises `SettingError` for a candidate
    that has no result, and for more candidates than that.
    """
    chosen = list(dict.fromkeys(validated.candidates if among is None else among))
    unknown = [each for each in chosen if each not in validated.candidates]
    if unknown:
        raise SettingError(
            "candidates that trained to their end", ", ".join(map(str, unknown)),
            "choose those that have a rank in results.csv",
        )  # fmt: skip
    if baseline is not None:
        whole("baseline", baseline, 1, 1_000_000)
        if baseline not in validated.candidates:
            raise SettingError(
                "a baseline that trained to its end", f"candidate {baseline}",
                "choose one that has a rank in results.csv",
            )  # fmt: skip
        pairs = [(candidate, baseline) for candidate in chosen if candidate != baseline]
    elif len(chosen) > MAX_ALL_PAIRS:
        raise SettingError(
            f"at most {MAX_ALL_PAIRS} candidates to compare every pair of", f"{len(chosen):,}",
            "choose some, or compare all with one baseline",
        )  # fmt: skip
    else:
        pairs = list(combinations(chosen, 2))
    layout = Layout.of(validated.units, validated.fold_of, validated.folds)

    @lru_cache(_KEPT)
    def sums(candidate: int, metric: str) -> np.ndarray:
        return layout.sums(validated.scores(candidate, metric))

    measured: list[_Measured] = []
    for first, second in pairs:
        seeds = np.intersect1d(validated.seeds_of(first), validated.seeds_of(second))
        for metric in COMPARED if len(seeds) else ():
            apart = sums(first, metric)[seeds] - sums(second, metric)[seeds]
            measured.append(_measure((first, second), metric, apart, layout))
    return Comparisons(tuple(_decided(measured, layout, margins, advise)), margins, baseline)


def _measure(pair: tuple[int, int], metric: str, apart: np.ndarray, layout: Layout) -> _Measured:
    """The estimates from differences `apart` `[seeds, repeats, units]`."""
    by_fold = None
    if layout.folds > 1:
        by_fold = corrected_t(fold_means(apart, layout), layout.folds)
    return _Measured(pair, metric, len(apart), two_way(apart, layout), by_fold)


def _decided(
    measured: Sequence[_Measured], layout: Layout, margins: Margins, advise: bool
) -> Iterator[Comparison]:
    if not measured:
        return
    tested = Tested(
        [
            Measured(
                found.both,
                getattr(margins, found.metric),
                less_is_better=found.metric != "accuracy",
                folds=found.folds,
            )
            for found in measured
        ]
    )
    p_holm, p_equivalent = tested.p_holm, tested.p_equivalent_holm
    outcomes: list[Outcome] = [tested.outcome(place) for place in range(len(measured))]
    needs = [Needs()] * len(measured)
    if advise:
        needs = _needs(measured, outcomes, layout, margins, (p_holm, p_equivalent))
    for place, found in enumerate(measured):
        width, fold_width = tested.width[place], tested.fold_width[place]
        difference = found.both.difference
        yield Comparison(
            first=found.pair[0],
            second=found.pair[1],
            metric=found.metric,
            difference=difference,
            low=float(difference - width),
            high=float(difference + width),
            fold_low=None if found.folds is None else float(difference - fold_width),
            fold_high=None if found.folds is None else float(difference + fold_width),
            p=float(tested.p[place]),
            p_holm=float(p_holm[place]),
            p_equivalent=float(p_equivalent[place]),
            outcome=outcomes[place],
            seeds=found.seeds,
            needs=needs[place],
        )


def _needs(
    measured: Sequence[_Measured],
    outcomes: Sequence[Outcome],
    layout: Layout,
    margins: Margins,
    adjusted: tuple[np.ndarray, np.ndarray],
) -> list[Needs]:
    """What would settle each undecided comparison; nothing for the others."""
    # What is declared leaves its share of the 5 % to those that are not: Holm's last step.
    real, same = (ALPHA / max(1, int((each > ALPHA).sum())) for each in adjusted)
    needs = [Needs()] * len(measured)
    asked = []
    for place, found in enumerate(measured):
        if found.seeds == 1:
            needs[place] = Needs(seeds=2)
        elif outcomes[place] == "undecided" and found.both.df_units:
            asked.append(place)
    undecided = [
        Undecided(found.both, found.folds, found.seeds, getattr(margins, found.metric))
        for found in (measured[place] for place in asked)
    ]
    for place, need in zip(asked, needs_of(undecided, layout, (real, same)), strict=True):
        needs[place] = need
    return needs
