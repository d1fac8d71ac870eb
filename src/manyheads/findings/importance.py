"""The importance of each hyperparameter: its share of how the candidates of a study differ."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from manyheads.core.text import counted, decimal, joined, percent
from manyheads.findings.candidate_scores import CandidateScores, candidate_scores
from manyheads.findings.finding import Finding
from manyheads.findings.wording import METRIC_WORDS
from manyheads.heads.epoch_rules import metric_of
from manyheads.heads.ranges import Range, place_of
from manyheads.stats.main_effects import Factor, fitted_designs
from manyheads.stats.paired import SHARES
from manyheads.stats.variance_shares import VarianceShares, variance_shares
from manyheads.study.space import Candidates, idle_of

if TYPE_CHECKING:
    from manyheads.findings.study_findings import Findings

SMALL = 0.1  # of the variance; less hardly matters
_LEVELS = 5  # of numbers that are listed; more lie on a scale
_FEWEST = 2  # candidates for each column of the coarsest designs


@dataclass(frozen=True)
class HyperparameterImportance:
    """The share of a hyperparameter's main effect in the variance between candidates, in [0, 1].

    `low` to `high` is its 95 % interval; None where it is not known, as with one seed.
    """

    hyperparameter: str
    share: float
    low: float | None
    high: float | None


@dataclass(frozen=True)
class Importance(Finding):
    """How much each hyperparameter matters within what the study varied, the most important first.

    `shares` of the variance of the candidates' mean scores in `metric`, by main effects;
    `interactions` is the share that these leave. `deviation` is the standard deviation of the
    candidates' true scores, and `candidates` how many were measured. There are no shares where the
    candidates do not differ beyond noise, or are too few, or where one hyperparameter varies.
    """

    metric: str
    shares: tuple[HyperparameterImportance, ...]
    interactions: float
    deviation: float
    candidates: int
    headline: str
    basis: str = ""

    @property
    def sentences(self) -> tuple[str, ...]:
        """What matters and how much, then what that rests on."""
        return tuple(filter(None, (self.headline, self.basis)))

    @property
    def entries(self) -> tuple[HyperparameterImportance, ...]:
        """The share of each hyperparameter."""
        return self.shares


def importance_of(findings: Findings) -> Importance:
    """The importance of each varying hyperparameter of a finished study."""
    settings = findings.settings
    metric = metric_of(settings.select)
    names = settings.grid.varying
    if len(names) < 2:
        what = f"{names[0]} alone" if names else "nothing"
        return _without(metric, 0, f"Importance: not assessed, for {what} varies.")
    scores = candidate_scores(findings, metric)
    count, drawn = len(scores.means), settings.grid.drawn is not None
    factors = [_factor(settings.grid, name, scores.candidates) for name in names]
    columns = sum(factor.design(0).shape[1] for factor in factors)
    if count < _FEWEST * (columns + 1) if drawn else count < 3:
        words = f"Importance: not assessed, for {counted(count, 'candidate')} are too few."
        return _without(metric, count, words)
    designs = fitted_designs(factors, scores.means)
    found = variance_shares(scores.means, scores.noise, designs, drawn=drawn)
    if not found.shares:
        words = METRIC_WORDS[metric]
        return _without(
            metric, count, f"Importance: the candidates do not differ in {words} beyond noise."
        )
    entries = sorted(
        (
            HyperparameterImportance(name, share.value, share.low, share.high)
            for name, share in zip(names, found.shares, strict=True)
        ),
        key=lambda entry: -entry.share,
    )
    return Importance(
        metric=metric,
        shares=tuple(entries),
        interactions=found.rest,
        deviation=found.deviation,
        candidates=count,
        headline=_headline(metric, entries, found),
        basis=_basis(metric, found, scores, drawn=drawn),
    )


def _without(metric: str, count: int, headline: str) -> Importance:
    return Importance(metric, (), 0.0, 0.0, count, headline)


def _factor(grid: Candidates, name: str, candidates: Sequence[int]) -> Factor:
    """What the candidates have of a hyperparameter: a level where it is listed, or a place."""
    settings = [asdict(grid[candidate - 1]) for candidate in candidates]
    idle = [name in idle_of(setting) for setting in settings]
    values = [setting[name] for setting in settings]
    items = _items(grid, name, values)
    levels, places = np.full(len(values), -1), np.full(len(values), np.nan)
    for place, value in enumerate(values):
        if not idle[place]:
            levels[place], places[place] = _found(name, items, value)
    return Factor(levels, places)


def _items(grid: Candidates, name: str, values: Sequence[Any]) -> list[Any]:
    """The levels and ranges of a hyperparameter; many numbers that were drawn from are a range."""
    if grid.drawn is None:
        return sorted(set(values), key=str)
    asked = list(grid.listed(name))
    numbers = [each for each in asked if not isinstance(each, str | Range)]
    if len(numbers) == len(asked) > _LEVELS:
        return [Range(min(numbers), max(numbers))]
    return asked


def _found(name: str, items: Sequence[Any], value: Any) -> tuple[int, float]:
    """The level that a value belongs to, and its place in it if that is a range."""
    if value in items:
        return items.index(value), np.nan
    for level, item in enumerate(items):
        if isinstance(item, Range) and item.low <= value <= item.high:
            return level, place_of(name, item, value)
    return -1, np.nan


def _headline(
    metric: str, entries: Sequence[HyperparameterImportance], found: VarianceShares
) -> str:
    """Which hyperparameters matter and by how much, and which hardly do."""
    small = [each for each in entries if each.high is not None and each.high <= SMALL]
    unclear = [each for each in entries if each.low == 0 and each not in small]
    shown = [each for each in entries if each not in small and each not in unclear]
    parts = [f"{each.hyperparameter} {_share(each)}" for each in shown]
    parts += [f"interactions {percent(found.rest, 0)}"]
    sentences = [f"Importance for {METRIC_WORDS[metric]}: {', '.join(parts)}."]
    if unclear:
        words = joined([f"{each.hyperparameter} {_share(each)}" for each in unclear])
        sentences.append(f"No effect is shown of {words}.")
    if small:
        words = joined([each.hyperparameter for each in small])
        matter = "matters" if len(small) == 1 else "matter"
        most = max(math.ceil(100 * (each.high or 0)) for each in small)
        sentences.append(f"Here {words} hardly {matter}: at most {max(most, 1)} %.")
    return " ".join(sentences)


def _share(entry: HyperparameterImportance) -> str:
    """Such as `71 % [60, 80]`."""
    words = percent(entry.share, 0)
    if entry.low is None or entry.high is None:
        return words
    return f"{words} [{decimal(100 * entry.low, 0)}, {decimal(100 * entry.high, 0)}]"


def _basis(metric: str, found: VarianceShares, scores: CandidateScores, *, drawn: bool) -> str:
    """What the shares are of, and what their intervals allow for."""
    points = metric in SHARES
    spread = f"{decimal(100 * found.deviation, 1)} points" if points else decimal(found.deviation)
    others = [
        *(["images"] if scores.with_images else []),
        *(["seeds"] if scores.noise.df else []),
        *(["candidates"] if drawn else []),
    ]
    known = any(each.low is not None for each in found.shares)
    allow = f"95 % intervals allow for other {joined(others)}"
    return (
        f"Shares of the variance between {counted(len(scores.means), 'candidate')} (standard "
        f"deviation {spread}{scores.epoch_words}) by main effects; "
        f"{allow if known else 'with one seed, no interval is known'}."
    )
