"""A file inside an archive, read where it lies."""

from __future__ import annotations

import io
from pathlib import Path
from typing import IO, Any

from manyheads.modelfiles import keras_archive


class StoredMember(io.RawIOBase):
    """A file of the `.keras` archive `source`, to read and to seek in.

    `zipfile` would read all that a seek passes over, and HDF5 seeks much. In return it would
    compare a checksum: whoever opens this has compared one of the whole archive. Raises
    `ValueError` for an archive that Keras would not write, `KeyError` where there is no file of
    this name.
    """

    def __init__(self, source: Path | IO[bytes], name: str) -> None:
        self._start, self.size = keras_archive.members(source)[name]
        self._at = 0
        self._owned = isinstance(source, Path)
        self._file: Any = source.open("rb") if isinstance(source, Path) else source

    def readable(self) -> bool:
        """Always."""
        return True

    def seekable(self) -> bool:
        """Always."""
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Go to `offset`, counted from the beginning, from here or from the end."""
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self.size}
        self._at = base[whence] + offset
        return self._at

    def readinto(self, buffer: Any) -> int:
        """Fill `buffer` with what follows; returns how many bytes that were, fewer at the end."""
        room = memoryview(buffer).cast("B")[: max(0, self.size - self._at)]
        self._file.seek(self._start + self._at)
        count = self._file.readinto(room)
        self._at += count
        return count

    def close(self) -> None:
        """Close the file, unless it is somebody else's."""
        if self._owned:
            self._file.close()
        super().close()
