"""The law of the index of files: it never tells another digest than reading every file does."""

from __future__ import annotations

import os
import tempfile
from contextlib import nullcontext
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from manyheads.data.file_index import indexed_digests
from manyheads.data.paths import Paths
from tests.files import an_hour_later, read_all, wait_for_a_tick

FILES = ("a", "b", "c")


def create(file: Path, _other: Path, content: bytes) -> None:
    file.write_bytes(content)


def rewrite(file: Path, _other: Path, content: bytes) -> None:
    """Other bytes, as many, and the time of modification as before."""
    status = file.stat()
    file.write_bytes((content * 4)[: status.st_size])
    os.utime(file, ns=(status.st_atime_ns, status.st_mtime_ns))


def touch(file: Path, _other: Path, _content: bytes) -> None:
    os.utime(file)


def replace(file: Path, _other: Path, content: bytes) -> None:
    """Another file under the same name, as a program does that writes safely."""
    aside = file.with_suffix(".new")
    aside.write_bytes(content)
    aside.replace(file)


def swap(file: Path, other: Path, _content: bytes) -> None:
    if other != file and other.exists():
        aside = file.with_suffix(".new")
        file.rename(aside)
        other.rename(file)
        aside.rename(other)


def copy_time(file: Path, other: Path, content: bytes) -> None:
    """Other bytes, and the time of modification of another file."""
    file.write_bytes(content)
    if other.exists():
        os.utime(file, ns=(0, other.stat().st_mtime_ns))


def delete(file: Path, _other: Path, _content: bytes) -> None:
    file.unlink()


EDITS = (create, rewrite, touch, replace, swap, copy_time, delete)
edits = st.tuples(
    st.sampled_from(EDITS),
    st.sampled_from(FILES),
    st.sampled_from(FILES),
    st.binary(min_size=1, max_size=2),
)
# Edits, and then an opening: at once, or so late that what was read is remembered.
steps = st.lists(st.tuples(st.lists(edits, min_size=1, max_size=3), st.booleans()), max_size=5)


@pytest.mark.when_changed("studies")
@pytest.mark.skipif(os.name == "nt", reason="Windows does not tell when a file was changed")
@settings(max_examples=50)
@given(steps)
def test_the_index_tells_what_reading_tells(steps):
    with tempfile.TemporaryDirectory() as name, pytest.MonkeyPatch.context() as patch:
        folder = Path(name, "data")
        folder.mkdir()
        for number, file in enumerate(FILES):
            (folder / file).write_bytes(bytes([number]))
        patch.setenv("MANYHEADS_CACHE", str(Path(name, "cache")))
        for changes, late in [([], True), *steps]:
            for edit, file, other, content in changes:
                if edit is create or (folder / file).exists():
                    edit(folder / file, folder / other, content)
            paths = [folder / file for file in FILES if (folder / file).exists()]
            with an_hour_later() if late else nullcontext():
                assert indexed_digests(folder, Paths.of(paths)) == read_all(paths)
            if late:
                wait_for_a_tick(Path(name))
