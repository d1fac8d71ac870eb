"""Search folders for images: one search for every command, which passes over what is no data.

Folders are here or at addresses (`remote_sources` lists those). There, a file is an image by its
name alone: none is opened to see.

Links are followed, to files and to folders. A folder is searched once, so loops end, and folders
above the start are not searched at all. Whatever is met without being an image is told with a
reason.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import NamedTuple

from manyheads.core.addresses import is_address
from manyheads.core.places import cache_dir
from manyheads.data import left_out, name_rules, remote_sources
from manyheads.data.image_kinds import FIRST_BYTES, image_kind, obstacle
from manyheads.data.left_out import Reason
from manyheads.data.remote_path import FilePath, remedy_of
from manyheads.errors import DataError

Identity = tuple[int, int]
Ignore = Callable[[str, str, Reason], None]


class Image(NamedTuple):
    """An image file that was met; `linked`: through a link."""

    folder: str
    name: str
    linked: bool


@dataclass
class Content:
    """What a folder holds, in the order of names: files and folders that may matter, and the rest.

    `linked` are those of them that are links. `output`: manyheads has written it.
    """

    folder: str
    files: list[str] = field(default_factory=list)
    folders: list[str] = field(default_factory=list)
    linked: set[str] = field(default_factory=set)
    others: list[tuple[str, Reason]] = field(default_factory=list)
    output: str = ""

    @cached_property
    def folder_names(self) -> frozenset[str]:
        """The names of the folders, to ask which are."""
        return frozenset(self.folders)

    def add(self, name: str, is_folder: bool, is_link: bool) -> None:
        """Put the entry `name` into its place; of a link, where it leads decides."""
        missing = None
        if is_link:
            is_folder, missing = _led_to(Path(self.folder, name))
        if reason := _passed_over(name, is_folder) or missing:
            self.others.append((name, reason))
            return
        (self.folders if is_folder else self.files).append(name)
        if is_link:
            self.linked.add(name)

    def obstacle(self, name: str) -> Reason | None:
        """Why the file `name` is no image that can be read; None if it is one."""
        if name.lower().endswith(name_rules.IMAGE_SUFFIXES):
            return None
        if is_address(self.folder):
            return _of_no_image(Path(name).suffix.lower())
        return _looked_into(str(Path(self.folder, name)))

    def first_image(self) -> str | None:
        """The first file that is an image."""
        return next((name for name in self.files if self.obstacle(name) is None), None)

    def below(self, name: str) -> str:
        """The path of what has this name here."""
        return below(self.folder, name)

    def ignore_others(self, ignore: Ignore) -> None:
        """Tell of what is passed over by its name or its nature."""
        for name, reason in self.others:
            ignore(self.folder, name, reason)


def read_folder(folder: str | FilePath) -> Content:
    """What `folder` holds; raises `OSError` if it cannot be read."""
    content = Content(str(folder))
    for name, is_folder, is_link in _entries(content.folder):
        if name in name_rules.OUTPUT_FILES:
            content.output = name
        if name != name_rules.CATALOG_MARK:
            content.add(name, is_folder, is_link)
    # What a check for shortcuts leaves where there is no study beside it.
    if Path(content.folder).name == "claims" and "shortcut.json" in content.files:
        content.output = "shortcut.json"
    content.files.sort()
    content.folders.sort()
    content.others.sort(key=lambda other: other[0])
    return content


def walk(content: Content, visited: set[Identity], ignore: Ignore) -> Iterator[Image]:
    """Each image at any depth below an opened folder, in the order of names.

    `visited` are folders that are not searched (again), and grows. What is left out goes to
    `ignore`.
    """
    # A stack, not recursion: a path may hold two thousand folders.
    stack = [_begun(content, False, ignore)]
    while stack:
        content, names, linked = stack[-1]
        if (name := next(names, None)) is None:
            stack.pop()
        elif name not in content.folder_names:
            if reason := content.obstacle(name):
                ignore(content.folder, name, reason)
            else:
                yield Image(content.folder, name, linked or name in content.linked)
        elif inner := opened(content, name, visited, ignore):
            stack.append(_begun(inner, linked or name in content.linked, ignore))


def walk_one(path: Path, visited: set[Identity], ignore: Ignore) -> Iterator[Image]:
    """`path` itself if it is an image, or else the images below it."""
    content = Content(str(path.parent))
    content.add(path.name, path.is_dir() and not path.is_symlink(), path.is_symlink())
    yield from walk(content, visited, ignore)


def leaves(folder: Path) -> bool:
    """Whether `folder` is passed over, by its name or because manyheads has written it."""
    return _passed_over(folder.name, True) is not None or bool(read_folder(folder).output)


def _begun(content: Content, linked: bool, ignore: Ignore) -> tuple[Content, Iterator[str], bool]:
    content.ignore_others(ignore)
    return content, iter(sorted([*content.files, *content.folders])), linked


def opened(content: Content, name: str, visited: set[Identity], ignore: Ignore) -> Content | None:
    """The content of the folder `name` in another, if it is searched; else it goes to `ignore`."""
    path = content.below(name)
    here = identity(path)
    if here in visited:
        ignore(content.folder, name, left_out.FOLLOWED)
        return None
    inner = read_folder(path)
    if inner.output or here == _cache():
        ignore(content.folder, name, left_out.OUTPUTS)
        return None
    visited.add(here)
    return inner


def below(folder: str, name: str) -> str:
    """The path of what has this `name` in a folder, here or elsewhere."""
    return f"{folder}/{name}" if is_address(folder) else str(Path(folder, name))


def start(folder: str | FilePath) -> set[Identity]:
    """What a search of `folder` must not come to: itself, and all folders above it."""
    if is_address(str(folder)):
        return {identity(str(folder))}  # there are no links that could lead above it
    path = Path(str(folder)).resolve()
    return {identity(str(each)) for each in (path, *path.parents)}


def identity(path: str) -> Identity:
    """What is the same for all ways to a file or a folder."""
    if is_address(path):
        return -1, hash(path)
    status = Path(path).stat()
    return status.st_dev, status.st_ino


def not_readable(error: OSError, folder: str | FilePath) -> DataError:
    """The error for a folder that the system does not let us read."""
    found = (error.strerror or str(error)).lower()
    path = name_rules.printable(os.fsdecode(error.filename or str(folder)))
    return DataError(f"to read {path}", found, remedy_of(error, "check its permissions"))


def _entries(folder: str) -> Iterator[tuple[str, bool, bool]]:
    """The names in a folder; which are folders; and which neither, but links or worse."""
    if is_address(folder):
        yield from ((name, is_folder, False) for name, is_folder in remote_sources.entries(folder))
        return
    with os.scandir(folder) as entries:
        for entry in entries:
            # An entry's own answers raise where links go round in a circle.
            is_file = entry.is_file(follow_symlinks=False)
            is_folder = not is_file and entry.is_dir(follow_symlinks=False)
            yield entry.name, is_folder, not (is_file or is_folder)


def _passed_over(name: str, is_folder: bool) -> Reason | None:
    if name_rules.is_system(name, folder=is_folder):
        return left_out.SYSTEM_FOLDERS if is_folder else left_out.SYSTEM_FILES
    if name_rules.is_hidden(name):
        return left_out.HIDDEN_FOLDERS if is_folder else left_out.HIDDEN_FILES
    return None


def _led_to(path: Path) -> tuple[bool, Reason | None]:
    """Whether a link leads to a folder, and why it leads nowhere; pipes would block for ever."""
    if path.is_dir():
        return True, None
    if path.is_file():
        return False, None
    return False, left_out.STRANGE if path.exists() else left_out.BROKEN


def _looked_into(path: str) -> Reason | None:
    suffix = Path(path).suffix.lower()
    try:
        with Path(path).open("rb", buffering=0) as file:
            kind = image_kind(file.read(FIRST_BYTES))
    except OSError:
        return left_out.UNREADABLE
    if kind is not None and suffix in name_rules.RAW_SUFFIXES:
        kind = "RAW"
    if kind is None:
        return _of_no_image(suffix)
    remedy = obstacle(kind)
    return None if remedy is None else left_out.of_kind(kind, remedy)


def _of_no_image(suffix: str) -> Reason:
    return left_out.VIDEOS if suffix in name_rules.VIDEO_SUFFIXES else left_out.NO_IMAGES


def _cache() -> Identity | None:
    try:
        return identity(str(cache_dir()))
    except OSError:
        return None
