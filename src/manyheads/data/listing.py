"""What a folder or a manifest says, before any image is read."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Entry:
    """One image: where it is, its label, and its split and group where they are given."""

    path: Path
    label: str
    split: str | None = None
    group: str = ""


@dataclass(frozen=True)
class Listing:
    """All images of a source, and what lies beside them without being one.

    `layout` is "split folders", "class folders" or "manifest".
    """

    layout: str
    entries: tuple[Entry, ...]
    ignored: tuple[Path, ...] = ()
