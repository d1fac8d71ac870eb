"""The data sets that could be opened in a place: a shallow search that is bounded."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from manyheads.data.name_rules import IMAGE_SUFFIXES, is_hidden, is_system
from manyheads.data.split_names import split_name
from manyheads.data.table_files import TABLE_SUFFIXES
from manyheads.run.run_folders import run_folders

_ENTRIES = 2_000  # of a folder that are looked at
_CLASSES = 200  # folders in a folder that are looked into
_FILES = 50  # of a folder, among which an image shows that it holds some
_MOST = 200  # choices
_HEADER = 4_096  # bytes of a table that are read


@dataclass(frozen=True)
class DataChoice:
    """Something that can be opened: its name relative to the place, and what it seems to be.

    `kind` is "folder" or "manifest"; `classes` counts the class folders that were seen, 0 for none.
    """

    name: str
    kind: str
    classes: int


def data_choices(place: Path) -> list[DataChoice]:
    """The folders of images by class and the manifests in `place` and one folder down.

    Hidden and system folders and run folders are not looked into, nor links followed.
    """
    return list(islice(_choices(place), _MOST))


def _choices(place: Path) -> Iterator[DataChoice]:
    runs = {str(path) for path in run_folders(place, depth=1)}
    folders, files = _entries(place)
    if classes := _classes(place):
        yield DataChoice(".", "folder", classes)
    yield from _manifests(place, files)
    for folder in folders:
        if str(folder) in runs:
            continue
        found = _classes(folder)
        if found:
            yield DataChoice(folder.relative_to(place).as_posix(), "folder", found)
            continue
        inner, tables = _entries(folder)
        yield from _manifests(place, tables)
        for each in inner:
            if str(each) not in runs and (found := _classes(each)):
                yield DataChoice(each.relative_to(place).as_posix(), "folder", found)


def _classes(folder: Path) -> int:
    """How many class folders lie in `folder`, or in the folder of a split in it; 0 for one."""
    folders, _ = _entries(folder)
    splits = [each for each in folders if split_name(each.name)]
    classes = [each for each in folders if each not in splits][:_CLASSES]
    counts = [sum(map(_has_image, classes))]
    counts += [sum(map(_has_image, _entries(each)[0][:_CLASSES])) for each in splits]
    most = max(counts)
    return most if most > 1 else 0


def _manifests(place: Path, files: list[Path]) -> Iterator[DataChoice]:
    for file in files:
        if file.suffix.lower() in TABLE_SUFFIXES and _may_be_manifest(file):
            yield DataChoice(file.relative_to(place).as_posix(), "manifest", 0)


def _may_be_manifest(file: Path) -> bool:
    """Whether the header of a text table names paths and labels; of others nothing is read."""
    if file.suffix.lower() not in (".csv", ".tsv"):
        return True
    with suppress(OSError), file.open("rb") as opened:
        header = opened.read(_HEADER).split(b"\n")[0].lower()
        return b"path" in header and b"label" in header
    return False


def _has_image(folder: Path) -> bool:
    with suppress(OSError), os.scandir(folder) as entries:
        return any(
            Path(entry.name).suffix.lower() in IMAGE_SUFFIXES for entry in islice(entries, _FILES)
        )
    return False


def _entries(folder: Path) -> tuple[list[Path], list[Path]]:
    """The folders and the files in a folder that nothing speaks against, sorted."""
    folders: list[Path] = []
    files: list[Path] = []
    with suppress(OSError), os.scandir(folder) as entries:
        for entry in islice(entries, _ENTRIES):
            if is_hidden(entry.name) or is_system(entry.name, folder=entry.is_dir()):
                continue
            if entry.is_dir(follow_symlinks=False):
                folders.append(Path(entry.path))
            elif entry.is_file(follow_symlinks=False):
                files.append(Path(entry.path))
    return sorted(folders), sorted(files)
