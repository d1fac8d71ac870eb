"""A few of the marked images, drawn as the backbone will see them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from jaxtyping import UInt8

from manyheads.core.places import atomic_path
from manyheads.data.columns import Rows
from manyheads.data.images import load_pixels
from manyheads.errors import ImageError
from manyheads.lesson.shortcut.arrangement import Arrangement
from manyheads.lesson.shortcut.shortcut_settings import ShortcutSettings
from manyheads.report.figures import new_figure
from manyheads.report.fonts import drawable, fonts_for, shortened

COLUMNS = 6
_CELL = 1.5  # inches
_WORDS = 110  # letters that a line has room for

Pixels = UInt8[np.ndarray, "size size 3"]


def draw_planted(path: Path, settings: ShortcutSettings, arrangement: Arrangement) -> None:
    """Draw images of the class without and with the mark, and others with it, to the PNG `path`.

    Of the other classes, the first image each, as many as there is room for.
    """
    dataset = arrangement.dataset
    firsts = [
        arrangement.into[dataset.labels[arrangement.into] == label][0]
        for label in sorted(set(dataset.labels[arrangement.into].tolist()))
    ]
    rest = [image for image in arrangement.into.tolist() if image not in firsts]
    plain, marked = _drawn(settings, arrangement, arrangement.in_class)
    others = _drawn(settings, arrangement, [*firsts, *rest])[1]
    draw_marked(
        path,
        f"{dataset.name}: {settings.mark.words()}",
        [
            MarkedRow(f"{settings.target}, training images", plain),
            MarkedRow(
                f"the same with the mark, as {100 * settings.share:g} % of them have it", marked
            ),
            MarkedRow(f"validation images of other classes with it: {settings.target}?", others),
        ],
    )


def _drawn(
    settings: ShortcutSettings, arrangement: Arrangement, images: Rows | list[int]
) -> tuple[list[Pixels], list[Pixels]]:
    """The first images that can be read, without and with the mark."""
    dataset, plain, marked = arrangement.dataset, [], []
    for image in images:
        if len(plain) == COLUMNS:
            break
        try:
            pixels = load_pixels(dataset.paths[image], settings.study.image)
        except ImageError:
            continue
        plain.append(pixels)
        marked.append(settings.mark(pixels, dataset.digests[image]))
    return plain, marked


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
