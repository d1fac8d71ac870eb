"""The files of a run that are published beside its numbers, as far as they are not too large."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from manyheads.core.text import size_words
from manyheads.models.card import model_files, side_files
from manyheads.report.figure_files import PICTURES
from manyheads.run.fit.fit_record import FILE
from manyheads.study.folder import RunFolder

MOST_BYTES = 500_000_000
"""How large the files of a run are together, at most; the model is left out first."""


def published_files(folder: RunFolder) -> tuple[tuple[Path, ...], tuple[str, ...]]:
    """The report, the tables, the figures and the model, and a sentence for each left out.

    The files of a model go together. Those come first that are read most.
    """
    kept: list[Path] = []
    left_out: list[str] = []
    size = 0
    for group in _groups(folder):
        more = sum(file.stat().st_size for file in group)
        if size + more > MOST_BYTES:
            left_out.append(
                f"Not published: {group[0].name} ({size_words(more)}); all files together are "
                f"bounded by {size_words(MOST_BYTES)}."
            )
            continue
        kept += group
        size += more
    return tuple(kept), tuple(left_out)


def _groups(folder: RunFolder) -> Iterator[list[Path]]:
    pictures = [folder.path / f"{name}.png" for name in PICTURES]
    for file in (
        folder.report, folder.settings, folder.path / FILE, folder.results, folder.comparisons,
        folder.figure, *pictures, folder.test_log,
    ):  # fmt: skip
        if file.is_file():
            yield [file]
    if folder.best.is_file():
        files = [*model_files(folder.best), *side_files(folder.best)]
        yield [file for file in files if file.is_file()]
