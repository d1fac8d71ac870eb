"""Which file a table's cell means, as tables come from other programs and other machines."""

from __future__ import annotations

import os
import re
import stat
import unicodedata
from collections.abc import Iterator
from pathlib import Path, PurePosixPath, PureWindowsPath
from urllib.parse import unquote, urlsplit

from manyheads.core.addresses import checked_address, is_address
from manyheads.data.data_settings import TableSettings
from manyheads.data.name_rules import IMAGE_SUFFIXES
from manyheads.data.remote_path import FilePath, RemotePath
from manyheads.errors import DataError

PATH_RULES = {
    "a/b.jpg": "relative to the table's folder, or to `images_in`",
    "/a/b.jpg": "as it is",
    "12345": "with `suffix` .jpg: 12345.jpg",
    " a.jpg ": "without the spaces, if there is no file with them",
    "a\\b.jpg": "a/b.jpg, if there is no file of that name",
    "~/a.jpg": "below the home folder, if there is no file of that name",
    "file:///a%20b.jpg": "/a b.jpg",
    "café.jpg": "composed or decomposed, whichever the file's name is",
    "s3://…, https://…": "as it is, with the extra remote; refused with a password or token in it",
    "data:…": "refused",
    "C:\\a\\b.jpg": "on another system than Windows refused, with where the file lies if it does",
}
"""How the text of a path is taken."""

_NO_FILE = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+:/|data:")
_DRIVE = re.compile(r"[A-Za-z]:[\\/]|\\\\")
_MANY = 200  # folders beside a table that are looked into for a hint


