"""Files that a decoder refuses though their pixels are sound.

Of a file without its last bytes, all pixels are there if they do not depend on what would have
followed. So the end is filled in with several patterns, and the image is decoded with each: equal
pixels are sound, and an image that is truly truncated has others each time.
"""

from __future__ import annotations

import hashlib
import zlib
from collections.abc import Callable, Iterator
from typing import NamedTuple, TypeVar

from PIL import Image

Found = TypeVar("Found")

_PATTERNS = (0x55, 0xAA, 0x00, 0x37)
_FILL = 300  # bytes; more than a block of a GIF has
_SHORT = 64  # bytes that a WebP may lack; more would hold pixels
_NO_FRAME = (0xC4, 0xC8, 0xCC)  # markers between those that begin a frame of a JPEG
_ALONE = (0x01, *range(0xD0, 0xD9))  # markers without a length
_PNG = b"\x89PNG\r\n\x1a\n"
_TEXT = (b"tEXt", b"zTXt", b"iTXt")  # chunks of a PNG
_LONGEST_TEXT = 1 << 20  # bytes, decompressed
_ALL_TEXTS = 1 << 25  # bytes of all of them


class Scan(NamedTuple):
    """Where the first scan of a JPEG begins, and whether its decoder holds all of the image."""

    start: int
    whole: bool


def lacks_end(data: bytes) -> bool:
    """Whether a JPEG, PNG, GIF or WebP lacks the mark, or the bytes, that end it."""
    if data.startswith(b"\xff\xd8"):
        return data.rfind(b"\xff\xd9") < jpeg_scan(data).start
    if data.startswith(b"\x89PNG"):
        return b"IEND" not in data[-4096:] and b"IEND" not in data
    if data.startswith(b"GIF8"):
        return not _ends_as_gif(data)
    return _missing_of_webp(data) > 0


def mended(
    data: bytes, decode: Callable[[bytes], Found], image_of: Callable[[Found], Image.Image]
) -> Found | None:
    """What `decode` makes of a JPEG, GIF or WebP without its end; None if pixels are missing too.

    `decode` may raise anything.
    """
    first, seen = None, ""
    try:
        for whole in _filled(data):
            found = decode(whole)
            image = image_of(found)
            digest = hashlib.sha256(image.tobytes()).hexdigest()
            if first is not None and digest != seen:
                return None
            first, seen = found if first is None else first, digest
    # Decoders meet incomplete bytes with a dozen kinds of exception.
    except Exception:
        return None
    return first


def jpeg_scan(data: bytes) -> Scan:
    """The first scan of a JPEG; one that cannot be followed holds all of the image."""
    at, components, progressive = 2, 0, False
    while at + 4 <= len(data) and data[at] == 0xFF:
        marker = data[at + 1]
        if marker == 0xFF:  # a fill byte
            at += 1
            continue
        if marker in _ALONE:
            at += 2
            continue
        length = int.from_bytes(data[at + 2 : at + 4], "big")
        if 0xC0 <= marker <= 0xCF and marker not in _NO_FRAME:
            components = data[at + 9] if at + 9 < len(data) else 0
            progressive = marker & 0x03 == 2
        if marker == 0xDA:
            among = data[at + 4] if at + 4 < len(data) else 0
            return Scan(at + 2 + length, progressive or among < components)
        at += 2 + length
    return Scan(len(data), True)


def without_large_text(data: bytes) -> bytes:
    """A PNG without its colour profile and texts of more than 1 MiB, which Pillow refuses.

    Its pixels are the same. Text that holds the orientation is far smaller, and stays.
    """
    if not data.startswith(_PNG):
        return data
    kept, at, total = [_PNG], len(_PNG), 0
    while at + 8 <= len(data):
        length, kind = int.from_bytes(data[at : at + 4], "big"), data[at + 4 : at + 8]
        end = at + 12 + length
        size = _text_size(kind, data[at + 8 : at + 8 + length]) if kind in _TEXT else 0
        if kind != b"iCCP" and size <= _LONGEST_TEXT and total + size <= _ALL_TEXTS:
            kept.append(data[at:end])
            total += size
        at = end
    return b"".join(kept)


def _filled(data: bytes) -> Iterator[bytes]:
    if data.startswith(b"\xff\xd8"):
        body = data[:-1] if data.endswith(b"\xff") else data  # the first half of the end
        yield body + b"\xff\xd9"
        yield from (body + bytes([p]) * _FILL + b"\xff\xd9" for p in _PATTERNS)
    elif data.startswith(b"GIF8"):
        yield from (data + bytes([p]) * _FILL + b"\0;" for p in _PATTERNS)
    elif 0 < (missing := _missing_of_webp(data)) <= _SHORT:
        yield from (data + bytes([p]) * missing for p in _PATTERNS)


def _ends_as_gif(data: bytes) -> bool:
    """Whether its blocks are followed by the trailer."""
    at = 13 + _colours(data, 10)
    while at < len(data):
        kind = data[at]
        if kind == 0x3B:
            return True
        if kind == 0x2C:  # an image: its place, perhaps its colours, and the size of its codes
            at += 11 + _colours(data, at + 9)
        elif kind == 0x21:  # an extension and its label
            at += 2
        else:
            return False
        while at < len(data) and data[at]:
            at += data[at] + 1
        at += 1
    return False


def _colours(data: bytes, at: int) -> int:
    flags = data[at] if at < len(data) else 0
    return 3 << (flags & 7) + 1 if flags & 0x80 else 0


def _missing_of_webp(data: bytes) -> int:
    if data[:4] != b"RIFF" or data[8:12] != b"WEBP":
        return 0
    return int.from_bytes(data[4:8], "little") + 8 - len(data)


def _text_size(kind: bytes, body: bytes) -> int:
    """The bytes of a text once it is decompressed, counted no further than `_LONGEST_TEXT`."""
    packed = b""
    if kind == b"zTXt":
        packed = body.partition(b"\0")[2][1:]
    elif kind == b"iTXt":
        flags = body.partition(b"\0")[2]
        if flags[:1] == b"\1":
            packed = flags[2:].partition(b"\0")[2].partition(b"\0")[2]
    if not packed:
        return len(body)
    try:
        return len(zlib.decompressobj().decompress(packed, _LONGEST_TEXT + 1))
    except zlib.error:
        return len(body)
