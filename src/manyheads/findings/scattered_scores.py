"""The scores of candidates that were drawn, by each hyperparameter: a point for each candidate."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float64

from manyheads.heads.epoch_rules import metric_of
from manyheads.heads.hyperparameters import DECLARED
from manyheads.stats.paired import compared_in
from manyheads.study.space import idle_of

if TYPE_CHECKING:
    from manyheads.findings.study_findings import Findings

POINTS = 200  # of a plot; more are thinned out evenly
PLOTS = 8  # hyperparameters, the most important


@dataclass(frozen=True, kw_only=True)
class ScatteredScores:
    """Mean scores in `metric` of candidates, and their `values` of one hyperparameter.

    Numbers ascend, words are in the order in which they were listed. Candidates in which it has no
    effect are left out. `is_log`: the values were drawn on a logarithmic scale. `selected` is the
    place of the selected candidate, None if it is not among them.
    """

    hyperparameter: str
    metric: str
    values: tuple[float | str, ...]
    scores: Float64[np.ndarray, "candidates"]
    is_log: bool
    selected: int | None


def scattered_scores(findings: Findings) -> tuple[ScatteredScores, ...]:
    """Accuracy and log loss by the only hyperparameter that varies, or accuracy by each of several.

    The most important come first. Candidates that trained to their end have points.
    """
    names = findings.settings.grid.varying
    if len(names) == 1:
        found = [
            _scattered(findings, names[0], metric)
            for metric in compared_in(metric_of(findings.settings.select))[::-1]
        ]
    else:
        ranked = [entry.hyperparameter for entry in findings.importance.shares] or list(names)
        found = [_scattered(findings, name, "accuracy") for name in ranked]
    return tuple(filter(None, found))[:PLOTS]


def _scattered(findings: Findings, name: str, metric: str) -> ScatteredScores | None:
    """The points of one hyperparameter; None where fewer than two values have any."""
    grid, ranking = findings.settings.grid, findings.result.ranking
    selected = ranking[0].candidate
    values, means, numbers = [], [], []
    for candidate in _thinned(list(findings.validated.candidates), selected):
        setting = asdict(grid[candidate - 1])
        mean = findings.differences.mean(candidate, metric)
        if np.isfinite(mean) and name not in idle_of(setting):
            values.append(setting[name])
            means.append(mean)
            numbers.append(candidate)
    if len(set(values)) < 2:
        return None
    listed = list(getattr(grid, name))
    order = sorted(range(len(values)), key=lambda place: (listed.index(values[place]), place))
    return ScatteredScores(
        hyperparameter=name,
        metric=metric,
        values=tuple(values[place] for place in order),
        scores=np.array([means[place] for place in order]),
        is_log=name in DECLARED and DECLARED[name].scale == "log",
        selected=order.index(numbers.index(selected)) if selected in numbers else None,
    )


def _thinned(candidates: list[int], selected: int) -> list[int]:
    if len(candidates) <= POINTS:
        return candidates
    places = np.linspace(0, len(candidates) - 1, POINTS).round().astype(int)
    return sorted({*(candidates[place] for place in places), selected})
