"""Read class folders, with or without split folders above them."""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from manyheads.data.images import IMAGE_SUFFIXES
from manyheads.data.listing import Listing, ListingWriter
from manyheads.data.splits import SPLITS, split_name
from manyheads.errors import DataError

_CLASS_FOLDERS = "put the images of each class into a folder named after the class"


def scan_folder(root: Path) -> Listing:
    """List the images below `root`, each class and split in the order of its sorted names.

    The folders of `root` are splits if each of them has a split's name, and classes otherwise.
    Below a class folder, images are found at any depth, through links too; hidden files are left
    out, and whatever else is no image is told in `ignored`. Raises `DataError` for a folder that
    holds no class folders, mixes splits with classes, or has classes that differ only in case.
    """
    try:
        return _scan(root)
    except OSError as error:
        path = error.filename or root
        found = (error.strerror or str(error)).lower()
        raise DataError(f"to read {path}", found, "check its permissions") from error


def _scan(root: Path) -> Listing:
    content, writer = _content(root), ListingWriter()
    by_split = {folder: split_name(folder) for folder in content.folders}
    if by_split and all(by_split.values()):
        layout = "split folders"
        content.ignore_files(writer)
        _scan_splits(root, by_split, writer)
    elif any(by_split.values()):
        raise _mixed(root, by_split)
    else:
        layout = "class folders"
        content.ignore_files(writer)
        _scan_classes(content, None, {_identity(str(root))}, writer)
    if not len(writer):
        raise _no_images(root, content)
    listing = writer.listing(layout)
    _refuse_case_twins(root, set(listing.labels.names))
    return listing


def _scan_splits(root: Path, by_split: dict[str, str | None], writer: ListingWriter) -> None:
    by_name: dict[str | None, str] = {}
    for folder, split in by_split.items():
        if split in by_name:
            raise DataError(
                f"one {split} folder in {root}",
                f"{by_name[split]!r} and {folder!r}",
                "merge them into one",
            )
        by_name[split] = folder
    for split in SPLITS:
        if name := by_name.get(split):
            folder = root / name
            content = _content(folder)
            if not content.folders and (first := content.first_image()):
                raise DataError(
                    f"class folders in {folder}",
                    f"images without class folders ({first!r} is the first)",
                    f"{_CLASS_FOLDERS}, or use a manifest if {name!r} is a class",
                )
            content.ignore_files(writer)
            above = {_identity(str(root)), _identity(str(folder))}
            _scan_classes(content, split, above, writer)


def _scan_classes(
    content: _Content, split: str | None, above: set[tuple[int, int]], writer: ListingWriter
) -> None:
    for name in content.folders:
        folder = str(Path(content.folder, name))
        others: list[Path] = []
        label, before = _readable_name(content.folder, name), len(writer)
        for inside, file, is_image in _walk(folder, set(above)):
            if is_image:
                writer.add(inside, file, label, split)
            else:
                others.append(Path(inside, file))
        # A class folder without images makes no class; it is told among what was left out.
        if len(writer) == before:
            writer.ignore(content.folder, name)
        else:
            for other in sorted(others):
                writer.ignore(str(other.parent), other.name)


def _walk(folder: str, visited: set[tuple[int, int]]) -> Iterator[tuple[str, str, bool]]:
    """Each file below `folder`: the folder it is in, its name, and whether it is an image."""
    identity = _identity(folder)
    if identity in visited:
        return
    visited.add(identity)
    content = _content(folder)
    folders = set(content.folders)
    for name in content.names:
        if name in folders:
            yield from _walk(str(Path(folder, name)), visited)
        else:
            yield folder, name, content.is_image(name)


@dataclass(frozen=True)
class _Content:
    """The sorted names in a folder without hidden ones, those of folders, and what cannot be read.

    `strange` are neither files nor folders: pipes and devices, which would block for ever.
    """

    folder: str
    names: list[str]
    folders: list[str]
    strange: set[str]

    def is_image(self, name: str) -> bool:
        return name.lower().endswith(IMAGE_SUFFIXES) and name not in self.strange

    def files(self) -> Iterator[str]:
        folders = set(self.folders)
        return (name for name in self.names if name not in folders)

    def first_image(self) -> str | None:
        return next(filter(self.is_image, self.files()), None)

    def ignore_files(self, writer: ListingWriter) -> None:
        for name in self.files():
            writer.ignore(self.folder, name)


def _content(folder: str | Path) -> _Content:
    names: list[str] = []
    folders: list[str] = []
    strange: set[str] = set()
    with os.scandir(folder) as entries:
        for entry in entries:
            name = entry.name
            if name.startswith("."):
                continue
            names.append(name)
            if entry.is_file(follow_symlinks=False):
                continue
            # An entry's own answers raise where links go round in a circle.
            path = Path(entry.path)
            if path.is_dir():
                folders.append(name)
            # A broken link is no stranger, so that reading it names it.
            elif path.exists() and not path.is_file():
                strange.add(name)
    return _Content(str(folder), sorted(names), sorted(folders), strange)


def _identity(path: str) -> tuple[int, int]:
    status = Path(path).stat()
    return status.st_dev, status.st_ino


def _readable_name(folder: str, name: str) -> str:
    try:
        name.encode()
    except UnicodeEncodeError as error:
        found = f"{os.fsencode(name)!r} in {folder}"
        raise DataError("class folders named in UTF-8", found, "rename the folder") from error
    return name


def _refuse_case_twins(root: Path, classes: set[str]) -> None:
    twins: defaultdict[str, list[str]] = defaultdict(list)
    for name in sorted(classes):
        twins[name.casefold()].append(name)
    for names in twins.values():
        if len(names) > 1:
            raise DataError(
                f"class names in {root} that differ in more than case",
                " and ".join(repr(name) for name in names),
                "merge these folders, or rename one of them",
            )


def _mixed(root: Path, by_split: dict[str, str | None]) -> DataError:
    splits = ", ".join(repr(folder) for folder, split in by_split.items() if split)
    classes = [repr(folder) for folder, split in by_split.items() if not split]
    more = ", …" if len(classes) > 3 else ""
    return DataError(
        f"either split folders or class folders in {root}",
        f"both: {splits} beside {', '.join(classes[:3])}{more}",
        "move the others away, or use a manifest if a class has the name of a split",
    )


def _no_images(root: Path, content: _Content) -> DataError:
    expected = f"class folders with images in {root}"
    if not content.folders and (first := content.first_image()):
        found = f"images without class folders ({first!r} is the first)"
        return DataError(expected, found, _CLASS_FOLDERS)
    if not content.names:
        return DataError(expected, "an empty folder", _CLASS_FOLDERS)
    found = "no file that ends in " + " ".join(IMAGE_SUFFIXES)
    return DataError(expected, found, _CLASS_FOLDERS)
