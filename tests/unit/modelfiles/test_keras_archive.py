"""Archives that are not what they seem are refused, each with a word on what is wrong."""

from __future__ import annotations

import stat
import zipfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from manyheads.modelfiles import keras_archive
from manyheads.modelfiles.keras_archive import CONFIG, METADATA, WEIGHTS, members

CONTENTS = {METADATA: b"{}", CONFIG: b'{"config": {}}', WEIGHTS: bytes(range(200))}


def archive(path: Path, contents: dict[str, bytes] = CONTENTS) -> Path:
    with zipfile.ZipFile(path, "w") as written:
        for name, content in contents.items():
            written.writestr(name, content)
    return path


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return archive(tmp_path / "model.keras")


def test_the_members_lie_where_they_are_said_to(file: Path) -> None:
    data = file.read_bytes()
    assert {n: data[s : s + size] for n, (s, size) in members(file).items()} == CONTENTS
    assert keras_archive.config(file) == {"config": {}}


def test_what_a_stream_writes_is_read_too(tmp_path: Path) -> None:
    """Where the archive could not be sought in, sizes stand behind the files."""

    class Pipe:
        def __init__(self, path: Path) -> None:
            self.file = path.open("wb")
            self.write, self.flush = self.file.write, self.file.flush

    path = tmp_path / "model.keras"
    pipe: Any = Pipe(path)
    with zipfile.ZipFile(pipe, "w") as written:
        written.writestr(CONFIG, CONTENTS[CONFIG])
        written.writestr(METADATA, b"{}")
    pipe.file.close()
    assert keras_archive.config(path) == {"config": {}}


@pytest.mark.parametrize(
    "name", ["../config.json", "/config.json", "assets/words.txt", "a\\b", "C:config.json"]
)
def test_other_names(tmp_path: Path, name: str) -> None:
    with pytest.raises(ValueError, match="which no model needs"):
        members(archive(tmp_path / "model.keras", {CONFIG: b"{}", name: b""}))


def test_a_name_twice(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "model.keras", "w") as written:
        written.writestr(CONFIG, b"{}")
        with pytest.warns(UserWarning, match="Duplicate name"):
            written.writestr(CONFIG, b'{"another": 1}')
    with pytest.raises(ValueError, match=r"two files config\.json"):
        members(tmp_path / "model.keras")


def test_a_link(tmp_path: Path) -> None:
    entry = zipfile.ZipInfo(CONFIG)
    entry.external_attr = (stat.S_IFLNK | 0o777) << 16
    with zipfile.ZipFile(tmp_path / "model.keras", "w") as written:
        written.writestr(entry, "/etc/passwd")
    with pytest.raises(ValueError, match=r"config\.json as a link"):
        members(tmp_path / "model.keras")


def test_a_bomb(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "model.keras", "w", zipfile.ZIP_DEFLATED) as written:
        written.writestr(WEIGHTS, bytes(1 << 20))
    with pytest.raises(ValueError, match=r"model\.weights\.h5 compressed"):
        members(tmp_path / "model.keras")


def test_an_encrypted_member(file: Path) -> None:
    changed(file, central(file, 0) + 8, b"\x01\x00")
    with pytest.raises(ValueError, match=r"metadata\.json encrypted"):
        members(file)


def test_many_members(tmp_path: Path) -> None:
    contents = {f"{n}.json": b"" for n in range(50)}
    with pytest.raises(ValueError, match="an archive of 50 files"):
        members(archive(tmp_path / "model.keras", contents))


def test_many_members_that_are_not_counted(tmp_path: Path) -> None:
    file = archive(tmp_path / "model.keras", {f"{n}.json": b"" for n in range(5000)})
    end = file.read_bytes().rindex(b"PK\x05\x06")
    changed(file, end + 8, b"\x03\x00\x03\x00")
    with pytest.raises(ValueError, match="directory does not say what is in it"):
        members(file)


def test_sizes_that_lie(file: Path) -> None:
    place = central(file, 2)
    changed(file, place + 20, (10**9).to_bytes(4, "little") * 2)
    with pytest.raises(ValueError, match="something between its files and their directory"):
        members(file)


def test_a_size_for_64_bits_that_lies(file: Path) -> None:
    """A directory may give a size as "see the extra field", in 64 bits."""
    data = file.read_bytes()
    place, end = central(file, 2), data.rindex(b"PK\x05\x06")
    entry = bytearray(data[place:end])
    extra = b"\x01\x00\x10\x00" + (1 << 60).to_bytes(8, "little") * 2
    entry[20:28], entry[30:32] = b"\xff" * 8, len(extra).to_bytes(2, "little")
    tail = bytearray(data[end:])
    size = int.from_bytes(tail[12:16], "little") + len(extra)
    tail[12:16] = size.to_bytes(4, "little")
    file.write_bytes(data[:place] + entry + extra + tail)
    assert zipfile.ZipFile(file).getinfo(WEIGHTS).file_size == 1 << 60
    with pytest.raises(ValueError, match="something between its files and their directory"):
        members(file)


def test_members_on_top_of_each_other(file: Path) -> None:
    first = int.from_bytes(file.read_bytes()[central(file, 1) + 42 :][:4], "little")
    assert first > 0
    changed(file, central(file, 1) + 42, bytes(4))
    with pytest.raises(ValueError, match=r"something else in the place of config\.json"):
        members(file)


@pytest.mark.parametrize("extra", [b"x", b"PK\x05\x06" + bytes(19)])
def test_something_behind(file: Path, extra: bytes) -> None:
    file.write_bytes(file.read_bytes() + extra)
    with pytest.raises(ValueError, match=r"behind it|does not say"):
        members(file)


def test_something_before(file: Path) -> None:
    file.write_bytes(b"#!/bin/sh\n" + file.read_bytes())
    with pytest.raises(ValueError, match="directory does not say what is in it"):
        members(file)


def test_a_gap(tmp_path: Path) -> None:
    file = archive(tmp_path / "model.keras")
    whole = file.read_bytes()
    place, end = central(file, 0), whole.rindex(b"PK\x05\x06")
    tail = bytearray(whole[end:])
    tail[16:20] = (place + 100).to_bytes(4, "little")
    file.write_bytes(whole[:place] + bytes(100) + whole[place:end] + tail)
    with pytest.raises(ValueError, match="something between its files and their directory"):
        members(file)


@given(st.integers(0, 10**6), st.binary(min_size=1, max_size=8))
def test_no_damage_leads_outside_the_file(tmp_path_factory, at: int, bits: bytes) -> None:
    """Whatever is changed: the members lie inside, or it is refused."""
    path = archive(tmp_path_factory.mktemp("damaged") / "model.keras")
    length = path.stat().st_size
    changed(path, at % length, bits)
    try:
        found = members(path)
    except ValueError:
        return
    for span in found.values():
        assert 0 <= span.start <= span.start + span.size <= path.stat().st_size
    assert sum(span.size for span in found.values()) <= length


def central(file: Path, number: int) -> int:
    """Where the directory's entry of that number begins."""
    data, at = file.read_bytes(), -1
    for _ in range(number + 1):
        at = data.index(b"PK\x01\x02", at + 1)
    return at


def changed(file: Path, at: int, new: bytes) -> None:
    data = bytearray(file.read_bytes())
    data[at : at + len(new)] = new
    file.write_bytes(data)
