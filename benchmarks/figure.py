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

    figure = Figure((11, 5), layout="constrained")
    left, right = figure.subplots(1, 2)
    whats = dict.fromkeys([*(cost.what for cost in heads), *(cost.what for cost in images)])
    colors = {what: f"C{number}" for number, what in enumerate(whats)}
    points = ((cost.what, cost.heads, cost.epoch) for cost in heads)
    _panel(left, "heads", "ms per head and epoch", points, colors)
    left.axhline(bound, color="black", linestyle=":", label="practical bound")
    _panel(right, "images", "µs per image and epoch, one head", images, colors)
    figure.legend(*left.get_legend_handles_labels(), loc="outside lower center", ncols=4)
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / f"{datetime.date.today()}-heads.svg"
    FigureCanvasSVG(figure).print_svg(file)
    return file


def _panel(
    axes: Any,
    across: str,
    up: str,
    points: Iterable[tuple[str, int, float | str]],
    colors: dict[str, str],
) -> None:
    """One line for what was measured at several numbers: the least of its settings at each."""
    from matplotlib.ticker import LogLocator

    least: dict[str, dict[int, float]] = defaultdict(dict)
    for what, number, value in points:
        if not isinstance(value, str):
            least[what][number] = min(value, least[what].get(number, value))
    for what, curve in least.items():
        numbers = sorted(curve)
        look: dict[str, Any] = {"marker": "s", "color": colors[what], "label": what}
        if what == "manyheads":
            look |= {"marker": "o", "linewidth": 3}
        axes.plot(numbers, [curve[number] for number in numbers], **look)
    axes.set(xlabel=across, ylabel=up, xscale="log", yscale="log")
    axes.xaxis.set_major_formatter("{x:,.0f}")
    axes.yaxis.set_major_formatter("{x:g}")
    axes.yaxis.set_minor_locator(LogLocator(subs=(2, 5)))
    axes.yaxis.set_minor_formatter("{x:g}")
    axes.grid(alpha=0.3, which="both")
