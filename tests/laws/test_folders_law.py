"""Whatever lies in a folder, a search ends in a listing or one line, and everything is counted.

The law, for layouts of any names, depths, links, systems' folders and mixtures: `scan_folder` and
`list_images` return or raise `DataError` of one line; every file below the root is listed, left out
with a reason, or lies in a folder that is left out as a whole; none is listed twice; a class is a
folder's name; and nothing on the disk changes.
"""

from __future__ import annotations

import os
import random
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from manyheads.data.folders import scan_folder
from manyheads.data.image_lists import list_images
from manyheads.data.listing import Listing
from manyheads.data.name_rules import class_name, is_hidden, is_system
from manyheads.errors import DataError
from tests.strategies import distinct_image, encoded

JPEG = encoded(distinct_image("x"), "JPEG")
_FOLDERS = (
    *("cat", "dog", "Cat", "cat ", "cafe\u0301", "caf\u00e9", "train", "Training", "test"),
    *("Testing", "val", "eval", "holdout", "unknown", "images", "pred", "runs", "explained"),
    *("__MACOSX", "@eaDir", ".git", "lost+found", ".x", "Icon\r", "-rf", "a'b", "\U0001f408", " "),
    *("new\nline", "#1"),
)
_IMAGES = ("a.jpg", "B.JPEG", "c.png", "d", "e.jfif", "f.webp.download", "l\r.jpg", "._a.jpg")
_OTHERS = {
    "g.txt": b"words", "h.heic": b"\0\0\0\x18ftypheic\0\0\0\0mif1heic", "i.mov": b"",
    "j.svg": b"<svg>", ".DS_Store": b"", "Thumbs.db": b"", "empty.png": b"",
    "k.jpg:Zone.Identifier": b"", os.fsdecode(b"\xff.jpg"): JPEG,
}  # fmt: skip
_OUTPUTS = dict.fromkeys(("study.toml", "fit.json", ".manyheads"), b"")
_FILES = dict.fromkeys(_IMAGES, JPEG) | _OTHERS | _OUTPUTS


def build(root: Path, seed: int) -> None:
    """A layout that `seed` alone decides."""
    chance = random.Random(seed)
    folders = [root]
    for _ in range(chance.randrange(12)):
        parent = chance.choice(folders if chance.random() < 0.6 else folders[:1])
        folder = parent / chance.choice(_FOLDERS)
        if not os.path.lexists(folder):
            folder.mkdir()
            folders.append(folder)
    for _ in range(chance.randrange(25)):
        folder = chance.choice(folders)
        name = chance.choice(list(_OUTPUTS if chance.random() < 0.05 else (*_IMAGES, *_OTHERS)))
        if not os.path.lexists(folder / name):
            (folder / name).write_bytes(_FILES[name])
    for number in range(chance.randrange(4)):
        link = chance.choice(folders) / chance.choice([f"link{number}", f"link{number}.jpg"])
        target = chance.choice([*folders, *root.rglob("*"), root / "nowhere", root.parent, link])
        if not os.path.lexists(link):
            link.symlink_to(target)
    if chance.random() < 0.1:
        os.mkfifo(chance.choice(folders) / "pipe.png")


def entries(root: Path) -> Iterator[Path]:
    """All below the root that is no folder, links not followed."""
    for folder, folders, files in os.walk(root):
        for name in files + [name for name in folders if Path(folder, name).is_symlink()]:
            yield Path(folder, name)


def state(root: Path) -> dict[str, tuple[int, int]]:
    found = {path: path.lstat() for path in (root, *root.rglob("*"))}
    return {str(path): (about.st_mtime_ns, about.st_size) for path, about in found.items()}


def check_law(root: Path, listing: Listing) -> None:
    listed = [str(path) for path in listing.paths]
    left = set(map(str, listing.ignored))
    assert len(set(listed)) == len(listed)
    assert not left & set(listed)
    met = {os.path.realpath(path) for path in listed}
    # A folder that is left out stands for all in it, and a link for what it leads to.
    whole = {path for path in left if Path(path).is_dir()}
    for path in entries(root):
        told = (
            str(path) in listed or str(path) in left or os.path.realpath(path) in met
            or any(str(parent) in whole for parent in path.parents)
            or path.is_dir()  # a link to a folder: what lies there is met through it
        )  # fmt: skip
        assert told, path
    for path in listed:
        inside = Path(path).relative_to(root).parts
        assert not any(is_system(p, folder=True) or is_hidden(p) for p in inside[:-1]), path
        assert not is_system(inside[-1], folder=False), path
    assert len(listing.ignored.reasons) == len(listing.ignored)
    line = listing.ignored.line(len(listed))
    assert bool(line) == bool(left)
    assert "\n" not in line
    line.encode()
    files = sum(n for reason, n in listing.ignored.counts.items() if not reason.folder)
    if files:
        assert line.startswith(f"{files:,} of {files + len(listed):,} files (")


def searched(search: Callable[[Path], Listing], root: Path) -> Listing | DataError:
    try:
        return search(root)
    except DataError as error:
        return error


def looked_at(root: Path) -> str:
    """Hold one layout to the law; how the scan ended."""
    before, ending = state(root), "listed"
    for search in (scan_folder, list_images):
        listing = searched(search, root)
        if isinstance(listing, DataError):
            assert "\n" not in str(listing)
            assert all([listing.expected, listing.found, listing.remedy])
            ending = listing.expected if search is scan_folder else ending
            continue
        check_law(root, listing)
        if search is scan_folder:
            for path, label in zip(listing.paths, listing.labels, strict=True):
                assert label in map(class_name, Path(str(path)).relative_to(root).parts)
            assert listing.splits is None or set(listing.splits) <= {"train", "validation", "test"}
    assert state(root) == before
    return ending


@pytest.mark.when_changed("data")
@settings(max_examples=150)
@given(st.integers(0, 2**32))
def test_everything_in_a_folder_is_listed_or_counted(seed: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder, "data")
        root.mkdir()
        build(root, seed)
        looked_at(root)


def test_layouts_end_in_many_ways(tmp_path: Path) -> None:
    # Else the law would hold for layouts that are all refused for one reason.
    ends = set()
    for seed in range(200):
        (root := tmp_path / str(seed)).mkdir()
        build(root, seed)
        ends.add(looked_at(root).replace(str(root), "DATA"))
    assert "listed" in ends
    assert len(ends) >= 5


@pytest.mark.slow
@pytest.mark.when_changed("data")
def test_ten_thousand_layouts(tmp_path: Path) -> None:
    for seed in range(10_000):
        (root := tmp_path / str(seed)).mkdir()
        build(root, 1_000_000 + seed)
        looked_at(root)
