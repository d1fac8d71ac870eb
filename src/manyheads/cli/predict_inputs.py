"""Which images `manyheads predict` means: files, folders, globs, manifests, a list on stdin."""

from __future__ import annotations

import glob
import os
import sys
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from manyheads.data.data_settings import TableSettings
from manyheads.data.image_lists import list_images, list_matches
from manyheads.data.left_out import LeftOutWriter
from manyheads.data.listing import Listing
from manyheads.data.manifest import MANIFEST_SUFFIXES, manifest_images
from manyheads.errors import DataError

_BLOCK = 1 << 16  # bytes of a list that are read at once, at most


class Asked(NamedTuple):
    """An image file, and the label that a manifest gives it."""

    path: str
    given: str | None = None


class Inputs:
    """The images that the arguments mean, one after the other, in the order given.

    Folders are searched at any depth, in the order of their names, by the rules for a data set's.
    A file that is named by several arguments is meant once; lists and manifests are taken as they
    are. `labelled` says whether there is a manifest with labels, and `left_out` in one line what
    folders and globs hold without its being read, empty if nothing. Raises `DataError` if an
    argument leads to no image, or to a folder that manyheads has written.
    """

    def __init__(
        self, arguments: list[str], *, null: bool = False, table: TableSettings | None = None
    ) -> None:
        self._table = table or TableSettings()
        self._sources: list[Callable[[], Iterator[Asked]]] = []
        self._once = len(arguments) > 1
        self._seen: set[str] = set()
        self._ignored, self._found = LeftOutWriter(), 0
        self.labelled = False
        if arguments.count("-") > 1:
            raise DataError("one list on stdin", "- twice", "name it once")
        for text in arguments:
            if text == "-":
                self._sources.append(partial(_listed, null=null))
                continue
            try:
                source = self._meant(text) if text.strip() else None
            except (OSError, ValueError, RuntimeError):  # a name too long, no user of that name, …
                source = None
            if source is None:
                raise _nothing(f"nothing at {text!r}")
            self._sources.append(source)
        self.left_out = self._ignored.column().line(self._found)

    def __iter__(self) -> Iterator[Asked]:
        for source in self._sources:
            yield from source()

    def _meant(self, text: str) -> Callable[[], Iterator[Asked]] | None:
        path = Path(text).expanduser()
        if path.is_dir():
            return self._images(list_images(path), text)
        if path.suffix.lower() in MANIFEST_SUFFIXES and path.is_file():
            # Read once before anything is predicted, so that what is wrong is known at once.
            self.labelled |= sum(image.given is not None for image in self._of(path)) > 0
            return lambda: self._of(path)
        if path.exists():
            return lambda: self._new([str(path)])
        found = sorted(glob.glob(str(path), recursive=True))  # noqa: PTH207 - may be absolute
        return self._images(list_matches(str(path), found), text) if found else None

    def _images(self, listing: Listing, text: str) -> Callable[[], Iterator[Asked]]:
        if not len(listing.paths):
            told = listing.ignored.line(0)
            raise _nothing(f"no image in {text!r}" + (f" ({told})" if told else ""))
        self._ignored.extend(listing.ignored)
        self._found += len(listing.paths)
        return lambda: self._new(listing.paths.texts())

    def _of(self, manifest: Path) -> Iterator[Asked]:
        return (Asked(*image) for image in manifest_images(manifest, self._table))

    def _new(self, paths: Iterable[str]) -> Iterator[Asked]:
        for path in paths:
            if self._once:
                real = os.path.realpath(path)
                if real in self._seen:
                    continue
                self._seen.add(real)
            yield Asked(path)


class RowInputs:
    """The rows of an array of features, by the names that their answers have."""

    labelled, left_out = False, ""

    def __init__(self, rows: int) -> None:
        self._rows = rows

    def __iter__(self) -> Iterator[Asked]:
        return (Asked(f"row {row}") for row in range(self._rows))


def _nothing(found: str) -> DataError:
    return DataError("an image, a folder of images or a glob", found, "check the path")


def _listed(null: bool) -> Iterator[Asked]:
    """The paths on stdin, one a line or each with a NUL behind it, as they come."""
    stream: Any = sys.stdin.buffer
    ending, rest = (b"\0" if null else b"\n"), b""
    while block := stream.read1(_BLOCK):
        *whole, rest = (rest + block).split(ending)
        yield from (Asked(path) for path in map(_path, whole) if path)
    if path := _path(rest):
        yield Asked(path)


def _path(text: bytes) -> str:
    return os.fsdecode(text.removesuffix(b"\r"))
