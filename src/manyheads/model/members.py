"""A file inside an archive, read where it lies."""

from __future__ import annotations

import io
import struct
import zipfile
from pathlib import Path
from typing import Any

# What precedes a file: the lengths of its name and of the extra field behind that come last.
_HEADER = struct.Struct("<26xHH")  # PKWARE, APPNOTE.TXT, section 4.3.7


class StoredMember(io.RawIOBase):
    """A file of the archive at `path`, stored without compression, to read and to seek in.

    `zipfile` would read all that a seek passes over, and HDF5 seeks much. In return it would
    compare a checksum: whoever opens this has compared one of the whole archive. Raises
    `ValueError` for a compressed file, `KeyError` where there is no file of this name.
    """

    def __init__(self, path: Path, name: str) -> None:
        with zipfile.ZipFile(path) as archive:
            entry = archive.getinfo(name)
        if entry.compress_type != zipfile.ZIP_STORED:
            raise ValueError(f"{name} is compressed")
        self.size, self._at = entry.file_size, 0
        self._file = path.open("rb")
        self._file.seek(entry.header_offset)
        lengths = _HEADER.unpack(self._file.read(_HEADER.size))
        self._start = self._file.tell() + sum(lengths)

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
        """Close the file."""
        self._file.close()
        super().close()
