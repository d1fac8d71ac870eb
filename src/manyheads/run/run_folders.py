"""Where run folders are: a search of a few folders down that does not read what it finds."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from manyheads.run.fit import fit_record
from manyheads.study.folder import PASSING, RunFolder

DEPTH = 4  # folders down: a project's `runs/lesson/3-droprate` from the folder of all projects
_ENTRIES = 10_000  # of a folder that are looked at: one with more holds images, not runs


def run_folders(folder: Path, depth: int = DEPTH) -> Iterator[Path]:
    """The folders of studies and of fits in `folder` or up to `depth` folders down.

    A fit's own studies are parts of it. Hidden folders and links are not followed.
    """
    if _is_run(folder):
        yield folder
    elif depth:
        for path in _folders_in(folder):
            yield from run_folders(path, depth - 1)


def last_change(folder: Path) -> float:
    """When a run last came to something, in seconds: its results, or its record, or its start."""
    run = RunFolder(folder)
    for file in (folder / fit_record.FILE, run.results, run.store, run.settings, folder):
        with suppress(OSError):
            return file.stat().st_mtime
    return 0.0


def _is_run(folder: Path) -> bool:
    with suppress(OSError):  # one that may not be read
        run = RunFolder(folder)
        marks = run.settings, folder / fit_record.FILE, folder / PASSING[0]
        return any(mark.is_file() for mark in marks) or bool(run.searches)
    return False


def _folders_in(folder: Path) -> list[Path]:
    inside: list[Path] = []
    with suppress(OSError):
        for number, entry in enumerate(folder.iterdir()):
            if number == _ENTRIES:
                break
            if not entry.name.startswith(".") and not entry.is_symlink() and entry.is_dir():
                inside.append(entry)
    return sorted(inside)
