"""Which images a path, a folder, a glob or a table means: for all that predict."""

from __future__ import annotations

import glob
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from manyheads.core.addresses import is_address, is_web, plain_name
from manyheads.core.download import require_network
from manyheads.data.data_settings import TableSettings
from manyheads.data.image_lists import list_images, list_matches
from manyheads.data.left_out import LeftOut
from manyheads.data.listing import Listing
from manyheads.data.manifest import MANIFEST_SUFFIXES, manifest_images
from manyheads.data.name_rules import IMAGE_SUFFIXES
from manyheads.data.remote_path import FilePath, RemoteError, RemotePath, file_path
from manyheads.data.remote_sources import listed_once, refresh_table
from manyheads.errors import DataError

_USUAL = TableSettings()


class PlacedImage(NamedTuple):
    """An image file, and the label that a manifest gives it."""

    path: str
    label: str | None = None


@dataclass(frozen=True)
class Place:
    """The images that a text leads to, in their order.

    They are the `listing` of a folder or a glob; or the rows of a `manifest`, which is read as
    `table` says whenever they are asked for, and `labelled` if one has a label; or else one `file`.
    """

    listing: Listing | None = None
    manifest: FilePath | None = None
    table: TableSettings = _USUAL
    labelled: bool = False
    file: str = ""

    @property
    def ignored(self) -> LeftOut:
        """What a folder or a glob holds without its being read."""
        return LeftOut.none() if self.listing is None else self.listing.ignored

    def __iter__(self) -> Iterator[PlacedImage]:
        if self.manifest is not None:
            return (PlacedImage(*image) for image in manifest_images(self.manifest, self.table))
        paths: Iterable[str] = [self.file] if self.listing is None else self.listing.paths.texts()
        return map(PlacedImage, paths)


def place_of(text: str, table: TableSettings = _USUAL) -> Place:
    """The images that `text` means: a file, a folder, a glob, or a table with the column path.

    Folders are searched at any depth, in the order of their names, by the rules for a data set's.
    Any of them but a glob may be an address; its last part says what it is. `table` says how a
    table is read. Raises `DataError` if there is no image, a folder that manyheads has written, or
    a table that cannot be read; for addresses also `MissingExtraError`, and `DownloadError` where
    the network is not to be used.
    """
    if is_address(text):
        return _not_empty(_elsewhere(text, table), text)
    try:
        found = _looked_for(text, table) if text.strip() else None
    except (OSError, ValueError, RuntimeError):  # a name too long, no user of that name, …
        found = None
    if found is None:
        raise _nothing(f"nothing at {text!r}")
    return _not_empty(found, text)


def _not_empty(found: Place, text: str) -> Place:
    if found.listing is not None and not len(found.listing.paths):
        told = found.ignored.line(0)
        raise _nothing(f"no image in {text!r}" + (f" ({told})" if told else ""))
    return found


def may_be_several(text: str) -> bool:
    """Whether a text is a folder, a table or a glob, and not an image's file or nothing at all."""
    if is_address(text):
        return not _names_an_image(text)
    try:
        path = Path(text).expanduser()
        if path.suffix.lower() in MANIFEST_SUFFIXES:
            return path.is_file()
        return path.is_dir() or (glob.has_magic(text) and not path.exists())
    except (OSError, ValueError, RuntimeError):
        return False


def _elsewhere(text: str, table: TableSettings) -> Place:
    path = file_path(text)
    assert isinstance(path, RemotePath)
    if "*" in text and not is_web(text):
        raise DataError(
            "the address of an image, a folder or a table", f"a glob, {text!r}",
            "give the address of the folder, or of a table of the images",
        )  # fmt: skip
    require_network(path.address)
    try:
        if path.suffix.lower() in MANIFEST_SUFFIXES:
            refresh_table(path.address)
            return _of_manifest(path, table)
        if _names_an_image(text):
            return Place(file=path.address)
        with listed_once(path.address):
            return Place(list_images(path))
    except RemoteError as error:
        raise DataError(f"to read {path}", error.found, error.remedy) from error


def _names_an_image(address: str) -> bool:
    return plain_name(address).lower().endswith(IMAGE_SUFFIXES)


def _of_manifest(path: FilePath, table: TableSettings) -> Place:
    # Read once before anything is predicted, so that what is wrong is known at once.
    labels = [label is not None for _, label in manifest_images(path, table)]
    return Place(manifest=path, table=table, labelled=any(labels))


def _looked_for(text: str, table: TableSettings) -> Place | None:
    path = Path(text).expanduser()
    if path.is_dir():
        return Place(list_images(path))
    if path.suffix.lower() in MANIFEST_SUFFIXES and path.is_file():
        return _of_manifest(path, table)
    if path.exists():
        return Place(file=str(path))
    found = sorted(glob.glob(str(path), recursive=True))  # noqa: PTH207 - may be absolute
    return Place(list_matches(str(path), found)) if found else None


def _nothing(found: str) -> DataError:
    return DataError("an image, a folder of images or a glob", found, "check the path")
