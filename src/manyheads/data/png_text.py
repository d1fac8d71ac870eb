"""A PNG without the text and the colour profile that its decoder finds too large."""

from __future__ import annotations

import zlib

_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_TEXT = (b"tEXt", b"zTXt", b"iTXt")
_MOST = 1 << 20  # bytes of one text
_ALL = 1 << 25  # bytes of all of them


def without_large_text(data: bytes) -> bytes:
    """`data` without its colour profile and without texts of more than 1 MiB; pixels are the same.

    Text that says how the image is turned is far smaller, and stays.
    """
    if not data.startswith(_SIGNATURE):
        return data
    kept, at, total = [_SIGNATURE], len(_SIGNATURE), 0
    while at + 8 <= len(data):
        length, kind = int.from_bytes(data[at : at + 4], "big"), data[at + 4 : at + 8]
        end = at + 12 + length
        size = _size(kind, data[at + 8 : at + 8 + length]) if kind in _TEXT else 0
        if kind != b"iCCP" and size <= _MOST and total + size <= _ALL:
            kept.append(data[at:end])
            total += size
        at = end
    return b"".join(kept)


def _size(kind: bytes, body: bytes) -> int:
    """The bytes of a text once it is decompressed, counted no further than `_MOST`."""
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
        return len(zlib.decompressobj().decompress(packed, _MOST + 1))
    except zlib.error:
        return len(body)
