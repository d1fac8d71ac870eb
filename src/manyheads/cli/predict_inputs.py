"""Which images `manyheads predict` means: files, folders, globs, manifests, a list on stdin."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

from manyheads.core.addresses import is_address
from manyheads.data.data_settings import TableSettings
from manyheads.data.image_places import Place, PlacedImage, place_of
from manyheads.data.left_out import LeftOutWriter
from manyheads.errors import DataError

_BLOCK = 1 << 16  # bytes of a list that are read at once, at most


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
        self._sources: list[Callable[[], Iterator[PlacedImage]]] = []
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
            self._sources.append(self._meant(place_of(text, self._table)))
        self.left_out = self._ignored.column().line(self._found)

    def __iter__(self) -> Iterator[PlacedImage]:
        for source in self._sources:
            yield from source()

    def _meant(self, place: Place) -> Callable[[], Iterator[PlacedImage]]:
        self.labelled |= place.labelled
        if place.manifest is not None:
            return lambda: iter(place)
        if place.listing is not None:
            self._ignored.extend(place.ignored)
            self._found += len(place.listing.paths)
        return lambda: self._new(place)

    def _new(self, place: Place) -> Iterator[PlacedImage]:
        for image in place:
            if self._once:
                path = image.path
                real = path if is_address(path) else os.path.realpath(path)
                if real in self._seen:
                    continue
                self._seen.add(real)
            yield image


class RowInputs:
    """The rows of an array of features, by the names that their answers have."""

    labelled, left_out = False, ""

    def __init__(self, rows: int) -> None:
        self._rows = rows

    def __iter__(self) -> Iterator[PlacedImage]:
        return (PlacedImage(f"row {row}") for row in range(self._rows))


def _listed(null: bool) -> Iterator[PlacedImage]:
    """The paths on stdin, one a line or each with a NUL behind it, as they come."""
    stream: Any = sys.stdin.buffer
    ending, rest = (b"\0" if null else b"\n"), b""
    while block := stream.read1(_BLOCK):
        *whole, rest = (rest + block).split(ending)
        yield from (PlacedImage(path) for path in map(_path, whole) if path)
    if path := _path(rest):
        yield PlacedImage(path)


def _path(text: bytes) -> str:
    return os.fsdecode(text.removesuffix(b"\r"))
