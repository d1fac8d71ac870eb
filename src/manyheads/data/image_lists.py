"""List images wherever they lie, without classes: for commands that are given images."""

from __future__ import annotations

import glob
from array import array
from collections.abc import Sequence
from functools import cache
from pathlib import Path

import numpy as np

from manyheads.data import folder_errors as errors
from manyheads.data import left_out
from manyheads.data.columns import Rows
from manyheads.data.listing import Listing, ListingWriter
from manyheads.data.remote_path import FilePath
from manyheads.data.walk import Identity, leaves, not_readable, read_folder, start, walk, walk_one


def list_images(folder: FilePath) -> Listing:
    """List the images at any depth below `folder`, by the rules of `scan_folder`, without labels.

    Raises `DataError` for an output of manyheads, or a folder that cannot be read.
    """
    try:
        writer, linked = ListingWriter(), array("b")
        content = read_folder(folder)
        errors.refuse_output(content)
        for image in walk(content, start(folder), writer.ignore):
            writer.add(image.folder, image.name, "")
            linked.append(image.linked)
        return without_twins(writer.listing("images"), linked)
    except OSError as error:
        raise not_readable(error, folder) from error


def list_matches(pattern: str, paths: Sequence[str]) -> Listing:
    """List the images among `paths`, which a glob matches, and below the folders among them.

    By the rules of `list_images`: a folder that would be passed over is, also with `*/*.jpg`.
    Raises `DataError` for a folder that cannot be read.
    """
    writer, linked, visited = ListingWriter(), array("b"), set[Identity]()
    fixed, folders = _fixed_parts(pattern), set[Path]()
    left = cache(leaves)  # of a folder that many matches lie in
    try:
        for path in map(Path, paths):
            if not folders.isdisjoint(path.parents):
                continue
            # What lies in a folder that is passed over is passed over with it.
            at = next((p for p in path.parents[::-1] if len(p.parts) > fixed and left(p)), path)
            if at.is_dir():
                folders.add(at)
            for image in walk_one(at, visited, writer.ignore):
                writer.add(image.folder, image.name, "")
                linked.append(image.linked)
        return without_twins(writer.listing("images"), linked)
    except OSError as error:
        raise not_readable(error, f"what {pattern} matches") from error


def _fixed_parts(pattern: str) -> int:
    """How many parts of a pattern's path stand for themselves."""
    parts = Path(pattern).parts
    return next((n for n, part in enumerate(parts) if glob.has_magic(part)), len(parts))


def without_twins(listing: Listing, linked: array[int]) -> Listing:
    """The listing less what links lead to a second time, under the same class and split."""
    if 1 not in linked:
        return listing
    rows = _twins(listing, np.frombuffer(linked, np.int8).astype(bool))
    return listing.without(rows.tolist(), left_out.TWINS) if len(rows) else listing


def _twins(listing: Listing, linked: np.ndarray) -> Rows:
    places = (Path(text).stat() for text in listing.paths.texts())
    file = np.fromiter((hash((place.st_dev, place.st_ino)) for place in places), np.int64)
    keys = [file, listing.labels.codes]
    keys += [] if listing.splits is None else [listing.splits.codes]
    # Of each file the one without a link stays, or else the first.
    order = np.lexsort((np.arange(len(file)), linked, *keys))
    same = np.all([key[order[1:]] == key[order[:-1]] for key in keys], axis=0)
    again = np.zeros(len(file), bool)
    again[order[1:]] = same
    return np.flatnonzero(again & linked)
