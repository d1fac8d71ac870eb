"""Which contents a folder of features holds, at a glance: the first eight bytes of each.

The index answers for one content in microseconds, and for ten million in a minute. This file holds
the same in the order of the rows, eight bytes for each, and is read whole. The index decides: what
is in the file beyond the rows that the index names is none, and a file that lacks rows, as those of
earlier versions do, is written from the index when it is needed.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import islice
from pathlib import Path

import numpy as np
from jaxtyping import Bool, UInt64

from manyheads.core.places import disk_errors
from manyheads.data.columns import Digests
from manyheads.features.rows import write

Keys = UInt64[np.ndarray, "contents"]

_TYPE = np.dtype("<u8")
_NONE = 0  # the key of a row that has no content any more
_AT_ONCE = 65_536


class ContentKeys:
    """The keys in the file at `path`, which may be missing; raises `DiskError`."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def covers(self, rows: int) -> bool:
        """Whether the file has a key for each of so many rows."""
        try:
            return self._path.stat().st_size >= rows * _TYPE.itemsize
        except OSError:
            return rows == 0

    def read(self, rows: int) -> Keys:
        """The keys of the first `rows` rows."""
        if rows == 0:
            return np.zeros(0, np.uint64)
        with disk_errors(self._path):
            return np.fromfile(self._path, _TYPE, rows).astype(np.uint64, copy=False)

    def add(self, first: int, contents: Sequence[str]) -> None:
        """Write the keys of the rows from `first` on, unless there are none of rows before."""
        if self.covers(first):
            self._put(first, keys_of(contents))

    def drop(self, rows: Iterable[int]) -> None:
        """Let these rows have no content."""
        for row in rows:
            if self.covers(row + 1):
                self._put(row, np.full(1, _NONE, np.uint64))

    def restore(self, rows: int, entries: Iterable[tuple[str, int]]) -> None:
        """Write the keys of `rows` rows anew, from contents and their rows."""
        keys, left = np.full(rows, _NONE, np.uint64), iter(entries)
        while part := list(islice(left, _AT_ONCE)):
            contents, places = zip(*part, strict=True)
            keys[list(places)] = keys_of(contents)
        self._put(0, keys)

    def _put(self, first: int, keys: Keys) -> None:
        with disk_errors(self._path):
            self._path.touch()
            with self._path.open("r+b", buffering=0) as file:  # in place: others may read it
                write(file, first * _TYPE.itemsize, keys.astype(_TYPE, copy=False).tobytes())


def keys_of(contents: Sequence[str]) -> Keys:
    """The first eight bytes of each of these digests."""
    return Digests.of(contents).values[:, : _TYPE.itemsize].copy().view(_TYPE).ravel()


def among(wanted: Keys, known: Keys) -> Bool[np.ndarray, "contents"]:
    """Which of the `wanted` keys are among the `known`."""
    if not len(known):
        return np.zeros(len(wanted), bool)
    ordered, order = np.sort(known), np.argsort(wanted)
    # Both in order: the search then walks through memory once.
    sought = wanted[order]
    places = np.searchsorted(ordered, sought)
    found = np.empty(len(wanted), bool)
    found[order] = ordered[np.minimum(places, len(ordered) - 1)] == sought
    return found
