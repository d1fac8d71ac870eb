"""A few of the marked images, drawn as the backbone will see them."""

from __future__ import annotations

from pathlib import Path

from manyheads.data.columns import Rows
from manyheads.data.images import load_pixels
from manyheads.errors import ImageError
from manyheads.lesson.shortcut.arrangement import Arrangement
from manyheads.lesson.shortcut.shortcut_settings import ShortcutSettings
from manyheads.report.marked_sheet import COLUMNS, MarkedRow, Pixels, draw_marked


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
            pixels = load_pixels(Path(dataset.paths[image]), settings.study.image)
        except ImageError:
            continue
        plain.append(pixels)
        marked.append(settings.mark(pixels, dataset.digests[image]))
    return plain, marked
