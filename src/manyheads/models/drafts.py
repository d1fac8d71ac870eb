"""Unfinished models, and how a finished one gets to its place: whole, or not at all."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from manyheads.core.places import disk_errors, make_folder
from manyheads.models.card import ModelCard, remove_side_files, write_card


@contextmanager
def drafts(scratch: Path) -> Iterator[Path]:
    """A folder for unfinished files, gone afterwards; one left by a killed process is replaced."""
    missing = [folder for folder in scratch.parents if not folder.exists()]
    try:
        with disk_errors(scratch.parent):
            shutil.rmtree(scratch, ignore_errors=True)
            scratch.mkdir(parents=True)
            yield scratch
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
        for folder in missing:
            with suppress(OSError):  # what has got files in it stays
                folder.rmdir()


def put(finished: Path, target: Path, card: ModelCard) -> None:
    """Move all that is in the folder `finished` to beside `target`, and write its side file.

    No side file ever stands beside another model. A folder that stands where one is to come is
    replaced: whoever calls has made sure that it may be.
    """
    make_folder(target.parent)
    remove_side_files(target)
    for entry in sorted(finished.iterdir()):
        if entry.is_dir():
            replace_folder(entry, target.with_name(entry.name))
        else:
            entry.replace(target.with_name(entry.name))
    write_card(target, card)


def replace_folder(new: Path, target: Path) -> None:
    """Move the folder `new` to `target`, in the place of a folder there; all of it or nothing."""
    # A full folder cannot be renamed over; the old one goes the way of all drafts.
    old = new.with_name(f".{new.name}-old")
    if target.exists():
        target.replace(old)
    try:
        new.replace(target)
    except OSError:
        if old.exists():
            old.replace(target)
        raise
