"""Paths of many files in some thirty bytes each."""

from __future__ import annotations

import os
from array import array
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
from jaxtyping import Int32, Int64

from manyheads.data.columns import Column, Rows, frozen

_AT_ONCE = 1024


class Paths(Column[Path]):
    """Files as their folders, each kept once, and their names, kept one behind the other.

    File i is `names[starts[i]:][:lengths[i]]`, in the file system's encoding, in the folder
    `folders[inside[i]]`.
    """

    def __init__(
        self,
        folders: tuple[str, ...],
        names: bytes | bytearray,
        inside: Int32[np.ndarray, "files"],
        starts: Int64[np.ndarray, "files"],
        lengths: Int32[np.ndarray, "files"],
    ) -> None:
        self._folders, self._names = folders, names
        self._inside, self._starts, self._lengths = frozen(inside), frozen(starts), frozen(lengths)

    @classmethod
    def of(cls, paths: Iterable[str | Path]) -> Paths:
        """The column of these paths; one that is a column already is returned as it is."""
        if isinstance(paths, Paths):
            return paths
        writer = PathsWriter()
        for path in paths:
            writer.add(*os.path.split(path))
        return writer.column()

    def texts(self) -> Iterator[str]:
        """The paths as text, for the system's own functions: `Path` takes longer than they do."""
        folders, names = self._folders, self._names
        for at in range(0, len(self), _AT_ONCE):
            block = slice(at, at + _AT_ONCE)
            columns = (self._inside[block], self._starts[block], self._lengths[block])
            for inside, start, length in zip(*(c.tolist() for c in columns), strict=True):
                name = os.fsdecode(bytes(names[start : start + length]))
                yield os.path.join(folders[inside], name)

    def text(self, row: int) -> str:
        """One path as text."""
        return next(self.take(np.array([row])).texts())

    def take(self, rows: Rows) -> Paths:
        return Paths(
            self._folders, self._names, self._inside[rows], self._starts[rows], self._lengths[rows]
        )

    def __len__(self) -> int:
        return len(self._inside)

    def _item(self, row: int) -> Path:
        return Path(self.text(row))


class PathsWriter:
    """Makes `Paths` of one file after the other."""

    def __init__(self) -> None:
        self._folders: dict[str, int] = {}
        self._names = bytearray()
        self._inside, self._lengths = array("i"), array("i")

    def add(self, folder: str, name: str) -> None:
        """Append the file `name` in `folder`."""
        encoded = os.fsencode(name)
        self._names += encoded
        self._lengths.append(len(encoded))
        self._inside.append(self._folders.setdefault(folder, len(self._folders)))

    def column(self) -> Paths:
        """What was added; nothing may be added after that."""
        lengths = np.frombuffer(self._lengths, np.int32)
        starts = np.zeros(len(lengths), np.int64)
        np.cumsum(lengths[:-1], out=starts[1:])
        inside = np.frombuffer(self._inside, np.int32)
        return Paths(tuple(self._folders), self._names, inside, starts, lengths)
