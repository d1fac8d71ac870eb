"""Unpacking: only the pinned images, only inside the folder, or nothing."""

from __future__ import annotations

import hashlib
import io
import re
import tarfile
from dataclasses import replace
from pathlib import Path

import pytest

from manyheads.data.archives import CLOTHING, Archive, unpack
from manyheads.data.digests import tree_digest
from manyheads.errors import DownloadError
from tests.files import read_all

FILES = {
    f"{split}/{name}/{number}.jpg": f"{split} {name} {number}".encode()
    for split, count in (("train", 3), ("validation", 2), ("test", 1))
    for name in ("hat", "t-shirt")
    for number in range(count)
}


def tree(files: dict[str, bytes], splits: tuple[str, ...]) -> str:
    return tree_digest(
        (name, hashlib.sha256(content).hexdigest())
        for name, content in files.items()
        if name.startswith(splits)
    )


ARCHIVE = Archive(
    address="owner/name/tar.gz/123",
    file="name.tar.gz",
    counts=(("train", 6), ("validation", 4), ("test", 2)),
    classes=2,
    pinned=("train", "validation"),
    content=tree(FILES, ("train", "validation")),
)


def packed(files: dict[str, bytes], *members: tarfile.TarInfo, top: str = "name-123") -> bytes:
    """A `.tar.gz` as a forge makes it: one top folder, folders as members, other files beside."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as tar:
        for folder in [top, *{f"{top}/{Path(name).parent}" for name in files}]:
            info = tarfile.TarInfo(folder)
            info.type = tarfile.DIRTYPE
            tar.addfile(info)
        for name, content in ({"README.md": b"words", ".gitignore": b""} | files).items():
            info = tarfile.TarInfo(f"{top}/{name}")
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
        for member in members:
            tar.addfile(member, io.BytesIO(b"x" * member.size))
    return buffer.getvalue()


def member(name: str, **fields: object) -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    for key, value in fields.items():
        setattr(info, key, value)
    return info


@pytest.fixture
def refuse(tmp_path):
    """Unpack what must be refused, and return the error's text."""

    def check(data: bytes, archive: Archive = ARCHIVE) -> str:
        (tmp_path / "x.tar.gz").write_bytes(data)
        (tmp_path / "in" / "out").mkdir(parents=True)
        with pytest.raises(DownloadError) as caught:
            unpack(tmp_path / "x.tar.gz", archive, tmp_path / "in" / "out")
        assert "MANYHEADS_CATALOG_URL" in caught.value.remedy
        assert [path.name for path in (tmp_path / "in").iterdir()] == ["out"]
        assert sorted(path.name for path in tmp_path.iterdir()) == ["in", "x.tar.gz"]
        return str(caught.value)

    return check


def test_the_images_and_nothing_else(tmp_path):
    (tmp_path / "x.tar.gz").write_bytes(packed(FILES))
    unpack(tmp_path / "x.tar.gz", ARCHIVE, tmp_path / "out")
    out = [path for path in (tmp_path / "out").rglob("*") if path.is_file()]
    assert {path.relative_to(tmp_path / "out").as_posix(): path.read_bytes() for path in out} == (
        FILES
    )


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ({name: FILES[name] for name in list(FILES)[1:]}, "expected 6 train images .*found 5"),
        (FILES | {"train/hat/9.jpg": b"more"}, "expected 6 train images .*found 7"),
        ({n: c for n, c in FILES.items() if "test" not in n}, "2 test images .*found 0"),
        (FILES | {"train/hat/0.jpg": b"other"}, "with the digest"),
        (FILES | {"train/hat/9.png": b"png"}, r"\.jpg images in class folders"),
        (FILES | {"train/loose.jpg": b"jpg"}, r"\.jpg images in class folders"),
        (FILES | {"train/hat/deep/9.jpg": b"jpg"}, r"\.jpg images in class folders"),
        (
            {n.replace("test/hat", "test/cap"): c for n, c in FILES.items()},
            "the same 2 classes in every split .*cap, t-shirt in test",
        ),
    ],
)
def test_other_content_is_refused(refuse, files, message):
    assert re.search(message, refuse(packed(files)))


def test_the_test_images_are_counted_but_not_pinned(tmp_path):
    (tmp_path / "x.tar.gz").write_bytes(packed(FILES | {"test/hat/0.jpg": b"unknown"}))
    unpack(tmp_path / "x.tar.gz", ARCHIVE, tmp_path / "out")


@pytest.mark.parametrize(
    "evil",
    [
        member("name-123/../../evil.jpg", size=1),
        member("../evil.jpg", size=1),
        member("/tmp/evil.jpg", size=1),
        member("name-123/train/hat/../../../../evil.jpg", size=1),
        member("name-123/train/hat/..\\evil.jpg", size=1),
        member("name-123/train/hat/link.jpg", type=tarfile.SYMTYPE, linkname="/etc/passwd"),
        member("name-123/train/hat/hard.jpg", type=tarfile.LNKTYPE, linkname="../../x"),
        member("name-123/train/hat/pipe.jpg", type=tarfile.FIFOTYPE),
        member("name-123/train/hat/disk.jpg", type=tarfile.BLKTYPE),
    ],
    ids=lambda info: info.name,
)
def test_members_that_lead_elsewhere_are_refused(refuse, evil):
    assert "regular files inside the archive's folder" in refuse(packed(FILES, evil))


def test_one_name_twice_is_refused(refuse):
    twice = member("name-123/train/hat/0.jpg", size=1)
    assert "one member of each name" in refuse(packed(FILES, twice))


def test_too_much_is_refused_before_it_is_written(refuse):
    assert "more than 100 bytes" in refuse(packed(FILES), replace(ARCHIVE, limit=100))


@pytest.mark.parametrize(
    "data",
    [b"", b"<html>", packed(FILES)[:-200], packed(FILES)[:40]],
    ids=["empty", "a page", "without its end", "its beginning"],
)
def test_a_damaged_archive_is_refused(refuse, data):
    assert "a damaged one" in refuse(data)


def test_changed_bytes_are_found(refuse):
    data = bytearray(packed(FILES))
    data[len(data) // 2] ^= 0xFF
    refuse(bytes(data))


def test_the_pin_is_of_the_photographs(clothing):
    paths = [path for split in CLOTHING.pinned for path in (clothing / split).rglob("*.jpg")]
    names = [path.relative_to(clothing).as_posix() for path in paths]
    assert tree_digest(zip(names, read_all(paths), strict=True)) == CLOTHING.content
    for split, count in CLOTHING.counts[:2]:
        assert sum(name.startswith(split) for name in names) == count
