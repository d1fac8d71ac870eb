"""The index of files: what is read again, what is believed, and what becomes of damage."""

from __future__ import annotations

import logging
import os
import random
import resource
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from manyheads.data import file_index
from manyheads.data.file_index import indexed_digests
from manyheads.data.paths import Paths
from manyheads.errors import DataError, Interrupted
from tests.files import an_hour_later, read_all, wait_for_a_tick
from tests.jobs import HeardJob, StoppingJob
from tests.processes import wait_for


class Files:
    """Some files, their index, and which of them the last opening read."""

    def __init__(self, folder: Path, count: int) -> None:
        folder.mkdir(exist_ok=True)
        self.folder = folder
        self.paths = [folder / f"{number:03d}.png" for number in range(count)]
        for number, path in enumerate(self.paths):
            path.write_bytes(f"{folder.name} {number:03d}".encode())
        self.read: list[str] = []

    def open(self, **options) -> list[str]:
        self.read.clear()
        return list(indexed_digests(self.folder, Paths.of(self.paths), **options))

    def open_later(self, **options) -> list[str]:
        with an_hour_later():
            found = self.open(**options)
        wait_for_a_tick(self.folder)
        return found

    @property
    def index(self) -> Path:
        (found,) = (file_index.cache_dir() / "files").glob("[!.]*.index")
        return found


@pytest.fixture
def files(tmp_path, monkeypatch):
    monkeypatch.setenv("MANYHEADS_CACHE", str(tmp_path / "cache"))
    made = Files(tmp_path / "data", 10)
    digests_of = file_index.digests_of

    def watched(paths, rows, job, sizes):
        made.read += [paths[row].name for row in rows]
        return digests_of(paths, rows, job, sizes)

    monkeypatch.setattr(file_index, "digests_of", watched)
    return made


def test_a_second_opening_reads_no_file(files):
    assert files.open_later() == read_all(files.paths)
    assert len(files.read) == 10
    assert files.open_later() == read_all(files.paths)
    assert files.read == []


def test_what_was_written_a_moment_ago_is_read_every_time(files):
    files.open()
    assert files.open() == read_all(files.paths)
    assert len(files.read) == 10


def test_a_time_in_the_future_is_never_believed(files):
    future = time.time() + 86400
    os.utime(files.paths[4], (future, future))
    files.open_later()
    files.open_later()
    assert files.read == ["004.png"]


def same_size_and_time(path: Path) -> None:
    status = path.stat()
    path.write_bytes(b"x" * status.st_size)
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))


def by_rename(path: Path) -> None:
    other = path.with_suffix(".new")
    other.write_bytes(path.read_bytes()[::-1])
    other.replace(path)


@pytest.mark.parametrize(
    "edit",
    [
        pytest.param(
            same_size_and_time,
            marks=pytest.mark.skipif(os.name == "nt", reason="Windows tells no time of change"),
        ),
        by_rename,
        lambda path: path.write_bytes(b"x" * path.stat().st_size),
        lambda path: path.write_bytes(b"longer than it was"),
        os.utime,
    ],
    ids=["same size and time", "rename", "same size", "longer", "touched"],
)
def test_only_the_changed_file_is_read_again(files, edit):
    files.open_later()
    edit(files.paths[3])
    assert files.open_later() == read_all(files.paths)
    assert files.read == ["003.png"]
    assert files.open_later() == read_all(files.paths)
    assert files.read == []


def test_files_may_come_and_go_and_the_index_does_not_grow(files):
    files.open_later()
    size = files.index.stat().st_size
    files.paths.pop(0).unlink()
    assert files.open_later() == read_all(files.paths)
    assert files.read == []
    assert files.index.stat().st_size < size
    new = files.folder / "new.png"
    new.write_bytes(b"new")
    files.paths.insert(5, new)
    assert files.open_later() == read_all(files.paths)
    assert files.read == ["new.png"]
    assert files.index.stat().st_size == size


@pytest.mark.parametrize("damage", ["empty", "short", "long", "noise", "version", "text"])
def test_a_damaged_index_is_not_believed_and_made_anew(files, damage):
    files.open_later()
    whole = files.index.read_bytes()
    flipped = bytes([whole[-1] ^ 1])
    files.index.write_bytes(
        {
            "empty": b"",
            "short": whole[:-72],
            "long": whole + whole[-72:],
            "noise": whole[:-1] + flipped,
            "version": b"manyheads files0" + whole[16:],
            "text": b"no index at all",
        }[damage]
    )
    assert files.open_later() == read_all(files.paths)
    assert len(files.read) == 10
    assert files.index.read_bytes() == whole


