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
from manyheads.evidence.paired import (
    ALPHA,
    COMPARED,
    Decided,
    Margins,
    Paired,
    decide,
    measure,
)
from manyheads.evidence.statistics import Layout
from manyheads.evidence.validated import Validated
from manyheads.settings import whole

MAX_ALL_PAIRS = 20  # candidates
_KEPT = 2 * MAX_ALL_PAIRS  # scores by unit, of a candidate in a metric each


@dataclass(frozen=True, kw_only=True)
class Comparison(Decided):
    """Two candidates in one metric, over `seeds` that both have trained.

    Adjusted for all comparisons of the family in both metrics. `needs` is what would probably
    settle an undecided one.
    """

    first: int
    second: int
    metric: str
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

    compared: list[tuple[int, int]] = []
    measured: list[Paired] = []
    for first, second in pairs:
        seeds = np.intersect1d(validated.seeds_of(first), validated.seeds_of(second))
        for metric in COMPARED if len(seeds) else ():
            apart = sums(first, metric)[seeds] - sums(second, metric)[seeds]
            compared.append((first, second))
            measured.append(measure(metric, apart, layout))
    decided = list(decide(measured, margins))
    needs = [Needs()] * len(measured)
    if advise:
        needs = _needs(measured, decided, layout, margins)
    return Comparisons(tuple(_entries(compared, measured, decided, needs)), margins, baseline)


def _entries(
    pairs: Sequence[tuple[int, int]],
    measured: Sequence[Paired],
    decided: Sequence[Decided],
    needs: Sequence[Needs],
) -> Iterator[Comparison]:
    for pair, found, what, need in zip(pairs, measured, decided, needs, strict=True):
        yield Comparison(
            first=pair[0], second=pair[1], metric=found.metric, seeds=found.seeds, needs=need,
            **vars(what),
        )  # fmt: skip


def _needs(
    measured: Sequence[Paired], decided: Sequence[Decided], layout: Layout, margins: Margins
) -> list[Needs]:
    """What would settle each undecided comparison; nothing for the others."""
    # What is declared leaves its share of the 5 % to those that are not: Holm's last step.
    real = ALPHA / max(1, sum(each.p_holm > ALPHA for each in decided))
    same = ALPHA / max(1, sum(each.p_equivalent > ALPHA for each in decided))
    needs = [Needs()] * len(measured)
    asked = []
    for place, found in enumerate(measured):
        if found.seeds == 1:
            needs[place] = Needs(seeds=2)
        elif decided[place].outcome == "undecided" and found.both.df_units:
            asked.append(place)
    undecided = [
        Undecided(found.both, found.folds, found.seeds, getattr(margins, found.metric))
        for found in (measured[place] for place in asked)
    ]
    for place, need in zip(asked, needs_of(undecided, layout, (real, same)), strict=True):
        needs[place] = need
    return needs
