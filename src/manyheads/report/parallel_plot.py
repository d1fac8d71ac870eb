"""Parallel coordinates: each candidate a line over its hyperparameters' values to its score."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from manyheads.core.text import decimal
from manyheads.findings.parallel_scores import CandidateLine, ParallelScores
from manyheads.report.fonts import shortened
from manyheads.report.scales import Scale, Tick, padded, round_ticks

WIDTH, HEIGHT = 880, 340
TOP, BOTTOM = 44, 326
_LEFT, _RIGHT = 8, 826  # of the first axis and the last one
_TICKS = 14  # words beside an axis
_WORD = 14  # letters of a value


class DrawnAxis(NamedTuple):
    """An axis at `x` with its name, which `anchor` aligns, and the words beside it.

    These lie lower than their place by `dy` of their height: above the lines, or in the middle.
    """

    x: float
    name: str
    anchor: str
    ticks: tuple[Tick, ...]
    dy: float = -0.4


class DrawnLine(NamedTuple):
    """A candidate's line as an SVG path; `share` is its score, 0 of the least to 1 of the best."""

    path: str
    share: float
    selected: bool


@dataclass(frozen=True)
class DrawnParallel:
    """The plot with everything placed, from `top` to `bottom`; later lines lie on earlier ones."""

    title: str
    description: str
    axes: tuple[DrawnAxis, ...]
    lines: tuple[DrawnLine, ...]
    width: int = WIDTH
    height: int = HEIGHT
    top: int = TOP
    bottom: int = BOTTOM


def draw_parallel(found: ParallelScores) -> DrawnParallel:
    """Place an axis for each hyperparameter, one for the score, and a line for each candidate."""
    scores = [line.score for line in found.lines]
    low, high = min(scores), max(scores)
    along = Scale(*padded(low, high), BOTTOM, TOP)
    count = len(found.hyperparameters)
    across = Scale(0, count, _LEFT, _RIGHT)
    axes = [
        DrawnAxis(across.at(place), name, "middle" if place else "start", _ticks(values))
        for place, (name, values) in enumerate(
            zip(found.hyperparameters, found.values, strict=True)
        )
    ]
    ticks = [(along.at(at), words) for at, words in round_ticks(along.low, along.high)]
    axes.append(DrawnAxis(across.at(count), found.score, "end", tuple(ticks), dy=0.34))
    lines = []
    for line in found.lines:
        points = [
            (axis.x, _height(place, len(values)))
            for axis, place, values in zip(axes[:-1], line.places, found.values, strict=True)
        ]
        points.append((axes[-1].x, along.at(line.score)))
        path = "M" + "L".join(f"{x:g},{y:g}" for x, y in points)
        share = (line.score - low) / (high - low) if high > low else 1.0
        lines.append(DrawnLine(path, round(share, 3), line.selected))
    return DrawnParallel("All settings", _words(found), tuple(axes), tuple(lines))


def _height(place: int, values: int) -> float:
    """Where the value at a place lies; the first is the lowest."""
    return Scale(-0.5, values - 0.5, BOTTOM, TOP).at(place)


def _ticks(values: tuple[str, ...]) -> tuple[Tick, ...]:
    words = shortened(values, _WORD)
    step = -(-len(words) // _TICKS)
    return tuple((_height(n, len(words)), words[n]) for n in range(0, len(words), step))


def _words(found: ParallelScores) -> str:
    def said(line: CandidateLine) -> str:
        return f"{line.name} {decimal(line.score)}"

    worst, best = (choose(found.lines, key=lambda line: line.score) for choose in (min, max))
    chosen = "".join(f" Selected: {said(line)}." for line in found.lines if line.selected)
    return (
        f"{len(found.lines)} settings by their {found.score}. Best: {said(best)}. "
        f"Worst: {said(worst)}.{chosen}"
    )
