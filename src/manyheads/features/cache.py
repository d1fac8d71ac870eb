"""Features on disk, keyed by the content of each image and by all that shapes the numbers.

One recipe is one folder: `recipe.json`, `features.f32` (rows of float32, appended, never changed;
or `features.f16`), `index.sqlite` (which content is in which row, with its checksum; and which
content is no image) and `contents.u64` (the same in brief, for many contents at once). A row is
written and flushed before the index names it, both inside one exclusive transaction. So a kill at
any moment loses at most the rows in flight, there are no holes, and any number of processes may
fill one cache.
"""

from __future__ import annotations

import json
import logging
import math
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, NamedTuple, Self

import numpy as np
from jaxtyping import Float, Float32, Int64

from manyheads.core.locks import alone
from manyheads.core.places import cache_dir, disk_errors, is_writable, make_folder, write_text
from manyheads.core.settings import digest, plain
from manyheads.data.data_settings import ImageSettings
from manyheads.errors import DiskError
from manyheads.features.content_keys import ContentKeys, Keys, among, keys_of
from manyheads.features.index import DamagedIndex, Index, IndexEntry
from manyheads.features.rows import as_stored, checksum, damaged, type_of, write

_log = logging.getLogger(__name__)
_PART = 9000  # contents whose entries are in memory at once
_MANY = 50_000  # contents from which on reading all keys costs less than to look up each
_ABSENT = IndexEntry(-1, 0)


@dataclass(frozen=True, kw_only=True)
class FeatureRecipe:
    """All that shapes a feature, beside the image's content.

    `pooling` is avg, or grid for the features of every cell, or what of tokens are features;
    `storage` f32 or f16; `alteration` describes what was done to the pixels, None for nothing.
    Features of backbones side by side have recipes of `members`, under which they are kept.
    """

    backbone: str
    weights: str
    image: ImageSettings
    preprocessing: str
    pooling: str = "avg"
    runtime: str = "openvino"
    device: str = "cpu"
    precision: str = "f32"
    storage: str = "f32"
    alteration: dict[str, Any] | None = None
    members: tuple[FeatureRecipe, ...] = ()

    @property
    def parts(self) -> tuple[FeatureRecipe, ...]:
        """The recipes under which rows are kept: those of its members, or itself alone."""
        return self.members or (self,)

    @property
    def described(self) -> dict[str, Any]:
        """The recipe as plain values, so that those of earlier versions keep their digests.

        What came to be part of it later is stated where it matters, and `view`, which alterations
        have replaced, was always 0.
        """
        usual = {"storage": "f32", "alteration": None, "device": "cpu", "members": []}
        stated = {k: v for k, v in plain(self).items() if k not in usual or v != usual[k]}
        return stated | {"view": 0}

    @property
    def digest(self) -> str:
        """The name of this recipe's folder."""
        return digest(self.described)


