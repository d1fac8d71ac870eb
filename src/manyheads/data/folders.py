"""Read class folders, with or without split folders above them."""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

from manyheads.data.images import IMAGE_SUFFIXES
from manyheads.data.listing import Entry, Listing
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
    folders, ignored = _children(root)
    by_split = {folder: split_name(folder.name) for folder in folders}
    if folders and all(by_split.values()):
        layout, entries = "split folders", _scan_splits(root, by_split, ignored)
    elif any(by_split.values()):
        raise _mixed(root, by_split)
    else:
        layout, entries = "class folders", _scan_classes(folders, None, {_identity(root)}, ignored)
    if not entries:
        raise _no_images(root, folders, ignored)
    _refuse_case_twins(root, {entry.label for entry in entries})
    return Listing(layout, tuple(entries), tuple(ignored))


def _scan_splits(root: Path, by_split: dict[Path, str | None], ignored: list[Path]) -> list[Entry]:
    by_name: dict[str | None, Path] = {}
    for folder, split in by_split.items():
        if split in by_name:
            raise DataError(
                f"one {split} folder in {root}",
                f"{by_name[split].name!r} and {folder.name!r}",
                "merge them into one",
            )
        by_name[split] = folder
    entries: list[Entry] = []
    for split in SPLITS:
        if folder := by_name.get(split):
            classes, loose = _children(folder)
            if not classes and _images(loose):
                raise DataError(
                    f"class folders in {folder}",
                    f"images without class folders ({loose[0].name!r} is the first)",
                    f"{_CLASS_FOLDERS}, or use a manifest if {folder.name!r} is a class",
                )
            ignored += loose
            above = {_identity(root), _identity(folder)}
            entries += _scan_classes(classes, split, above, ignored)
    return entries


def _scan_classes(
    folders: list[Path], split: str | None, above: set[tuple[int, int]], ignored: list[Path]
) -> list[Entry]:
    entries: list[Entry] = []
    for folder in folders:
        found = list(_walk(folder, set(above)))
        images = _images(found)
        others = set(found) - set(images)
        # A class folder without images makes no class; it is told among what was left out.
        ignored += [folder] if not images else sorted(others)
        entries += [Entry(path, _readable_name(folder), split) for path in images]
    return entries


def _walk(folder: Path, visited: set[tuple[int, int]]) -> Iterator[Path]:
    identity = _identity(folder)
    if identity in visited:
        return
    visited.add(identity)
    for child in _sorted_children(folder):
        if child.is_dir():
            yield from _walk(child, visited)
        else:
            yield child


def _children(folder: Path) -> tuple[list[Path], list[Path]]:
    children = _sorted_children(folder)
    folders = [child for child in children if child.is_dir()]
    return folders, [child for child in children if not child.is_dir()]


def _sorted_children(folder: Path) -> list[Path]:
    names = sorted(os.listdir(folder))  # noqa: PTH208 - a third of the time of iterdir
    return [folder / name for name in names if not name.startswith(".")]


def _images(paths: list[Path]) -> list[Path]:
    # A broken link stays, so that reading it names it; pipes and devices would block for ever.
    return [
        path
        for path in paths
        if path.suffix.lower() in IMAGE_SUFFIXES and (path.is_file() or not path.exists())
    ]


def _identity(path: Path) -> tuple[int, int]:
    status = path.stat()
    return status.st_dev, status.st_ino


def _readable_name(folder: Path) -> str:
    try:
        folder.name.encode()
    except UnicodeEncodeError as error:
        found = f"{os.fsencode(folder.name)!r} in {folder.parent}"
        raise DataError("class folders named in UTF-8", found, "rename the folder") from error
    return folder.name


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


def _mixed(root: Path, by_split: dict[Path, str | None]) -> DataError:
    splits = ", ".join(repr(folder.name) for folder, split in by_split.items() if split)
    classes = [repr(folder.name) for folder, split in by_split.items() if not split]
    more = ", …" if len(classes) > 3 else ""
    return DataError(
        f"either split folders or class folders in {root}",
        f"both: {splits} beside {', '.join(classes[:3])}{more}",
        "move the others away, or use a manifest if a class has the name of a split",
    )


def _no_images(root: Path, folders: list[Path], loose: list[Path]) -> DataError:
    expected = f"class folders with images in {root}"
    if not folders and (images := _images(loose)):
        found = f"images without class folders ({images[0].name!r} is the first)"
        return DataError(expected, found, _CLASS_FOLDERS)
    if not folders and not loose:
        return DataError(expected, "an empty folder", _CLASS_FOLDERS)
    found = "no file that ends in " + " ".join(IMAGE_SUFFIXES)
    return DataError(expected, found, _CLASS_FOLDERS)
