"""A data set as people have it, as the folder or table that `open_dataset` reads.

What is in memory is written as a manifest to the cache, named by its content: the same data are
the same file, which a study finds again when it resumes.
"""

from __future__ import annotations

import csv
import hashlib
import io
import os
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

from manyheads.core.addresses import is_address
from manyheads.core.label_sets import JOINER, set_text
from manyheads.core.places import cache_dir, write_text
from manyheads.data.cell_paths import Finder
from manyheads.data.data_settings import TableSettings
from manyheads.data.kept_images import KeptImages
from manyheads.data.labelled_images import LabelledImage, SeveralLabels, labelled_images
from manyheads.data.several_labels import split_labels
from manyheads.data.table_files import ROLES, cell_text
from manyheads.errors import DataError

_USUAL = TableSettings()


Data = str | os.PathLike[str] | Iterable[Any] | Any
"""A data set: the types of `labelled_images.DATA_WORDS`, some of which have no name here."""


class GivenData(NamedTuple):
    """Where a data set is, or its name, and how its table is read."""

    source: str | Path
    table: TableSettings


def given_data(data: Data, table: TableSettings | None = None, *, images: bool = True) -> GivenData:
    """A data set in any of the forms of `DATA_WORDS` as one that `open_dataset` reads.

    A path or a name stays as it is. Anything else becomes a manifest with full paths below
    `datasets/tables` of the cache, and images in memory become files below `datasets/images`.
    Relative paths are relative to the current folder, or to the `images_in` of `table`. Without
    `images`, rows of features are listed, whose paths are only names. Raises what
    `labelled_images` raises, and `DataError` for paths at which there is no file.
    """
    table = table or _USUAL
    if isinstance(data, str | os.PathLike):
        return GivenData(Path(data) if isinstance(data, os.PathLike) else data, table)
    if table.encoding is not None:
        raise DataError("a CSV to have an `encoding`", type(data).__name__, "leave it out")
    rows = labelled_images(data, table, ROLES[:2] if images else ROLES[1:2])
    located = _Located(table) if images else None
    named = [row if located is None else located.row(row, place) for place, row in enumerate(rows)]
    if located is not None:
        located.check(len(named))
    kind = "images" if located is not None and located.in_memory else "table"
    read = TableSettings(missing_labels=table.missing_labels)
    if table.several_labels or any(isinstance(row.label, SeveralLabels) for row in named):
        read = replace(read, label_separator=JOINER)
        separator = table.label_separator or JOINER
        named = [
            row
            if isinstance(row.label, SeveralLabels)
            else row._replace(label=set_text(split_labels(row.label, separator)))
            for row in named
        ]
    return GivenData(_written(named, kind), read)


class _Located:
    """Gives each row the full path of its image."""

    def __init__(self, table: TableSettings) -> None:
        self.in_memory = False
        self._kept = KeptImages()
        self._finder = Finder(Path.cwd() / "the table", table)
        self._finder.check()
        self._absent: list[tuple[int, str]] = []

    def row(self, row: LabelledImage, place: int) -> LabelledImage:
        image = row.image
        if not isinstance(image, str | os.PathLike | int | float | None):
            path = self._kept.path_of(image, place)
            self.in_memory = True
            return row._replace(image=str(path.absolute()))
        cell = os.fspath(image) if isinstance(image, os.PathLike) else cell_text(image)
        if not cell.strip():
            raise DataError(f"a path in row {place}", "none", "fill it in or remove the row")
        found = self._finder.find(cell, place)
        if found is None:
            self._absent.append((place, cell))
            return row
        text = found[0] if is_address(found[0]) else os.path.normpath(found[0])
        return row._replace(image=text)

    def check(self, count: int) -> None:
        """Raise `DataError` if there are paths without a file."""
        if not self._absent:
            return
        place, cell = self._absent[0]
        more = f", and so for {len(self._absent):,} of {count:,} rows" * (len(self._absent) > 1)
        usual = f"correct the path, which is relative to {self._finder.folder}, or give `images_in`"
        raise DataError(
            f"the file that row {place} names", f"no file {cell!r}{more}",
            self._finder.advice(cell) or usual,
        )  # fmt: skip


def _written(rows: list[LabelledImage], kind: str) -> Path:
    """The manifest of the rows, named by its content; it is written if it is not there."""
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(ROLES)
    for row in rows:
        writer.writerow(["" if row.image is None else str(row.image), *row[1:]])
    digest = hashlib.sha256(text.getvalue().encode("utf-8", "surrogateescape")).hexdigest()
    target = cache_dir() / "datasets" / "tables" / f"{kind}-{digest[:16]}.csv"
    if not target.is_file():
        write_text(target, text.getvalue())
    return target
