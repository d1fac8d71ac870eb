"""Paths of many files, here or at addresses, in some thirty bytes each."""

from __future__ import annotations

import os
from array import array
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
from jaxtyping import Bool, Int32, Int64

from manyheads.core.addresses import is_address, split_address
from manyheads.data.columns import Column, Rows, frozen
from manyheads.data.remote_path import FilePath, file_path

_AT_ONCE = 1024


class Paths(Column[FilePath]):
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
    def of(cls, paths: Iterable[str | FilePath]) -> Paths:
        """The column of these paths; one that is a column already is returned as it is."""
        if isinstance(paths, Paths):
            return paths
        writer = PathsWriter()
        for path in paths:
            writer.add(*split_path(path))
        return writer.column()

    def texts(self) -> Iterator[str]:
        """The paths as text, for the system's own functions: `Path` takes longer than they do."""
        folders, names = self._folders, self._names
        for at in range(0, len(self), _AT_ONCE):
            block = slice(at, at + _AT_ONCE)
            columns = (self._inside[block], self._starts[block], self._lengths[block])
            for inside, start, length in zip(*(c.tolist() for c in columns), strict=True):
                name = os.fsdecode(bytes(names[start : start + length]))
                yield _joined(folders[inside], name)

    def text(self, row: int) -> str:
        """One path as text."""
        return next(self.take(np.array([row])).texts())

    @property
    def elsewhere(self) -> Bool[np.ndarray, "files"]:
        """Which of the paths are addresses."""
        codes, place = np.unique(self._inside, return_inverse=True)
        folders = (_joined(self._folders[code], "") for code in codes.tolist())
        return np.array([is_address(folder) for folder in folders], bool)[place]

    def take(self, rows: Rows) -> Paths:
        return Paths(
            self._folders, self._names, self._inside[rows], self._starts[rows], self._lengths[rows]
        )

    def __len__(self) -> int:
        return len(self._inside)

    def _item(self, row: int) -> FilePath:
        return file_path(self.text(row))


def split_path(path: str | FilePath) -> tuple[str, str]:
    """The folder and the name of a path or an address, as `PathsWriter.add` takes them."""
    text = os.fspath(path) if isinstance(path, str | Path) else str(path)
    return split_address(text) if is_address(text) else os.path.split(text)


def _joined(folder: str, name: str) -> str:
    # Of the address of a bucket alone, the folder is s3:/ and the name that of the bucket.
    if "://" in folder or folder.endswith(":/"):
        return f"{folder}/{name}"
    return os.path.join(folder, name)


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
