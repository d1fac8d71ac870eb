"""What a search finds in a folder, and files to be found."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from manyheads.data.folders import scan_folder
from tests.strategies import distinct_image, encoded


def counts(root: Path) -> dict[str, int]:
    """Images by split and class: `train/cat`, or `cat` without splits."""
    listing = scan_folder(root)
    splits = listing.splits or [""] * len(listing.paths)
    found = (f"{s}/{c}".lstrip("/") for s, c in zip(splits, listing.labels, strict=True))
    return dict(Counter(found))


def left(root: Path) -> dict[str, str]:
    """What is left out, and why."""
    ignored = scan_folder(root).ignored
    names = (Path(str(path)).relative_to(root).as_posix() for path in ignored)
    return dict(zip(names, ignored.reasons, strict=True))


def put(path: Path, content: bytes = b"x") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path


def picture(path: Path, name: str = "") -> Path:
    return put(path, encoded(distinct_image(name or str(path))))
