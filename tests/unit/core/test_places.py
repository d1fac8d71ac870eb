"""Files appear whole or not at all, and refusals of the disk name their remedy."""

from __future__ import annotations

import errno
import os
from collections import namedtuple
from pathlib import Path

import pytest

from manyheads.core import places
from manyheads.core.places import (
    atomic_path,
    cache_dir,
    disk_errors,
    lacks_room,
    make_folder,
    write_text,
)
from manyheads.errors import DiskError


def test_the_cache_goes_where_the_environment_says(monkeypatch, tmp_path):
    monkeypatch.setenv("MANYHEADS_CACHE", str(tmp_path / "here"))
    assert cache_dir() == tmp_path / "here"
    monkeypatch.setenv("MANYHEADS_CACHE", "~/there")
    assert cache_dir() == Path.home() / "there"


def test_the_cache_has_a_place_without_the_environment(monkeypatch):
    monkeypatch.delenv("MANYHEADS_CACHE")
    assert cache_dir().is_absolute()
    assert cache_dir().name == "manyheads"


def test_a_failed_write_leaves_the_old_file_and_nothing_else(tmp_path):
    target = tmp_path / "a.txt"
    write_text(target, "old")

    def half() -> None:
        with atomic_path(target) as temporary:
            temporary.write_text("ne")
            raise RuntimeError("power cut")

    with pytest.raises(RuntimeError, match="power cut"):
        half()
    assert target.read_text() == "old"
    assert list(tmp_path.iterdir()) == [target]


def test_the_temporary_file_is_beside_and_ends_alike(tmp_path):
    with atomic_path(tmp_path / "new" / "model.keras") as temporary:
        assert temporary.parent == tmp_path / "new"
        assert temporary.suffix == ".keras"
        temporary.write_bytes(b"whole")
    assert (tmp_path / "new" / "model.keras").read_bytes() == b"whole"


def test_a_new_file_has_the_permissions_that_the_user_set(tmp_path):
    old = os.umask(0o027)
    try:
        write_text(tmp_path / "a.txt", "text")
    finally:
        os.umask(old)
    assert (tmp_path / "a.txt").stat().st_mode & 0o777 == 0o640


@pytest.mark.parametrize(
    ("code", "remedy"),
    [
        (errno.ENOSPC, "free some space"),
        (errno.EDQUOT, "quota"),
        (errno.EROFS, "disk that can be written"),
        (errno.EACCES, "permissions"),
        (errno.EIO, "check the path"),
    ],
)
def test_each_refusal_names_its_remedy(code, remedy, tmp_path):
    with pytest.raises(DiskError) as caught, disk_errors(tmp_path):
        raise OSError(code, "no")
    assert remedy in caught.value.remedy
    assert str(tmp_path) in str(caught.value)


def test_a_folder_below_a_file_is_refused(tmp_path):
    (tmp_path / "file").write_text("text")
    with pytest.raises(DiskError, match="file"):
        make_folder(tmp_path / "file" / "folder")


@pytest.mark.parametrize(
    ("complaint", "free", "lacking"),
    [
        ("OSError: [Errno 28] No space left on device", 1 << 40, True),
        ("H5Fcreate: unable to write (errno = 28, error message = 'No space left')", 1 << 40, True),
        ("RuntimeError: basic_ios::clear: iostream error", 1 << 20, True),
        ("RuntimeError: basic_ios::clear: iostream error", 1 << 40, False),
        ("ValueError: an unknown layer", 1 << 30, False),
        ("ValueError: an unknown layer", 1 << 10, True),
    ],
)
def test_a_full_disk_is_recognised_by_whatever_name(
    complaint: str, free: int, lacking: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(places.shutil, "disk_usage", lambda _: usage(2 * free, free, free))
    assert lacks_room(complaint, tmp_path / "missing") is lacking
