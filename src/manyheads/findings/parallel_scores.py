"""The candidates of a grid with all their values and their score, for parallel coordinates."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from manyheads.findings.scores_by_setting import epoch_words
from manyheads.findings.study_findings import Findings
from manyheads.study.space import setting_words, value_words

FEWEST = 6  # candidates; fewer are read in their table
LINES = 60  # drawn candidates
AXES = 7  # hyperparameters


@dataclass(frozen=True, kw_only=True)
class CandidateLine:
    """A candidate: the `places` of its values among those of each hyperparameter, and its score."""

    name: str
    places: tuple[int, ...]
    score: float
    selected: bool


@dataclass(frozen=True, kw_only=True)
class ParallelScores:
    """Candidates over the hyperparameters that vary, each with the `values` that were tried.

    `lines` are at most `LINES` of `candidates`, worst first and the selected one last, evenly
    spread over the ranks. `score` says what the scores are.
    """

    hyperparameters: tuple[str, ...]
    values: tuple[tuple[str, ...], ...]
    lines: tuple[CandidateLine, ...]
    candidates: int
    score: str


def parallel_scores(findings: Findings) -> ParallelScores | None:
    """The candidates with a result by mean validation accuracy.

    None where one hyperparameter varies, or more than `AXES` do, or for fewer than `FEWEST`.
    """
    grid, mean = findings.settings.grid, findings.differences.mean
    found = [(mean(each, "accuracy"), each) for each in findings.validated.candidates]
    found = sorted((pair for pair in found if np.isfinite(pair[0])), reverse=True)
    if not 2 <= len(grid.varying) <= AXES or len(found) < FEWEST:
        return None
    values = [_values(getattr(grid[each - 1], name) for _, each in found) for name in grid.varying]
    selected = findings.result.ranking[0].candidate
    shown = {int(place) for place in np.linspace(0, len(found) - 1, LINES).round()}
    lines = [
        CandidateLine(
            name=setting_words(grid[each - 1], grid.varying),
            places=tuple(
                axis.index(getattr(grid[each - 1], name))
                for name, axis in zip(grid.varying, values, strict=True)
            ),
            score=score,
            selected=each == selected,
        )
        for place, (score, each) in enumerate(found)
        if place in shown or each == selected
    ]
    lines.sort(key=lambda line: (line.selected, line.score))
    return ParallelScores(
        hyperparameters=grid.varying,
        values=tuple(
            tuple(value_words(name, value) for value in axis)
            for name, axis in zip(grid.varying, values, strict=True)
        ),
        lines=tuple(lines),
        candidates=len(found),
        score=f"accuracy {epoch_words(findings, 'accuracy')}",
    )


def _values(values: Iterable[float | str]) -> list[float | str]:
    """Different values, numbers ascending, words as they come."""
    different = list(dict.fromkeys(values))
    return different if any(isinstance(each, str) for each in different) else sorted(different)  # pyright: ignore
