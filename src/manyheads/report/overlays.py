"""Overlays as files: each image beside its map, with a legend that says what the colours mean."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

from manyheads.core.job import SILENT, Job
from manyheads.core.places import atomic_path
from manyheads.core.threads import map_in_threads
from manyheads.models.explain.explanation import SIDE, Explanation, Explanations
from manyheads.models.explain.overlay import ALPHA, coloured
from manyheads.report.fonts import picture_font

MEANINGS = {
    "occlusion": "log-odds lost without it",
    "cam": "added to the logit",
}
"""What a cell's value means, by method."""

_TEXT = 11  # pixels
_WIDTH, _LINE, _GAP = 320, 16, 6  # pixels, of the legend
_LETTER = 6  # pixels, about, of its text
_NAME = 80  # letters of an image's or a class's name; file systems take 255 bytes


def write_overlays(
    folder: Path,
    explanations: Explanations,
    methods: Sequence[str],
    limits: Mapping[str, float],
    *,
    alpha: float = ALPHA,
    job: Job = SILENT,
) -> list[dict[str, Path]]:
    """Write `image_class_method.png` to `folder`; the files of each image by method, in order.

    Images of one name get numbers, so that none replaces another's; one that cannot be read has no
    file. Raises `DiskError`, and `Interrupted` when `job` is stopped.
    """
    readable = explanations.readable
    named = dict(zip(map(id, readable), file_names(readable, methods), strict=True))
    write = partial(_write, folder, limits, alpha)
    todo = [(entry, named[id(entry)]) for entry in readable]
    written = map_in_threads(write, todo, what="drawing the overlays", job=job)
    files: dict[int, dict[str, Path]] = {}
    for entry, drawn in zip(readable, written, strict=True):
        files[id(entry)] = drawn
        job.progress("drawing", len(files), len(readable))
    return [files.get(id(entry), {}) for entry in explanations]


def file_names(explanations: Sequence[Explanation], methods: Sequence[str]) -> list[dict[str, str]]:
    """The file names of each explanation, by method; all of them differ, also in small letters."""
    taken: set[str] = set()
    names = []
    for entry in explanations:
        stem = _plain(Path(entry.image).stem)
        number, unique = 1, stem
        # Some file systems take names that differ in case alone for one.
        while unique.casefold() in taken:
            number += 1
            unique = f"{stem}-{number}"
        taken.add(unique.casefold())
        target = _plain(entry.target or "")
        names.append({method: f"{unique}_{target}_{method}.png" for method in methods})
    return names


def _plain(name: str) -> str:
    return re.sub(r"[^\w .,()+-]", "-", name)[:_NAME].encode()[:_NAME].decode(errors="ignore")


def _write(
    folder: Path,
    limits: Mapping[str, float],
    alpha: float,
    todo: tuple[Explanation, dict[str, str]],
) -> dict[str, Path]:
    entry, names = todo
    files = {method: folder / name for method, name in names.items()}
    for method, file in files.items():
        drawn = entry.overlay(method, SIDE, limit=limits[method], alpha=alpha)
        pictures = (entry.picture(SIDE), drawn)
        with atomic_path(file) as temporary:
            with_legend(pictures, entry, method, limits[method], alpha).save(temporary)
    return files


def with_legend(
    pictures: Sequence[Image.Image], entry: Explanation, method: str, limit: float, alpha: float
) -> Image.Image:
    """The photograph and its overlay above their legend: the class, and what the colours mean."""
    across = sum(picture.width for picture in pictures) + _GAP * (len(pictures) - 1)
    lines = [_answer(entry), *textwrap.wrap(entry.words, max(across, _WIDTH) // _LETTER)]
    width, tall = max(across, _WIDTH), max(picture.height for picture in pictures)
    height = (len(lines) + 2) * _LINE + 4 * _GAP
    sheet = Image.new("RGB", (width, tall + height), "white")
    left = (width - across) // 2
    for picture in pictures:
        sheet.paste(picture, (left, 0))
        left += picture.width + _GAP
    draw, top = ImageDraw.Draw(sheet), tall + _GAP
    for line in lines:
        _line(draw, top, width, line)
        top += _LINE
    bar = np.tile(np.linspace(0, 1, width - 2 * _GAP, dtype=np.float32), (_LINE // 2, 1))
    sheet.paste(coloured(bar, alpha), (_GAP, top + _GAP))
    _line(draw, top + _LINE, width, scale_words(method, limit))
    return sheet


def _answer(entry: Explanation) -> str:
    answer = f"{entry.label} {entry.confidence:.2f}"
    return answer if entry.target == entry.label else f"{entry.target}? (answer: {answer})"


def scale_words(method: str, limit: float) -> str:
    """Such as `≤ 0 … ≥ 0.5: log-odds lost without it`."""
    return f"≤ 0 … ≥ {limit:g}: {MEANINGS[method]}"


def _line(draw: ImageDraw.ImageDraw, top: int, width: int, text: str) -> None:
    """Text from the left, cut where the picture ends."""
    font, shown = picture_font(text, _TEXT)
    while len(shown) > 2 and draw.textlength(shown, font) > width - 2 * _GAP:
        kept = len(shown) - 2  # from the middle: a name ends with what sets it apart, or a number
        shown = f"{shown[: kept // 2]}…{shown[len(shown) - (kept - kept // 2) :]}"
    draw.text((_GAP, top), shown, "black", font)