class FeatureCache:
    """The features of one recipe; a context manager, for one thread.

    A content is the SHA-256 of a file, in hexadecimal. Raises `DiskError` where the disk refuses;
    what was stored before stays, and can be read where nothing can be written. An index that cannot
    be read is set aside, with a log line, and its features are computed again.
    """

    def __init__(self, recipe: FeatureRecipe) -> None:
        self.folder = cache_dir() / "features" / recipe.digest
        self._path = self.folder / f"features.{recipe.storage}"
        self._storage, self._type = recipe.storage, type_of(recipe.storage)
        self._keys = ContentKeys(self.folder / "contents.u64")
        self._read_only = False
        if self._path.is_file() and not is_writable(self.folder):
            self._open_to_read()
            return
        make_folder(self.folder)
        with alone(self.folder / "opening.lock", "opening the features"), disk_errors(self.folder):
            description = self.folder / "recipe.json"
            if not description.exists():
                write_text(description, json.dumps(recipe.described, indent=2) + "\n")
            self._index = self._opened_index()
            self._path.touch()
            self._file = self._path.open("r+b", buffering=0)

    @property
    def width(self) -> int:
        """How many numbers a row has; 0 before the first is stored."""
        return self._index.fact("width") or 0

    @property
    def grid(self) -> tuple[int, int] | None:
        """Rows and columns of the feature maps that are stored, if grids are."""
        rows, columns = self._index.fact("rows"), self._index.fact("columns")
        return None if rows is None or columns is None else (rows, columns)

    def rows(self, contents: Sequence[str]) -> Int64[np.ndarray, "contents"]:
        """The row of each of these contents; -1 where no undamaged features are stored."""
        rows, checksums = np.full(len(contents), -1), np.zeros(len(contents), np.uint32)
        with self._damage_reported():
            for part in _parts(contents):
                found, wanted = self._index.find(contents[part]), contents[part]
                entries = [found.get(content, _ABSENT) for content in wanted]
                rows[part] = [entry.row for entry in entries]
                checksums[part] = [entry.checksum for entry in entries]
            stride = self._type.itemsize * self.width
            lost = list(damaged(self._file, stride, contents, rows, checksums))
            if lost:
                _log.warning("%d damaged rows of %s are made again", len(lost), self._path)
                entries = {contents[i]: IndexEntry(int(rows[i]), int(checksums[i])) for i in lost}
                with self._index.transaction():
                    self._index.forget(entries)
                    self._keys.drop(entry.row for entry in entries.values())
                rows[lost] = -1
        return rows

    def known(self, contents: Sequence[str]) -> set[str]:
        """Those of these contents that need no pass; faster than `rows`, without checksums."""
        with self._damage_reported():
            return {*self._index.find(contents), *self._index.failures(contents)}

    def absent(self, contents: Sequence[str]) -> Int64[np.ndarray, "absent"]:
        """The ascending indices of those of these different contents that need a pass.

        It takes seconds for ten million, and reads no row. Of so many it goes by the first eight
        bytes: one that is absent may be missing here, with a probability of one to a hundred
        thousand for all together. `rows` is exact.
        """
        if len(contents) < _MANY:
            lacks: list[bool] = []
            for part in _parts(contents):
                known = self.known(contents[part])
                lacks += [content not in known for content in contents[part]]
            return np.flatnonzero(lacks)
        with self._damage_reported():
            stored = np.concatenate([self._stored_keys(), keys_of(self._index.refused())])
        return np.flatnonzero(~among(keys_of(contents), stored))

    def missing(self, contents: Sequence[str]) -> int:
        """How many of these different contents need a pass."""
        return len(self.absent(contents))

    def failures(self, contents: Sequence[str]) -> dict[str, str]:
        """Why some of these contents are no images."""
        with self._damage_reported():
            return self._index.failures(contents)

    def add(
        self, contents: Sequence[str], features: Float32[np.ndarray, "rows *grid features"]
    ) -> None:
        """Store one row for each of these different contents; those already stored stay.

        Raises `SettingError` for features that are too large for the storage f16.
        """
        with self._damage_reported(), self._index.transaction():
            width = self._agreed_width(math.prod(features.shape[1:]))
            if features.ndim == 4 and self.grid is None:
                self._index.set_fact("rows", features.shape[1])
                self._index.set_fact("columns", features.shape[2])
            stored = self._index.find(contents)
            fresh = [index for index, content in enumerate(contents) if content not in stored]
            if not fresh:
                return
            # Rows are appended behind the last that is named, not at the end of the file: what a
            # killed process had written there has no name, and is written over. The transaction
            # is exclusive, so no other process appends meanwhile; and rows that readers have
            # mapped lie before, and do not change.
            first = self._index.next_row()
            rows = as_stored(features[fresh], self._storage)
            with disk_errors(self._path):
                write(self._file, first * width * self._type.itemsize, rows.tobytes())
            self._keys.add(first, [contents[index] for index in fresh])
            # `write` has flushed them to the disk: from here on the index may name them, whatever
            # happens to this process or to the machine.
            named = zip(fresh, rows, strict=True)
            self._index.add(
                {
                    contents[index]: IndexEntry(
                        first + offset, checksum(contents[index], row.tobytes())
                    )
                    for offset, (index, row) in enumerate(named)
                }
            )

    def add_failure(self, content: str, reason: str) -> None:
        """Remember why a content is no image."""
        with self._damage_reported():
            self._index.add_failure(content, reason)

    def matrix(self) -> Float[np.ndarray, "stored *cells features"]:
        """All rows, memory-mapped and read-only; it stays valid after the cache is closed.

        Grids are `[stored, cells, features]`, cells row by row.
        """
        width, size = self.width, os.fstat(self._file.fileno()).st_size
        rows = size // (self._type.itemsize * width) if width else 0
        shape = (rows, width)
        if self.grid is not None:
            cells = self.grid[0] * self.grid[1]
            shape = (rows, cells, width // cells)
        if rows == 0:
            return np.zeros(shape, self._type)
        return np.memmap(self._file, self._type, "r", shape=shape)

    def close(self) -> None:
        """Close the files."""
        self._index.close()
        self._file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def _stored_keys(self) -> Keys:
        """The keys of all rows that the index names, written first where a version did not."""
        rows = self._index.next_row()
        if not self._keys.covers(rows):
            _log.info("the contents of %s are listed, once", self.folder)
            if self._read_only:
                return keys_of([content for content, _ in self._index.entries()])
            with self._index.transaction():
                rows = self._index.next_row()
                if not self._keys.covers(rows):
                    self._keys.restore(rows, self._index.entries())
        return self._keys.read(rows)

    def _open_to_read(self) -> None:
        path, self._read_only = self.folder / "index.sqlite", True
        try:
            self._index = Index(path, read_only=True)
        except DamagedIndex as error:
            raise DiskError(f"an index in {path}", str(error), "remove its folder") from error
        with disk_errors(self._path):
            self._file = self._path.open("rb", buffering=0)

    def _opened_index(self) -> Index:
        path = self.folder / "index.sqlite"
        try:
            return Index(path)
        except DamagedIndex as error:
            aside = path.with_suffix(".damaged")
            _log.warning("%s is damaged (%s); it is set aside as %s", path, error, aside)
            path.replace(aside)
            path.with_name("index.sqlite-journal").unlink(missing_ok=True)
            # Others may have the old rows mapped: they keep them, because this file goes whole.
            for file in (self._path, self.folder / "contents.u64", path.with_suffix(".suspect")):
                file.unlink(missing_ok=True)
            return Index(path)

    def _agreed_width(self, width: int) -> int:
        known = self.width
        if known == 0:
            self._index.set_fact("width", width)
        elif known != width:
            raise ValueError(f"rows of {width} numbers do not fit a cache of {known}")
        return width

    @contextmanager
    def _damage_reported(self) -> Iterator[None]:
        """Turn damage that appears while the index is in use into a `DiskError`."""
        try:
            yield
        except DamagedIndex as error:
            self._index.suspect()
            remedy = "repeat the command: the features are computed again"
            raise DiskError(f"an index in {self._index.path}", str(error), remedy) from error


class Lacking(NamedTuple):
    """The passes that are left, and how many features an image has, 0 if that is unknown."""

    passes: int
    width: int


def lacking(recipe: FeatureRecipe, contents: Sequence[str]) -> Lacking:
    """What the cache lacks of these different contents, over all `parts` of a recipe."""
    found = []
    for part in recipe.parts:
        with FeatureCache(part) as cache:
            found.append(Lacking(cache.missing(contents), cache.width))
    widths = [each.width for each in found]
    return Lacking(sum(each.passes for each in found), sum(widths) if all(widths) else 0)


def _parts(contents: Sequence[str]) -> Iterator[slice]:
    return (slice(start, start + _PART) for start in range(0, len(contents), _PART))