def test_an_index_of_other_files_is_not_believed(files, tmp_path):
    files.open_later()
    own = files.index
    other = Files(tmp_path / "other", 10)
    other.open_later()
    (foreign,) = set(own.parent.glob("*.index")) - {own}
    own.write_bytes(foreign.read_bytes())
    assert files.open_later() == read_all(files.paths)
    assert len(files.read) == 10


def test_what_the_index_says_is_believed_until_everything_is_read_again(files):
    truth = files.open_later()
    records = file_index._load(files.index).copy()
    records["digest"][2] = 0
    file_index._write(files.index, records)
    assert files.open_later()[2] == "00" * 32
    assert files.open_later(reread=True) == truth
    assert len(files.read) == 10
    assert files.open_later() == truth


def test_what_is_long_unused_is_dropped(files):
    files.open_later()
    old = time.time() - 100 * 86400
    own = files.index
    leftovers = [own.with_name(name) for name in (".x-1.index", "gone.index")]
    for leftover in leftovers:
        leftover.write_bytes(b"")
        os.utime(leftover, (old, old))
    os.utime(own, (old, old))
    files.open_later()  # reads nothing, but the index is in use
    files.paths.pop().unlink()
    files.open_later()
    assert not any(leftover.exists() for leftover in leftovers)
    assert files.read == []


def test_where_there_can_be_no_cache_folder_every_file_is_read(files, monkeypatch, caplog):
    monkeypatch.setenv("MANYHEADS_CACHE", str(files.paths[0] / "cache"))
    with caplog.at_level(logging.WARNING):
        for _ in range(2):
            assert files.open_later() == read_all(files.paths)
            assert len(files.read) == 10
    assert caplog.text == ""


def test_a_full_disk_leaves_the_old_index(files, caplog):
    files.open_later()
    whole = files.index.read_bytes()
    files.paths[0].write_bytes(b"changed")
    kept = resource.getrlimit(resource.RLIMIT_FSIZE)
    previous = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100, kept[1]))
    try:
        with caplog.at_level(logging.WARNING):
            assert files.open_later() == read_all(files.paths)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, kept)
        signal.signal(signal.SIGXFSZ, previous)
    assert caplog.text == ""
    assert files.index.read_bytes() == whole
    assert list(files.index.parent.iterdir()) == [files.index]


def test_what_was_read_before_an_interruption_is_kept(files):
    many = Files(files.folder, 1000)
    job = StoppingJob("reading", 200)
    files.paths = many.paths
    with pytest.raises(Interrupted, match="reading the images"):
        files.open_later(job=job)
    later = HeardJob()
    files.open_later(job=later)
    seen = later.steps("reading")
    assert 200 <= 1000 - len(files.read) < 1000
    assert seen[0] == (1000 - len(files.read), 1000)
    assert seen[-1] == (1000, 1000)


def test_a_file_that_is_gone_is_named(files):
    files.open_later()
    files.paths[7].unlink()
    with pytest.raises(DataError, match=r"to read .*007\.png, found no such file"):
        files.open_later()


OPEN = """
import sys
from pathlib import Path
from manyheads.data import file_index
from manyheads.data.paths import Paths
now = file_index._now
file_index._now = lambda: now() + 3_600_000_000_000
folder = Path(sys.argv[1])
paths = Paths.of(sorted(folder.glob("*.png")))
"""
ONCE = "print(*file_index.indexed_digests(folder, paths))"
ALWAYS = """
while True:
    file_index.indexed_digests(folder, paths, reread=True)
"""


def opening(files: Files, what: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", OPEN + what, str(files.folder)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


def test_two_processes_may_open_at_once(files):
    both = [opening(files, ONCE) for _ in range(2)]
    for process in both:
        assert process.communicate()[0].split() == read_all(files.paths)
        assert process.returncode == 0
    files.open_later()
    assert files.read == []


def test_a_kill_while_writing_leaves_a_whole_index(files):
    files.open_later()
    index, whole, chance = files.index, files.index.read_bytes(), random.Random(0)
    for _ in range(3):
        index.unlink()
        process = opening(files, ALWAYS)
        wait_for(index.exists, process)
        time.sleep(chance.uniform(0, 0.02))
        process.kill()
        process.communicate()
        assert index.read_bytes() == whole


def test_keys_that_collide_are_told_apart_by_the_rest():
    known = np.zeros(3, file_index._RECORD)
    known["key"], known["inode"] = 7, [1, 2, 3]
    wanted = known[[2, 0]].copy()
    place = file_index._matches(known, wanted)
    for found, row in zip(place.tolist(), (2, 0), strict=True):
        assert found in (-1, row)
