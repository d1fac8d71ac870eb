"""A `.keras` file as the archive that Keras writes, and nothing that merely looks like one.

Keras stores two or three files one behind the other, without compression. Whatever differs is
refused: then every byte lies where the directory says, none is read twice, and what is read can be
no larger than the file itself. Layout: PKWARE, APPNOTE.TXT, section 4.3.
"""

from __future__ import annotations

import io
import json
import stat
import struct
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, NamedTuple

CONFIG, METADATA, WEIGHTS = "config.json", "metadata.json", "model.weights.h5"

_NAMES = {CONFIG, METADATA, WEIGHTS}
_LONGEST = 1 << 23  # bytes of a configuration; the largest backbone's has fewer than 2²¹
_DEEPEST = 64  # brackets in brackets; Keras's own configurations have some twenty

_LOCAL, _END, _LOCATOR_64 = b"PK\x03\x04", b"PK\x05\x06", b"PK\x06\x07"
_HEADER = struct.Struct("<4s22xHH")  # ends with the lengths of the name and of the extra field
_TAIL = struct.Struct("<4s4xHHIIH")  # entries here, entries, directory's size, its place, comment
_ENCRYPTED = 0x1 | 0x40 | 0x2000
_DIRECTORY = 1 << 12  # bytes at most of the directory of so few files
_DESCRIPTOR = 24  # bytes at most behind a file whose size was not known when it was begun


class Span(NamedTuple):
    """Where the bytes of a member lie in its archive."""

    start: int
    size: int


def members(file: Path | IO[bytes]) -> dict[str, Span]:
    """The members of a `.keras` file by name.

    Raises `ValueError`, with a word on what is wrong, for everything but plain stored members of
    Keras's own names that fill the file one behind the other.
    """
    with _readable(file) as opened:
        end, count, directory = _end_of(opened)
        if count > len(_NAMES):
            raise ValueError(f"an archive of {count:,} files")
        try:
            with zipfile.ZipFile(opened) as archive:
                entries = archive.infolist()
        except (zipfile.BadZipFile, NotImplementedError, UnicodeDecodeError) as error:
            raise ValueError(f"a damaged archive ({error})") from error
        if len(entries) != count or directory > end:
            raise ValueError("an archive whose directory does not say what is in it")
        return _spans(opened, entries, directory)


def config(file: Path | IO[bytes]) -> dict[str, Any]:
    """The configuration in a `.keras` file, as data; raises `ValueError` as `members` does."""
    place = members(file).get(CONFIG)
    if place is None:
        raise ValueError(f"an archive without {CONFIG}")
    if place.size > _LONGEST:
        raise ValueError(f"a configuration of {place.size:,} bytes")
    with _readable(file) as opened:
        opened.seek(place.start)
        return parsed(opened.read(place.size))


def parsed(text: str | bytes) -> dict[str, Any]:
    """A configuration out of its JSON; raises `ValueError` if it is too long, too deep or none."""
    if len(text) > _LONGEST:
        raise ValueError(f"a configuration of {len(text):,} bytes")
    try:
        document = json.loads(text)
    except RecursionError as error:
        raise ValueError("a configuration nested too deeply") from error
    level, depth = [document], 0
    while level:
        depth += 1
        if depth > _DEEPEST:
            raise ValueError("a configuration nested too deeply")
        level = [inner for entry in level for inner in _inside(entry)]
    if not isinstance(document, dict) or not isinstance(document.get("config"), dict):
        raise ValueError("a configuration that describes no model")
    return document


def _inside(entry: Any) -> list[Any]:
    inner = entry.values() if isinstance(entry, dict) else entry
    return [value for value in inner if isinstance(value, dict | list)]


@contextmanager
def _readable(file: Path | IO[bytes]) -> Iterator[IO[bytes]]:
    if isinstance(file, Path):
        with file.open("rb") as opened:
            yield opened
    else:
        yield file


def _end_of(opened: IO[bytes]) -> tuple[int, int, int]:
    """Where the end record lies, how many files it counts, and where their directory lies."""
    length = opened.seek(0, io.SEEK_END)
    end = length - _TAIL.size
    opened.seek(max(0, end - 20))
    last = opened.read()
    if end < 0 or last[-_TAIL.size :][:4] != _END:
        raise ValueError("no archive, or one that is cut short or has something behind it")
    _, here, count, size, directory, comment = _TAIL.unpack(last[-_TAIL.size :])
    lies = here != count or directory + size != end or size > _DIRECTORY
    if comment or lies or last[:4] == _LOCATOR_64:
        raise ValueError("an archive whose directory does not say what is in it")
    return end, count, directory


def _spans(opened: IO[bytes], entries: list[zipfile.ZipInfo], directory: int) -> dict[str, Span]:
    spans: dict[str, Span] = {}
    free = 0
    for entry in sorted(entries, key=lambda entry: entry.header_offset):
        span = _span(opened, entry)
        if entry.filename in spans:
            raise ValueError(f"an archive with two files {entry.filename}")
        if not free <= entry.header_offset <= (free + _DESCRIPTOR if free else 0):
            raise ValueError(f"an archive whose files overlap or leave gaps at {entry.filename}")
        spans[entry.filename] = span
        free = span.start + span.size
    if not free <= directory <= free + _DESCRIPTOR:
        raise ValueError("an archive with something between its files and their directory")
    return spans


def _span(opened: IO[bytes], entry: zipfile.ZipInfo) -> Span:
    name = entry.filename
    if name not in _NAMES:
        raise ValueError(f"an archive with the file {name[:80]!r}, which no model needs")
    kind = stat.S_IFMT(entry.external_attr >> 16)
    if kind not in (0, stat.S_IFREG):
        raise ValueError(f"{name} as a link or a folder")
    if entry.flag_bits & _ENCRYPTED:
        raise ValueError(f"{name} encrypted")
    if entry.compress_type != zipfile.ZIP_STORED or entry.compress_size != entry.file_size:
        raise ValueError(f"{name} compressed, where Keras stores it as it is")
    opened.seek(entry.header_offset)
    header = opened.read(_HEADER.size)
    if len(header) != _HEADER.size:
        raise ValueError(f"an archive that ends before {name}")
    signature, length, extra = _HEADER.unpack(header)
    if signature != _LOCAL or opened.read(length) != name.encode():
        raise ValueError(f"an archive with something else in the place of {name}")
    return Span(entry.header_offset + _HEADER.size + length + extra, entry.file_size)