class Finder:
    """Finds the files that the cells of one table mean."""

    def __init__(self, table: FilePath, settings: TableSettings) -> None:
        self._table, self._suffix = table, settings.suffix or ""
        self._given = settings.images_in is not None
        self.folder: FilePath = table.parent
        if settings.images_in is not None:
            # Unlike those of Path, these functions raise nothing for a name that none can have.
            self.folder = below(self.folder, os.path.expanduser(settings.images_in))  # noqa: PTH111

    def check(self) -> None:
        """Raise `DataError` if the folder of the images is none."""
        if isinstance(self.folder, RemotePath):
            return
        if self._given and not os.path.isdir(self.folder):  # noqa: PTH112
            raise DataError(
                "the folder that `images_in` names", f"none at {self.folder}",
                f"give it relative to {self._table.parent}, or in full",
            )  # fmt: skip

    def plain(self, cell: str) -> str:
        """The path that a cell is by its text alone."""
        address = self._with_suffix(cell.strip())
        return address if is_address(address) else str(below(self.folder, self._with_suffix(cell)))

    def find(self, cell: str, number: int) -> tuple[str, os.stat_result | None] | None:
        """The file that a cell of row `number` means, and what the system says of it.

        None if there is none; what is at an address is not looked for. Raises `DataError` for an
        address with a secret, and for the address of something that is no file.
        """
        if isinstance(self.folder, RemotePath) or is_address(cell.strip()):
            return self._elsewhere_named(cell, number), None
        for text in self._spellings(cell):
            target = str(below(self.folder, text))
            try:
                found = os.stat(target)  # noqa: PTH116 - a quarter of the time of Path.stat
            except (OSError, ValueError):  # ValueError: a name that no file can have
                continue
            if stat.S_ISREG(found.st_mode):
                return target, found
        self.refuse_address(cell, number)
        return None

    def refuse_address(self, cell: str, number: int) -> None:
        """Raise `DataError` for a cell that names no file, by the form of an address or so."""
        text = cell.strip()
        if _NO_FILE.match(text) and not text.lower().startswith("file:"):
            raise DataError(
                f"the path of a file in row {number} of {self._table}", _cut(text),
                "write its path, or its address as in s3://bucket/a.jpg",
            )  # fmt: skip

    def advice(self, cell: str) -> str | None:
        """What to do about a cell that no file belongs to, if that can be seen."""
        text = _local(cell.strip()).replace("\\", "/")
        folder = self.folder
        if isinstance(folder, RemotePath):
            return None
        try:
            return (
                self._beside(folder, text)
                or self._elsewhere(folder, cell.strip())
                or self._other_case(folder, text)
            )
        except (OSError, ValueError):
            return None

    def _elsewhere_named(self, cell: str, number: int) -> str:
        """The address of the file that a cell names."""
        where = f"in row {number} of {self._table}"
        text = self._with_suffix(cell.strip())
        if is_address(text):
            return checked_address(text, where)
        if text.startswith(("/", "~", "\\")) or _DRIVE.match(text) or _NO_FILE.match(text):
            # A table from elsewhere says nothing about the files of this machine.
            raise DataError(
                f"an address, or a path from {self.folder}, {where}", _cut(text),
                "write the address of the image",
            )  # fmt: skip
        return str(self.folder / text)

    def _beside(self, folder: Path, text: str) -> str | None:
        """Options under which there is a file: a suffix, a folder beside the table, or both."""
        endings = ("", *IMAGE_SUFFIXES, *(suffix.upper() for suffix in IMAGE_SUFFIXES))
        folders = [(None, folder)]
        if not self._given:
            with os.scandir(folder) as found:
                names = sorted(entry.name for entry in found if entry.is_dir())[:_MANY]
            folders += [(name, folder / name) for name in names]
        text = text.removesuffix(self._suffix) if self._suffix else text
        if not text or PurePosixPath(text).is_absolute():
            return None
        for name, folder in folders:
            for ending in endings:
                if ending != self._suffix and (folder / f"{text}{ending}").is_file():
                    place = [f"`images_in` {_quoted(name)}"] if name else []
                    suffix = [f"`suffix` {ending}"] if ending else []
                    if self._suffix and not ending:
                        suffix = ["no `suffix`"]
                    return f"did you mean {' '.join([*place, *suffix])}?"
                if ending == self._suffix and name and (folder / f"{text}{ending}").is_file():
                    return f"did you mean `images_in` {_quoted(name)}?"
        return None

    def _elsewhere(self, folder: Path, text: str) -> str | None:
        """Where the file of another machine's path lies here, by the end of that path."""
        local = _local(text)
        pure = PureWindowsPath(local) if "\\" in local else PurePosixPath(local)
        parts = [part for part in pure.parts if part != pure.anchor]
        for start in range(len(parts)):
            end = "/".join(parts[start:])
            tail = self._with_suffix(end)
            if (start or pure.anchor) and (folder / tail).is_file():
                before = text if text.replace("\\", "/").endswith(end) else local
                return (
                    f"{tail!r} lies in {folder}: take {_cut(before[: -len(end)])} away from "
                    "the paths"
                )
        return "that is a path of Windows: write it relative to the table" * bool(
            _DRIVE.match(text) and os.name != "nt"
        )

    def _other_case(self, folder: Path, text: str) -> str | None:
        wanted = folder / self._with_suffix(text)
        folded = wanted.name.casefold()
        with os.scandir(wanted.parent) as found:
            names = [entry.name for entry in found if entry.name.casefold() == folded]
        return f"did you mean {names[0]!r}? Upper and lower case differ" if names else None

    def _spellings(self, cell: str) -> Iterator[str]:
        """The texts that a cell may be meant as, the likeliest first; most need only that."""
        yield self._with_suffix(cell)
        text = cell.strip()
        seen = {cell}
        for meant in (
            text, _local(text), os.path.expanduser(text),  # noqa: PTH111 - a name as it stands
            text.replace("\\", "/") if not _DRIVE.match(text) else text,
        ):  # fmt: skip
            for form in ("NFC", "NFD"):
                for spelling in (meant, unicodedata.normalize(form, meant)):
                    if spelling and spelling not in seen:
                        seen.add(spelling)
                        yield self._with_suffix(spelling)

    def _with_suffix(self, text: str) -> str:
        return text if not self._suffix or text.endswith(self._suffix) else f"{text}{self._suffix}"


def below(folder: FilePath, name: str) -> FilePath:
    """The file `name` in a folder; a full path, or an address, stays one."""
    return RemotePath(name) if is_address(name) else folder / name


def _local(text: str) -> str:
    """The path in a `file:` address; any other text as it is."""
    if not text.lower().startswith("file:"):
        return text
    try:
        parts = urlsplit(text)
    except ValueError:
        return text
    path = unquote(parts.path)
    if os.name == "nt" or re.match(r"/[A-Za-z]:", path):
        path = path.lstrip("/")
    return path if parts.netloc in ("", "localhost") else text


def _quoted(name: str) -> str:
    return f'"{name}"' if " " in name else name


def _cut(text: str) -> str:
    return repr(text if len(text) <= 80 else f"{text[:77]}…")
