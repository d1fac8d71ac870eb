"""A picture of marked images: training images, and those that heads are evaluated on."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from jaxtyping import UInt8

from manyheads.core.places import atomic_path
from manyheads.report.figures import new_figure
from manyheads.report.fonts import drawable, fonts_for, shortened

COLUMNS = 6
_CELL = 1.5  # inches
_WORDS = 110  # letters that a line has room for

Pixels = UInt8[np.ndarray, "size size 3"]


class MarkedRow(NamedTuple):
    """Images in a row, as the backbone sees them, and what they are."""

    words: str
    images: Sequence[Pixels]


def draw_marked(path: Path, title: str, rows: Sequence[MarkedRow]) -> None:
    """Write the rows as a PNG, at most `COLUMNS` images each; raises `DiskError` if it cannot."""
    with fonts_for([title, *(row.words for row in rows)]):
        _draw(path, title, rows)


def _draw(path: Path, title: str, rows: Sequence[MarkedRow]) -> None:
    figure = new_figure(_CELL * COLUMNS, (_CELL + 0.3) * len(rows) + 0.4)
    panels = figure.subplots(len(rows), COLUMNS, squeeze=False)
    for line, row in zip(panels, rows, strict=True):
        for axes in line:
            axes.set_axis_off()
        for axes, pixels in zip(line, row.images, strict=False):
            axes.imshow(pixels, interpolation="nearest")
        told = drawable(shortened([row.words], _WORDS)[0])
        words = line[0].set_title(told, fontsize=10, loc="left", parse_math=False)
        words.set_in_layout(False)  # or the first column would be as wide as its words
    figure.suptitle(drawable(shortened([title], _WORDS)[0]), fontsize=11, parse_math=False)
    with atomic_path(path) as temporary:
        figure.savefig(temporary, dpi=100)
