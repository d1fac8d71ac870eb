"""Contact sheets: many images beside their maps, a row an image."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from manyheads.core.job import SILENT, Job
from manyheads.core.places import atomic_path
from manyheads.core.threads import map_in_threads
from manyheads.models.explain.explanation import Explanation, Explanations
from manyheads.models.explain.overlay import ALPHA, COLOUR
from manyheads.report.figures import new_figure
from manyheads.report.fonts import drawable, fonts_for, shortened
from manyheads.report.overlays import MEANINGS

ROWS, ACROSS = 8, 2  # images down and across a page
_SIDE, _CELL, _WORDS = 200, 1.5, 1.6  # pixels of a picture; inches of one, and of the words
_LONGEST = 22  # letters beside a picture

PAGE = ROWS * ACROSS


def write_sheets(
    folder: Path,
    explanations: Explanations,
    methods: Sequence[str],
    limits: Mapping[str, float],
    *,
    alpha: float = ALPHA,
    job: Job = SILENT,
) -> list[Path]:
    """Write `contact-sheet.png`, or `contact-sheet-1.png` and so on, `PAGE` images a page.

    Raises `DiskError`, and `Interrupted` when `job` is stopped.
    """
    shown = explanations.readable
    pages = [shown[start : start + PAGE] for start in range(0, len(shown), PAGE)]
    files = []
    for number, page in enumerate(pages, 1):
        name = f"contact-sheet-{number}.png" if len(pages) > 1 else "contact-sheet.png"
        title = f"page {number} of {len(pages)}" if len(pages) > 1 else ""
        job.check("the contact sheet")
        words = (
            word for entry in page for word in (entry.label, entry.target, entry.image) if word
        )
        with fonts_for(words):
            _draw(folder / name, page, methods, limits, alpha, title, job)
        files.append(folder / name)
    return files


def _draw(
    path: Path,
    page: Sequence[Explanation],
    methods: Sequence[str],
    limits: Mapping[str, float],
    alpha: float,
    title: str,
    job: Job,
) -> None:
    def pictures(entry: Explanation) -> list[Any]:
        overlays = [
            entry.overlay(method, _SIDE, limit=limits[method], alpha=alpha) for method in methods
        ]
        return [entry.picture(_SIDE), *overlays]

    across = min(ACROSS, len(page))
    rows = -(-len(page) // across)
    panels = 1 + len(methods)
    width = across * (panels * _CELL + _WORDS)
    figure = new_figure(width, rows * _CELL + 0.9, layout=None)
    top, bottom = 1 - 0.3 / (rows * _CELL + 0.9), 0.6 / (rows * _CELL + 0.9)
    space = figure.add_gridspec(
        rows, across * (panels + 1), width_ratios=([_CELL] * panels + [_WORDS]) * across,
        left=0.005, right=0.995, top=top, bottom=bottom, wspace=0.03, hspace=0.06,
    )  # fmt: skip
    drawn = map_in_threads(pictures, page, what="the contact sheet", job=job)
    for place, (entry, images) in enumerate(zip(page, drawn, strict=True)):
        row, column = place // across, (place % across) * (panels + 1)
        for panel, image in enumerate(images):
            axes = figure.add_subplot(space[row, column + panel])
            axes.set_axis_off()
            axes.imshow(np.asarray(image), interpolation="antialiased")
            if row == 0:
                words = "image" if panel == 0 else methods[panel - 1]
                axes.set_title(words, fontsize=8, pad=3)
        axes = figure.add_subplot(space[row, column + panels])
        axes.set_axis_off()
        axes.text(0.02, 0.5, _words(entry), fontsize=7, va="center", parse_math=False)
    _legend(figure, methods, limits, alpha, bottom)
    if title:
        figure.text(0.995, 0.01, title, fontsize=7, ha="right")
    with atomic_path(path) as temporary:
        figure.savefig(temporary, dpi=110)


def _words(entry: Explanation) -> str:
    label, target = shortened(
        [drawable(entry.label or ""), drawable(entry.target or "")], _LONGEST - 5
    )
    lines = [f"{label} {entry.confidence:.2f}"]
    lines += shortened([f"map of {target}"], _LONGEST) if entry.target != entry.label else []
    if entry.strongest is not None:
        part, left = entry.strongest
        lines += [f"without {part}: {left:.2f}"]
    lines += shortened([drawable(Path(entry.image).name)], _LONGEST)
    return "\n".join(lines)


def _legend(
    figure: Any, methods: Sequence[str], limits: Mapping[str, float], alpha: float, room: float
) -> None:
    """A bar of the colours for each method, in the `room` at the bottom."""
    from matplotlib.cm import ScalarMappable
    from matplotlib.colors import LinearSegmentedColormap, Normalize

    full = [1 - alpha * (1 - value / 255) for value in COLOUR]
    tint = LinearSegmentedColormap.from_list("tint", ["white", full])
    for place, method in enumerate(methods):
        share = 0.8 / len(methods)
        axes = figure.add_axes((0.03 + place * share, room * 0.62, 0.75 * share, room * 0.16))
        colours = ScalarMappable(Normalize(0, limits[method]), tint)
        figure.colorbar(colours, cax=axes, orientation="horizontal", ticks=[0, limits[method]])
        axes.set_xticklabels(["≤ 0", f"≥ {limits[method]:g}"], fontsize=7)
        axes.set_title(f"{method}: {MEANINGS[method]}", fontsize=7, pad=2)
