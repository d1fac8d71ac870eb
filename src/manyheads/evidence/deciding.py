"""From differences and their variances to intervals, p and outcomes, for a whole family at once."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from jaxtyping import Float64
from scipy.special import stdtrit

from manyheads.evidence.behrens_fisher import half_width, p_value, student_p
from manyheads.evidence.needs import needed
from manyheads.evidence.records import Comparison, Interval, Margins, Outcome
from manyheads.evidence.statistics import Folds, Layout, TwoWay, holm

LEVEL = 0.05  # the chance of any false declaration in a study
_SIGN = {"accuracy": 1, "log_loss": -1}  # of a difference with which the first is better

Parts = tuple[TwoWay, Folds | None]


def decided(
    found: list[Comparison],
    parts: list[Parts | None],
    layout: Layout,
    margins: Margins,
) -> list[Comparison]:
    """All comparisons with their intervals, p and outcomes; those without parts as they are."""
    known = [index for index, part in enumerate(parts) if part]
    if not known:
        return found
    estimates = [part[0] for part in parts if part]
    folds = [part[1] for part in parts if part]
    margin = np.array([getattr(margins, found[index].metric) for index in known])
    by_images = _two_way_intervals(estimates, margin)
    by_folds = [
        _fold_interval(e.difference, f, m) if f else None
        for e, f, m in zip(estimates, folds, margin, strict=True)
    ]
    p = np.array([_widest(a, b, "p") for a, b in zip(by_images, by_folds, strict=True)])
    same = np.array(
        [_widest(a, b, "p_equivalent") for a, b in zip(by_images, by_folds, strict=True)]
    )
    p_holm, same_holm = holm(p), holm(same)
    real, alike = p_holm <= LEVEL, same_holm <= LEVEL
    outcomes = list(found)
    for row, index in enumerate(known):
        a, b = by_images[row], by_folds[row]
        wider = b is not None and b.high - b.low > a.high - a.low
        deciding = b if b is not None and wider else a
        outcomes[index] = replace(
            found[index],
            outcome=_outcome(found[index], bool(real[row]), bool(alike[row])),
            method="corrected resampled t" if wider else "two-way",
            low=deciding.low,
            high=deciding.high,
            p=float(p[row]),
            p_holm=float(p_holm[row]),
            p_equivalent=float(same[row]),
            p_equivalent_holm=float(same_holm[row]),
            two_way=a,
            folds=b,
        )
    open_ = [row for row in range(len(known)) if not real[row] and not alike[row]]
    # What is declared already leaves its share of the 5 % to those that are not.
    levels = LEVEL / max(int((~real).sum()), 1), LEVEL / max(int((~alike).sum()), 1)
    needs = needed(
        [estimates[row] for row in open_],
        [folds[row] for row in open_],
        [found[known[row]].seeds for row in open_],
        layout,
        margin[open_],
        levels,
    )
    for row, need in zip(open_, needs, strict=True):
        settled = replace(outcomes[known[row]], needs_seeds=need.seeds, needs_images=need.images)
        outcomes[known[row]] = settled
    return outcomes


def _two_way_intervals(
    estimates: list[TwoWay], margin: Float64[np.ndarray, "comparisons"]
) -> list[Interval]:
    difference, variance, heads, df_units, df = np.array(
        [(e.difference, e.variance, e.of_seeds, e.df_units, e.df_seeds) for e in estimates]
    ).T
    parts = variance - heads, heads, df_units, df
    half = half_width(*parts, 1 - LEVEL)
    p = p_value(difference, *parts)
    distance = margin - np.abs(difference)
    beyond = np.where(variance > 0, p_value(distance, *parts) / 2, 0)
    same = np.where(distance > 0, beyond, 1)
    rows = zip(difference, half, p, same, strict=True)
    return [Interval(float(d - h), float(d + h), float(a), float(b)) for d, h, a, b in rows]


def _fold_interval(difference: float, folds: Folds, margin: float) -> Interval:
    error = np.sqrt(folds.variance)
    half = float(stdtrit(folds.df, 1 - LEVEL / 2) * error)
    distance = margin - abs(difference)
    p = float(student_p(np.asarray(difference), error, np.asarray(folds.df)))
    beyond = float(student_p(np.asarray(distance), error, np.asarray(folds.df))) / 2
    same = 1.0 if distance <= 0 else beyond
    return Interval(difference - half, difference + half, p, same)


def _widest(one: Interval, other: Interval | None, name: str) -> float:
    return max(getattr(one, name), getattr(other, name) if other else 0.0)


def _outcome(comparison: Comparison, real: bool, alike: bool) -> Outcome:
    if alike:
        return "equivalent"
    if not real:
        return "undecided"
    above = (comparison.difference or 0) * _SIGN[comparison.metric] > 0
    return "better" if above else "worse"
