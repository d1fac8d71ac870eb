"""The figure of `heads`: cost against the number of heads, and of images."""

from __future__ import annotations

import datetime
from collections import defaultdict
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from benchmarks.heads import Cost
    from benchmarks.images import SampleCost


def draw(folder: Path, heads: Sequence[Cost], images: Sequence[SampleCost], bound: float) -> Path:
    """Write the figure as SVG into `folder`; `bound` in milliseconds per head and epoch."""
    from matplotlib.backends.backend_svg import FigureCanvasSVG
    from matplotlib.figure import Figure

    figure = Figure((11, 4.2), layout="constrained")
    left, right = figure.subplots(1, 2)
    _panel(left, "heads", "ms per head and epoch", ((c.what, c.heads, c.epoch) for c in heads))
    left.axhline(bound, color="black", linestyle=":", label="practical bound")
    _panel(right, "images", "µs per image and epoch, one head", images)
    for axes in (left, right):
        axes.legend(fontsize="small")
        axes.grid(alpha=0.3)
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / f"{datetime.date.today()}-heads.svg"
    FigureCanvasSVG(figure).print_svg(file)
    return file


def _panel(axes: Any, across: str, up: str, points: Iterable[tuple[str, int, float | str]]) -> None:
    lowest: dict[str, dict[int, float]] = defaultdict(dict)
    for what, number, value in points:
        if not isinstance(value, str):
            lowest[what][number] = min(value, lowest[what].get(number, value))
    for what, curve in lowest.items():
        numbers = sorted(curve)
        marker = {"marker": "o", "linewidth": 3} if what == "manyheads" else {"marker": "s"}
        axes.plot(numbers, [curve[number] for number in numbers], label=what, **marker)
    axes.set(xlabel=across, ylabel=up, xscale="log", yscale="log")
