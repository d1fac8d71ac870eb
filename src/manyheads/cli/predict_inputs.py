"""Which images `manyheads predict` means: files, folders, globs, manifests, a list on stdin."""

from __future__ import annotations

import glob
import os
import sys
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from manyheads.data.images import IMAGE_SUFFIXES
from manyheads.data.manifest import MANIFEST_SUFFIXES, manifest_rows
from manyheads.errors import DataError

_BLOCK = 1 << 16  # bytes of a list that are read at once, at most


class Asked(NamedTuple):
    """An image file, and the label that a manifest gives it."""

    path: str
    given: str | None = None


class Inputs:
    """The images that the arguments mean, one after the other, in the order given.

    Folders are searched at any depth, in the order of their names. A file that is named by
    several arguments is meant once; lists and manifests are taken as they are. `labelled` says
    whether there is a manifest with labels. Raises `DataError` if an argument leads to no image.
    """

    def __init__(self, arguments: list[str], *, null: bool = False) -> None:
        self._sources: list[Callable[[], Iterator[Asked]]] = []
        self._once = len(arguments) > 1
        self._seen: set[str] = set()
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
                raise DataError(
                    "an image, a folder of images or a glob", f"nothing at {text!r}",
                    "check the path",
                )  # fmt: skip
            self._sources.append(source)

    def __iter__(self) -> Iterator[Asked]:
        for source in self._sources:
            yield from source()

    def _meant(self, text: str) -> Callable[[], Iterator[Asked]] | None:
        path = Path(text).expanduser()
        if path.is_dir():
            found = next(_inside(str(path)), None)
            return None if found is None else lambda: self._new(_inside(str(path)))
        if path.suffix.lower() in MANIFEST_SUFFIXES and path.is_file():
            # Read once before anything is predicted, so that what is wrong is known at once.
            self.labelled |= sum(image.given is not None for image in _of_manifest(path)) > 0
            return lambda: _of_manifest(path)
        if path.exists():
            return lambda: self._new([str(path)])
        found = sorted(glob.glob(str(path), recursive=True))  # noqa: PTH207 - may be absolute
        return (lambda: self._new(_each(found))) if next(_each(found), None) else None

    def _new(self, paths: Iterator[str] | list[str]) -> Iterator[Asked]:
        for path in paths:
            if self._once:
                if path in self._seen:
                    continue
                self._seen.add(path)
            yield Asked(path)


class RowInputs:
    """The rows of an array of features, by the names that their answers have."""

    labelled = False

    def __init__(self, rows: int) -> None:
        self._rows = rows

    def __iter__(self) -> Iterator[Asked]:
        return (Asked(f"row {row}") for row in range(self._rows))


def _each(found: list[str]) -> Iterator[str]:
    """What a glob has found, with the images in those of it that are folders."""
    for path in found:
        if os.path.isdir(path):  # noqa: PTH112 - a string, as scandir has it
            yield from _inside(path)
        else:
            yield path


def _inside(folder: str) -> Iterator[str]:
    """The images at any depth, in the order of their paths' parts; links to folders are not it."""
    try:
        with os.scandir(folder) as found:
            entries = sorted(found, key=lambda entry: entry.name)
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise DataError(f"to read the folder {folder}", reason, "check its permissions") from error
    for entry in entries:
        if entry.is_dir(follow_symlinks=False):
            yield from _inside(entry.path)
        elif entry.name.lower().endswith(IMAGE_SUFFIXES) and entry.is_file():
            yield entry.path


def _of_manifest(manifest: Path) -> Iterator[Asked]:
    for number, cells in manifest_rows(manifest, ("path",)):
        if not cells["path"].strip():
            expected = f"a path in row {number} of {manifest}"
            raise DataError(expected, "an empty cell", "fill it in or remove the row")
        yield Asked(str(manifest.parent / cells["path"]), cells["label"].strip() or None)


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
