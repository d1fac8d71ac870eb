"""A file or folder that lies elsewhere, with what `pathlib` says of one that lies here."""

from __future__ import annotations

import errno
import io
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO, Any

from manyheads.core.addresses import checked_address, is_address, plain_name
from manyheads.core.job import SILENT, Job


class RemoteError(OSError):
    """Something at an `address` cannot be read or written: what was found, and what to do.

    An OSError, so that whoever reads files is prepared for it. `transient`: it may pass.
    """

    def __init__(self, address: str, found: str, remedy: str, transient: bool = False) -> None:
        super().__init__(errno.EIO, found, address)
        self.found, self.remedy, self.transient = found, remedy, transient

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.filename, self.found, self.remedy, self.transient)


def remedy_of(error: OSError, usual: str) -> str:
    """What to do about a file that cannot be read: the `usual` where the error does not say."""
    return error.remedy if isinstance(error, RemoteError) else usual


@dataclass(frozen=True)
class RemotePath:
    """The file or folder at an `address`, which ends with no slash; made by `file_path`.

    What reads raises `RemoteError`, `MissingExtraError`, and `DownloadError` where the network is
    not to be used; `Interrupted` once a `job` that is given is stopped.
    """

    address: str

    def __str__(self) -> str:
        return self.address

    @property
    def name(self) -> str:
        """The last part, in a web address without its query."""
        return plain_name(self.address)

    @property
    def suffix(self) -> str:
        """The end of the name from its last point."""
        return PurePosixPath(self.name).suffix

    @property
    def stem(self) -> str:
        """The name without its suffix."""
        return PurePosixPath(self.name).stem

    @property
    def parent(self) -> RemotePath:
        """The folder around it; a bucket or a host is its own."""
        start = self.address.index("://") + 3
        folder, slash, _ = self.address[start:].rpartition("/")
        return RemotePath(self.address[:start] + folder) if slash else self

    def __truediv__(self, name: str) -> RemotePath:
        """The file `name` in this folder; a name that is an address itself stays one."""
        if is_address(name):
            return RemotePath(name)
        found, parts = self, [part for part in name.split("/") if part not in ("", ".")]
        while parts and parts[0] == "..":
            found, parts = found.parent, parts[1:]
        return RemotePath("/".join([found.address, *parts]))

    def absolute(self) -> RemotePath:
        """Itself."""
        return self

    def read_bytes(self, *, fresh: bool = False, job: Job = SILENT) -> bytes:
        """The bytes of the file: of a copy that is kept here, or else, or `fresh`, of itself."""
        from manyheads.data import remote_copies, remote_files

        if fresh:
            return remote_files.read(self.address, job)
        return remote_copies.kept_or_read(self.address, job)

    def open(
        self, mode: str = "r", *, encoding: str | None = None, newline: str | None = None
    ) -> IO[Any]:
        """A table as it was when it was last looked for, to be read as bytes (`rb`) or text."""
        from manyheads.data import remote_sources

        data = io.BytesIO(remote_sources.table(self.address))
        return data if "b" in mode else io.TextIOWrapper(data, encoding, newline=newline)


FilePath = Path | RemotePath
"""Where a file is: here, or elsewhere."""


def readable(path: FilePath) -> Path | IO[bytes]:
    """The path, or an open table: what a library that reads files takes."""
    return path if isinstance(path, Path) else path.open("rb")


def file_path(text: str | FilePath) -> FilePath:
    """The path that a text is, here or elsewhere.

    Raises `DataError` for an address that holds a secret.
    """
    if isinstance(text, RemotePath):
        return text
    text = str(text)
    if not is_address(text):
        return Path(text)
    address = checked_address(text)
    start = address.index("://") + 3
    return RemotePath(address[:start] + address[start:].rstrip("/"))
