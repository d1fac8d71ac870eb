"""What cameras recorded in image files, as texts."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from manyheads.data.decoding import identified, read_bytes
from manyheads.data.remote_path import FilePath
from manyheads.errors import DataError

_EXIF_FOLDER = 0x8769  # of the tags that are the camera's, not the image's
_JPEG = b"\xff\xd8\xff"
_HEAD = 1 << 18  # bytes: a JPEG's EXIF is at its beginning, and takes at most 2^16


def exif_text(source: FilePath, tag: int) -> str:
    """The text under an EXIF tag of an image file; empty where there is none that can be read.

    Numbers are written as Python writes them. Raises `DataError` for a file that cannot be read.
    """
    for data in _parts(source):
        try:
            image = identified(data)
            if image is None:
                continue
            found = image.getexif()
            value = found.get(tag)
            return _plain(found.get_ifd(_EXIF_FOLDER).get(tag) if value is None else value)
        # Decoders meet malformed metadata with a dozen kinds of exception. A damaged image has no
        # group, and is told when it is used.
        except Exception:
            continue
    return ""


def _parts(source: FilePath) -> Iterator[bytes]:
    """The beginning of a long JPEG, and the whole file where that does not do."""
    if isinstance(source, Path):
        try:
            with source.open("rb") as file:
                head = file.read(_HEAD)
                # Whatever is no JPEG may have its EXIF at the end.
                if head.startswith(_JPEG) and len(head) == _HEAD:
                    yield head
        except OSError as error:
            found = (error.strerror or str(error)).lower()
            raise DataError(
                f"to read {source}", found, "check the file and its permissions"
            ) from error
    yield read_bytes(source, str(source))


def _plain(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bytes):
        value = value.decode("utf-8", "replace")
    text = "".join(letter if letter.isprintable() else " " for letter in str(value))
    return " ".join(text.split())
